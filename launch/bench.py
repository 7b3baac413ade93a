"""`launch bench`: what one step costs as a whole, and what its parts cost on their own.

The whole is a real run. Then the sampler alone generates the same completions, and the learner
alone makes the same updates, each in a fresh process without Ray. The learning rate is so small
that the weights, and with them the completions, stay practically those of the base model.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from configs.compose import load_config, to_yaml
from configs.errors import UserError
from configs.schema import FolderModel, RunConfig
from launch.trackers import read_metrics

STEPS = 4
"""Steps of the whole run; the first one warms up and is left out."""
LIMITS = {"nano_v3": 1.15, "smollm2_135m": 1.05}
"""Largest accepted ratio of the whole step to the sum of sampler and learner alone."""


@dataclass(frozen=True, slots=True)
class Alone:
    """One part in a process of its own."""

    seconds: float
    """Median over the measured steps."""
    memory_gib: float
    """Largest resident memory of the process."""


def bench(models: Sequence[str], *, data_path: Path | None) -> int:
    """Measure each model and print the tables."""
    console = Console()
    for name in models:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            console.print(f"{name}: {STEPS} steps, then sampler and learner alone")
            config = _config(name, Path(folder) / "run", data_path)
            metrics = _whole(config)[1:]
            sampler = _in_own_process(_sampler_alone, config)
            learner = _in_own_process(_learner_alone, config)
            console.print(_table(name, config, metrics, sampler, learner))
    return 0


def _config(name: str, run_dir: Path, data_path: Path | None) -> RunConfig:
    words = [
        "recipe=r1_zero",
        f"model={name}",
        f"run_dir={run_dir}",
        f"recipe.steps={STEPS}",
        "recipe.eval_problems=2",
        "recipe.eval_samples=2",
        "learner.learning_rate=1e-12",
    ]
    if data_path is not None and name != "nano_v3":
        words += ["data=gsm8k", f"data.path={data_path}"]
    config = load_config(words)
    if isinstance(config.model, FolderModel) and not Path(config.model.path).is_dir():
        raise UserError(
            f"{config.model.path}: no such model folder; run `launch prepare {name}` first"
        )
    return config


def _whole(config: RunConfig) -> list[dict[str, float]]:
    """The metrics of a real run's steps."""
    run_dir = Path(config.run_dir)
    settings = run_dir.with_suffix(".yaml")
    settings.write_text(to_yaml(config))
    code = (
        "import sys, pathlib; from configs.compose import from_yaml; from launch.run import run;"
        "sys.exit(run(from_yaml(pathlib.Path(sys.argv[1]).read_text())))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(settings)], capture_output=True, text=True
    )
    assert done.returncode == 0, f"the run failed:\n{done.stdout}\n{done.stderr}"
    return read_metrics(run_dir / "metrics.jsonl")


def _in_own_process(part: Callable[[RunConfig, Any], None], config: RunConfig) -> Alone:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=part, args=(config, sender))
    process.start()
    sender.close()
    seconds, memory_gib = receiver.recv()
    process.join()
    return Alone(statistics.median(seconds), memory_gib)


def _sampler_alone(config: RunConfig, sender: Any) -> None:
    from launch.rollouts import requests_for
    from launch.training import base_model, longest_sequence
    from recipes.datasets import load_prompts, prompts_for_step
    from rl.loop import sampling_settings
    from rollout.tokens import load_tokenizer
    from rollout.vllm_sampler import VllmSampler

    folder = base_model(config)
    prompts = load_prompts(config.data, load_tokenizer(folder))
    sampler = VllmSampler(
        folder,
        config.rollout,
        device=config.cluster.device,
        max_model_len=longest_sequence(config, prompts),
        threads=config.cluster.threads,
        seed=config.seed,
    )
    seconds = []
    for step in range(STEPS):
        own = prompts_for_step(prompts.train, config.rollout.prompts_per_step, step, config.seed)
        requests = requests_for(
            own, config.rollout.samples_per_prompt, config.seed, ("rollout", step)
        )
        start = time.perf_counter()
        for _ in sampler.generate(requests, sampling_settings(config, 0)):
            pass
        seconds.append(time.perf_counter() - start)
    sender.send((seconds[1:], _peak_memory_gib()))


