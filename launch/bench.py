"""`launch bench`: what one step costs as a whole, and what its parts cost on their own.

The whole is a real run. Then the samplers alone generate the same completions, and the learner
ranks alone make the same updates: as many processes with as many threads, without Ray. The learning
rate is so small that the weights, and with them the completions, stay practically those of the base
model.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from configs.compose import load_config, to_yaml
from configs.errors import UserError
from configs.schema import FolderModel, RlConfig
from launch.bench_parts import Alone, in_own_processes, learner_alone, samplers_alone
from launch.child import die_with
from launch.trackers import read_metrics

STEPS = {"nano_v3": 8, "smollm2_135m": 4}
"""Steps of the whole run; the first one warms up and is left out."""
LIMITS = {"nano_v3": 1.15, "smollm2_135m": 1.05}
"""Largest accepted ratio of the whole step to the sum of sampler and learner alone."""
LOOKING_SHARE = 0.02
"""Of the time, most that goes into measuring memory while the run is measured."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A real run."""

    metrics: list[dict[str, float]]
    """Of each step."""
    memory_gib: float
    """Largest proportional set size of all its processes together, sampled now and then: a page
    that several processes share counts once."""


def bench(models: Sequence[str], *, data_path: Path | None, with_trl: bool) -> int:
    """Measure each model and print the tables; with_trl: and the same step done by TRL."""
    if with_trl and importlib.util.find_spec("trl") is None:
        raise UserError("--trl: TRL is not installed here; install trl==1.16.0 beside this program")
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        configs = {name: _config(name, Path(folder) / name, data_path) for name in models}
        for name, config in configs.items():
            console.print(f"{name}: {STEPS[name]} steps, then samplers and learner alone")
            whole = _whole(config)
            sampler = in_own_processes(samplers_alone, config, "sampler", config.rollout.samplers)
            learner = in_own_processes(learner_alone, config, "learner", config.learner.ranks)
            console.print(_table(name, config, whole, sampler, learner))
            if with_trl:
                console.print(f"the same with TRL: {_trl(config)}")
    return 0


def _config(name: str, run_dir: Path, data_path: Path | None) -> RlConfig:
    words = [
        "recipe=r1_zero",
        f"model={name}",
        f"run_dir={run_dir}",
        f"recipe.steps={STEPS[name]}",
        "recipe.eval_problems=2",
        "recipe.eval_samples=2",
        "learner.learning_rate=1e-12",
        # An untrained model may fail every problem; the update is to be measured all the same.
        "algorithm.drop_zero_variance=false",
    ]
    if data_path is not None and name != "nano_v3":
        words += ["data=gsm8k", f"data.path={data_path}"]
    config = load_config(words)
    assert isinstance(config, RlConfig)
    if isinstance(config.model, FolderModel) and not Path(config.model.path).is_dir():
        raise UserError(
            f"{config.model.path}: no such model folder; run `launch prepare {name}` first"
        )
    return config


def _whole(config: RlConfig) -> Whole:
    run_dir = Path(config.run_dir)
    settings = run_dir.with_suffix(".yaml")
    settings.write_text(to_yaml(config))
    code = (
        "import sys, pathlib; from configs.compose import from_yaml; from launch.run import run;"
        "sys.exit(run(from_yaml(pathlib.Path(sys.argv[1]).read_text())))"
    )
    output = run_dir.with_suffix(".log")
    with output.open("w") as file:
        run = subprocess.Popen(
            [sys.executable, "-c", code, str(settings)],
            stdout=file,
            stderr=subprocess.STDOUT,
            preexec_fn=partial(die_with, os.getpid()),
        )
        largest = 0.0
        while run.poll() is None:
            start = time.monotonic()
            largest = max(largest, _memory_together_gib(run_dir / "logs/latest/processes.json"))
            # Counting the pages of gigabytes takes long, and holds up those who use them.
            time.sleep(max(0.5, (time.monotonic() - start) / LOOKING_SHARE))
    assert run.returncode == 0, f"the run failed:\n{output.read_text()}"
    return Whole(read_metrics(run_dir / "metrics.jsonl")[1:], largest)


def _trl(config: RlConfig) -> str:
    """The same rollout and update by launch/bench_trl.py."""
    command = [sys.executable, "-m", "launch.bench_trl"]
    settings = Path(config.run_dir).with_suffix(".yaml")
    done = subprocess.run(
        [*command, settings, str(config.recipe.steps)], capture_output=True, text=True
    )
    assert done.returncode == 0, f"TRL failed:\n{done.stdout}\n{done.stderr}"
    step = json.loads(done.stdout.splitlines()[-1])
    return (
        f"{step['seconds']:.1f} s per step, "
        f"{step['tokens'] / step['seconds']:.0f} sampled tokens/s end to end"
    )


def _memory_together_gib(processes: Path) -> float:
    """Proportional set size of the run's processes; 0 before they have started."""
    if not processes.exists():
        return 0.0
    total = 0
    for pid in json.loads(processes.read_text()).values():
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 2**20


def _table(
    name: str,
    config: RlConfig,
    whole: Whole,
    sampler: Alone,
    learner: Alone,
) -> Table:
    metrics = whole.metrics

    def median(key: str) -> float:
        return statistics.median(line[key] for line in metrics)

    seconds, parts = median("timing_s/step"), sampler.seconds + learner.seconds
    responses = config.rollout.prompts_per_step * config.rollout.samples_per_prompt
    sampled = responses * median("response_length/mean")
    table = Table(title=f"{name}: one rollout and its updates, median of {len(metrics)} steps")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("peak memory, GiB", justify="right")
    table.add_row("samplers alone", f"{sampler.seconds:.2f}", f"{sampler.memory_gib:.2f}")
    table.add_row("learner alone", f"{learner.seconds:.2f}", f"{learner.memory_gib:.2f}")
    table.add_row("their sum", f"{parts:.2f}", "")
    table.add_row("whole step", f"{seconds:.2f}", f"{whole.memory_gib:.2f} (all processes)")
    for phase in ("gen", "ref", "update_actor", "sync"):
        table.add_row(f"  {phase}", f"{median(f'timing_s/{phase}'):.2f}", "")
    prefix = "perf/peak_memory_gib/"
    for key in sorted(key for key in metrics[-1] if key.startswith(prefix)):
        table.add_row(f"  {key.removeprefix(prefix)}", "", f"{metrics[-1][key]:.2f}")
    table.add_row("whole / sum", f"{seconds / parts:.3f} (at most {LIMITS[name]})", "")
    table.add_row("sampled tokens/s, end to end", f"{sampled / seconds:.0f}", "")
    table.add_row("sampled tokens/s, sampler alone", f"{sampled / sampler.seconds:.0f}", "")
    table.add_row(
        "trained tokens/s, learner alone",
        f"{median('perf/total_num_tokens') / learner.seconds:.0f}",
        "",
    )
    return table
