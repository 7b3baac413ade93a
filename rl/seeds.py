"""Seeds as pure functions of what they are for, so that a restarted worker draws the same."""

from __future__ import annotations

import hashlib


def seed_for(run_seed: int, *parts: str | int) -> int:
    """A 31-bit seed for one purpose: seed_for(0, "sample", step, prompt_id, sample_index)."""
    text = "/".join(str(part) for part in (run_seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 33
