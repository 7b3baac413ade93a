import json
import pickle
import subprocess
import sys
from collections.abc import Iterator

import pytest

from configs.errors import UserError
from configs.rewards import CodeSettings, RewardSettings, SandboxSettings
from rewards.scoring import Scorer, check_gold_answers, with_neutral_language
from rl.records import Completion, FinishReason, Outcome, Prompt, Score

SETTINGS = RewardSettings(accuracy=1.0, format=0.5)
SUM = {"tests": [{"stdin": "1 2", "stdout": "3"}, {"stdin": "5 6", "stdout": "11"}]}
ADDS = "<think>Add.</think>\n```python\nprint(sum(map(int, input().split())))\n```"


def prompt(text: str = "User: 3+4=? Assistant:", answer: str = "7", **metadata: str) -> Prompt:
    return Prompt("p", text, (1,), answer, {"kind": "add", "language": "en", **metadata})


def completion(text: str, finish_reason: FinishReason = "stop", tokens: int = 3) -> Completion:
    ids = tuple(range(tokens))
    return Completion("p", 0, text, ids, (0.0,) * tokens, 0, finish_reason)


@pytest.fixture(scope="module")
def scorer() -> Iterator[Scorer]:
    with Scorer(SETTINGS) as found:
        yield found


def with_settings(settings: RewardSettings, *arguments: object) -> Score:
    with Scorer(settings) as scorer:
        return scorer.score(*arguments, max_tokens=100)


@pytest.mark.parametrize(
    ("text", "finish_reason", "reward", "outcome"),
    [
        ("<think>3+4=7</think><answer>7</answer>", "stop", 1.5, Outcome.CORRECT),
        ("<think>3+4=8</think><answer>8</answer>", "stop", 0.5, Outcome.WRONG),
        ("3+4=7</think><answer>7</answer>", "stop", 1.0, Outcome.CORRECT),
        ("<think>3+4=7</think><answer>7</answer>", "length", 1.0, Outcome.CORRECT),
        ("<think>3+4=", "length", 0.0, Outcome.NO_ANSWER),
        ("7", "stop", 0.0, Outcome.NO_ANSWER),
    ],
)
def test_reward_is_the_weighted_sum(scorer, text, finish_reason, reward, outcome):
    result = scorer.score(prompt(), completion(text, finish_reason), 100)
    assert result.reward == reward
    assert result.outcome is outcome
    assert set(result.parts) == {"accuracy", "format"}
    assert reward == result.parts["accuracy"] + 0.5 * result.parts["format"]


def test_unreadable_gold_gives_no_reward(scorer):
    answer = completion("<think>a</think><answer>7</answer>")
    result = scorer.score(prompt(answer="\\frac{1}{"), answer, 100)
    assert result.reward is None
    assert result.outcome is Outcome.UNPARSEABLE_GOLD


def test_prompt_that_opened_the_thinking(scorer):
    answer = completion("3+4=7</think><answer>7</answer>")
    assert scorer.score(prompt("?<think>\n"), answer, 100).reward == 1.5


def test_scores_keep_the_order_of_completions(scorer):
    texts = [f"<think>a</think><answer>{i}</answer>" for i in range(20)]
    scores = scorer.score_all([completion(text) for text in texts], {"p": prompt()}, 100)
    assert [score.reward for score in scores] == [1.5 if i == 7 else 0.5 for i in range(20)]


def test_r1_stage_adds_the_share_of_the_prompt_language():
    settings = RewardSettings(format_form="think_tags", language=2.0)
    thinking = (
        "First we add three and four and then we are 完成了这个问题"  # 10 words, and 7 characters
    )
    result = with_settings(settings, prompt(), completion(f"<think>{thinking}</think>7"))
    share = result.parts["language"]
    assert share == pytest.approx(10 / (10 + 7 / 1.6), abs=1e-6)
    assert result.reward == pytest.approx(result.parts["accuracy"] + 1.0 + 2.0 * share)
    other = with_settings(
        settings, prompt(language="zh"), completion(f"<think>{thinking}</think>7")
    )
    assert other.parts["language"] == pytest.approx(1 - share, abs=0.02)


def test_the_language_of_the_answer_does_not_count():
    settings = RewardSettings(format_form="think_tags", language=1.0)
    thinking = "First we add three and four, and then we see that they make seven"
    answer = completion(f"<think>{thinking}</think>答案是七，因为三加四等于七，这个问题很简单。")
    for target, share in (("en", 1.0), ("zh", 0.0)):
        found = with_settings(settings, prompt(language=target), answer)
        assert found.parts["language"] == share
        assert found.reward == found.parts["accuracy"] + found.parts["format"] + share


