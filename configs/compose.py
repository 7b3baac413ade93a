"""From the words of a command line to validated settings.

    load_config(["recipe=r1_zero", "model=nano_v3", "learner.learning_rate=1e-4"])
    load_eval_config("models/r1", ["benchmark=aime_2024", "samples=16"])

Hydra composes the YAML files of the chosen groups and the overrides; the schema then says which
keys exist, what their types are and what the rest defaults to. Hydra's own typo protection is not
used (it advises `+key` and then accepts it): every key is looked up in the schema here.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin

import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from configs.errors import UserError
from configs.evaluation import EvalConfig
from configs.pipeline import EVERY_STAGE, AnyConfig, EvaluationConfig, PipelineConfig, StageConfig
from configs.schema import RUN_KINDS, Settings

CONFIG_DIR = Path(__file__).parent.resolve()

Kind = TypeVar("Kind", bound=Settings)
Kinds = tuple[type[Settings], ...]
"""The settings classes that a main file can lead to."""
KINDS_OF_RUNS: dict[str, type[StageConfig] | type[PipelineConfig]] = {
    **RUN_KINDS,
    "pipeline": PipelineConfig,
    "evaluation": EvaluationConfig,
}
RUNS: Kinds = tuple(KINDS_OF_RUNS.values())
EVALUATIONS: Kinds = (EvalConfig,)
MAIN_FILES: dict[Kinds, str] = {RUNS: "config", EVALUATIONS: "eval"}
"""The YAML file with the defaults list that names the groups."""

SHARED_GROUPS = ("cluster", "tracking")
"""What is said of them for a pipeline goes to all its stages."""

# Plain words for pydantic's types.
_ALLOWED = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "tuple_type": "must be a list such as [0.9, 0.95]",
    "dict_type": "must be a mapping such as {8200: 65536}",
    "model_type": "is a group of settings; set the keys below it",
}


def load_config(overrides: Sequence[str], droppable: Collection[str] = ()) -> AnyConfig:
    """Compose and validate. Every mistake is a UserError with one line per problem.

    The settings below stages. of a pipeline are kept as they are, for the stages to be composed.
    droppable: overrides that are left out where they have no meaning in the kind of run, as what
    files say is; meant for several runs, they fit some.
    """
    of_stages = [word for word in overrides if word.startswith("stages.")]
    own = [word for word in overrides if word not in of_stages]
    composed, choices = _compose(RUNS, own)
    default_dir = "runs/" + f"{choices['recipe']}-{choices['model']}".replace("/", "-")
    composed = {"run_dir": default_dir} | composed
    if _run_class(composed) is PipelineConfig:
        shared = [word for word in own if _key(word).split(".")[0] in SHARED_GROUPS]
        own = [word for word in own if _key(word).split(".")[0] != "tracking"]
        from_files = cast(dict[str, list[str]], composed.get("stages", {}))
        composed["stages"] = _stage_words(from_files, shared, of_stages)
    elif of_stages:
        raise UserError(f"{_key(of_stages[0])}: only a pipeline has stages, such as recipe=r1")
    written = [_key(word) for word in own if word not in droppable]
    problems: list[str] = []
    for path in list(_unknown_paths(composed, _run_class(composed))):
        by_user = [key for key in written if key == path or key.startswith(f"{path}.")]
        if by_user or not _belongs_to_another_kind(path):
            problems += [_unknown_key(key, composed, RUNS) for key in by_user or [path]]
        else:
            _remove(composed, path)
    if problems:
        raise UserError("\n".join(problems))
    return _validate(composed)


def load_eval_config(model: str, overrides: Sequence[str]) -> EvalConfig:
    """The settings of `launch eval MODEL ...`, composed and validated in the same way."""
    composed, _ = _compose(EVALUATIONS, overrides)
    default_dir = f"runs/eval-{Path(model).expanduser().resolve().name}"
    values = {"run_dir": default_dir} | composed | {"model": model}
    unknown = list(_unknown_paths(values, EvalConfig))
    if unknown:
        raise UserError("\n".join(_unknown_key(path, values, EVALUATIONS) for path in unknown))
    return _parse(EvalConfig, values, EVALUATIONS)


def to_yaml(config: Settings) -> str:
    """Every setting with its value, as YAML that `from_yaml` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def from_yaml(text: str) -> AnyConfig:
    """The inverse of `to_yaml`, for the file kept in the run folder."""
    return _validate(yaml.safe_load(text))


def group_options() -> dict[str, list[str]]:
    """Group -> its options: the YAML files below configs/<group>/."""
    return {
        folder.name: sorted(
            file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml")
        )
        for folder in sorted(CONFIG_DIR.iterdir())
        if any(folder.glob("*.yaml"))
    }


