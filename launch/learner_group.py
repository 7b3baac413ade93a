"""All learner ranks behind the Learner protocol: every call goes to every rank."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from launch.cluster import WorkerLost, wait_all
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
        chunk = None
        while (following := self._next(stream)) is not None:
            if chunk is not None:
                yield chunk
            chunk = following
        # The last one says how the stream ended: a sampler given an error would be blamed for it.
        self._wait([chunk, *others], "export")
        yield chunk

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

    def _next(self, stream: Any) -> Any:
        """The next chunk of rank 0's export, None at its end."""
        import ray

        ready, _ = ray.wait([stream], timeout=self._timeout_s)
        if not ready:
            late = f"nothing from {self._names[0]} within {self._timeout_s:.0f} s"
            raise WorkerLost(f"export: {late}")
        return next(stream, None)

    def _wait(self, refs: Sequence[Any], what: str) -> list[Any]:
        names = self._names[: len(refs)]
        return wait_all(refs, what=what, names=names, timeout_s=self._timeout_s)
