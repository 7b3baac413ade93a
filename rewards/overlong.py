"""The soft overlong penalty: a slope in front of the length cap instead of a cliff at it."""

from __future__ import annotations


def overlong_penalty(num_tokens: int, max_tokens: int, cache_tokens: int) -> float:
    """From 0 down to -1 over the last cache_tokens before max_tokens; -1 beyond them.

    DAPO's soft overlong punishment (arXiv 2503.14476, eq. 13), lengths in tokens:
    0 for |y| <= L_max - L_cache; (L_max - L_cache - |y|) / L_cache up to L_max; then -1.
    The paper generates up to L_max = 20480 tokens with L_cache = 4096. At a cap that cuts
    completions at max_tokens, the cut ones get -1.

    overlong_penalty(19456, max_tokens=20480, cache_tokens=4096) == -0.75
    """
    assert 0 < cache_tokens <= max_tokens, (cache_tokens, max_tokens)
    over = num_tokens - (max_tokens - cache_tokens)
    return -min(max(over / cache_tokens, 0.0), 1.0)