def setting_paths(kinds: Kinds = RUNS) -> dict[str, FieldInfo]:
    """Dotted path -> field of every setting, those of all kinds of runs, models and data."""
    return {path: field for path, field in _all_fields(kinds) if not _groups_in(field)}


def _key(word: str) -> str:
    return word.partition("=")[0].lstrip("+")


def _stage_words(
    from_files: Mapping[str, list[str]], shared: Sequence[str], of_stages: Sequence[str]
) -> dict[str, list[str]]:
    """Stage -> its settings, later ones winning: "stages.zero.seed=1" -> {"zero": ["seed=1"]}."""
    words = {name: list(each) for name, each in from_files.items()}
    words.setdefault(EVERY_STAGE, []).extend(shared)
    for word in of_stages:
        name, dot, setting = word.removeprefix("stages.").partition(".")
        if not dot or "=" in name:
            raise UserError(f"{word!r}: write stages.STAGE.KEY=VALUE")
        words.setdefault(name, []).append(setting)
    return words


def _chosen_groups(kinds: Kinds) -> list[str]:
    """The groups in the defaults list of the main file: "- optional scale: x" -> "scale"."""
    main = yaml.safe_load((CONFIG_DIR / f"{MAIN_FILES[kinds]}.yaml").read_text())
    entries = cast(list[dict[str, str] | str], main["defaults"])
    return [key.split()[-1] for entry in entries if isinstance(entry, dict) for key in entry]


def _for_hydra(override: str, kinds: Kinds) -> str:
    """Check one word of the command line and write it the way Hydra wants it.

    "model=nano_v3" stays; "learner.ranks=2" becomes "++learner.ranks=2" (set it whether or not a
    YAML file mentions it); texts are quoted, so that paths may hold any character.
    """
    key, equals, value = override.partition("=")
    key = key.lstrip("+")
    if not equals or key.startswith("~"):
        raise UserError(
            f"{override!r} is not a setting; write key=value, such as learner.ranks=2 or "
            "model=nano_v3"
        )
    options = group_options()
    groups = {name: options[name] for name in _chosen_groups(kinds)}
    if key in groups and not value.startswith("{"):
        if value not in groups[key]:
            hint = _did_you_mean(value, groups[key])
            choices = ", ".join(groups[key])
            raise UserError(f"unknown option {key}={value}; choose one of: {choices}{hint}")
        return override.lstrip("+")
    field, known = setting_paths(kinds).get(key), dict(_all_fields(kinds))
    if key.split(".")[0] not in known:
        raise UserError(_unknown_key(key, {}, kinds))
    if field is None and key in known and not value.startswith("{"):
        raise UserError(f"{override}: is a group of settings; set the keys below it")
    if field is not None and field.annotation is str and value[:1] not in ("'", '"'):
        value = "'" + value.replace("'", "\\'") + "'"
    return f"++{key}={value}"


