"""`launch bench`: what one step costs as a whole, and what its parts cost on their own.

The whole is a real run. Then the samplers alone generate the same completions, and the learner
ranks alone make the same updates: as many processes with as many threads, without Ray. The learning
rate is so small that the weights, and with them the completions, stay practically those of the base
model. A machine's speed may change between the three, so that a short bench has several rounds.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

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
ROUNDS = {"nano_v3": 3, "smollm2_135m": 1}
LIMITS = {"nano_v3": 1.15, "smollm2_135m": 1.05}
"""Largest accepted ratio of the whole step to the sum of sampler and learner alone."""
LOOKING_SHARE = 0.02
"""Of the time, most that goes into measuring memory while the run is measured."""


@dataclass(frozen=True, slots=True)
class Round:
    """A real run, and then its parts."""

    metrics: list[dict[str, float]]
    """Of each step of the run."""
    memory_gib: float
    """Largest proportional set size of all its processes together, sampled now and then: a page
    that several processes share counts once."""
    sampler: Alone
    learner: Alone

    @property
    def ratio(self) -> float:
        """Of the whole step to the sum of its parts."""
        whole = median(line["timing_s/step"] for line in self.metrics)
        return whole / (median(self.sampler.seconds) + median(self.learner.seconds))


def bench(models: Sequence[str], *, data_path: Path | None, with_trl: bool) -> int:
    """Measure each model and print the tables; with_trl: and the same step done by TRL."""
    if with_trl and importlib.util.find_spec("trl") is None:
        raise UserError("--trl: TRL is not installed here; install trl==1.16.0 beside this program")
    console = Console()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        configs = {name: _config(name, Path(folder) / name, data_path) for name in models}
        for name, config in configs.items():
            rounds = []
            for number in range(1, ROUNDS[name] + 1):
                of_rounds = f", round {number} of {ROUNDS[name]}" if ROUNDS[name] > 1 else ""
                console.print(
                    f"{name}{of_rounds}: {STEPS[name]} steps, then samplers and learner alone"
                )
                run_dir = f"{config.run_dir}-{number}"
                rounds.append(_round(config.model_copy(update={"run_dir": run_dir})))
            console.print(_table(name, config, rounds))
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


def _round(config: RlConfig) -> Round:
    metrics, memory_gib = _whole(config)
    return Round(
        metrics,
        memory_gib,
        in_own_processes(samplers_alone, config, "sampler", config.rollout.samplers),
        in_own_processes(learner_alone, config, "learner", config.learner.ranks),
    )


def _whole(config: RlConfig) -> tuple[list[dict[str, float]], float]:
    """Metrics of the steps of a real run, and the memory of its processes together in GiB."""
    run_dir = Path(config.run_dir)
    code = (
        "import sys, pathlib; from configs.compose import from_yaml; from launch.run import run;"
        "sys.exit(run(from_yaml(pathlib.Path(sys.argv[1]).read_text())))"
    )
    output = run_dir.with_suffix(".log")
    with output.open("w") as file:
        run = subprocess.Popen(
            [sys.executable, "-c", code, _settings(config)],
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
    return read_metrics(run_dir / "metrics.jsonl")[1:], largest


def _settings(config: RlConfig) -> Path:
    """A file of them beside the run's folder."""
    path = Path(config.run_dir).with_suffix(".yaml")
    path.write_text(to_yaml(config))
    return path


def _trl(config: RlConfig) -> str:
    """The same rollout and update by launch/bench_trl.py."""
    command = [sys.executable, "-m", "launch.bench_trl"]
    done = subprocess.run(
        [*command, _settings(config), str(config.recipe.steps)], capture_output=True, text=True
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


def _table(name: str, config: RlConfig, rounds: Sequence[Round]) -> Table:
    metrics = [line for each in rounds for line in each.metrics]

    def typical(key: str) -> float:
        return median(line[key] for line in metrics)

    sampler = median(seconds for each in rounds for seconds in each.sampler.seconds)
    learner = median(seconds for each in rounds for seconds in each.learner.seconds)
    whole = typical("timing_s/step")
    responses = config.rollout.prompts_per_step * config.rollout.samples_per_prompt
    sampled = responses * typical("response_length/mean")
    table = Table(title=f"{name}: one rollout and its updates, median of {len(metrics)} steps")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("peak memory, GiB", justify="right")

    def add(what: str, seconds: float, memory_gib: Iterable[float] = (), note: str = "") -> None:
        peak = max(memory_gib, default=None)
        table.add_row(what, f"{seconds:.2f}", "" if peak is None else f"{peak:.2f}{note}")

    add("samplers alone", sampler, (each.sampler.memory_gib for each in rounds))
    add("learner alone", learner, (each.learner.memory_gib for each in rounds))
    add("their sum", sampler + learner)
    add("whole step", whole, (each.memory_gib for each in rounds), " (all processes)")
    for phase in ("gen", "ref", "update_actor", "sync"):
        add(f"  {phase}", typical(f"timing_s/{phase}"))
    prefix = "perf/peak_memory_gib/"
    for key in sorted(key for key in metrics[-1] if key.startswith(prefix)):
        peak = max(line.get(key, 0.0) for line in metrics)
        table.add_row(f"  {key.removeprefix(prefix)}", "", f"{peak:.2f}")
    ratios = " ".join(f"{each.ratio:.2f}" for each in rounds)
    table.add_row(f"whole / sum, at most {LIMITS[name]}", ratios, "")
    table.add_row("sampled tokens/s, end to end", f"{sampled / whole:.0f}", "")
    table.add_row("sampled tokens/s, sampler alone", f"{sampled / sampler:.0f}", "")
    trained = typical("perf/total_num_tokens")
    table.add_row("trained tokens/s, learner alone", f"{trained / learner:.0f}", "")
    return table
