"""A judge over a server: what it is asked, what its words mean, and that nothing is asked twice."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from configs.compose import load_config
from configs.data_making import TextModelSettings
from configs.errors import UserError
from configs.schema import RewardModelConfig
from recipes.nano_tokenizer import build_tokenizer
from recipes.pair_judging import AskedJudge, read_pair_verdict
from recipes.preference_pairs import Candidates
from recipes.reward_data import JudgedSets, load_judged
from recipes.text_models import EndpointModel
from tests.unit.recipes.chat_server import Reply, chat_server, completion

SHOWN = re.compile(r"Response A:\n(.*)\n\nResponse B:\n(.*)\n\nEnd with", re.DOTALL)


class Server:
    """Prefers the longer response, whatever the order, and counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, request: dict[str, Any], _: dict[str, str]) -> Reply:
        question = request["messages"][0]["content"]
        self.asked.append(question)
        found = SHOWN.search(question)
        assert found is not None
        first, second = found.groups()
        if "nonsense" in question:
            return completion("They are [[A>B]] or [[B>A]].")
        return completion(f"Mine: x. [[{'A>>B' if len(first) > len(second) else 'B>>A'}]]")


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("My answer ... [[A>>B]]", 2.0),
        ("[[A>B]] and again [[A>B]]", 1.0),
        ("[[A=B]]", 0.0),
        ("[[B>A]]", -1.0),
        ("so: [[B>>A]].", -2.0),
        ("[[A>B]] or rather [[B>A]]", None),
        ("A>B", None),
        ("", None),
    ],
)
def test_what_a_reply_says(reply: str, verdict: float | None) -> None:
    assert read_pair_verdict(reply) == verdict


def judge_at(url: str, replies: Path, name: str = "judge") -> AskedJudge:
    settings = TextModelSettings(url=url, model=name, timeout_s=5.0)
    return AskedJudge(EndpointModel(settings, "judge", replies))


def test_nothing_is_asked_twice(tmp_path: Path) -> None:
    path, server = tmp_path / "replies.jsonl", Server()
    candidates = [Candidates("1", "q", ("a", "longer")), Candidates("2", "q", ("b", "bb"))]
    with chat_server(server) as url:
        judge = judge_at(url, path)
        judge.prepare(candidates, 4)
        assert len(server.asked) == 8
        assert [
            judge.verdict("q", *shown, query)
            for query, shown in enumerate([("a", "longer"), ("longer", "a")] * 2)
        ] == [-2.0, 2.0, -2.0, 2.0]
        # The last line was being written when the run was killed.
        path.write_text(path.read_text()[:-9])
        for _ in range(2):
            judge_at(url, path).prepare(candidates, 4)
            assert len(server.asked) == 9
        judge_at(url, path, "another judge").prepare(candidates[:1], 4)
        assert len(server.asked) == 13


def load(tmp_path: Path, *words: str, judge: AskedJudge | None = None) -> JudgedSets:
    rows: list[dict[str, Any]] = [
        {"prompt": " a", "responses": [" yes", "<think> hm</think> yes, it is"]},
        {"prompt": " b", "responses": [" nonsense", " no"]},
        {"prompt": " c", "chosen": " good", "rejected": " bad"},
        {"prompt": " d", "responses": [" one"]},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = load_config(
        [
            *("recipe=r1/reward_helpful", "model=folder", "model.path=m", f"data.path={path}"),
            *("recipe.batch_size=1", "data.heldout_rows=0", "judge.balance_lengths=false", *words),
        ]
    )
    assert isinstance(config, RewardModelConfig)
    return load_judged(config, build_tokenizer(), [1], judge)


def test_rows_with_two_responses_are_compared(tmp_path: Path) -> None:
    server = Server()
    with chat_server(server) as url:
        judge = judge_at(url, tmp_path / "replies.jsonl")
        sets = load(tmp_path, judge=judge)
    assert not any("hm" in question for question in server.asked), "summaries alone are judged"
    decode = build_tokenizer().decode
    texts = [[decode(each) for each in unit.segments] for unit in sets.train]
    assert ["yes, it is" in text for text in texts[0]] == [True, False]
    assert len(texts) == 2 and "good" in texts[1][0]
    assert sets.counts() == {
        "the judge's answer has no verdict": 1,
        "responses is not a list of two": 1,
    }


def test_without_a_judge_they_are_counted(tmp_path: Path) -> None:
    sets = load(tmp_path)
    assert len(sets.train) == 1
    assert sets.counts()["two responses and no judge (judge.by)"] == 2


def test_a_judge_that_is_down_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recipes.text_models.RETRIES_S", ())
    judge = judge_at("http://127.0.0.1:9/v1", tmp_path / "replies.jsonl")
    with pytest.raises(UserError, match="start the server and run the same command again"):
        load(tmp_path, judge=judge)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("judge.by=endpoint", r"judge\.by=endpoint: needs judge\.url="),
        ("judge.queries=3", r"judge\.queries=3: must be even"),
    ],
)
def test_settings_of_a_judge_that_are_refused(word: str, said: str) -> None:
    from configs.checks import check_settings

    words = ["recipe=r1/reward_helpful", "model=folder", "model.path=m", "data.path=x.jsonl"]
    with pytest.raises(UserError, match=said):
        check_settings(load_config([*words, word]))
