"""Which stages are made, skipped, set aside or refused; with real files and processes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from configs.compose import from_yaml, load_config
from configs.errors import UserError
from configs.pipeline import PipelineConfig
from configs.plan_placement import actors_of_a_run
from configs.shape import NANO_FACTS
from launch.backends.base import Job
from launch.backends.job import submit, write_job
from launch.backends.slurm import SlurmBackend
from launch.cli import main
from launch.driver import drive
from launch.manifest import (
    Manifest,
    product_hash,
    product_sizes,
    read_manifest,
)
from launch.pipeline import (
    _check_not_empty,
    _counts,
    _set_aside_if_changed,
    input_hashes,
    is_made,
    run_pipeline,
)
from launch.stages import StageRun, actors_on_a_node, check_given_files, stage_runs
from launch.stop import stop_asked, withdraw_stop

ON_SLURM = ("cluster=slurm",)


def pipeline(folder: Path, *words: str) -> tuple[PipelineConfig, dict[str, StageRun]]:
    config = load_config(["recipe=r1", f"run_dir={folder}", *words])
    assert isinstance(config, PipelineConfig)
    return config, {run.stage.name: run for run in stage_runs(config)}


def product(run: StageRun, content: bytes) -> None:
    """What a run leaves behind that the pipeline looks at."""
    folder = run.product if run.stage.makes == "model" else run.folder
    folder.mkdir(parents=True, exist_ok=True)
    file = run.product / "model.safetensors" if run.product.is_dir() else run.product
    file.write_bytes(content)
    (run.folder / "status.json").write_text(json.dumps({"step": 1}))
    settings = run.config.model_dump(mode="json")
    (run.folder / "config.yaml").write_text(yaml.safe_dump(settings))


def finish(run: StageRun, inputs: dict[str, str], content: bytes) -> None:
    """As a run that made this."""
    product(run, content)
    Manifest(
        run.stage.name,
        inputs,
        complete=True,
        product=product_hash(run.product),
        sizes=product_sizes(run.product),
        settings=run.config.model_dump(mode="json"),
    ).write(run.folder)


def test_words_reach_the_stages(tmp_path: Path) -> None:
    words = ["seed=3", "cluster.threads=1", "stages.rl_reasoning.recipe.steps=7"]
    _, runs = pipeline(tmp_path, "recipe.until=rl_reasoning", *words)
    assert all(run.config.seed == 3 and run.config.cluster.threads == 1 for run in runs.values())
    assert runs["rl_reasoning"].config.model_dump()["recipe"]["steps"] == 7
    assert runs["zero"].config.model_dump()["recipe"]["steps"] == 30
    model = runs["rl_reasoning"].config.model_dump()["model"]
    assert model["path"] == str(tmp_path / "stages" / "sft_cold_start" / "final")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("stages.rl.recipe.steps=7", "stages.rl: no such stage; the stages are: zero, "),
        ("stages.zero.recipe.stepz=7", "stages.zero: unknown key 'recipe.stepz'; did you mean"),
        ("stages.zero.learner.mini_batches=7", "stages.zero: learner.mini_batches=7: must divide"),
        ("recipe.until=dev2", "recipe.until=dev2: no such stage; choose one of: zero, "),
        ("stages.zero=7", "write stages.STAGE.KEY=VALUE"),
    ],
)
def test_mistakes_are_named_before_anything_runs(tmp_path: Path, word: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        pipeline(tmp_path, word)
    assert expected in str(caught.value)


def test_files_that_are_given_are_looked_for_before_the_first_stage(tmp_path: Path) -> None:
    general = "stages.rejection_sampling.recipe.general=no.jsonl"
    config, runs = pipeline(tmp_path / "run", general)
    with pytest.raises(UserError) as caught:
        run_pipeline(config, list(runs.values()))
    assert str(caught.value).startswith("stages.rejection_sampling: recipe.general=no.jsonl: no s")
    assert not (tmp_path / "run").exists()
    check_given_files(list(pipeline(tmp_path)[1].values()))

    real = ["recipe.scale=", "model=folder", f"model.path={tmp_path}/no", "recipe.until=zero"]
    data = ["stages.zero.data=problems", f"stages.zero.data.path={tmp_path}/no.jsonl"]
    _, runs = pipeline(tmp_path, *real, *data)
    with pytest.raises(UserError) as caught:
        check_given_files(list(runs.values()))
    model, rows = str(caught.value).splitlines()
    assert model.startswith(f"stages.zero: model.path={tmp_path}/no: no such folder")
    assert rows.startswith(f"stages.zero: data.path={tmp_path}/no.jsonl: no such file")


def test_another_model_does_not_learn_from_the_nano_world_unasked(tmp_path: Path) -> None:
    real = ["recipe.scale=", "model=qwen2_5_7b", "recipe.until=rejection_sampling"]
    zero = ["stages.zero.data=gsm8k", "stages.zero.data.path=x", "stages.zero.data.general=nano"]
    general = "stages.rejection_sampling.recipe.general=nano"
    rewards = [f"stages.zero.reward.{name}_model=m" for name in ("helpful", "safety")]
    with pytest.raises(UserError) as caught:
        pipeline(tmp_path, *real, *zero, *rewards, general)
    said = "is of the nano world, and the pipeline's model is not; set"
    sampling = ("cold_start_data", "rl_reasoning", "rejection_sampling")
    assert sorted(str(caught.value).splitlines()) == sorted(
        [
            f"stages.zero: data.general=nano: {said} stages.zero.data.general=FILE",
            *(
                f"stages.{name}: data.kind=nano: {said} stages.{name}.data=gsm8k "
                f"stages.{name}.data.path=FILE"
                for name in sampling
            ),
            f"stages.rejection_sampling: recipe.general=nano: {said} "
            "stages.rejection_sampling.recipe.general=FILE",
        ]
    )


def test_a_nano_model_in_a_folder_learns_from_the_nano_world(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(NANO_FACTS))
    words = ["model=folder", f"model.path={folder}", "recipe.scale=nano_v3"]
    _, runs = pipeline(tmp_path, *words, "recipe.until=cold_start_data")
    assert runs["zero"].config.model_dump()["data"]["kind"] == "nano"


def test_what_is_said_of_all_stages_goes_to_those_that_have_it(tmp_path: Path) -> None:
    _, runs = pipeline(tmp_path, "stages.all.learner.ranks=1", "stages.rl_all.learner.ranks=2")
    ranks = {
        name: run.config.model_dump().get("learner", {}).get("ranks") for name, run in runs.items()
    }
    assert ranks.pop("rl_all") == 2
    assert ranks["cold_start_data"] is None and ranks["evaluation"] is None
    assert set(ranks.values()) == {1, None}
    with pytest.raises(UserError) as caught:
        pipeline(tmp_path, "stages.all.learner.rankz=1")
    expected = "stages.zero and 8 more: unknown key 'learner.rankz'; did you mean 'learner.ranks'?"
    assert str(caught.value) == expected
    with pytest.raises(UserError, match=r"ranks is no setting of recipe\.kind=sampled_data"):
        pipeline(tmp_path, "stages.cold_start_data.learner.ranks=1")


def test_a_model_of_which_only_the_sizes_are_known_goes_to_the_stages(tmp_path: Path) -> None:
    words = ["recipe.scale=", "model=qwen2_5_7b", "recipe.until=zero", "stages.zero.data=gsm8k"]
    config, runs = pipeline(tmp_path, *words, "stages.zero.data.path=x")
    model = runs["zero"].config.model_dump()["model"]
    assert model == config.model.model_dump() and model["shape"]["model_type"] == "qwen2"


def test_a_stage_is_skipped_until_something_changes(tmp_path: Path) -> None:
    config, runs = pipeline(tmp_path, "recipe.until=cold_start_data")
    zero, data = runs["zero"], runs["cold_start_data"]
    given = input_hashes(zero, config)
    assert not is_made(zero, given)
    finish(zero, given, b"weights")
    inputs = input_hashes(data, config)
    finish(data, inputs, b"rows")
    assert is_made(zero, given) and is_made(data, inputs)

    _, others = pipeline(tmp_path, "recipe.until=cold_start_data", "seed=1")
    with pytest.raises(UserError, match="seed: 0 there, 1 now"):
        is_made(others["zero"], given)
    _, longer = pipeline(tmp_path, "recipe.until=cold_start_data", "stages.zero.recipe.steps=31")
    with pytest.raises(UserError, match=r"recipe\.steps: 30 there, 31 now"):
        is_made(longer["zero"], given)

    made = read_manifest(zero.folder)
    assert made is not None
    replace(made, product="other weights").write(zero.folder)
    now = input_hashes(data, config)
    assert not is_made(data, now)
    _set_aside_if_changed(data, now, Console(quiet=True))
    assert not data.folder.exists()
    assert (data.folder.with_name("cold_start_data.old-1") / "data.jsonl").read_bytes() == b"rows"


def test_a_stage_whose_data_file_has_changed_is_set_aside_and_made_again(tmp_path: Path) -> None:
    file = tmp_path / "problems.jsonl"
    file.write_text("before")
    words = ["recipe.scale=", "model=qwen2_5_7b", "recipe.until=zero", "stages.zero.data=gsm8k"]
    config, runs = pipeline(tmp_path, *words, f"stages.zero.data.path={file}")
    zero = runs["zero"]
    finish(zero, input_hashes(zero, config), b"weights")
    assert is_made(zero, input_hashes(zero, config))

    file.write_text("behind")
    now = input_hashes(zero, config)
    assert not is_made(zero, now)
    said = StringIO()
    _set_aside_if_changed(zero, now, Console(file=said, width=200))
    assert "zero: other inputs (data.path); set aside as zero.old-1" in said.getvalue()


def test_what_a_stage_made_is_hashed_alike_by_those_that_read_it(tmp_path: Path) -> None:
    config, runs = pipeline(tmp_path, "recipe.until=sft_cold_start")
    zero, data = runs["zero"], runs["cold_start_data"]
    finish(zero, input_hashes(zero, config), b"weights")
    finish(data, input_hashes(data, config), b"rows")
    made = read_manifest(data.folder)
    assert made is not None
    assert input_hashes(runs["sft_cold_start"], config)["data.path"] == made.product


def test_a_damaged_product_is_made_again(tmp_path: Path) -> None:
    config, runs = pipeline(tmp_path, "recipe.until=zero")
    zero = runs["zero"]
    given = input_hashes(zero, config)
    finish(zero, given, b"weights")
    (zero.product / "model.safetensors").write_bytes(b"half")
    assert not is_made(zero, given)


def test_data_without_a_row_is_not_made(tmp_path: Path) -> None:
    config, runs = pipeline(tmp_path, "recipe.until=cold_start_data")
    finish(runs["zero"], input_hashes(runs["zero"], config), b"weights")
    data = runs["cold_start_data"]
    finish(data, input_hashes(data, config), b"")
    with pytest.raises(UserError, match="no sample was kept"):
        _check_not_empty(data)
    data.product.write_bytes(b"a row")
    _check_not_empty(data)


def test_a_manifest_says_what_was_learnt_from_and_what_was_made(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text(json.dumps({"step": 1, "rows": 3}))
    assert _counts(tmp_path) == {"step": 1}
    (tmp_path / "counts.json").write_text(json.dumps({"samples": 8, "kept": 3}))
    assert _counts(tmp_path) == {"step": 1, "data": {"samples": 8, "kept": 3}}


def test_a_pipeline_is_watched_and_stopped_like_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stage saves and ends, no other begins, and `launch resume` goes on with that stage."""
    made: list[str] = []

    def stage(module: str, *words: str, meanwhile: Callable[[], None]) -> int:
        """In place of the stage's process: somebody asks the pipeline to stop during the second."""
        assert (module, words[0]) == ("launch.cli", "run")
        name = next(run.stage.name for run in runs if run.words == words[1:])
        assert json.loads((tmp_path / "status.json").read_text())["phase"] == name
        if name == "cold_start_data" and "cold_start_data" not in made:
            made.append(name)
            with pytest.raises(UserError, match=f"is in use by local job {os.getpid()}"):
                submit(config)
            assert main(["stop", str(tmp_path)]) == 0
            assert stop_asked(tmp_path / "stages" / name) is None
            meanwhile()
            assert stop_asked(tmp_path / "stages" / name) == "final"
            return 0  # saved, not finished: there is no data.jsonl
        made.append(name)
        product(next(run for run in runs if run.stage.name == name), b"made")
        return 0

    config, by_name = pipeline(tmp_path, "recipe.until=cold_start_data")
    runs = list(by_name.values())
    monkeypatch.setattr("launch.pipeline.run_child", stage)
    assert submit(config) == 0
    assert "launch resume" in capsys.readouterr().out
    assert main(["status", str(tmp_path), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["phase"], status["step"], status["steps"]) == ("cold_start_data", 1, 2)
    assert [(each["name"], each["state"]) for each in status["stages"]] == [
        ("zero", "made"),
        ("cold_start_data", "begun"),
    ]
    running = {"phase": "sampling", "step": 0, "updated": time.time()}
    (runs[1].folder / "status.json").write_text(json.dumps(running))
    assert main(["status", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "stage   zero: made in 0:0" in said
    assert "stage   cold_start_data: begun; sampling, step 0/?, 0:00 ago" in said
    job = json.loads((tmp_path / "job.json").read_text())
    write_job(tmp_path, Job(**(job | {"mark": "an earlier process"})))
    assert main(["resume", str(tmp_path)]) == 0
    assert made == ["zero", "cold_start_data", "cold_start_data"]
    assert main(["status", str(tmp_path)]) == 0
    assert "run     finished, step 2/2" in capsys.readouterr().out


def test_on_a_cluster_the_stages_run_in_the_job_of_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near the time limit, the break goes to the stage; then the preempted job's Ray takes the next
    stage's driver with it; the third life ends the pipeline."""
    lives: list[str] = []

    def stage(module: str, folder: str, *, meanwhile: Callable[[], None]) -> int:
        """In place of the stage's process, which finds settings and job in its folder."""
        run = by_folder[folder]
        assert module == "launch.driver"
        assert from_yaml((run.folder / "config.yaml").read_text()) == run.config
        assert json.loads((run.folder / "job.json").read_text())["id"] == "7"
        assert stop_asked(run.folder) is None
        lives.append(run.stage.name)
        product(run, b"made")
        if run.stage.makes == "model":
            (run.product / "config.json").write_text("{}")
            (run.product / "tokenizer.json").write_text("{}")
        if len(lives) == 1:
            (tmp_path / "STOP").write_text("break\n")
            meanwhile()
            assert stop_asked(run.folder) == "break"
            run.product.rename(run.folder / "half")
            return 85
        withdraw_stop(tmp_path)  # as the job's script
        (run.folder / "run.json").write_text(json.dumps([{"attempt": 1}]))
        if len(lives) == 3:
            return 1
        return 0

    config, runs = pipeline(tmp_path, *ON_SLURM, "recipe.until=cold_start_data")
    by_folder = {str(run.folder): run for run in runs.values()}
    monkeypatch.setattr("launch.pipeline.run_child", stage)
    write_job(tmp_path, Job("slurm", "7", "slurm", 0.0))
    codes = []
    for _ in range(3):
        withdraw_stop(tmp_path)
        codes.append(drive(config))
    assert codes == [85, 86, 0]
    assert lives == ["zero", "zero", "cold_start_data", "cold_start_data"]


def test_the_job_has_room_for_every_stage(tmp_path: Path) -> None:
    """Two ranks, two samplers and a reward worker; R1's stage has two reward models beside them."""
    config, runs = pipeline(tmp_path, *ON_SLURM)
    actors = {name: actors_of_a_run(run.config) for name, run in runs.items()}
    assert actors["sft_cold_start"] == 2
    assert actors["cold_start_data"] == 2 + 1
    assert actors["rl_reasoning"] == 2 + 2 + 1
    assert actors["rl_all"] == 2 + 2 + 1 + 2
    assert actors["evaluation"] == 2
    assert actors_on_a_node(config) == 7
    assert "--num-cpus=7 " in SlurmBackend().render(config)


def test_a_stage_has_no_other_machines_than_the_pipeline(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"stages\.zero: cluster\.kind=local: the stages run where"):
        pipeline(tmp_path, *ON_SLURM, "stages.zero.cluster=local")
    with pytest.raises(UserError, match=r"stages\.zero: cluster\.nodes=2: .* cluster\.nodes=1"):
        pipeline(tmp_path, *ON_SLURM, "stages.zero.cluster.nodes=2")
