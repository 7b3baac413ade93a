"""Weights from the learner to every sampler, and the proof that they arrived.

consumes  chunks of the learner's weights, as object refs (zero-copy on one node)
produces  samplers with the new version, verified by the canary
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache

import torch

from launch.learner_group import LearnerGroup
from launch.sampler_group import SamplerGroup
from launch.transfer import Turns
from rl.packing import pack, unpack
from rl.records import Sample
from rollout.canary import Canary


class RayPublisher:
    """The Publisher protocol over learner and sampler actors."""

    def __init__(
        self,
        learner: LearnerGroup,
        samplers: SamplerGroup,
        transfer: Callable[[int, SamplerGroup], None],
        turns: Turns,
        canary: Canary,
        row_tokens: int,
    ) -> None:
        """row_tokens: of the rows in which the learner scores the canary's sequences."""
        self._learner = learner
        self._samplers = samplers
        self._transfer = transfer
        self._turns = turns
        self._canary = canary
        self._row_tokens = row_tokens
        self._metrics: Mapping[str, float] = {}
        self._version = -1

    def publish(self, version: int) -> Mapping[str, float]:
        """What is already there is not sent again."""
        if version != self._version:
            self._turns.everybody()
            self._samplers.replace_the_dead()
            self._metrics = self._send(version, self._samplers)
            self._version = version
        return self._metrics

    def replace(self, index: int) -> None:
        """A new sampler in the place of one that has died, with the weights of the others.

        Raises WorkerLost where there can be none.
        """
        self._samplers.replace(index)
        self._send(self._version, self._samplers.only(index))

    def _send(self, version: int, samplers: SamplerGroup) -> dict[str, float]:
        start = time.perf_counter()
        samplers.each("prime", self._canary)
        self._transfer(version, samplers)
        transferred = time.perf_counter()
        readings = samplers.each("read", self._canary)
        # Samplers mostly continue the prompts alike: the learner scores what differs once.
        learner_log_probs = cache(self._learner_log_probs)
        gap = max(self._canary.check(reading, version, learner_log_probs) for reading in readings)
        return {
            "sync/canary_gap": gap,
            "sync/transfer_s": transferred - start,
            "sync/canary_s": time.perf_counter() - transferred,
        }

    def _learner_log_probs(self, sequences: tuple[tuple[int, ...], ...]) -> list[list[float]]:
        """Log-prob of each token of each sequence under the learner's policy, at temperature 1, as
        the canary samples."""
        samples = [
            Sample(
                prompt_id="canary",
                sample_index=index,
                token_ids=torch.tensor(tokens, dtype=torch.int64),
                loss_mask=torch.ones(len(tokens), dtype=torch.bool),
                behaviour_log_probs=torch.zeros(len(tokens)),
                advantage=0.0,
                policy_version=0,
            )
            for index, tokens in enumerate(sequences)
        ]
        longest = max(len(tokens) for tokens in sequences)
        rows = pack(
            samples,
            row_tokens=max(longest, self._row_tokens),
            num_ranks=self._learner.num_ranks,
        )
        values = self._learner.log_probs(rows, "policy", temperature=1.0)
        flat_rows = [row for rank in rows for row in rank]
        flat_values = [value for rank in values for value in rank]
        return [value.tolist() for value in unpack(flat_rows, flat_values)]
