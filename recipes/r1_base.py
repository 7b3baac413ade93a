"""A base model made ready for R1's stages: with R1's chat template, its tokens where the model has
rows to spare for them, and more positions if asked for.

    .venv/bin/python -m recipes.r1_base models/qwen2.5-math-7b models/qwen2.5-math-7b-r1 \\
        --max-positions 131072

Base models have no chat template, or one that begins with a system prompt, which R1 has not. The
paper's students have R1's template in place of their own; those of Qwen2.5-Math also go on where
its 4,096 positions end. Weights are linked to, not copied, where the file system can.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from configs.errors import UserError
from recipes.nano_tokenizer import CHAT_TEMPLATE
from rewards.format import END_THINK, THINK
from rollout.tokens import load_tokenizer

ROLES = ("<｜User｜>", "<｜Assistant｜>")
WEIGHTS = (".safetensors", ".bin")


def make_ready(base: Path, target: Path, *, max_positions: int = 0) -> str:
    """Write the folder, whole or not at all; returns what was done. max_positions: into its
    config.json; 0: as they are.

    Raises UserError for a target that exists and for a base that is no model with a tokenizer.
    """
    if target.exists():
        raise UserError(f"{target}: exists already; name another folder or remove it first")
    if not (base / "config.json").is_file():
        raise UserError(f"{base}: no config.json; name the folder of a Hugging Face model")
    tokenizer = load_tokenizer(base)
    config = json.loads((base / "config.json").read_text())
    tokens = _give_tokens(tokenizer, int(config["vocab_size"]))
    tokenizer.chat_template = CHAT_TEMPLATE
    if max_positions:
        config["max_position_embeddings"] = max_positions
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".r1-base-") as scratch:
        aside = Path(scratch) / "model"
        aside.mkdir()
        for path in sorted(path for path in base.iterdir() if path.is_file()):
            _take(path, aside / path.name)
        tokenizer.save_pretrained(aside)
        (aside / "config.json").write_text(json.dumps(config, indent=2))
        aside.rename(target)
    return f"{target}: R1's chat template; {tokens}"


def _give_tokens(tokenizer: PreTrainedTokenizerBase, rows: int) -> str:
    """Roles and thinking tags as tokens of their own, if the embedding has rows for all of them; in
    words. Otherwise they stay text, which a model learns as well, in some more tokens."""
    missing = [each for each in (*ROLES, THINK, END_THINK) if each not in tokenizer.get_vocab()]
    if not missing:
        return "roles and thinking tags are tokens already"
    if len(tokenizer) + len(missing) > rows:
        return f"no rows to spare in the embedding, so {', '.join(missing)} are several tokens each"
    # The tags are text that rewards look for, and must not be left out when ids become text.
    tokenizer.add_tokens([each for each in missing if each not in ROLES])
    tokenizer.add_tokens([each for each in missing if each in ROLES], special_tokens=True)
    return f"{', '.join(missing)} are new tokens, in rows of the embedding that were to spare"


def _take(source: Path, target: Path) -> None:
    if source.name.endswith(WEIGHTS):
        try:
            os.link(source.resolve(), target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, target)
    elif source.name != "chat_template.json":
        shutil.copyfile(source, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path, help="folder of a Hugging Face model")
    parser.add_argument("target", type=Path, help="a new folder")
    parser.add_argument("--max-positions", type=int, default=0, help="0: as the base says")
    options = parser.parse_args()
    try:
        print(make_ready(options.base, options.target, max_positions=options.max_positions))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
