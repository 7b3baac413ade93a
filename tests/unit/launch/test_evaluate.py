"""A benchmark is sampled wave by wave, and an evaluation that is asked to stop keeps its waves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from configs.evaluation import EngineSettings, EvalConfig
from launch.eval_folder import EvalFolder
from launch.evaluate import Job, evaluate_job
from launch.stop import StopAsked, ask_to_stop, end_if_asked, withdraw_stop
from recipes.benchmarks.scoring import Judge
from rl.records import Completion, Prompt, SamplingSettings

RIGHT, WRONG = r"<think>\n2+3\n</think>\n\boxed{5}", r"<think>\n2+3\n</think>\n\boxed{6}"


class Samplers:
    """In place of the engines: of every two samples the first is right."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def start(self, model: Path, max_model_len: int) -> None: ...

    def generate(
        self, prompts: Sequence[Prompt], samples: int, sampling: SamplingSettings
    ) -> Iterator[list[Completion]]:
        self.asked += [prompt.id for prompt in prompts]
        for prompt in prompts:
            texts = [RIGHT, *[WRONG] * (samples - 1)]
            yield [
                Completion(prompt.id, index, text, (1, 2), (-0.1, -0.1), 0, "stop")
                for index, text in enumerate(texts)
            ]


def test_a_stop_between_waves_costs_nothing(tmp_path: Path) -> None:
    config = EvalConfig(
        run_dir=str(tmp_path),
        model="models/a",
        benchmark="nano",
        samples=2,
        engine=EngineSettings(wave_samples=2),
    )
    prompts = [Prompt(name, "<think>\n", (1,), "5") for name in "abc"]
    job = Job("nano", prompts, samples=2, max_model_len=8, about={})
    folder, samplers = EvalFolder(tmp_path, config.model), Samplers()
    folder.open("nano", job.about)

    def evaluate() -> dict[str, Any]:
        with Judge(config.code, programs=False) as judge:
            stop = partial(end_if_asked, tmp_path)
            return evaluate_job(config, folder, job, cast(Any, samplers), judge, stop)

    ask_to_stop(tmp_path, "break")
    for waves in (1, 2):
        with pytest.raises(StopAsked, match=f"after step {waves}") as asked:
            evaluate()
        assert not asked.value.final
        assert folder.samples_kept("nano") == 2 * waves
    withdraw_stop(tmp_path)
    assert evaluate()["pass_at"]["1"]["value"] == 0.5
    assert samplers.asked == ["a", "b", "c"]
