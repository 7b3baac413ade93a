"""Tokens that samples of a row begin with alike, such as a common prompt, computed once.

What a token becomes depends on itself and on the tokens before it in its sample. Where these are
the same in two samples of a row, so are the hidden states, and one of them can stand for both.
Only attention still works on whole samples (model/attention.py): there the shared tokens are
handed out to every sample, and their gradients come back as a sum.

Legend: T tokens of a packed row, U of them that are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Computed:
    """Which tokens of a row are computed, and for which others they stand."""

    first_U: Tensor
    """[U] position in the row where each computed token stands first."""
    index_T: Tensor
    """[T] the computed token of each position."""

    @property
    def shared(self) -> bool:
        """Whether one stands for several."""
        return len(self.first_U) < len(self.index_T)


def every_token(num_tokens: int) -> Computed:
    """Each token is computed for itself."""
    positions_T = torch.arange(num_tokens)
    return Computed(positions_T, positions_T)


def distinct_tokens(token_ids_T: Tensor, segment_lengths: Sequence[int]) -> Computed:
    """Tokens with the same beginning are computed once.

    Segments (7, 8, 1) and (7, 8, 2): first_U = [0, 1, 2, 5], index_T = [0, 1, 2, 0, 1, 3].
    """
    found: dict[tuple[int, int], int] = {}
    first_U: list[int] = []
    index_T: list[int] = []
    for segment in token_ids_T.split(list(segment_lengths)):
        before = -1
        for token in segment.tolist():
            # A token with the same one before it has the same beginning, as that one has.
            before = found.setdefault((before, token), len(first_U))
            if before == len(first_U):
                first_U.append(len(index_T))
            index_T.append(before)
    return Computed(torch.tensor(first_U), torch.tensor(index_T))
