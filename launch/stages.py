"""From the pipeline's settings to a run for each stage: the words of its command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from configs.checks import check_files, check_settings
from configs.compose import CONFIG_DIR, load_config
from configs.data_checks import nano_data
from configs.errors import UserError
from configs.kubernetes import KubernetesCluster
from configs.pipeline import (
    EVERY_STAGE,
    AnyConfig,
    EvaluationConfig,
    PipelineConfig,
    StageConfig,
)
from configs.plan import model_facts_of
from configs.plan_placement import actors_of_a_run
from configs.schema import AnyRunConfig, FolderModel, Model, NanoModel
from configs.shape import NANO_FACTS
from recipes.r1 import BASE, PRODUCT_PATHS, STAGES, STUDENT, Stage, stages_until

Problems = dict[str, list[str]]
"""Line -> names of the stages that it is true of."""

STUDENT_STEPS = 140
"""Of the nano student's pre-training, as in configs/model/nano_student.yaml: a third of the base
model's."""


@dataclass(frozen=True, slots=True)
class StageRun:
    """A stage of this pipeline."""

    stage: Stage
    folder: Path
    words: tuple[str, ...]
    """As for `launch run`."""
    config: StageConfig

    @property
    def product(self) -> Path:
        return self.folder / PRODUCT_PATHS[self.stage.makes]


def stage_runs(config: PipelineConfig) -> list[StageRun]:
    """Every stage with its settings, checked; mistakes of all of them are named at once."""
    names = [stage.name for stage in STAGES]
    _check_names(config, names)
    problems: Problems = {}
    runs = []
    without = config.recipe.without if student_of(config) else [*config.recipe.without, STUDENT]
    for stage in stages_until(config.recipe.until, without):
        words = words_of(stage, config)
        try:
            composed = load_config(words, droppable=config.stages.get(EVERY_STAGE, []))
            assert not isinstance(composed, PipelineConfig), stage
            if not isinstance(composed, EvaluationConfig):
                check_settings(composed)
                _check_data(composed, stage, config)
            _check_place(composed, config)
        except UserError as error:
            _note(problems, stage, error)
        else:
            if isinstance(composed.cluster, KubernetesCluster):
                cluster = composed.cluster.in_pods()
                composed = composed.model_copy(update={"cluster": cluster})
            runs.append(StageRun(stage, stage_folder(config, stage.name), tuple(words), composed))
    _report(problems)
    return runs


def check_given_files(runs: Sequence[StageRun]) -> None:
    """Whether all that no stage makes is there before the first of them begins; where the stages
    run. Mistakes of all of them are named at once."""
    problems: Problems = {}
    for run in runs:
        if isinstance(run.config, EvaluationConfig):  # it reads what others made, and benchmarks
            continue
        inputs = run.stage.inputs.items()
        made = [setting for setting, source in inputs if source not in (BASE, STUDENT)]
        try:
            check_files(run.config, in_pods=True, made=[*made, "run_dir"])
        except UserError as error:
            _note(problems, run.stage, error)
    _report(problems)


def _note(problems: Problems, stage: Stage, error: UserError) -> None:
    for line in str(error).splitlines():
        problems.setdefault(line, []).append(stage.name)


def _report(problems: Problems) -> None:
    """A line for each problem, with the stages that have it."""
    lines = []
    for line, (first, *others) in problems.items():
        more = f" and {len(others)} more" if others else ""
        lines.append(f"stages.{first}{more}: {line}")
    if lines:
        raise UserError("\n".join(lines))


def actors_on_a_node(config: AnyConfig) -> int:
    """The largest number of actors that one machine has at a time, whatever runs."""
    if isinstance(config, PipelineConfig):
        return max(actors_of_a_run(run.config) for run in stage_runs(config))
    return actors_of_a_run(config)


def stage_folder(config: PipelineConfig, name: str) -> Path:
    """Where the driver has it."""
    run_dir = Path(config.run_dir).expanduser().absolute()
    if isinstance(config.cluster, KubernetesCluster):
        run_dir = Path(config.cluster.folder(config.run_dir))
    return run_dir / "stages" / name


def student_of(config: PipelineConfig) -> Model | None:
    """The dense model that is distilled into."""
    if config.recipe.student:
        return FolderModel(path=config.recipe.student)
    if isinstance(config.model, NanoModel):
        return NanoModel(
            architecture="llama",
            pretrain_steps=STUDENT_STEPS,
            pretrain_seed=config.model.pretrain_seed,
            cache_dir=config.model.cache_dir,
        )
    return None


