"""A run that scores the models of all stages on the same benchmarks, engines shared.

models/NAME/    of each model what `launch eval` writes: every sample, every measure
measures.json   stage -> benchmark -> measures
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from configs.evaluation import EvalConfig, EvalDataSettings, check_eval
from configs.pipeline import EvaluationConfig
from launch.cluster import start_ray, stop_ray
from launch.eval_folder import EvalFolder
from launch.eval_sampling import EvalSamplers
from launch.evaluate import Job, check_benchmarks, evaluate_job, jobs_of
from launch.run_folder import RunFolder, write_atomically
from launch.stage_table import FILE
from launch.stop import end_if_asked
from recipes.benchmarks.scoring import Judge
from recipes.benchmarks.table import BENCHMARKS

Scores = dict[str, dict[str, Any] | None]
"""Benchmark -> its measures; None: not finished."""


def evaluate_stages_in(folder: RunFolder, config: EvaluationConfig) -> None:
    """Everything between an opened run folder and a finished run in it."""
    settings = {name: eval_config(config, name, folder.path) for name in config.models}
    for each in settings.values():
        check_eval(each)
        check_benchmarks(each.benchmarks)
    jobs = {name: jobs_of(each) for name, each in settings.items()}
    folders = {name: EvalFolder(Path(each.run_dir), each.model) for name, each in settings.items()}
    results: dict[str, Scores] = {
        name: {job.name: folders[name].open(job.name, job.about) for job in jobs[name]}
        for name in settings
    }
    if any(measures is None for scores in results.values() for measures in scores.values()):
        folder.write_status(phase="evaluating")
        _score(config, settings, folders, jobs, results, folder)
    write_atomically(folder.path / FILE, json.dumps(results, indent=2))
    folder.write_status(phase="finished", step=1, steps=1)


def eval_config(config: EvaluationConfig, name: str, folder: Path) -> EvalConfig:
    """The settings of one model as `launch eval` has them."""
    recipe, model = config.recipe, config.models[name]
    return EvalConfig(
        run_dir=str(folder / "models" / name),
        model=model.path,
        template=model.template,
        benchmark=recipe.benchmark,
        samples=recipe.samples,
        temperature=recipe.temperature,
        top_p=recipe.top_p,
        max_tokens=recipe.max_tokens,
        seed=config.seed,
        deterministic=config.deterministic,
        data=EvalDataSettings(folder=recipe.folder, problems=recipe.problems),
        engine=config.engine,
        code=config.code,
        cluster=config.cluster,
    )


def _score(
    config: EvaluationConfig,
    settings: Mapping[str, EvalConfig],
    folders: Mapping[str, EvalFolder],
    jobs: Mapping[str, list[Job]],
    results: Mapping[str, Scores],
    folder: RunFolder,
) -> None:
    """Fill in what is missing of the results. Models of one shape stand side by side, so that
    engines start once for each shape."""
    programs = any(
        BENCHMARKS[name].kind == "program" for name in next(iter(settings.values())).benchmarks
    )
    stop_if_asked = partial(end_if_asked, folder.path)
    with Judge(config.code, programs=programs) as judge:
        start_ray(config.engine.samplers)
        try:
            samplers = EvalSamplers(next(iter(settings.values())), folder.log_dir)
            for name in settings:
                for job in jobs[name]:
                    if results[name][job.name] is None:
                        print(f"{name}: {job.name}", flush=True)
                        results[name][job.name] = evaluate_job(
                            settings[name], folders[name], job, samplers, judge, stop_if_asked
                        )
        finally:
            stop_ray()
