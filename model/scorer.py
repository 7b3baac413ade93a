"""A language model with a scalar head: one score per segment, read at its last token.

On disk it is what transformers calls a model for sequence classification with one label: the
backbone under `model.*`, the head as `score.weight` [1, D].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from configs.errors import UserError
from model.attention import packed_arguments, position_ids


class PackedScorer(nn.Module):
    """Backbone and head under the names that they have on disk."""

    def __init__(self, backbone: PreTrainedModel, head: nn.Linear) -> None:
        super().__init__()
        self.config = backbone.config
        self.model = backbone
        self.score = head

    def forward(self, token_ids: Tensor, segment_lengths: Sequence[int]) -> Tensor:
        """[S] float32 scores of a packed row: token_ids [T] int64, segment_lengths [S]."""
        device = token_ids.device
        arguments: dict[str, Any] = packed_arguments(
            segment_lengths, cast(str, self.config._attn_implementation), device
        )
        states = self.model(
            input_ids=token_ids[None],
            position_ids=position_ids(segment_lengths).to(device)[None],
            use_cache=False,
            **arguments,
        ).last_hidden_state[0]
        last_S = torch.tensor(list(segment_lengths), device=device).cumsum(0) - 1
        return self.score(states.index_select(0, last_S))[:, 0].float()


def new_scorer(causal_lm: PreTrainedModel) -> PackedScorer:
    """The backbone of a causal language model with a new head, the same one each time."""
    if causal_lm.base_model_prefix != "model":
        raise UserError(
            f"model_type {causal_lm.config.model_type}: a reward model needs a causal language "
            "model whose backbone is called 'model', as in Llama, Qwen and DeepSeek"
        )
    backbone = causal_lm.model
    width = backbone.get_input_embeddings().embedding_dim
    head = nn.Linear(width, 1, bias=False)
    with torch.no_grad():
        # Scores of about 1 on hidden states of about 1, as after the last norm.
        noise = torch.randn(1, width, generator=torch.Generator().manual_seed(0))
        head.weight.copy_(noise / (width + 1) ** 0.5)
    return PackedScorer(backbone, head.to(causal_lm.dtype))