def _compose(kinds: Kinds, overrides: Sequence[str]) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The values that YAML files and overrides give, and the option chosen in each group."""
    words = [_for_hydra(override, kinds) for override in overrides]
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIG_DIR)):
        try:
            config = compose(MAIN_FILES[kinds], overrides=words, return_hydra_config=True)
            choices = cast(Mapping[str, str], config.hydra.runtime.choices)
            settings = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
            values = OmegaConf.to_container(settings, resolve=True)
        except (HydraException, OmegaConfBaseException) as error:
            first_line = str(error).strip().splitlines()[0]
            raise UserError(f"cannot read the settings: {first_line}") from error
    return cast(dict[str, Any], values), choices


def _validate(values: Mapping[str, Any]) -> AnyConfig:
    return _parse(_run_class(values), values, RUNS)


def _parse(kind: type[Kind], values: Mapping[str, Any], kinds: Kinds) -> Kind:
    try:
        # Strict: 2.5 is no int and "yes" is no bool. JSON, so that a list may become a tuple.
        return kind.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        problems = [_describe(dict(problem), kinds) for problem in error.errors()]
        raise UserError("\n".join(problems)) from error


def _run_class(values: Mapping[str, Any]) -> type[StageConfig] | type[PipelineConfig]:
    """The settings class that the recipe asks for."""
    recipe = values.get("recipe")
    kind = cast(dict[str, Any], recipe).get("kind") if isinstance(recipe, dict) else None
    if kind not in KINDS_OF_RUNS:
        kinds = ", ".join(repr(each) for each in KINDS_OF_RUNS)
        raise UserError(f"recipe.kind={kind}: must be {kinds}; choose a recipe with recipe=NAME")
    return KINDS_OF_RUNS[kind]


def _belongs_to_another_kind(path: str) -> bool:
    """A file may set what only some kinds of runs or data have, such as the samplers' part of
    cluster=local_gpu; where it has no meaning it is dropped. What a user writes never is."""
    return path in dict(_all_fields(RUNS))


def _remove(values: dict[str, Any], path: str) -> None:
    *groups, last = path.split(".")
    for group in groups:
        values = values[group]
    del values[last]


def _describe(problem: dict[str, Any], kinds: Kinds) -> str:
    """One line about one validation problem: the key, its value, what is allowed."""
    parts = [str(part) for part in problem["loc"]]
    # Pydantic puts the kind of such a group into the location: model.folder.path.
    if parts[0] in ("model", "data", "cluster") and len(parts) > 2:
        del parts[1]
    path = ".".join(parts)
    if problem["type"] == "missing":
        meaning = dict(_all_fields(kinds))[path].description or ""
        return f"{path} is not set: {meaning.split('. ')[0].rstrip('.')}. Add {path}=VALUE."
    if problem["type"] == "union_tag_invalid":
        return f"{path}.kind={problem['ctx']['tag']}: must be {problem['ctx']['expected_tags']}."
    allowed = _ALLOWED.get(problem["type"], problem["msg"].replace("Input should be", "must be"))
    choices = [word.strip("',") for word in problem.get("ctx", {}).get("expected", "").split()]
    return f"{path}={problem['input']}: {allowed}{_did_you_mean(str(problem['input']), choices)}"


def _unknown_paths(
    values: Mapping[str, Any], group: type[Settings], prefix: str = ""
) -> Iterator[str]:
    """Dotted paths of composed values that the schema, for the chosen kinds, does not know."""
    for key, value in values.items():
        field = group.model_fields.get(key)
        if field is None:
            yield f"{prefix}{key}"
        elif isinstance(value, dict) and (groups := _groups_in(field)):
            below = cast(dict[str, Any], value)
            chosen = [each for each in groups if _kind_of(each) == below.get("kind")]
            yield from _unknown_paths(below, (chosen or groups)[0], f"{prefix}{key}.")


def _unknown_key(path: str, composed: Mapping[str, Any], kinds: Kinds) -> str:
    settings = list(setting_paths(kinds))
    group, dot, _ = path.partition(".")
    # A group without kinds of its own is what the kind of run makes it.
    values = composed.get(group)
    chooser = group if dot and isinstance(values, dict) and "kind" in values else "recipe"
    if path in settings or (composed and path in dict(_all_fields(kinds))):
        kind = composed[chooser]["kind"]
        return (
            f"{path} is no setting of {chooser}.kind={kind}: leave it out or choose another "
            f"{chooser}."
        )
    hint = _did_you_mean(path, settings if dot else [*settings, *_chosen_groups(kinds)])
    below = [each for each in settings if each.startswith(f"{group}.")]
    if not hint and below:
        hint = f"; the keys of {group} are: {', '.join(each.split('.')[1] for each in below)}."
    return f"unknown key {path!r}{hint or '; `launch run --dry-run` prints all keys.'}"


def _did_you_mean(word: str, candidates: Sequence[str]) -> str:
    """Either "; did you mean 'X'?" or nothing. Last parts count too: steps -> recipe.steps."""
    # Two keys of one group look alike by their common beginning: ask for more there.
    cutoff = 0.85 if "." in word else 0.6
    by_last_part = {candidate.rsplit(".", 1)[-1]: candidate for candidate in candidates}
    matches = [by_last_part[word]] if word in by_last_part else []
    matches = matches or difflib.get_close_matches(word, candidates, n=1, cutoff=cutoff)
    if not matches:
        last = difflib.get_close_matches(word.rsplit(".", 1)[-1], by_last_part, n=1, cutoff=0.7)
        matches = [by_last_part[part] for part in last]
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _all_fields(kinds: Kinds) -> Iterator[tuple[str, FieldInfo]]:
    """Dotted path and field of every group and setting of these kinds of settings."""
    for kind in kinds:
        yield from _walk(kind)


def _walk(group: type[Settings], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in group.model_fields.items():
        yield f"{prefix}{name}", field
        for below in _groups_in(field):
            yield from _walk(below, f"{prefix}{name}.")


def _groups_in(field: FieldInfo) -> list[type[Settings]]:
    """The settings classes a field may hold: none for a plain value, several for a union."""
    annotation = field.annotation
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    return [o for o in options if isinstance(o, type) and issubclass(o, Settings)]


def _kind_of(group: type[Settings]) -> str | None:
    kind = group.model_fields.get("kind")
    return kind.default if kind else None
