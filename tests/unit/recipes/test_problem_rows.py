"""Problems from real data: every form is read, every bad row is listed with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.data_sets import ProblemData
from configs.errors import UserError
from configs.rewards import CodeSettings, RewardSettings
from recipes.datasets import PromptSets, load_prompts
from recipes.nano_tokenizer import build_tokenizer
from recipes.problem_rows import read_problem
from recipes.row_files import BadRow
from rewards.code.tasks import read_task
from rewards.scoring import Scorer
from rl.records import Completion, Outcome

TOKENIZER = build_tokenizer()
ANY = ProblemData(path="x.jsonl")
TESTS = [{"stdin": "1 2", "stdout": "3"}]


def write(folder: Path, *rows: object) -> str:
    path = folder / "rows.jsonl"
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows]
    path.write_bytes(b"\n".join(lines))
    return str(path)


def load(path: str, **settings: Any) -> PromptSets:
    given: dict[str, Any] = {"heldout_problems": 1, "max_prompt_tokens": 5000, **settings}
    return load_prompts(ProblemData(path=path, **given), TOKENIZER)


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"question": "q", "answer": "1+1=2\n#### 1,000"}, "1,000"),
        ({"problem": "p", "answer": "\\frac{1}{2}"}, "\\frac{1}{2}"),
        ({"problem": "p", "answer": 204}, "204"),
        ({"problem": "p", "solution": "So it is $\\boxed{\\sqrt{2}}$."}, "\\sqrt{2}"),
        ({"problem": "p", "solution": "\\boxed{1}", "answer": "2"}, "2"),
        ({"problem": "p", "solution": "\\boxed{1}", "answer": None}, "1"),
    ],
)
def test_mathematics(row: dict[str, Any], answer: str) -> None:
    problem = read_problem(row, ANY)
    assert (problem.checker, problem.answer) == ("math", answer)


@pytest.mark.parametrize(
    "columns",
    [
        {"tests": [{"input": "1 2", "output": "3"}]},
        {"tests": TESTS},
        {"official_tests": [{"input": "1 2", "output": "3"}]},
        {"private_tests": {"input": ["1 2"], "output": ["3"]}, "public_tests": None},
        {"input_output": json.dumps({"inputs": ["1 2"], "outputs": ["3"]})},
    ],
)
def test_programs_on_stdin(columns: dict[str, Any]) -> None:
    problem = read_problem({"description": "Add.", **columns}, ANY)
    assert problem.checker == "code"
    assert json.loads(problem.answer)["tests"] == TESTS
    assert "read the input from stdin" in problem.asked()


def test_programs_with_asserts_and_a_time_limit() -> None:
    row = {"text": "Add.", "test_list": ["assert add(1, 2) == 3"], "time_limit": 2.0}
    problem = read_problem(row, ANY)
    task = json.loads(problem.answer)
    assert task == {"tests": ["assert add(1, 2) == 3"], "time_limit_s": 2.0}
    assert read_task({**task, "code": ""}, CodeSettings()).limits.time_s == 2.0
    assert "must satisfy this test:\nassert add(1, 2) == 3" in problem.asked()


def test_named_columns_and_answers_in_words() -> None:
    row = {"problem": "not this", "Frage": "Wo?", "Antwort": "In Paris."}
    data = ProblemData(path="x.jsonl", question="Frage", answer="Antwort", checker="judge")
    problem = read_problem(row, data)
    assert (problem.question, problem.answer, problem.checker) == ("Wo?", "In Paris.", "judge")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([1], "not an object"),
        ({"q": "a"}, "no question column"),
        ({"problem": "  ", "answer": "1"}, "empty text"),
        ({"problem": 3, "answer": "1"}, "not a text"),
        ({"problem": "p"}, "no answer"),
        ({"problem": "p", "answer": ""}, "no answer"),
        ({"problem": "p", "answer": ["1"]}, "not a text"),
        ({"problem": "p", "answer": "proof"}, "no answer that can be checked"),
        ({"problem": "p", "answer": "so ####  "}, "no answer that can be checked"),
        ({"problem": "p", "solution": "it is 5"}, "no \\boxed{} in the solution"),
        ({"problem": "p \ud800", "answer": "1"}, "not valid Unicode"),
        ({"problem": "p", "tests": [{"input": "1"}]}, "tests cannot be read"),
        ({"problem": "p", "tests": "[{"}, "tests cannot be read"),
        ({"problem": "p", "test_list": ["1 +"]}, "tests cannot be run"),
        ({"problem": "p", "private_tests": {"input": ["1"], "output": []}}, "tests cannot be read"),
        (
            {"problem": "p", "input_output": {"inputs": [[1]], "outputs": [2], "fn_name": "f"}},
            "tests that call a function in input_output",
        ),
    ],
)
def test_bad_rows(row: Any, reason: str) -> None:
    with pytest.raises(BadRow) as caught:
        read_problem(row, ANY)
    assert caught.value.reason == reason


def test_nothing_is_dropped_silently(tmp_path: Path) -> None:
    rows: list[object] = [
        {"id": "a", "problem": "one?", "answer": "1"},
        {"id": "b", "problem": "two?", "answer": "2"},
        {"id": "a", "problem": "three?", "answer": "3"},
        {"id": "c", "problem": "one?", "answer": "1"},
        b'{"problem": "\xff", "answer": "1"}',
        b'{"problem": "x"',
        {"problem": "far too long " * 600, "answer": "1"},
        {"problem": "Add.", "tests": TESTS},
    ]
    sets = load(write(tmp_path, *rows))
    assert len(sets.train) + len(sets.heldout) + len(sets.rejected_rows) == len(rows)
    assert [(each.row, each.reason) for each in sets.rejected_rows] == [
        (3, "id occurs twice"),
        (4, "question occurs twice"),
        (5, "not UTF-8"),
        (6, "not JSON"),
        (7, "prompt longer than 5000 tokens"),
    ]
    assert sets.rejected == {each.reason: 1 for each in sets.rejected_rows}
    by_id = {prompt.id: prompt for prompt in [*sets.train, *sets.heldout]}
    assert sorted(by_id) == ["a", "b", "row-8"]
    assert by_id["row-8"].metadata["checker"] == "code" and "checker" not in by_id["a"].metadata
    assert by_id["b"].metadata["question"] == "two?"


def test_chat_prompts_say_in_which_form_the_answer_is_wanted(tmp_path: Path) -> None:
    path = write(tmp_path, {"problem": "one?", "answer": "1"}, {"problem": "two?", "answer": "2"})
    sets = load(path, template="chat")
    prompt = min([*sets.train, *sets.heldout], key=lambda prompt: prompt.id)
    assert prompt.text.startswith(
        "<｜begin▁of▁sentence｜><｜User｜>one?\nPlease reason step by step"
    )
    assert prompt.metadata["question"] in prompt.text
    assert "reason step by step" not in load(path).train[0].text


def test_limits_and_formats(tmp_path: Path) -> None:
    rows = [{"problem": f"{i}?", "answer": str(i)} for i in range(9)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    sets = load(str(tmp_path / "rows.parquet"), problems=5, heldout_problems=2)
    assert (len(sets.train), len(sets.heldout)) == (3, 2)
    assert {p.text[-14:] for p in sets.heldout}.isdisjoint({p.text[-14:] for p in sets.train})
    again = load(write(tmp_path, *rows[4::-1]), heldout_problems=2)
    assert {p.answer for p in again.heldout} == {p.answer for p in sets.heldout}


def test_too_few_good_rows_is_one_line_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"0 usable problems \(2 no answer; 1 not JSON\)") as caught:
        load(write(tmp_path, {"problem": "a"}, {"problem": "b"}, b"{"))
    assert "\n" not in str(caught.value)


def test_the_scorer_judges_them_all(tmp_path: Path) -> None:
    rows = [
        {"id": "add", "problem": "Add.", "tests": TESTS},
        {"id": "half", "problem": "Half of one?", "answer": "\\frac{1}{2}"},
    ]
    sets = load(write(tmp_path, *rows))
    by_id = {prompt.id: prompt for prompt in [*sets.train, *sets.heldout]}
    answers = {
        "add": "```python\na, b = map(int, input().split())\nprint(a + b)\n```",
        "half": "\\boxed{0.5}",
    }
    with Scorer(RewardSettings()) as scorer:
        for name, text in answers.items():
            assert scorer.check_gold(by_id[name]) is None
            for said, outcome in ((text, Outcome.CORRECT), ("\\boxed{9}\n```\n1\n```", None)):
                found = scorer.score(
                    by_id[name],
                    Completion(name, 0, f"<think>a</think>{said}", (), (), 0, "stop"),
                    9,
                ).outcome
                assert found is outcome if outcome else found is Outcome.WRONG


def test_the_real_gsm8k(tmp_path: Path) -> None:
    real = Path(__file__).parents[4] / "shared" / "data" / "gsm8k_train.jsonl"
    if not real.is_file():
        pytest.skip("no GSM8K file beside the checkout")
    sets = load(str(real), problems=500, heldout_problems=50)
    assert (len(sets.train), len(sets.heldout), sets.rejected) == (450, 50, {})
