"""A benchmark is sampled wave by wave, as often and in the way that its settings say, and an
evaluation that is asked to stop keeps its waves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from configs.compose import load_config
from configs.evaluation import EngineSettings, EvalConfig, EvalDataSettings
from configs.pipeline import EvaluationConfig
from launch.eval_folder import EvalFolder
from launch.evaluate import Job, evaluate_job, jobs_of
from launch.stage_evaluation import eval_config
from launch.stop import StopAsked, ask_to_stop, end_if_asked, withdraw_stop
from recipes.benchmarks.scoring import Judge
from recipes.nano_tokenizer import build_tokenizer
from rl.records import Completion, Prompt, SamplingSettings

RIGHT, WRONG = r"<think>\n2+3\n</think>\n\boxed{5}", r"<think>\n2+3\n</think>\n\boxed{6}"


class Samplers:
    """In place of the engines: of every two samples the first is right."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.sampled_with: list[SamplingSettings] = []

    def start(self, model: Path, max_model_len: int) -> None: ...

    def generate(
        self, prompts: Sequence[Prompt], samples: int, sampling: SamplingSettings
    ) -> Iterator[list[Completion]]:
        self.asked += [prompt.id for prompt in prompts]
        self.sampled_with.append(sampling)
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
    assert samplers.sampled_with == [SamplingSettings(0.6, 0.95, 32768)] * 3


@pytest.mark.parametrize(("samples", "taken"), [(0, 16), (3, 3)])
def test_the_benchmark_s_number_of_samples_is_taken_unless_another_is_asked_for(
    tmp_path: Path, samples: int, taken: int
) -> None:
    build_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    config = EvalConfig(
        run_dir="unused",
        model=str(tmp_path),
        benchmark="nano",
        samples=samples,
        data=EvalDataSettings(problems=2),
    )
    (job,) = jobs_of(config)
    assert (len(job.prompts), job.samples) == (2, taken)
    assert job.about["settings"]["samples"] == taken


def test_the_stages_are_sampled_as_the_paper_does() -> None:
    large = ["model=deepseek_v3"]  # as a pipeline says it to its stages, whatever their kind
    models = ["models.dev1.path=dev1", "models.zero.path=zero"]
    config = load_config(["recipe=r1/evaluation", *large, *models], droppable=large)
    assert isinstance(config, EvaluationConfig)
    for name in ("dev1", "zero"):
        found = eval_config(config, name, Path("run"))
        sampling = (found.temperature, found.top_p, found.max_tokens, found.samples)
        assert sampling == (0.6, 0.95, 32768, 0)
        assert (found.model, found.run_dir) == (name, f"run/models/{name}")


def test_the_settings_of_sampling_reach_each_stage() -> None:
    words = ["recipe.temperature=0.8", "recipe.top_p=0.9", "recipe.max_tokens=64"]
    config = load_config(["recipe=r1/evaluation", "models.a.path=a", *words, "recipe.samples=3"])
    assert isinstance(config, EvaluationConfig)
    found = eval_config(config, "a", Path("run"))
    sampling = (found.temperature, found.top_p, found.max_tokens, found.samples)
    assert sampling == (0.8, 0.9, 64, 3)
