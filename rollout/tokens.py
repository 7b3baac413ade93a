"""Token ids <-> text, and which token ends a completion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from configs.errors import UserError

PROBE = "let me check: 1+2=3"
"""A tokenizer that is read as it was written gives this back, or at least the same ids."""


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The model's own. Raises UserError when there is none, or one that loses text."""
    if not (folder / "tokenizer_config.json").is_file():
        raise UserError(
            f"model.path: no tokenizer_config.json in {folder}; the folder must hold the model's "
            "tokenizer beside its weights: save it there with tokenizer.save_pretrained"
        )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer.encode(PROBE, add_special_tokens=False)
    file = folder / "tokenizer.json"
    # For some model types transformers takes a class of its own, whatever this file says.
    as_written = Tokenizer.from_file(str(file)) if file.is_file() else None
    if (
        as_written is not None
        and ids != as_written.encode(PROBE, add_special_tokens=False).ids
        and tokenizer.decode(ids).strip() != PROBE
    ):
        raise UserError(
            f"model.path: {type(tokenizer).__name__}, with which transformers reads the tokenizer "
            f"in {folder}, does not give back what it was given ({PROBE!r}): give the model a "
            "tokenizer of its own type"
        )
    return tokenizer


def end_token_ids(folder: Path) -> tuple[int, ...]:
    """The ids after which a completion ends: generation_config.json's if it names any, else
    config.json's. Sorted, without duplicates."""
    for file in ("generation_config.json", "config.json"):
        path = folder / file
        ids = json.loads(path.read_text()).get("eos_token_id") if path.is_file() else None
        if ids is not None:
            return tuple(sorted({ids} if isinstance(ids, int) else set(ids)))
    raise UserError(
        f"model.path: neither generation_config.json nor config.json in {folder} names an "
        'eos_token_id, so no completion would ever end: add "eos_token_id" to config.json'
    )


def completion_text(
    tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], end_ids: Sequence[int]
) -> str:
    """The text of a completion: special tokens are kept, because <think> and its relatives may be
    special, except the end token, which says only that the model stopped."""
    ends = bool(token_ids) and token_ids[-1] in end_ids
    text = tokenizer.decode(
        list(token_ids[:-1] if ends else token_ids),
        skip_special_tokens=False,
        clean_up_tokenization_spaces=False,
    )
    return cast(str, text)
