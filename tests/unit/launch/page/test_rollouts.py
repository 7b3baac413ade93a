"""What is read from a run folder: where, in which order, and what is added to it."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest

from launch.page.rollouts import Rollouts, find_snapshots, languages_mixed, read_groups
from rl.records import Outcome
from rollout.journal import Journal
from tests.run_folders import RIGHT, WRONG, group, make_run, sample

MIXED_RESULTS = [sample(RIGHT), sample(WRONG, Outcome.WRONG), sample(RIGHT), sample(RIGHT)]
ALL_WRONG = [sample(WRONG, Outcome.WRONG)] * 2


def test_snapshots_in_the_order_of_sampling_and_whole_steps_before_samples(tmp_path: Path) -> None:
    groups = [group("a", MIXED_RESULTS), group("b", MIXED_RESULTS)]
    run = make_run(
        tmp_path / "run",
        journal={2: groups, 3: groups},
        samples={1: groups[:1], 2: groups[:1], 10: groups[:1]},
        evaluations={0: groups, 2: groups},
    )
    Journal(run / "journal").write(1, 1, groups[:1])
    found = find_snapshots(run)
    assert [entry.id for entry in found] == ["eval-0", "1", "2", "eval-2", "3", "10"]
    assert [entry.id for entry in found if entry.sampled] == ["1", "10"]
    assert len(Rollouts(run, "mean").groups(found[2])) == 3


def test_the_journal_and_the_samples_of_a_step_read_the_same(tmp_path: Path) -> None:
    text = "<think>与\u2028\u0000\x85</think> <answer>７</answer>"
    odd = group("a", [sample(text, tokens=9, finish="length"), sample("")], prompt="甲\n<think>")
    run = make_run(tmp_path / "run", journal={1: [odd]}, samples={1: [odd]})
    (journal,) = (run / "journal").glob("*.parquet")
    from_journal = read_groups(journal)
    assert from_journal == read_groups(run / "rollouts" / "step-000001.jsonl")
    assert from_journal[0]["completions"][0]["tokens"] == 9


def test_advantages_extracted_answers_and_open_thinking(tmp_path: Path) -> None:
    opened = group("b", [sample("so 7</think><answer>7</answer>")] * 2, prompt="3+4=? <think>\n")
    run = make_run(tmp_path / "run", samples={1: [group("a", MIXED_RESULTS), opened]})
    (snapshot,) = find_snapshots(run)
    first, second = Rollouts(run, "mean_std").groups(snapshot)
    # Rewards 2, 1, 2, 2: mean 1.75, standard deviation sqrt(3)/4.
    plus, minus = 0.25 / (math.sqrt(3) / 4), -0.75 / (math.sqrt(3) / 4)
    values = [entry["advantage"] for entry in first["completions"]]
    assert values == pytest.approx([plus, minus, plus, plus], abs=1e-4)
    assert [entry["extracted"] for entry in first["completions"]] == ["7", "8", "7", "7"]
    assert (first["opened"], second["opened"]) == (False, True)
    assert second["completions"][0]["extracted"] == "7"


def test_a_part_of_a_batch_has_no_batch_advantage(tmp_path: Path) -> None:
    groups = [group("a", MIXED_RESULTS)]
    run = make_run(tmp_path / "run", samples={1: groups}, journal={2: groups})
    sampled, whole = find_snapshots(run)
    rollouts = Rollouts(run, "batch_mean_std")
    assert {entry["advantage"] for entry in rollouts.groups(sampled)[0]["completions"]} == {None}
    assert None not in {entry["advantage"] for entry in rollouts.groups(whole)[0]["completions"]}


def test_a_prompt_remembers_its_last_result_before(tmp_path: Path) -> None:
    a, b = group("a", MIXED_RESULTS), group("b", ALL_WRONG)
    run = make_run(
        tmp_path / "run",
        samples={1: [a], 2: [b], 3: [group("a", ALL_WRONG)], 4: [a, b]},
        evaluations={4: [b, group("c", ALL_WRONG)]},
    )
    rollouts = Rollouts(run, "mean")
    by_id = {snapshot.id: rollouts.groups(snapshot) for snapshot in rollouts.snapshots()}
    before = {name: [entry["before"] for entry in groups] for name, groups in by_id.items()}
    assert before["1"] == [None] and before["2"] == [None]
    assert before["3"] == [{"at": "1", "right": 0.75}]
    assert before["4"] == [{"at": "3", "right": 0.0}, {"at": "2", "right": 0.0}]
    assert before["eval-4"] == [{"at": "4", "right": 0.0}, None]


def test_new_waves_of_a_step_are_seen(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", journal={1: [group("a", ALL_WRONG)]})
    rollouts = Rollouts(run, "mean")
    assert len(rollouts.groups(rollouts.snapshots()[0])) == 1
    Journal(run / "journal").write(0, 1, [group("b", ALL_WRONG)])
    assert len(rollouts.groups(rollouts.snapshots()[0])) == 2


def test_a_damaged_journal_file_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = make_run(tmp_path / "run", journal={1: [group("a", ALL_WRONG)]})
    (path,) = (run / "journal").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-30])
    with caplog.at_level(logging.WARNING):
        assert Rollouts(run, "mean").groups(find_snapshots(run)[0]) == []
    assert "is damaged" in caplog.text


def test_looking_leaves_the_folder_as_it_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", journal={1: [group("a", ALL_WRONG)]})
    (run / "journal" / "000002-0000-ab.parquet.aside").write_text("being written")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    rollouts = Rollouts(run, "mean")
    for snapshot in rollouts.snapshots():
        rollouts.groups(snapshot)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


@pytest.mark.parametrize(
    ("text", "mixed"),
    [
        ("<think>个4-7=7 tens 9-3=6</think><answer>60</answer>", True),
        ("我们 compute 一下", True),
        ("слово and word", True),
        ("<think>个4-7=7十</think><answer>57</answer>", False),
        ("<think>four and x=7</think><answer>57</answer>", False),
        ("设 x 为 \\frac{1}{2}，\\text 则 y=3", False),
        ("the angle α and Σ of π", False),
        ("", False),
    ],
)
def test_mixed_languages(text: str, mixed: bool) -> None:
    assert languages_mixed(text) is mixed
