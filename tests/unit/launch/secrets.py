"""Secrets to plant, and where they must not be found again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SECRETS = {"WANDB_API_KEY": "0123456789" * 4, "HF_TOKEN": "hf_" + "Abc4" * 9}


def files_with(folder: Path, secrets: Iterable[str]) -> list[Path]:
    """Files below folder, of any kind, that hold one of the secrets."""
    needles = [secret.encode() for secret in secrets]
    assert needles and all(needles)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(needle in path.read_bytes() for needle in needles)]
