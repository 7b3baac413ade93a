"""Tiny models with a tokenizer, requests for them, and their weights as a learner sends them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from configs.schema import RolloutSettings
from rl.records import GenerationRequest, Prompt
from tests.models import VOCAB_SIZE

if TYPE_CHECKING:
    from rollout.vllm_sampler import VllmSampler

END_ID = 1
"""The end-of-text token of tests/models.py."""


def save_tokenizer(folder: Path) -> Path:
    """Token i is written "<i>"; 1 is the end token and 3 a special token like <think>."""
    backend = Tokenizer(models.WordLevel({f"<{i}>": i for i in range(VOCAB_SIZE)}, unk_token="<2>"))
    backend.decoder = decoders.Fuse()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=f"<{END_ID}>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<3>"]})
    tokenizer.save_pretrained(folder)
    return folder


def prompts(count: int, length: int = 40) -> list[Prompt]:
    """Fixed token ids from 5 up. Prompts share no prefix."""
    return [
        Prompt(
            id=f"p{i}",
            text="",
            token_ids=tuple(5 + (31 * i + 7 * j + j * j) % (VOCAB_SIZE - 5) for j in range(length)),
            answer="",
        )
        for i in range(count)
    ]


def requests(of: list[Prompt], samples: int, *, seed: int = 0) -> list[GenerationRequest]:
    return [
        GenerationRequest(prompt, k, seed=seed + 1000 * i + k)
        for i, prompt in enumerate(of)
        for k in range(samples)
    ]


def load_model(folder: Path, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()


@torch.no_grad()
def perturb(model: PreTrainedModel, seed: int, size: float = 0.2) -> None:
    """Move every parameter, and the router's selection bias, by a good part of its size."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
        parameter.add_(size * parameter.std() * noise)
    for name, buffer in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            buffer.add_(size * torch.randn(buffer.shape, generator=generator))


def checkpoint_tensors(model: PreTrainedModel, folder: Path) -> dict[str, Tensor]:
    """All weights under their checkpoint names, experts one by one."""
    model.save_pretrained(folder)
    return load_file(folder / "model.safetensors")


@torch.no_grad()
def model_log_probs(model: PreTrainedModel, sequences: list[list[int]]) -> list[list[float]]:
    """Log-prob of each token given those before it, 0 at the first: the learner's side."""
    rows = []
    for ids in sequences:
        log_probs = model(torch.tensor([ids])).logits[0, :-1].float().log_softmax(-1)
        rows.append([0.0, *log_probs.gather(1, torch.tensor(ids[1:])[:, None]).flatten().tolist()])
    return rows


@contextmanager
def vllm_sampler(folder: Path, **changes: Any) -> Iterator[VllmSampler]:
    """A real engine in this process, which gets back what vLLM replaces in it afterwards."""
    from rollout.vllm_sampler import VllmSampler

    settings = RolloutSettings(**({"dtype": "float32", "kv_cache_gib": 0.25} | changes))
    environment = dict(os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "set_num_threads", torch.set_num_threads)
        sampler = VllmSampler(folder, settings, device="cpu", max_model_len=256, threads=1, seed=0)
        try:
            yield sampler
        finally:
            sampler.close()
            os.environ.clear()
            os.environ.update(environment)
