"""Where metrics and alarms go. The JSON-lines file is always written and is the source of truth."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, get_args
from urllib.parse import urlsplit

from configs.errors import UserError
from configs.schema import RunConfig
from launch.alarms import Alarm
from launch.run_folder import write_atomically
from recipes.evaluation import group_json
from rl.records import Group

logger = logging.getLogger(__name__)

WandbMode = Literal["online", "offline", "disabled", "shared"]

STEP_METRIC = "train/step"
"""In W&B, whose own steps cannot go back after a restart."""
SHOWN = ("text", "reward", "outcome", "tokens", "finish_reason", "policy_version")
"""Of a completion, in a table of rollouts."""


class Tracker(Protocol):
    """A sink for the metrics of a step. Only the driver holds trackers."""

    def log(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """Of held-out problems with the policy after this step, 0 for the model it began with."""
        ...

    def alarm(self, step: int, alarm: Alarm) -> None:
        """An alarm that has just begun; also called from another thread than the rest."""
        ...

    def rollouts(self, step: int, groups: Sequence[Group]) -> None:
        """Some groups of the step, to be read."""
        ...

    def close(self, *, broken_off: bool) -> None:
        """broken_off: before the end of the run."""
        ...


class JsonlTracker:
    """metrics.jsonl: one object per step, in order, each step once.

    A restart drops the lines of steps that will be run again, and a line cut short by a crash.
    """

    def __init__(self, path: Path, first_step: int) -> None:
        kept = [line for line in read_metrics(path) if line["step"] <= first_step]
        # No other file has these numbers: a crash in here leaves the old lines or the kept ones.
        write_atomically(path, "".join(map(_json_line, kept)))
        self._file = path.open("a")

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._write({"step": step, **metrics})

    def evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        """It is in eval/ already, whole."""

    def alarm(self, step: int, alarm: Alarm) -> None:
        """The numbers are in the file already; the words go to the log."""
        logger.warning("step %d: %s: %s", step, alarm.name, alarm.text)

    def rollouts(self, step: int, groups: Sequence[Group]) -> None:
        """They are in rollouts/ already."""

    def close(self, *, broken_off: bool) -> None:
        self._file.close()

    def _write(self, line: Mapping[str, float]) -> None:
        self._file.write(_json_line(line))
        self._file.flush()


def _json_line(line: Mapping[str, float]) -> str:
    return json.dumps(line) + "\n"


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of a metrics file; a last line that a crash cut short is left out."""
    if not path.exists():
        return []
    *lines, _unfinished = path.read_text().split("\n")
    return [json.loads(line) for line in lines]


class WandbTracker:
    """Weights & Biases; offline without an API key. Steps are our own, so that the pieces of a
    restarted run line up."""

    def __init__(self, config: RunConfig, run_folder: Path) -> None:
        import wandb

        mode, _ = wandb_mode()
        self._run = wandb.init(
            project=config.tracking.wandb_project,
            name=run_folder.name,
            id=_run_id(run_folder),
            dir=str(run_folder),
            config=config.model_dump(mode="json"),
            mode=mode,
            resume="allow" if mode == "online" else None,
        )
        self._run.define_metric(STEP_METRIC)
        self._run.define_metric("*", step_metric=STEP_METRIC)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log({STEP_METRIC: step, **metrics})

    def evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        self.log(step, metrics)

    def alarm(self, step: int, alarm: Alarm) -> None:
        """W&B sends it by mail or Slack, as its user has set it up there."""
        title = f"{alarm.name} at step {step}"
        self._run.alert(title=title, text=alarm.text, level="WARN")

    def rollouts(self, step: int, groups: Sequence[Group]) -> None:
        """A table with a row for each completion."""
        import wandb

        rows: list[Iterable[Any]] = [
            [step, prompt["prompt"], prompt["answer"], *(each[name] for name in SHOWN)]
            for prompt in map(group_json, groups)
            for each in prompt["completions"]
        ]
        table = wandb.Table(columns=["step", "prompt", "answer", *SHOWN], data=rows)
        self._run.log({STEP_METRIC: step, "rollouts/samples": table})

    def close(self, *, broken_off: bool) -> None:
        self._run.finish(exit_code=int(broken_off))


def wandb_mode() -> tuple[WandbMode, str]:
    """The mode of W&B, and why. Raises UserError for one that W&B does not know."""
    if chosen := os.environ.get("WANDB_MODE"):
        for mode in get_args(WandbMode):
            if mode == chosen:
                return mode, f"WANDB_MODE={chosen}"
        known = ", ".join(get_args(WandbMode))
        raise UserError(f"WANDB_MODE={chosen}: must be one of {known}, or not set")
    source = wandb_key_source()
    return ("online", f"the key of {source}") if source else ("offline", "no API key")


def wandb_key_source() -> str | None:
    """Where W&B will find an API key; the key itself is left to W&B and never read here."""
    if os.environ.get("WANDB_API_KEY"):
        return "WANDB_API_KEY"
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    if netrc.is_file() and host in netrc.read_text():
        return str(netrc)
    return None


def _run_id(run_folder: Path) -> str:
    """The same for every attempt of a run, and made once."""
    path = run_folder / "wandb_id"
    if not path.exists():
        write_atomically(path, os.urandom(6).hex())
    return path.read_text()


class TensorboardTracker:
    """TensorBoard event files under tensorboard/."""

    def __init__(self, run_folder: Path, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(run_folder / "tensorboard"), purge_step=first_step + 1)

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)

    def evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        self.log(step, metrics)

    def alarm(self, step: int, alarm: Alarm) -> None:
        self._writer.add_text("alarms", f"{alarm.name}: {alarm.text}", step)

    def rollouts(self, step: int, groups: Sequence[Group]) -> None:
        """The first completion of each; the text is Markdown, so it is shown as code."""
        for index, group in enumerate(groups):
            text = f"{group.prompt.text}{group.completions[0].text}"
            indented = "".join(f"    {line}\n" for line in text.splitlines())
            self._writer.add_text(f"rollouts/{index}", indented, step)

    def close(self, *, broken_off: bool) -> None:
        self._writer.close()


def make_trackers(config: RunConfig, run_folder: Path, first_step: int) -> list[Tracker]:
    """The trackers that the settings ask for."""
    trackers: list[Tracker] = [JsonlTracker(run_folder / "metrics.jsonl", first_step)]
    if config.tracking.wandb:
        trackers.append(WandbTracker(config, run_folder))
    if config.tracking.tensorboard:
        trackers.append(TensorboardTracker(run_folder, first_step))
    return trackers
