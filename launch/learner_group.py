"""All learner ranks behind the Learner protocol: every call goes to every rank."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from launch.cluster import wait_all
from rl.judged import JudgedRow
from rl.protocols import Policy
from rl.records import Row


class LearnerGroup:
    """The driver's handle on the learner actors; rank i is ranks[i]."""

    def __init__(self, ranks: Sequence[Any], timeout_s: float) -> None:
        self._ranks = ranks
        self._names = [f"learner rank {i}" for i in range(len(ranks))]
        self._timeout_s = timeout_s
        self.num_ranks = len(ranks)

    def updates(
        self, mini_batches: Iterable[tuple[Sequence[Sequence[Row | JudgedRow]], float]]
    ) -> list[Mapping[str, float]]:
        # All calls at once: no rank waits for the driver between two updates.
        calls = [
            [
                rank.update.remote(own, learning_rate)
                for rank, own in zip(self._ranks, rows, strict=True)
            ]
            for rows, learning_rate in mini_batches
        ]
        returned = [rank.return_memory.remote() for rank in self._ranks]
        # Metrics are summed over the ranks inside the learner, so any rank's answer is everybody's.
        metrics = [self._wait(refs, "update")[0] for refs in calls]
        self._wait(returned, "return of memory")
        return metrics

    def log_probs(
        self, rows: Sequence[Sequence[Row]], policy: Policy, temperature: float | None = None
    ) -> list[list[Tensor]]:
        """temperature: None for that of sampling."""
        refs = [
            rank.log_probs.remote(own, policy, temperature)
            for rank, own in zip(self._ranks, rows, strict=True)
        ]
        return self._wait(refs, f"{policy} log-probs")

    def scores(self, rows: Sequence[Sequence[JudgedRow]]) -> list[list[Tensor]]:
        """Of a reward model."""
        refs = [rank.scores.remote(own) for rank, own in zip(self._ranks, rows, strict=True)]
        return self._wait(refs, "scores")

    def refresh_reference(self) -> None:
        self._wait([rank.refresh_reference.remote() for rank in self._ranks], "reference refresh")

    def export(self) -> Iterator[Any]:
        """Object refs of weight chunks from rank 0. The other ranks take part in the gathering."""
        others = [rank.join_export.remote() for rank in self._ranks[1:]]
        stream = self._ranks[0].export.options(num_returns="streaming").remote()
        # An interruption closes this generator; `yield from` would close Ray's, which refuses.
        for chunk in stream:  # noqa: UP028
            yield chunk
        self._wait(others, "export")

    def connect_samplers(
        self, samplers: Sequence[Any], transfer: str, tensor_parallel: int
    ) -> None:
        """Let the ranks meet the samplers for transfers between GPUs."""
        (address,) = self._wait([self._ranks[0].meeting_point.remote(0)], "meeting point")
        self._wait(
            [
                rank.connect_samplers.remote(samplers, transfer, tensor_parallel, address)
                for rank in self._ranks
            ],
            "connection to the samplers",
        )

    def send_weights(self, version: int) -> None:
        """Send the policy to the connected samplers."""
        self._wait([rank.send_weights.remote(version) for rank in self._ranks], "weight transfer")

    def offload(self) -> None:
        """Move everything to host memory."""
        self._wait([rank.offload.remote() for rank in self._ranks], "offload")

    def reload(self) -> None:
        """Move everything back to the devices."""
        self._wait([rank.reload.remote() for rank in self._ranks], "reload")

    def save_model(self, folder: Path) -> None:
        """Write the policy as a Hugging Face folder."""
        self._wait([rank.save_model.remote(str(folder)) for rank in self._ranks], "model export")

    def save(self, folder: Path) -> None:
        """Write every rank's state under folder."""
        self._wait([rank.save.remote(str(folder)) for rank in self._ranks], "checkpoint")

    def load(self, folder: Path) -> None:
        """Read every rank's state from folder."""
        self._wait([rank.load.remote(str(folder)) for rank in self._ranks], "checkpoint load")

    def _wait(self, refs: Sequence[Any], what: str) -> list[Any]:
        names = self._names[: len(refs)]
        return wait_all(refs, what=what, names=names, timeout_s=self._timeout_s)
