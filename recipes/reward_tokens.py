"""What a reward model reads: a question and a response, as tokens of its own chat template.

    prompt, as the policy would be asked    response    end token, where the score is read

The same function serves training and serving, so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from transformers import PreTrainedTokenizerBase

from recipes.datasets import chat_prompt
from rewards.format import strip_end_tokens


class RewardEncoder:
    """For the tokenizer of one reward model."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, end_ids: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        eos = tokenizer.eos_token_id
        self._end_id = cast(int, eos) if eos in end_ids else end_ids[0]

    def encode(self, question: str, response: str) -> list[int]:
        """Token ids; the response is what the model may see of it, without its end token."""
        _, prompt_ids = chat_prompt(question, self._tokenizer)
        shown = strip_end_tokens(response)
        return [
            *prompt_ids,
            *self._tokenizer.encode(shown, add_special_tokens=False),
            self._end_id,
        ]
