"""What the training loop asks of the outside world: one small Protocol per boundary.

The classes behind them live in rollout/ and model/ and are reached through Ray actors in launch/;
fakes of a few lines are enough to test the loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from rl.records import Completion, GenerationRequest, Group, Prompt, Row, SamplingSettings

Policy = Literal["policy", "reference"]


@dataclass(frozen=True, slots=True)
class LoopState:
    """Where a run stands; with the learner's checkpoint, all that a restart needs."""

    step: int
    """Finished steps."""
    version: int
    """Finished policy updates."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """One finished step, for those who watch."""

    state: LoopState
    """After the step."""
    groups: Sequence[Group]
    metrics: Mapping[str, float]


class Sampler(Protocol):
    """One engine that turns requests into completions."""

    def generate(
        self, requests: Sequence[GenerationRequest], sampling: SamplingSettings
    ) -> Iterator[Completion]:
        """Yield each completion as soon as it is finished, in any order."""
        ...


class Rollouts(Protocol):
    """All samplers and reward workers of a run, with the journal in front of them."""

    def is_begun(self, step: int, prompts: Sequence[Prompt]) -> bool:
        """True if collect() would begin nothing: the step is in the journal, or being generated."""
        ...

    def begin(self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings) -> None:
        """Generate this step in the background, with the weights that the samplers have now. One
        step at a time; nothing is published before collect() has returned it."""
        ...

    def collect(
        self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings
    ) -> list[Group]:
        """Scored groups of this step, in the order of prompts; from the journal where finished."""
        ...


class Learner(Protocol):
    """All ranks of the learner, seen from the driver. rows[rank] are the rows of one rank; every
    rank gets equally many."""

    num_ranks: int

    def log_probs(self, rows: Sequence[Sequence[Row]], policy: Policy) -> list[list[Tensor]]:
        """Per rank and row, [T] float32: the log-prob of each token in the loss mask given those
        before it in its segment; 0 elsewhere, and at the first token of a segment."""
        ...

    def updates(
        self, mini_batches: Iterable[tuple[Sequence[Sequence[Row]], float]]
    ) -> list[Mapping[str, float]]:
        """One optimiser step after the other, each on the rows of one mini-batch with its learning
        rate; the metrics of each. The next may be packed while the learner works on this one."""
        ...

    def refresh_reference(self) -> None:
        """Make the current policy the reference."""
        ...


class Publisher(Protocol):
    """Carries the learner's weights to every sampler and verifies that they arrived."""

    def publish(self, version: int) -> Mapping[str, float]:
        """Returns the metrics of the transfer; raises if the canary fails."""
        ...


class Observer(Protocol):
    """Told about each finished step: console, metrics file, trackers, checkpoints."""

    def step_finished(self, result: StepResult) -> None: ...