def _learner_alone(config: RunConfig, sender: Any) -> None:
    from launch.cluster import free_port
    from launch.training import base_model
    from model.learner import DeepSpeedLearner
    from rl.loop import train
    from rl.protocols import LoopState
    from rollout.journal import Journal

    learner = DeepSpeedLearner(
        base_model(config),
        config.learner,
        config.algorithm,
        address=f"127.0.0.1:{free_port('127.0.0.1')}",
        threads=config.cluster.threads,
        deterministic=config.deterministic,
        temperature=config.rollout.temperature,
    )
    replay = _Replay(Journal(Path(config.run_dir) / "journal"), learner)
    train(
        config,
        LoopState(0, 0),
        prompts_for=lambda step: (),
        rollouts=replay,
        learner=replay,
        publisher=replay,
        observer=replay,
    )
    sender.send((replay.seconds[1:], _peak_memory_gib()))
    learner.close()


class _Replay:
    """The outside world of the loop with a learner in this process and rollouts from disk."""

    num_ranks = 1

    def __init__(self, journal: Any, learner: Any) -> None:
        self._journal = journal
        self._learner = learner
        self.seconds: list[float] = []

    def journalled(self, step: int, prompts: Any) -> bool:
        return True

    def collect(self, step: int, prompts: Any, sampling: Any) -> list[Any]:
        return [group for wave in self._journal.read(step).values() for group in wave]

    def publish(self, version: int) -> Mapping[str, float]:
        raise AssertionError("everything is in the journal")

    def log_probs(self, rows: Any, policy: Any) -> list[Any]:
        return [self._learner.log_probs(rows[0], policy)]

    def update(self, rows: Any, learning_rate: float) -> Mapping[str, float]:
        return self._learner.update(rows[0], learning_rate)

    def refresh_reference(self) -> None:
        self._learner.refresh_reference()

    def step_finished(self, result: Any) -> None:
        metrics = result.metrics
        self.seconds.append(metrics.get("timing_s/ref", 0.0) + metrics["timing_s/update_actor"])


def _peak_memory_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _table(
    name: str,
    config: RunConfig,
    metrics: Sequence[Mapping[str, float]],
    sampler: Alone,
    learner: Alone,
) -> Table:
    def median(key: str) -> float:
        return statistics.median(line[key] for line in metrics)

    whole, parts = median("timing_s/step"), sampler.seconds + learner.seconds
    responses = config.rollout.prompts_per_step * config.rollout.samples_per_prompt
    sampled = responses * median("response_length/mean")
    table = Table(title=f"{name}: one rollout and its updates, median of {len(metrics)} steps")
    table.add_column("")
    table.add_column("seconds", justify="right")
    table.add_column("peak memory, GiB", justify="right")
    table.add_row("sampler alone", f"{sampler.seconds:.2f}", f"{sampler.memory_gib:.2f}")
    table.add_row("learner alone", f"{learner.seconds:.2f}", f"{learner.memory_gib:.2f}")
    table.add_row("their sum", f"{parts:.2f}", "")
    table.add_row("whole step", f"{whole:.2f}", "")
    for phase in ("gen", "ref", "update_actor", "sync"):
        table.add_row(f"  {phase}", f"{median(f'timing_s/{phase}'):.2f}", "")
    prefix = "perf/peak_memory_gib/"
    for key in sorted(key for key in metrics[-1] if key.startswith(prefix)):
        table.add_row(f"  {key.removeprefix(prefix)}", "", f"{metrics[-1][key]:.2f}")
    table.add_row("whole / sum", f"{whole / parts:.3f} (at most {LIMITS[name]})", "")
    table.add_row("sampled tokens/s, end to end", f"{sampled / whole:.0f}", "")
    table.add_row("sampled tokens/s, sampler alone", f"{sampled / sampler.seconds:.0f}", "")
    table.add_row(
        "trained tokens/s, learner alone",
        f"{median('perf/total_num_tokens') / learner.seconds:.0f}",
        "",
    )
    return table
