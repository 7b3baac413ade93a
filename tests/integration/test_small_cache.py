"""The vLLM sampler with a KV cache that is too small. Alone here: a process holds one engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from rl.records import SamplingSettings
from tests.models import save_tiny_deepseek
from tests.unit.rollout.tiny import prompts, requests, save_tokenizer, vllm_sampler

pytestmark = pytest.mark.integration

PLAIN = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=32)
REPEATED = requests(prompts(9), 4)
SMALL_CACHE = 2.0**-8
"""GiB: room for a few of the 36 sequences."""


def test_sequences_that_lose_their_place_are_counted(tmp_path: Path) -> None:
    """No completion is lost, though some are put back; the count is that of the last call."""
    folder = save_tokenizer(save_tiny_deepseek(tmp_path))
    with vllm_sampler(folder, max_concurrent=36, kv_cache_gib=SMALL_CACHE) as engine:
        scheduler = cast(Any, engine)._engine.engine_core.engine_core.scheduler
        put_back = Mock(wraps=scheduler._preempt_request)
        scheduler._preempt_request = put_back
        found = {(c.prompt_id, c.sample_index) for c in engine.generate(REPEATED, PLAIN)}
        assert found == {(f"p{prompt}", sample) for prompt in range(9) for sample in range(4)}
        assert engine.load.kv_cache_usage > 0.9
        assert engine.load.preemptions == put_back.call_count > 0
        list(engine.generate(REPEATED[:1], PLAIN))
        assert engine.load.preemptions == 0
