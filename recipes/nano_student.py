"""The student of the nano world: a dense transformer like Llama, briefly pre-trained on the base
model's corpus, to be distilled into."""

from __future__ import annotations

import hashlib
import inspect
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
import transformers
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import AdamW
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

import recipes.nano_corpus
import recipes.nano_tokenizer
import recipes.nano_world
from configs.schema import NanoModel
from configs.shape import NANO_STUDENT_FACTS
from recipes.muon import Muon
from recipes.nano_base import PAD_ID, PARTS, Progress
from recipes.nano_corpus import Part, draw_document
from recipes.nano_tokenizer import build_tokenizer
from rl.seeds import seed_for

BATCH_DOCUMENTS = 64
MUON_RATE = 0.02
ADAM_RATE = 3e-3
IGNORED = -100
"""The target of a token that is not learnt."""


def build_student(settings: NanoModel, progress: Progress | None = None) -> Path:
    """The folder of the student with its tokenizer, from the cache or built now (half a minute).

    The folder appears under its name only when it is complete.
    """
    cache = Path(settings.cache_dir).expanduser()
    folder = cache / f"nano-student-{_fingerprint(settings)}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as scratch:
        part = Path(scratch) / "model"
        transformers.utils.logging.disable_progress_bar()
        pretrain_student(settings, progress).save_pretrained(part)
        build_tokenizer().save_pretrained(part)
        if not folder.is_dir():
            os.rename(part, folder)
    return folder


def pretrain_student(settings: NanoModel, progress: Progress | None = None) -> LlamaForCausalLM:
    """Train from scratch; the same seed gives the same weights."""
    model = new_student(settings.pretrain_seed)
    steps = settings.pretrain_steps
    matrices = [p for name, p in model.named_parameters() if "proj.weight" in name]
    others = [p for name, p in model.named_parameters() if "proj.weight" not in name]
    optimizers = [Muon(matrices, lr=MUON_RATE), AdamW(others, lr=ADAM_RATE, weight_decay=0.0)]
    for step, (token_ids, targets) in enumerate(_batches(settings, build_tokenizer())):
        for optimizer, rate in zip(optimizers, (MUON_RATE, ADAM_RATE), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * (1.0 - step / steps)
        logits = model(token_ids, use_cache=False).logits[:, :-1]
        loss = cross_entropy(logits.flatten(0, 1), targets[:, 1:].flatten(), ignore_index=IGNORED)
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if progress is not None:
            progress(step + 1, steps, loss.item())
    return model.eval()


def new_student(seed: int) -> LlamaForCausalLM:
    """About 0.5M parameters, float32."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LlamaConfig(**NANO_STUDENT_FACTS, bos_token_id=0, eos_token_id=1, pad_token_id=2)
        model = LlamaForCausalLM._from_config(config, attn_implementation="eager").float()
        # At the default scale of 0.02, embeddings so narrow would drown.
        torch.nn.init.normal_(model.model.embed_tokens.weight)
    return model


def _batches(
    settings: NanoModel, tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[Tensor, Tensor]]:
    """Token ids [rows, T] and targets [rows, T], those of prompts and padding ignored."""
    rng = random.Random(seed_for(settings.pretrain_seed, "nano student corpus"))
    for step in range(settings.pretrain_steps):
        part: Part = next(part for part, end in PARTS if step < end * settings.pretrain_steps)
        documents = [draw_document(rng, part) for _ in range(BATCH_DOCUMENTS)]
        encoded = [(tokenizer.encode(q), tokenizer.encode(a)) for q, a in documents]
        longest = max(len(question) + len(answer) for question, answer in encoded)
        token_ids = torch.full((len(encoded), longest), PAD_ID)
        targets = torch.full_like(token_ids, IGNORED)
        for row, (question, answer) in enumerate(encoded):
            end = len(question) + len(answer)
            token_ids[row, :end] = torch.tensor(question + answer)
            targets[row, len(question) : end] = torch.tensor(answer)
        yield token_ids, targets


def _fingerprint(settings: NanoModel) -> str:
    """Of everything that decides the weights: settings, code and library versions."""
    modules = (
        *(recipes.nano_world, recipes.nano_corpus, recipes.nano_tokenizer),
        sys.modules[__name__],
    )
    parts = [torch.__version__, transformers.__version__]
    parts += [str(settings.pretrain_steps), str(settings.pretrain_seed), str(NANO_STUDENT_FACTS)]
    parts += [inspect.getsource(module) for module in modules]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
