from collections.abc import Sequence

import pytest

from rewards.preference import (
    QUESTION,
    SET,
    Exchange,
    final_summary,
    helpfulness_rewards,
    safety_rewards,
    with_preferences,
)
from rl.records import Completion, Group, Outcome, Prompt, Score


class LengthModel:
    """Rates a response by its length, and keeps what it was shown."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Exchange]] = []

    def rate_summaries(self, exchanges: Sequence[Exchange]) -> Sequence[float]:
        self.batches.append(exchanges)
        return [len(exchange.response) for exchange in exchanges]

    rate_responses = rate_summaries


class FixedModel:
    def __init__(self, *values: float) -> None:
        self.values = values

    def rate_summaries(self, exchanges: Sequence[Exchange]) -> Sequence[float]:
        return self.values

    rate_responses = rate_summaries


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("<think>secret</think>It is 7.", "It is 7."),
        ("secret</think>\n\nIt is 7.\n<|im_end|>", "It is 7."),
        ("<think>secret</think><answer> It is 7. </answer>", "It is 7."),
        ("<think>a<answer>draft</answer></think>It is 7.", "It is 7."),
        ("<think>a</think>draft</think>It is 7.", "It is 7."),
        ("<think>a</think>So: <answer>7</answer> as said.", "7"),
        (
            "<think>a</think><answer>7</answer><answer>8</answer>",
            "<answer>7</answer><answer>8</answer>",
        ),
        ("<think>a</think>7</answer>", "7</answer>"),
        ("<think>secret", None),
        ("It is 7.", None),
        ("<think>a</think> \n", None),
        ("<think>a</think><answer> </answer>", None),
        ("<think>a</think></s>", None),
        ("", None),
    ],
)
def test_final_summary(response: str, expected: str | None) -> None:
    assert final_summary(response) == expected


def test_helpfulness_sees_the_summary_only_and_safety_everything() -> None:
    exchanges = [
        Exchange("q1", "<think>secret</think>four"),
        Exchange("q2", "<think>secret, and cut"),
        Exchange("q3", "<think>secret</think><answer>seven 7</answer>"),
    ]
    model = LengthModel()
    assert helpfulness_rewards(model, exchanges) == (4.0, None, 7.0)
    assert model.batches == [[Exchange("q1", "four"), Exchange("q3", "seven 7")]]
    model = LengthModel()
    assert safety_rewards(model, exchanges) == tuple(float(len(e.response)) for e in exchanges)
    assert model.batches == [exchanges]


def test_an_empty_batch_asks_nobody() -> None:
    model = LengthModel()
    assert helpfulness_rewards(model, []) == ()
    assert safety_rewards(model, []) == ()
    assert helpfulness_rewards(model, [Exchange("q", "<think>cut")]) == (None,)
    assert model.batches == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((1.0,), "returned 1 values for 2 responses"),
        ((1.0, 2.0, 3.0), "returned 3 values for 2 responses"),
        ((1.0, float("nan")), "returned nan for response 1 of 2"),
        ((float("inf"), 1.0), "returned inf for response 0 of 2"),
    ],
)
def test_a_model_that_breaks_its_promise_is_not_trained_on(
    values: tuple[float, ...], message: str
) -> None:
    exchanges = [Exchange("q", "a</think>b")] * 2
    for rewards in (helpfulness_rewards, safety_rewards):
        with pytest.raises(ValueError, match=message):
            rewards(FixedModel(*values), exchanges)


def group(name: str | None, *texts: str) -> Group:
    metadata = {} if name is None else {SET: name, QUESTION: "q"}
    prompt = Prompt("p", "templated q", (1,), "", metadata)
    completions = tuple(
        Completion("p", i, text, (1,), (0.0,), 0, "stop") for i, text in enumerate(texts)
    )
    outcome = Outcome.CORRECT if name is None else Outcome.RATED
    parts = {"accuracy": 1.0} if name is None else {"format": 1.0}
    return Group(prompt, completions, tuple(Score(1.0, outcome, parts) for _ in texts))


def test_each_general_prompt_is_rated_by_the_model_of_its_set_alone():
    helpful, safe = LengthModel(), LengthModel()
    groups = [
        group("helpfulness", "<think>secret</think>four", "<think>secret"),
        group(None, "<think>3+4</think>7"),
        group("safety", "<think>plan</think>no"),
    ]
    rated = with_preferences(groups, helpful, safe, 0.5)
    assert helpful.batches == [[Exchange("q", "four")]]
    assert safe.batches == [[Exchange("q", "<think>plan</think>no")]]
    assert [[score.reward for score in each.scores] for each in rated] == [
        [1.0 + 0.5 * 4, 1.0],
        [1.0],
        [1.0 + 0.5 * 21],
    ]
    assert rated[1] == groups[1]
    assert rated[0].scores[0].parts == {
        "format": 1.0,
        "preference": 4.0,
        "preference_helpfulness": 4.0,
    }
    assert rated[2].scores[0].parts["preference_safety"] == 21.0
