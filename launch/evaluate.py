"""`launch eval`: a stored model on benchmarks, from the beginning or from where it stopped.

Each benchmark is sampled in waves that are kept one by one; its scores depend on the model, the
problems and the settings in eval/NAME.json, and on nothing else that was evaluated.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.errors import UserError
from configs.evaluation import EvalConfig, max_positions
from launch.cluster import WorkerLost, protect_ray, start_ray, stop_ray
from launch.eval_console import EvalProgress, print_results
from launch.eval_folder import EvalFolder, EvalSample, model_sha256
from launch.run import EXIT_DONE, EXIT_WORKER_LOST
from launch.run_folder import full_disk_is_a_user_error
from recipes.benchmarks.loading import as_prompts, load_problems
from recipes.benchmarks.scoring import (
    VOTED_KINDS,
    Judge,
    Verdict,
    language_consistency,
    vote_key,
)
from recipes.benchmarks.table import BENCHMARKS
from recipes.measures import Answer, measure
from rewards.format import format_reward
from rl.records import Completion, Outcome, Prompt, SamplingSettings
from rollout.tokens import load_tokenizer

if TYPE_CHECKING:
    from launch.eval_sampling import EvalSamplers

CODE_SETTINGS = {
    *("time_limit_s", "memory_limit_mib", "output_limit_bytes", "problem_time_limit_s")
}
LENGTH_STEP = 1024
"""Engines are started for a multiple of this many tokens, so that benchmarks can share them."""
SCORE_SETTINGS = {
    *("temperature", "top_p", "max_tokens", "template"),
    *("seed", "deterministic", "engine"),
}
"""What samples depend on, the engine's settings in their last bits only."""


