from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.errors import UserError
from recipes.nano_tokenizer import build_tokenizer
from rollout.tokens import completion_text, end_token_ids, load_tokenizer
from tests.unit.rollout.tiny import save_tokenizer


def write(folder: Path, file: str, **entries: object) -> None:
    (folder / file).write_text(json.dumps(entries))


def test_generation_config_goes_before_config(tmp_path: Path) -> None:
    write(tmp_path, "config.json", eos_token_id=7)
    assert end_token_ids(tmp_path) == (7,)
    write(tmp_path, "generation_config.json", temperature=0.6)
    assert end_token_ids(tmp_path) == (7,)
    write(tmp_path, "generation_config.json", eos_token_id=[9, 3, 9])
    assert end_token_ids(tmp_path) == (3, 9)
    write(tmp_path, "generation_config.json", eos_token_id=0)
    assert end_token_ids(tmp_path) == (0,)


def test_no_end_token_is_the_users_mistake(tmp_path: Path) -> None:
    write(tmp_path, "config.json")
    with pytest.raises(UserError, match="names an eos_token_id"):
        end_token_ids(tmp_path)


def test_no_tokenizer_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.path: no tokenizer_config\.json"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_that_loses_text_is_refused(tmp_path: Path) -> None:
    """transformers reads the tokenizer of every Qwen2 model with a class of its own; with another
    tokenizer's words that class forgets the spaces and all Chinese."""
    build_tokenizer().save_pretrained(tmp_path)
    write(tmp_path, "config.json", model_type="llama")
    text = " let me check: 个8+0=8"
    found = load_tokenizer(tmp_path)
    assert found.decode(found.encode(text)) == text
    write(tmp_path, "config.json", model_type="qwen2")
    with pytest.raises(UserError, match=r"model\.path: Qwen2Tokenizer.*does not give back"):
        load_tokenizer(tmp_path)


def test_text_keeps_special_tokens_except_the_final_end_token(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(save_tokenizer(tmp_path))
    assert completion_text(tokenizer, (3, 40, 3, 41, 1), (1,)) == "<3><40><3><41>"
    assert completion_text(tokenizer, (40, 1, 41), (1,)) == "<40><1><41>"
    assert completion_text(tokenizer, (40, 41), (1,)) == "<40><41>"
    assert completion_text(tokenizer, (1,), (1,)) == ""
    assert completion_text(tokenizer, (), (1,)) == ""
