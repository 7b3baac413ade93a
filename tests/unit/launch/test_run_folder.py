"""The run folder refuses other settings and numbers its attempts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from configs.compose import load_config
from configs.errors import UserError
from configs.pipeline import PipelineConfig, StageConfig
from configs.schema import RlConfig
from launch.eval_folder import EvalFolder
from launch.run_folder import RunFolder
from tests.loop.fakes import make_config


def config(folder: Path, **changes: object) -> RlConfig:
    return make_config().model_copy(update={"run_dir": str(folder / "run"), **changes})


def test_other_settings_are_refused_with_the_difference(tmp_path: Path) -> None:
    (RunFolder(config(tmp_path, seed=1)).path / "journal" / "wave").touch()
    with pytest.raises(UserError, match=r"seed: 1 there, 2 now"):
        RunFolder(config(tmp_path, seed=2))
    RunFolder(config(tmp_path, seed=1))


def test_a_setting_that_is_newer_than_the_run_has_its_default(tmp_path: Path) -> None:
    folder = RunFolder(config(tmp_path)).path
    (folder / "journal" / "wave").touch()
    path = folder / "config.yaml"
    settings = yaml.safe_load(path.read_text())
    del settings["learner"]["share_prefixes"]
    older = yaml.safe_dump(settings)
    path.write_text(older)
    RunFolder(config(tmp_path))

    path.write_text(older)
    learner = config(tmp_path).learner.model_copy(update={"share_prefixes": True})
    with pytest.raises(UserError, match=r"share_prefixes: False there, True now"):
        RunFolder(config(tmp_path, learner=learner))

    path.write_text(yaml.safe_dump(settings | {"removed": 1}))
    with pytest.raises(UserError, match=r"removed: 1 there, None now"):
        RunFolder(config(tmp_path))


def test_an_evaluation_of_other_models_is_refused(tmp_path: Path) -> None:
    def evaluation(model: str) -> StageConfig:
        words = [f"models.dev1.path={model}", f"run_dir={tmp_path}/run"]
        config = load_config(["recipe=r1/evaluation", *words])
        assert not isinstance(config, PipelineConfig)
        return config

    RunFolder(evaluation("mistaken"))
    folder = RunFolder(evaluation("old"))
    samples = EvalFolder(folder.path / "models" / "dev1", "old")
    samples.open("nano", {})
    samples.write_wave("nano", 0, [])
    folder.write_status(phase="finished", step=1, steps=1)
    with pytest.raises(
        UserError, match=r"holds a run .* \(models\.dev1\.path: 'old' there, 'new' n"
    ):
        RunFolder(evaluation("new"))
    assert RunFolder(evaluation("old")).finished_steps() == 1


def test_settings_may_change_until_something_is_computed(tmp_path: Path) -> None:
    RunFolder(config(tmp_path, seed=1))
    folder = RunFolder(config(tmp_path, seed=2))
    assert "seed: 2" in (folder.path / "config.yaml").read_text()


def test_more_steps_are_allowed(tmp_path: Path) -> None:
    before = config(tmp_path)
    (RunFolder(before).path / "metrics.jsonl").touch()
    longer = before.recipe.model_copy(update={"steps": 99})
    RunFolder(config(tmp_path, recipe=longer))


def test_attempts_are_numbered_and_latest_points_to_the_newest(tmp_path: Path) -> None:
    for expected in (1, 2):
        folder = RunFolder(config(tmp_path))
        folder.begin_attempt()
        assert folder.attempt == expected
    latest = folder.path / "logs" / "latest"
    assert latest.resolve() == folder.log_dir
    assert folder.finished_steps() == 0
    folder.write_status(phase="finished", step=3)
    assert RunFolder(config(tmp_path)).finished_steps() == 3