@dataclass(frozen=True, slots=True)
class Job:
    """One benchmark, ready to be sampled."""

    name: str
    prompts: list[Prompt]
    samples: int
    """Per problem."""
    max_model_len: int
    """Most tokens of prompt and completion together."""
    about: dict[str, Any]
    """All that the scores depend on."""

    def waves(self, wave_samples: int) -> list[Sequence[Prompt]]:
        size = max(1, wave_samples // self.samples) if wave_samples else len(self.prompts)
        return [self.prompts[start : start + size] for start in range(0, len(self.prompts), size)]


def evaluate(config: EvalConfig) -> int:
    """Evaluate, or continue; returns the exit code."""
    check_benchmarks(config.benchmarks)
    jobs = jobs_of(config)
    folder = EvalFolder(Path(config.run_dir), config.model)
    results = {job.name: folder.open(job.name, job.about) for job in jobs}
    pending = [job for job in jobs if results[job.name] is None]
    if pending:
        try:
            with full_disk_is_a_user_error(folder.path, "the samples"):
                results |= _run(config, folder, pending)
        except WorkerLost as lost:
            print(f"{lost}; logs in {folder.path / 'logs'}; run the same command again to continue")
            return EXIT_WORKER_LOST
    print_results({name: measures for name, measures in results.items() if measures})
    print(f"results  {folder.path / 'eval'}\nsamples  {folder.path / 'samples'}")
    return EXIT_DONE


def check_benchmarks(names: Sequence[str]) -> None:
    """Raises UserError for a name that is unknown."""
    known = ", ".join(BENCHMARKS)
    if not names:
        raise UserError(f"benchmark= names no benchmark; known are: {known}")
    for name in names:
        if name not in BENCHMARKS:
            close = difflib.get_close_matches(name.lower(), BENCHMARKS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise UserError(f"unknown benchmark {name!r}{hint} Known are: {known}")


def jobs_of(config: EvalConfig) -> list[Job]:
    model = Path(config.model).expanduser()
    tokenizer = load_tokenizer(model)
    settings = config.model_dump(mode="json", include=SCORE_SETTINGS)
    settings |= {"device": config.cluster.device, "threads": config.cluster.threads}
    jobs = []
    sha256 = model_sha256(model)
    for name in config.benchmarks:
        problems = load_problems(name, config.data)
        prompts = as_prompts(name, problems, config, tokenizer)
        samples = config.samples or BENCHMARKS[name].samples
        about = {
            "model_sha256": sha256,
            "data": {
                "problems": len(prompts),
                "left_out": problems.left_out,
                "sha256": problems.digest,
            },
            "settings": settings | {"samples": samples} | _limits(config, name),
        }
        jobs.append(Job(name, prompts, samples, _max_model_len(config, name, prompts), about))
    return jobs


def _limits(config: EvalConfig, name: str) -> dict[str, Any]:
    """The settings that decide whether a program passes its tests."""
    if BENCHMARKS[name].kind != "program":
        return {}
    return {"code": config.code.model_dump(include=CODE_SETTINGS)}


def _max_model_len(config: EvalConfig, name: str, prompts: Sequence[Prompt]) -> int:
    longest = max(len(prompt.token_ids) for prompt in prompts)
    needed = longest + config.max_tokens
    rounded = -(-needed // LENGTH_STEP) * LENGTH_STEP
    positions = max_positions(Path(config.model).expanduser()) or rounded
    if needed > positions:
        raise UserError(
            f"max_tokens={config.max_tokens}: with the longest prompt of {name}, {longest} tokens, "
            f"that is more than the model's {positions} positions; at most "
            f"max_tokens={positions - longest} fits"
        )
    return min(rounded, positions)


def _run(config: EvalConfig, folder: EvalFolder, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
    """Sample and score what is missing of each benchmark; its measures by name."""
    protect_ray(folder.path)
    # Imports Ray, which must find its token.
    from launch.eval_sampling import EvalSamplers

    programs = any(BENCHMARKS[job.name].kind == "program" for job in jobs)
    with Judge(config.code, programs=programs) as judge:
        start_ray(config.engine.samplers)
        try:
            samplers = EvalSamplers(config, folder.begin_attempt())
            return {job.name: evaluate_job(config, folder, job, samplers, judge) for job in jobs}
        finally:
            stop_ray()


def evaluate_job(
    config: EvalConfig,
    folder: EvalFolder,
    job: Job,
    samplers: EvalSamplers,
    judge: Judge,
    after_wave: Callable[[int], None] = lambda waves: None,
) -> dict[str, Any]:
    """Sample and score what is missing of a benchmark; its measures. after_wave: called with the
    number of waves that are kept by then."""
    waves = job.waves(config.engine.wave_samples)
    done, total = folder.samples_kept(job.name), len(job.prompts) * job.samples
    answers: list[list[Answer]] = []
    if done < total:
        samplers.start(Path(config.model).expanduser().resolve(), job.max_model_len)
    with EvalProgress(job.name, total, done) as progress:
        for index, wave in enumerate(waves):
            samples = folder.read_wave(job.name, index)
            if samples is None:
                samples = _sample_wave(config, job, wave, samplers, judge, progress)
                folder.write_wave(job.name, index, samples)
                after_wave(index + 1)
            answers += _answers(job, samples)
    kind = BENCHMARKS[job.name].kind
    measures = asdict(measure(answers, votes=kind in VOTED_KINDS))
    # JSON has texts for keys only.
    measures["pass_at"] = {str(k): rate for k, rate in measures["pass_at"].items()}
    folder.finish(job.name, job.about, measures)
    return measures


def _sample_wave(
    config: EvalConfig,
    job: Job,
    wave: Sequence[Prompt],
    samplers: EvalSamplers,
    judge: Judge,
    progress: EvalProgress,
) -> list[EvalSample]:
    """Every sample of some problems, in their order. Each is scored as soon as it is there, while
    the engines go on with the others."""
    sampling = SamplingSettings(config.temperature, config.top_p, config.max_tokens)
    prompts = {prompt.id: prompt for prompt in wave}
    samples: dict[tuple[str, int], EvalSample] = {}
    for batch in samplers.generate(wave, job.samples, sampling):
        pairs = [(prompts[completion.prompt_id], completion) for completion in batch]
        verdicts = judge.judge_all(
            BENCHMARKS[job.name].kind, [(prompt, each.text) for prompt, each in pairs]
        )
        for (prompt, completion), verdict in zip(pairs, verdicts, strict=True):
            sample = _sample(job, config.template, prompt, completion, verdict)
            samples[sample.problem, sample.sample] = sample
            progress.sampled(sample.tokens, sample.outcome is Outcome.CORRECT)
    assert len(samples) == len(wave) * job.samples, "a completion is missing or doubled"
    return [samples[prompt.id, index] for prompt in wave for index in range(job.samples)]


def _sample(
    job: Job, template: str, prompt: Prompt, completion: Completion, verdict: Verdict
) -> EvalSample:
    return EvalSample(
        problem=prompt.id,
        sample=completion.sample_index,
        prompt=prompt.text,
        answer=prompt.answer,
        text=completion.text,
        tokens=len(completion.token_ids),
        finish_reason=completion.finish_reason,
        outcome=verdict.outcome,
        extracted=verdict.extracted,
        language_share=language_consistency(BENCHMARKS[job.name], prompt, completion.text),
        instructions=verdict.instructions,
        well_formed=form_kept(template, prompt, completion),
        worth=verdict.worth,
    )


def form_kept(template: str, prompt: Prompt, completion: Completion) -> bool:
    """Whether the completion has the form that its template asks for: R1-Zero's has answer tags."""
    form = "answer_tags" if template == "r1_zero" else "think_tags"
    return format_reward(prompt.text, completion.text, completion.finish_reason, form) == 1.0


def _answers(job: Job, samples: Sequence[EvalSample]) -> list[list[Answer]]:
    """What is measured of each problem's samples."""
    kind, n = BENCHMARKS[job.name].kind, job.samples
    answers = [
        Answer(
            outcome=sample.outcome,
            vote=None if sample.extracted is None else vote_key(kind, sample.extracted),
            tokens=sample.tokens,
            finish_reason=sample.finish_reason,
            instructions=tuple(followed for _, followed in sample.instructions),
            language_share=sample.language_share,
            well_formed=sample.well_formed,
            worth=sample.worth,
        )
        for sample in samples
    ]
    return [answers[start : start + n] for start in range(0, len(answers), n)]
