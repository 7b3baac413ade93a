"""What an evaluation keeps, and what it refuses to mix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from launch.eval_folder import EvalFolder, EvalSample, model_sha256
from rl.records import Outcome

ABOUT: dict[str, Any] = {"model_sha256": "aa", "settings": {"seed": 0, "samples": 2}}
SAMPLES = [
    EvalSample("p-0", 0, "3+4=?", "7", "<think>…</think>7", 5, "stop", Outcome.CORRECT, "7"),
    EvalSample(
        "p-0", 1, "3+4=?", "7", "是", 9, "length", Outcome.NO_ANSWER, None, 0.5, (("a", True),)
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> EvalFolder:
    return EvalFolder(tmp_path / "run", "models/x")


def test_waves_come_back_as_they_were_written(folder: EvalFolder) -> None:
    assert folder.open("nano", ABOUT) is None
    assert folder.read_wave("nano", 0) is None
    folder.write_wave("nano", 0, SAMPLES)
    assert folder.read_wave("nano", 0) == SAMPLES
    assert folder.samples_kept("nano") == 2
    assert [path.name for path in (folder.path / "samples" / "nano").iterdir()] == ["0000.parquet"]


def test_what_a_kill_left_half_written_does_not_count(folder: EvalFolder) -> None:
    folder.open("nano", ABOUT)
    (folder.path / "samples" / "nano" / "0000.aside").write_text("half")
    assert folder.read_wave("nano", 0) is None
    assert folder.samples_kept("nano") == 0
    folder.write_wave("nano", 0, SAMPLES)
    assert folder.read_wave("nano", 0) == SAMPLES


def test_a_finished_benchmark_gives_its_measures(folder: EvalFolder) -> None:
    assert folder.open("nano", ABOUT) is None
    assert folder.open("nano", ABOUT) is None, "begun, not finished"
    folder.finish("nano", ABOUT, {"problems": 1})
    assert folder.open("nano", ABOUT) == {"problems": 1}
    result = json.loads(folder.result("nano").read_text())
    assert result["model"] == "models/x"
    assert result["about"] == ABOUT
    assert "torch" in result["versions"]["packages"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"model_sha256": "bb"}, r"\(model_sha256: 'aa' there, 'bb' now\)"),
        ({"settings": {"seed": 1, "samples": 2}}, r"\(settings.seed: 0 there, 1 now\)"),
        ({"settings": {"seed": 0}}, r"\(settings.samples: 2 there, None now\)"),
    ],
)
@pytest.mark.parametrize("finished", [True, False])
def test_another_model_or_setting_is_refused(
    folder: EvalFolder, other: dict[str, Any], said: str, finished: bool
) -> None:
    folder.open("nano", ABOUT)
    if finished:
        folder.finish("nano", ABOUT, {"problems": 1})
    with pytest.raises(UserError, match=said):
        folder.open("nano", ABOUT | other)
    assert folder.open("gsm8k", ABOUT | other) is None, "another benchmark stands for itself"


def test_the_model_hash_follows_what_answers_depend_on(tmp_path: Path) -> None:
    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return model_sha256(tmp_path)

    seen = [
        write("config.json", "{}"),
        write("model.safetensors", "weights"),
        write("model.safetensors", "other weights"),
        write("generation_config.json", "{}"),
        write("tokenizer.json", "{}"),
        write("chat_template.jinja", "x"),
    ]
    assert len(set(seen)) == len(seen)
    assert write("README.md", "words") == seen[-1]
