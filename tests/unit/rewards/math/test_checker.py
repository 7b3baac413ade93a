import re
import time
from pathlib import Path

import pytest

import rewards
from configs.rewards import MathSettings
from rewards.math import MathChecker
from rl.records import Outcome


@pytest.mark.parametrize(
    "gold",
    ["", "  ", "$$", "1/0", "\\frac{1}{0}", "3 4", "x" * 2000, "\\frac{1}{", "@@##", "2^{", "}"],
)
def test_unreadable_gold_is_the_data_sets_fault(checker: MathChecker, gold: str) -> None:
    for prediction in ("<think>a</think>\\boxed{7}", "no answer at all"):
        assert checker.check(prediction, gold).outcome is Outcome.UNPARSEABLE_GOLD


def test_gold_that_no_grammar_reads(checker: MathChecker) -> None:
    verdict = checker.check("7", "\\foo{7}^^", is_answer=True)
    assert verdict.outcome is Outcome.UNPARSEABLE_GOLD


def test_long_answers_are_not_read(checker: MathChecker) -> None:
    verdict = checker.check("1+" * 600 + "1", "601", is_answer=True)
    assert verdict.outcome is Outcome.WRONG
    assert "1201 characters" in verdict.detail


@pytest.mark.parametrize(
    ("setting", "gold", "answer"),
    [
        ("percent_leniency", "50", "50\\%"),
        ("ignore_units", "5 cm", "5 m"),
        ("any_order", "(1,2)", "(2,1)"),
        ("round_to_gold", "3.14", "3.14159"),
        ("round_to_gold", "3.14", "\\pi"),
        ("round_to_gold", "0.33", "1/3"),
    ],
)
def test_each_policy_does_what_it_says_and_nothing_else(
    checker: MathChecker, setting: str, gold: str, answer: str
) -> None:
    lenient = MathChecker(MathSettings.model_validate({setting: True}))
    assert checker.check(answer, gold, is_answer=True).outcome is Outcome.WRONG
    assert lenient.check(answer, gold, is_answer=True).outcome is Outcome.CORRECT
    for wrong_gold, wrong in [
        ("50", "60\\%"),
        ("5 cm", "6 m"),
        ("(1,2)", "(3,1)"),
        ("3.14", "3.2"),
    ]:
        assert lenient.check(wrong, wrong_gold, is_answer=True).outcome is Outcome.WRONG


def test_verdicts_are_cached_but_timed() -> None:
    checker = MathChecker(MathSettings(cache_size=16))
    first, second = (checker.check("\\sqrt{8}", "2\\sqrt{2}", is_answer=True) for _ in range(2))
    assert first.outcome is second.outcome is Outcome.CORRECT
    assert second.seconds < first.seconds


def test_the_answer_is_reported_as_it_was_written(checker: MathChecker) -> None:
    verdict = checker.check("<think>a</think>\\boxed{\\dfrac{1}{2}}", "0.5")
    assert verdict.extracted == "\\dfrac{1}{2}"
    assert verdict.outcome is Outcome.CORRECT


@pytest.mark.parametrize(
    "answer",
    [
        "\\sin((e^{500})^{500})",
        "\\sin((e^{9999})^{9999})",
        "f((e^{9999})^{13})",
        "+".join(f"\\cos((e^{{{9999 - i}}})^{{13}})" for i in range(30)),
        "+".join(f"\\sin((e^{{{9999 - i}}})^{{0.69}})" for i in range(30)),
        "+".join(f"\\lfloor (e^{{{9999 - i}}})^{{13}}\\rfloor" for i in range(30)),
        "\\sin " + "x" * 450,
    ],
)
def test_huge_values_take_no_time(checker: MathChecker, answer: str) -> None:
    start = time.thread_time()
    assert checker.check(answer, "5", is_answer=True).outcome is Outcome.WRONG
    assert time.thread_time() - start < 1.0


@pytest.mark.parametrize("error", [RecursionError("deep"), KeyError("sinc")])
def test_a_defect_is_a_wrong_answer_that_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def broken(*_: object) -> bool:
        raise error

    monkeypatch.setattr("rewards.math.checker.same_answer", broken)
    verdict = MathChecker().check("\\sin x", "5", is_answer=True)
    assert verdict.outcome is Outcome.WRONG
    assert type(error).__name__ in verdict.detail
    assert "\\sin x" in caplog.text


FORBIDDEN = re.compile(
    r"\b(eval|exec|compile|parse_expr|sympify|pickle|marshal|shelve|cPickle|dill|yaml\.load"
    r"|literal_eval|__import__|run_code)\b\s*\(?|\bS\(|\bimport pickle"
)


def test_nothing_that_a_model_wrote_is_ever_evaluated() -> None:
    root = Path(rewards.__file__).parent
    # Programs are run by rewards/code, in rewards/sandbox.
    runs_programs = {"code", "sandbox"}
    files = [
        file for file in root.rglob("*.py") if not runs_programs & set(file.relative_to(root).parts)
    ]
    assert len(files) > 10
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            found = FORBIDDEN.search(line.replace("re.compile(", ""))
            assert found is None, f"{file}:{number}: {line.strip()}"


def test_the_search_finds_what_it_looks_for() -> None:
    for line in ("eval(text)", "parse_expr(text)", "pickle.loads(text)", "yaml.load(text)"):
        assert FORBIDDEN.search(line)
