"""`launch run recipe=r1`: the stages one after the other, from where they stopped.

Each stage is a run of its own, in a process of its own, which continues exactly by itself; here is
decided which of them are still to be made. On a cluster all this happens in one job, whose Ray the
stages join one after the other.

    complete and made from the same  ->  skipped
    not complete                     ->  run, or continued
    made from other inputs           ->  set aside and made again
    made with other settings         ->  refused
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from configs.checks import check_files
from configs.data_files import data_files
from configs.errors import UserError
from configs.pipeline import EvaluationConfig, PipelineConfig
from launch.child import run_child
from launch.cluster import end_tidily_when_terminated
from launch.manifest import (
    Manifest,
    data_hash,
    given_model_hash,
    product_hash,
    product_sizes,
    read_manifest,
)
from launch.report import write_report
from launch.run import (
    EXIT_DONE,
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_STOPPED,
    EXIT_WORKER_LOST,
)
from launch.run_folder import (
    FREE_TO_CHANGE,
    RunFolder,
    changed_settings,
    open_folder,
    provenance,
    write_atomically,
)
from launch.stages import StageRun, check_given_files, student_of
from launch.stop import ask_to_stop, stop_asked, withdraw_stop
from recipes.r1 import BASE, STUDENT

FREE_ONCE_MADE = tuple(key for key in FREE_TO_CHANGE if key != "recipe.steps")
"""A stage that is made is not made longer by itself: what reads from it would have to follow."""


def run_pipeline(config: PipelineConfig, runs: Sequence[StageRun]) -> int:
    """Make every stage that is not made yet; returns the exit code of the first that fails."""
    check_given_files(runs)
    console = Console()
    folder = open_folder(config)
    end_tidily_when_terminated()
    for number, run in enumerate(runs, start=1):
        title = f"stage {number}/{len(runs)}  {run.stage.name}  ({run.stage.title})"
        _write_status(folder, run.stage.name, number - 1, len(runs))
        inputs = input_hashes(run, config)
        if is_made(run, inputs):
            console.print(f"{title}: done", style="dim", highlight=False)
            continue
        console.rule(title)
        _set_aside_if_changed(run, inputs, console)
        try:
            code = _make(run, inputs, folder)
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED  # the stage has said so
        if code == EXIT_DONE:
            write_report(folder)
        if code in (EXIT_DONE, EXIT_STOPPED) and (asked := stop_asked(folder)):
            if asked == "final":
                console.print(
                    f"stopped, as asked; `launch resume {folder}` continues", soft_wrap=True
                )
                return EXIT_DONE
            console.print("stopped for a break, as asked; everything is saved")
            return EXIT_STOPPED
        if code != EXIT_DONE:
            return code
    _write_status(folder, "finished", len(runs), len(runs))
    console.print(f"report  {folder / 'report.html'}", highlight=False, soft_wrap=True)
    return EXIT_DONE


def _write_status(folder: Path, phase: str, done: int, stages: int) -> None:
    """phase: the stage that is being made. A stage counts as a step."""
    status = {"phase": phase, "step": done, "steps": stages, "updated": time.time()}
    write_atomically(folder / "status.json", json.dumps(status, indent=2))


def input_hashes(run: StageRun, config: PipelineConfig) -> dict[str, str]:
    """Setting -> hash of what the stage reads; the stages before it are complete."""
    hashes: dict[str, str] = {}
    for setting, source in run.stage.inputs.items():
        if source in (BASE, STUDENT):
            model = config.model if source == BASE else student_of(config)
            assert model is not None
            hashes[setting] = given_model_hash(model)
        else:
            manifest = read_manifest(run.folder.parent / source)
            assert manifest is not None and manifest.complete, source
            hashes[setting] = manifest.product
    return hashes | {name: data_hash(path) for name, path in data_files(run.config).items()}


def is_made(run: StageRun, inputs: Mapping[str, str]) -> bool:
    """Whether nothing is left to do.

    Raises UserError when the stage was made with other settings.
    """
    manifest = read_manifest(run.folder)
    if manifest is None or not manifest.complete:
        return False
    now = run.config.model_dump(mode="json")
    changed = changed_settings(manifest.settings, now, free=FREE_ONCE_MADE)
    if changed:
        raise UserError(
            f"{run.folder} was made with other settings ({'; '.join(changed)}): go back to them, "
            "or delete this folder, and the stage and all that read from it are made again"
        )
    return manifest.inputs == inputs and manifest.sizes == product_sizes(run.product)


def _set_aside_if_changed(run: StageRun, inputs: Mapping[str, str], console: Console) -> None:
    """What was made, or begun, from something else is kept under another name."""
    manifest = read_manifest(run.folder)
    if manifest is None or (not manifest.complete and manifest.inputs == inputs):
        return
    number = 1 + len(list(run.folder.parent.glob(f"{run.folder.name}.old-*")))
    aside = run.folder.with_name(f"{run.folder.name}.old-{number}")
    run.folder.rename(aside)
    names = sorted(inputs.keys() | manifest.inputs.keys())
    changed = [name for name in names if inputs.get(name) != manifest.inputs.get(name)]
    what = f"other inputs ({', '.join(changed)})" if changed else "what it made is not there"
    console.print(f"{run.stage.name}: {what}; set aside as {aside.name} and made again")


def _make(run: StageRun, inputs: Mapping[str, str], pipeline: Path) -> int:
    """pipeline: its folder."""
    begun = read_manifest(run.folder) or Manifest(run.stage.name, inputs)
    run.folder.mkdir(parents=True, exist_ok=True)
    begun.write(run.folder)
    started = time.monotonic()
    code = _run_stage(run, pipeline)
    seconds = begun.seconds + time.monotonic() - started
    if code != EXIT_DONE or not run.product.exists():  # it may have been asked to stop
        replace(begun, seconds=seconds).write(run.folder)
        return EXIT_WORKER_LOST if code < 0 else code or EXIT_STOPPED
    _check_not_empty(run)
    replace(
        begun,
        complete=True,
        product=product_hash(run.product),
        sizes=product_sizes(run.product),
        settings=yaml.safe_load((run.folder / "config.yaml").read_text()),
        counts=_counts(run.folder),
        versions=provenance(),
        seconds=seconds,
    ).write(run.folder)
    return EXIT_DONE


def _run_stage(run: StageRun, pipeline: Path) -> int:
    """The stage in a process of its own; its exit code. Whoever asks the pipeline to stop means the
    stage that is running."""
    withdraw_stop(run.folder)

    def pass_on_stop() -> None:
        asked = stop_asked(pipeline)
        if asked and stop_asked(run.folder) != asked:
            ask_to_stop(run.folder, asked)

    if run.config.cluster.kind == "local":
        return run_child("launch.cli", "run", *run.words, meanwhile=pass_on_stop)
    if not isinstance(run.config, EvaluationConfig):  # it checks its models when it opens them
        check_files(run.config, in_pods=True)
    RunFolder(run.config)
    if (pipeline / "job.json").is_file():  # the stage is part of that job
        shutil.copy(pipeline / "job.json", run.folder)
    code = run_child("launch.driver", str(run.folder), meanwhile=pass_on_stop)
    return EXIT_WORKER_LOST if code == EXIT_ERROR and _left_no_word(run.folder) else code


def _left_no_word(folder: Path) -> bool:
    """Whether the last life of a run says nothing of its end. A driver whose Ray is ended before it
    is, as by a preemption, is ended by Ray: with the exit code that a program error has too."""
    path = folder / "run.json"
    return path.is_file() and "exit_code" not in json.loads(path.read_text())[-1]


def _check_not_empty(run: StageRun) -> None:
    """Data without a row is a finished run, but nothing that the next stage could learn from."""
    if run.stage.makes == "data" and not run.product.stat().st_size:
        raise UserError(
            f"{run.folder}: no sample was kept, see counts.json there; train the model that was "
            f"sampled for longer, or loosen stages.{run.stage.name}.recipe.filters, delete this "
            "folder and run the same command again"
        )


def _counts(folder: Path) -> dict[str, Any]:
    """What the run itself has noted about its length and the data that it learnt from or made."""
    status = json.loads((folder / "status.json").read_text())
    counts = {key: status[key] for key in ("step", "version") if key in status}
    for name in ("data.json", "counts.json"):
        if (folder / name).exists():
            counts["data"] = json.loads((folder / name).read_text())
    return counts
