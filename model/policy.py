"""A causal language model as RL needs it: packed tokens in, log-probs of these tokens out.

Legend: T tokens of a packed row, U of them computed, n positions that matter, D hidden width,
V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from configs.errors import UserError
from model.attention import packed_arguments, position_ids
from model.head import LogProbHead
from model.prefixes import Computed, every_token


class PackedPolicy(nn.Module):
    """Backbone and head under the names that they have in the Hugging Face model, so that
    parameter names here are those of the checkpoint (except for fused experts)."""

    def __init__(
        self, causal_lm: PreTrainedModel, *, chunk_tokens: int, temperature: float = 1.0
    ) -> None:
        super().__init__()
        if causal_lm.base_model_prefix != "model" or not isinstance(
            causal_lm.get_output_embeddings(), nn.Linear
        ):
            raise UserError(
                f"model_type {causal_lm.config.model_type}: the learner needs a causal language "
                "model made of 'model' and 'lm_head', as Llama, Qwen and DeepSeek are"
            )
        self.config = causal_lm.config
        self.model = causal_lm.model
        projection = cast(nn.Linear, causal_lm.get_output_embeddings())
        self.lm_head = LogProbHead(projection, chunk_tokens, temperature)

    def forward(
        self,
        token_ids: Tensor,
        positions: Tensor,
        segment_lengths: Sequence[int],
        computed: Computed | None = None,
    ) -> tuple[Tensor, Tensor]:
        """([T] log-prob of each token given those before it in its segment, [T] entropy of the
        distribution it was drawn from), float32; 0 except at the given positions.

        token_ids [T] int64; positions [n] int64 in the row, none of them first in its segment.
        computed: which tokens stand for which; None: each for itself.
        """
        num_tokens = len(token_ids)
        device = token_ids.device
        computed = computed or every_token(num_tokens)
        arguments: dict[str, Any] = packed_arguments(
            segment_lengths, cast(str, self.config._attn_implementation), device, computed
        )
        states_UxD = self.model(
            input_ids=token_ids[computed.first_U.to(device)][None],
            position_ids=position_ids(segment_lengths)[computed.first_U].to(device)[None],
            use_cache=False,
            **arguments,
        ).last_hidden_state[0]
        predecessors_n = computed.index_T.to(device)[positions - 1]
        log_probs, entropy = self.lm_head(
            states_UxD.index_select(0, predecessors_n), token_ids[positions]
        )
        row = torch.zeros(num_tokens, device=device)
        return row.index_copy(0, positions, log_probs), row.index_copy(0, positions, entropy)


def predicted_positions(segment_lengths: Sequence[int]) -> Tensor:
    """All positions of a row with something before them in their segment."""
    return position_ids(segment_lengths).nonzero().squeeze(-1)
