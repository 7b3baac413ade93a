"""A base model gets R1's template: its text, its tokens, its weights untouched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from configs.errors import UserError
from recipes.datasets import chat_prompt
from recipes.r1_base import make_ready
from rollout.tokens import load_tokenizer
from tests.models import VOCAB_SIZE, save_tiny_llama

CHATML = (
    "{{ '<|im_start|>system\nYou are helpful.<|im_end|>' }}{% for message in messages %}"
    "{{ message['content'] }}{% endfor %}"
)
PROMPT = "<｜User｜>What is 3+4?<｜Assistant｜>"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A Llama whose tokenizer knows bytes and an end token, with a template that it should not
    have."""
    folder = save_tiny_llama(tmp_path / "base")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<|begin|>", "<|end|>", *letters]
    backend = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<|begin|>",
        eos_token="<|end|>",
        chat_template=CHATML,
    ).save_pretrained(folder)
    return folder


def test_the_prompt_is_r1s(base: Path, tmp_path: Path) -> None:
    said = make_ready(base, tmp_path / "ready", max_positions=2048)
    tokenizer = load_tokenizer(tmp_path / "ready")
    text, ids = chat_prompt("What is 3+4?", tokenizer)
    assert text == f"<|begin|>{PROMPT}"
    assert tokenizer.decode(ids) == text
    user, assistant = (
        tokenizer.convert_tokens_to_ids(role) for role in ("<｜User｜>", "<｜Assistant｜>")
    )
    assert [ids[0], ids[1], ids[-1]] == [0, user, assistant]
    assert min(user, assistant) >= 258 and max(user, assistant) < VOCAB_SIZE
    assert said.endswith("are new tokens, in rows of the embedding that were to spare")
    answer = tokenizer.encode("<think>a</think>b<｜User｜>", add_special_tokens=False)
    assert len(answer) == 5
    assert tokenizer.decode(answer, skip_special_tokens=True) == "<think>a</think>b"
    config = json.loads((tmp_path / "ready" / "config.json").read_text())
    before = json.loads((base / "config.json").read_text())
    assert config == before | {"max_position_embeddings": 2048}


def test_the_weights_are_the_bases(base: Path, tmp_path: Path) -> None:
    make_ready(base, tmp_path / "ready")
    weights, linked = ((f / "model.safetensors") for f in (base, tmp_path / "ready"))
    assert weights.stat().st_ino == linked.stat().st_ino
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "ready")
    assert model.get_input_embeddings().weight.shape[0] == VOCAB_SIZE
    assert AutoTokenizer.from_pretrained(base).chat_template == CHATML


def test_without_rows_to_spare_the_tokens_stay_text(base: Path, tmp_path: Path) -> None:
    config = json.loads((base / "config.json").read_text()) | {"vocab_size": 260}
    (base / "config.json").write_text(json.dumps(config))
    said = make_ready(base, tmp_path / "ready")
    assert "are several tokens each" in said
    tokenizer = load_tokenizer(tmp_path / "ready")
    assert len(tokenizer) == 258
    text, ids = chat_prompt("What is 3+4?", tokenizer)
    assert text == f"<|begin|>{PROMPT}" and tokenizer.decode(ids) == text
    again = make_ready(tmp_path / "ready", tmp_path / "again")
    assert said.split("; ")[1] == again.split("; ")[1]


def test_mistakes_are_one_line_and_leave_nothing(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="exists already"):
        make_ready(base, base)
    with pytest.raises(UserError, match=r"no config\.json"):
        make_ready(tmp_path / "nothing", tmp_path / "new")
    (base / "tokenizer_config.json").unlink()
    command = [sys.executable, "-m", "recipes.r1_base", str(base), str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: model.path: no tokenizer_config.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base"]
