import pickle
import subprocess
import sys

import pytest

from configs.schema import RewardSettings
from rewards.scoring import score
from rl.records import Outcome

SETTINGS = RewardSettings(accuracy=1.0, format=0.5)


@pytest.mark.parametrize(
    ("completion", "finish_reason", "reward", "outcome"),
    [
        ("<think>3+4=7</think><answer>7</answer>", "stop", 1.5, Outcome.CORRECT),
        ("<think>3+4=8</think><answer>8</answer>", "stop", 0.5, Outcome.WRONG),
        ("3+4=7</think><answer>7</answer>", "stop", 1.0, Outcome.CORRECT),
        ("<think>3+4=7</think><answer>7</answer>", "length", 1.0, Outcome.CORRECT),
        ("<think>3+4=", "length", 0.0, Outcome.NO_ANSWER),
        ("7", "stop", 0.0, Outcome.NO_ANSWER),
    ],
)
def test_reward_is_the_weighted_sum(completion, finish_reason, reward, outcome):
    result = score("User: 3+4=? Assistant:", completion, "7", finish_reason, SETTINGS)
    assert result.reward == reward
    assert result.outcome is outcome
    parts = result.parts
    assert reward == SETTINGS.accuracy * parts["accuracy"] + SETTINGS.format * parts["format"]


def test_unreadable_gold_gives_no_reward():
    result = score("?", "<think>a</think><answer>7</answer>", "1/0", "stop", SETTINGS)
    assert result.reward is None
    assert result.outcome is Outcome.UNPARSEABLE_GOLD
    assert result.parts == {"accuracy": 0.0, "format": 1.0}


def test_prompt_that_opened_the_thinking():
    result = score("?<think>\n", "3+4=7</think><answer>7</answer>", "7", "stop", SETTINGS)
    assert result.reward == 1.5


def test_scores_travel_between_processes():
    result = score("?", "<think>a</think><answer>7</answer>", "7", "stop", SETTINGS)
    assert pickle.loads(pickle.dumps(result)) == result


def test_scoring_imports_without_torch():
    code = "import sys, rewards.scoring; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)
