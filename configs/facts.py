"""What can be known about models and data before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path

from configs.data_sets import NanoData
from configs.schema import AnyRunConfig, FolderModel, RlConfig

NANO_MAX_PROMPT_TOKENS = 32
"""No prompt of the nano world is longer; a test holds it to that."""


def max_prompt_tokens(config: RlConfig) -> int:
    """Longest prompt that can occur."""
    if isinstance(config.data, NanoData):
        return NANO_MAX_PROMPT_TOKENS
    return config.data.max_prompt_tokens


def is_hub_name(path: str) -> bool:
    """Whether path means a model on the Hugging Face hub: owner/name, with no such local folder.
    Folders named in the documentation (models/..., runs/...) are never taken for owners."""
    owner, slash, name = path.partition("/")
    if not slash or not name or "/" in name or owner in ("", ".", "..", "~", "models", "runs"):
        return False
    return not Path(owner).exists()


def model_facts(config: AnyRunConfig) -> dict[str, int] | None:
    """The whole numbers of the model's config.json; None when it is not on this disk (yet)."""
    if not isinstance(config.model, FolderModel):
        return None
    file = Path(config.model.path).expanduser() / "config.json"
    if not file.is_file():
        return None
    entries = json.loads(file.read_text())
    return {key: value for key, value in entries.items() if isinstance(value, int)}