def words_of(stage: Stage, config: PipelineConfig) -> list[str]:
    """The command line of a stage. What the user says comes last and therefore wins."""
    words = [f"recipe=r1/{stage.name}"]
    scale = f"r1/{stage.name}_{config.recipe.scale}"
    if config.recipe.scale and (CONFIG_DIR / "scale" / f"{scale}.yaml").is_file():
        words.append(f"scale={scale}")
    words += [f"seed={config.seed}", f"deterministic={str(config.deterministic).lower()}"]
    if stage.makes == "reward model" and isinstance(config.model, NanoModel):
        words.append("data=nano_preferences")
    for setting, source in stage.inputs.items():
        words += _input_words(setting, source, config)
    words += [*config.stages.get(EVERY_STAGE, []), *config.stages.get(stage.name, [])]
    return [*words, f"run_dir={stage_folder(config, stage.name)}"]


def _input_words(setting: str, source: str, config: PipelineConfig) -> list[str]:
    given: Mapping[str, Model | None] = {BASE: config.model, STUDENT: student_of(config)}
    if source in given:
        model = given[source]
        assert model is not None
        return _model_words(model)
    maker = next(stage for stage in STAGES if stage.name == source)
    path = stage_folder(config, source) / PRODUCT_PATHS[maker.makes]
    if setting == "model":
        return ["model=folder", f"model.path={path}"]
    if setting.startswith("models."):
        return [f"{setting}.path={quoted(path)}", f"{setting}.template={maker.template}"]
    return [f"{setting}={path}"]


def quoted(path: Path) -> str:
    """A text as a value below a setting whose keys the schema does not list."""
    return "'" + str(path).replace("'", "\\'") + "'"


def _model_words(model: Model) -> list[str]:
    option = "folder"
    if isinstance(model, NanoModel):
        option = "nano_student" if model.architecture == "llama" else "nano_v3"
    changed = model.model_dump(mode="json", exclude={"kind"}, exclude_defaults=True)
    return [f"model={option}", *(f"model.{key}={_value(each)}" for key, each in changed.items())]


def _value(value: Any) -> str:
    """As Hydra reads it: keys of a mapping stand without quotes."""
    if not isinstance(value, dict):
        return str(value)
    pairs = (f"{key}: {json.dumps(each)}" for key, each in cast(dict[str, Any], value).items())
    return "{" + ", ".join(pairs) + "}"


def _check_data(run: AnyRunConfig, stage: Stage, pipeline: PipelineConfig) -> None:
    """Data of the nano world, which is the default, teaches other models nothing."""
    model = student_of(pipeline) if STUDENT in stage.inputs.values() else pipeline.model
    facts = model_facts_of(model) if model else None
    if facts and facts.get("vocab_size") == NANO_FACTS["vocab_size"]:
        return
    lines = [
        f"{setting}: is of the nano world, and the pipeline's model is not; set "
        + " ".join(f"stages.{stage.name}.{word}" for word in words)
        for setting, words in nano_data(run).items()
    ]
    if lines:
        raise UserError("\n".join(lines))


def _check_place(stage: StageConfig, pipeline: PipelineConfig) -> None:
    """A stage runs in the job of the pipeline."""
    for key in ("kind", "nodes"):
        ours, theirs = getattr(stage.cluster, key), getattr(pipeline.cluster, key)
        if ours != theirs:
            raise UserError(
                f"cluster.{key}={ours}: the stages run where the pipeline does, which has "
                f"cluster.{key}={theirs}; set it for the whole pipeline"
            )


def _check_names(config: PipelineConfig, names: list[str]) -> None:
    for name in config.stages:
        if name not in (EVERY_STAGE, *names):
            raise UserError(
                f"stages.{name}: no such stage; the stages are: {', '.join(names)}, and "
                f"{EVERY_STAGE} for every one of them"
            )
    last = [config.recipe.until] if config.recipe.until else []
    for key, chosen in {"until": last, "without": config.recipe.without}.items():
        for name in chosen:
            if name not in names:
                raise UserError(
                    f"recipe.{key}={name}: no such stage; choose one of: {', '.join(names)}"
                )