def test_too_few_words_get_the_mean_of_their_group():
    def score(reward: float | None, **parts: float) -> Score:
        return Score(reward, Outcome.WRONG, parts)

    settings = RewardSettings(language=0.5)
    group = [score(1.2, language=0.4), score(1.4, language=0.8), score(1.0), score(None)]
    filled = [item.reward for item in with_neutral_language(group, settings)]
    assert filled == [1.2, 1.4, pytest.approx(1.3), None]
    nobody = [score(1.0), score(0.0)]
    assert with_neutral_language(nobody, settings) == nobody


def test_optional_penalties():
    settings = RewardSettings(repetition=1.0, repetition_ngram=2, overlong=0.5, overlong_tokens=40)
    text = "<think>la la la la la</think><answer>7</answer>"
    result = with_settings(settings, prompt(), completion(text, tokens=80))
    assert result.parts["overlong"] == pytest.approx(-0.5)  # half-way between 60 and 100
    assert -1.0 < result.parts["repetition"] < 0.0
    expected = 1.0 + 1.0 + result.parts["repetition"] + 0.5 * -0.5
    assert result.reward == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "reward", "outcome"),
    [
        (ADDS, 1.0, Outcome.CORRECT),
        (ADDS.replace("sum", "max"), 0.0, Outcome.WRONG),
        (ADDS.replace("sum", "summe"), 0.0, Outcome.RUNTIME_ERROR),
        ("<think>Add.</think> I would add them.", 0.0, Outcome.NO_ANSWER),
    ],
)
def test_programs_are_judged_by_their_tests(scorer, text, reward, outcome):
    task = prompt(answer=json.dumps(SUM), checker="code")
    result = scorer.score(task, completion(text), 100)
    assert (result.reward, result.outcome) == (reward, outcome)


def test_tests_that_cannot_be_read_give_no_reward(scorer):
    result = scorer.score(prompt(answer='{"tests": 3}', checker="code"), completion(ADDS), 100)
    assert (result.reward, result.outcome) == (None, Outcome.UNPARSEABLE_GOLD)


def test_share_of_tests():
    code = CodeSettings(all_or_nothing=False, sandbox=SandboxSettings(workers=1))
    half = ADDS.replace("print(", "print(3 or ")
    task = prompt(answer=json.dumps(SUM), checker="code")
    assert with_settings(RewardSettings(code=code), task, completion(half)).reward == 0.5


def test_gold_answers_that_do_not_count_as_right_stop_the_run():
    check_gold_answers([prompt(answer="\\frac{1}{2}"), prompt(answer="Friday")], SETTINGS)
    with pytest.raises(UserError, match=r"problem p .*unparseable_gold"):
        check_gold_answers([prompt(), prompt(answer="\\frac{1}{")], SETTINGS)
    with pytest.raises(UserError, match="its language is 'xx'"):
        check_gold_answers([prompt(language="xx")], RewardSettings(language=1.0))


def test_programs_with_a_solution_are_run_before_training():
    right = SUM | {"solution": "print(sum(map(int, input().split())))"}
    check_gold_answers([prompt(answer=json.dumps(right), checker="code")], SETTINGS)
    wrong = SUM | {"solution": "print(3)"}
    with pytest.raises(UserError, match="its own solution is wrong_answer"):
        check_gold_answers([prompt(answer=json.dumps(wrong), checker="code")], SETTINGS)


def test_scores_travel_between_processes(scorer):
    result = scorer.score(prompt(), completion("<think>a</think><answer>7</answer>"), 100)
    assert pickle.loads(pickle.dumps(result)) == result


def test_scoring_imports_without_torch():
    code = "import sys, rewards.scoring; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("min_words", "part"), [(1, 1.0), (5, 1.0), (6, None)])
def test_how_few_words_are_evidence_of_a_language_is_a_setting(min_words, part):
    settings = RewardSettings(language=1.0, min_language_words=min_words)
    thought = "<think> let me check: ones 3+4=7 tens 0</think><answer>7</answer>"
    result = with_settings(settings, prompt(), completion(thought))
    assert result.parts.get("language") == part


def test_general_prompts_get_format_and_language_and_no_accuracy():
    general = prompt(answer="", preference_set="helpfulness", question="q")
    settings = RewardSettings(format_form="think_tags", language=1.0)
    thinking = "we first think about it and then we say what we think of it"
    result = with_settings(settings, general, completion(f"<think>{thinking}</think>hello"))
    assert result.outcome is Outcome.RATED
    assert set(result.parts) == {"format", "language", "stripped_share"}
    assert result.reward == pytest.approx(1.0 + result.parts["language"])
    check_gold_answers([general], settings)
