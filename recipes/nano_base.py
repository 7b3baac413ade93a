"""The base model of the nano world: a small DeepSeek-V3, pre-trained here and kept in a cache."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Optimizer
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, PreTrainedTokenizerBase

import recipes.muon
import recipes.nano_corpus
import recipes.nano_tokenizer
import recipes.nano_world
from configs.schema import NanoModel
from recipes.muon import Muon
from recipes.nano_corpus import Part, draw_document
from recipes.nano_tokenizer import build_tokenizer
from rl.seeds import seed_for

Document = tuple[list[int], list[int]]
"""Token ids of a prompt and its solution."""
Progress = Callable[[int, int, float], None]
"""Called with (steps done, steps in all, loss)."""

BATCH_TOKENS = 2560
"""Tokens per optimiser step, padding included."""
PARTS: tuple[tuple[Part, float], ...] = (("facts", 0.06), ("textbook", 0.62), ("wild", 1.0))
"""The parts of the corpus in the order of reading, and where each ends, as a share of the steps."""
MUON_RATE = 0.02
ADAM_RATE = 5e-3
WARMUP_STEPS = 8
ROUTER_BIAS_RATE = 0.001
"""DeepSeek-V3's step of the bias that balances the experts' load."""

# The routing keys are DeepSeek-V3's own; transformers knows only this routing and does not write
# them, but vLLM reads them.
ROUTING_KEYS = {"topk_method": "noaux_tc", "scoring_func": "sigmoid"}
PAD_ID = 2
VOCAB_SIZE = 320
"""A round number with room above the tokenizer's words."""
DEFINING_MODULES = (
    recipes.muon,
    recipes.nano_world,
    recipes.nano_tokenizer,
    recipes.nano_corpus,
    sys.modules[__name__],
)


def build_base(settings: NanoModel, progress: Progress | None = None) -> Path:
    """The folder of the base model with its tokenizer, from the cache or built now (minutes).

    The folder appears under its name only when it is complete, so an interrupted or concurrent
    build never leaves a torn one behind.
    """
    cache = Path(settings.cache_dir).expanduser()
    folder = cache / f"nano-{_fingerprint(settings)}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as scratch:
        part = Path(scratch) / "model"
        _save(pretrain(settings, progress), build_tokenizer(), part)
        if not folder.is_dir():
            os.rename(part, folder)
    return folder


def pretrain(settings: NanoModel, progress: Progress | None = None) -> DeepseekV3ForCausalLM:
    """Train on the corpus from scratch; the same seed gives the same weights."""
    model = new_model(settings.pretrain_seed)
    steps = settings.pretrain_steps
    optimizers = _optimizers(model)
    loads = _record_expert_loads(model)
    for step, (token_ids, is_solution) in enumerate(_batches(settings, build_tokenizer())):
        _set_learning_rate(optimizers, step, steps)
        logits = model(token_ids, use_cache=False).logits[:, :-1]
        targets, mask = token_ids[:, 1:], is_solution[:, 1:]
        loss = cross_entropy(logits[mask], targets[mask])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        _balance_experts(loads)
        if progress is not None:
            progress(step + 1, steps, loss.item())
    return model.eval()


def new_model(seed: int) -> DeepseekV3ForCausalLM:
    """About 1.4M parameters, float32, with all that makes a DeepSeek-V3: multi-head latent
    attention, YaRN, a dense first layer, 8 routed and 1 shared expert, grouped sigmoid routing."""
    config = DeepseekV3Config(
        vocab_size=VOCAB_SIZE,
        hidden_size=128,
        intermediate_size=256,
        moe_intermediate_size=64,
        num_hidden_layers=3,
        first_k_dense_replace=1,
        num_attention_heads=4,
        num_key_value_heads=4,
        n_shared_experts=1,
        n_routed_experts=8,
        num_experts_per_tok=2,
        n_group=4,
        topk_group=2,
        norm_topk_prob=True,
        routed_scaling_factor=2.5,
        # The MLA kernels of the sampler know only these two sizes, which are V3's.
        kv_lora_rank=512,
        qk_rope_head_dim=64,
        q_lora_rank=64,
        qk_nope_head_dim=32,
        v_head_dim=32,
        max_position_embeddings=512,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 10000.0,
            "factor": 4.0,
            "original_max_position_embeddings": 128,
            "beta_fast": 32,
            "beta_slow": 1,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
        },
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DeepseekV3ForCausalLM._from_config(
            config, attn_implementation="eager", experts_implementation="grouped_mm"
        ).float()
        _initialise(model)
    return model


@torch.no_grad()
def _initialise(model: DeepseekV3ForCausalLM) -> None:
    """Scales at which so narrow a model learns fast: the default of 0.02 drowns the embeddings.

    Matrices keep the size of what they map; those that write into the residual stream start at 0.
    """
    for name, parameter in model.named_parameters():
        if "embed_tokens" in name:
            parameter.normal_(0.0, 1.0)
        elif "lm_head" in name:
            parameter.normal_(0.0, 0.02)
        elif "o_proj" in name or "down_proj" in name:
            parameter.zero_()
        elif parameter.dim() > 1:
            parameter.normal_(0.0, parameter.shape[-1] ** -0.5)


def _batches(
    settings: NanoModel, tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[Tensor, Tensor]]:
    """One batch per step: token ids [rows, T] int64 and whether each belongs to a solution.

    One document per row, so that positions are those of sampling. Every batch mixes all kinds of
    problems: sorted by length, kinds would take turns and each would undo what another learnt.
    """
    rng = random.Random(seed_for(settings.pretrain_seed, "nano corpus"))
    for step in range(settings.pretrain_steps):
        part: Part = next(part for part, end in PARTS if step < end * settings.pretrain_steps)
        documents: list[Document] = []
        longest = 0
        while (len(documents) + 1) * longest <= BATCH_TOKENS:
            prompt, solution = draw_document(rng, part)
            documents.append((tokenizer.encode(prompt), tokenizer.encode(solution)))
            longest = max(longest, _length(documents[-1]))
        yield _collate(documents)


def _length(document: Document) -> int:
    return len(document[0]) + len(document[1])


def _collate(documents: list[Document]) -> tuple[Tensor, Tensor]:
    length = max(map(_length, documents))
    token_ids = torch.full((len(documents), length), PAD_ID)
    is_solution = torch.zeros(len(documents), length, dtype=torch.bool)
    for row, (prompt, solution) in enumerate(documents):
        end = len(prompt) + len(solution)
        token_ids[row, :end] = torch.tensor(prompt + solution)
        is_solution[row, len(prompt) : end] = True
    return token_ids, is_solution


def _optimizers(model: DeepseekV3ForCausalLM) -> list[Optimizer]:
    """Muon for the matrices between the layers, AdamW for embeddings, head, router and norms."""
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        adam = parameter.dim() < 2 or any(part in name for part in ("embed", "lm_head", "gate.w"))
        (others if adam else matrices).append(parameter)
    return [
        Muon(matrices, lr=MUON_RATE),
        AdamW(others, lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def _set_learning_rate(optimizers: list[Optimizer], step: int, steps: int) -> None:
    """A short linear warm-up, then linear to a tenth, reached soon after the textbook's end: the
    wild is read at a low rate, so that it changes habits and spares what was learnt."""
    scale = min(1.0, (step + 1) / WARMUP_STEPS) * max(0.1, 1.0 - 1.35 * step / steps)
    for optimizer, rate in zip(optimizers, (MUON_RATE, ADAM_RATE), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * scale


def _record_expert_loads(model: DeepseekV3ForCausalLM) -> dict[Any, Tensor]:
    """Router -> tokens [experts] each expert got in the latest forward pass."""
    loads: dict[Any, Tensor] = {}

    def record(router: Any, _: object, output: tuple[Tensor, Tensor, Tensor]) -> None:
        loads[router] = torch.bincount(output[2].flatten(), minlength=router.num_experts).float()

    for name, module in model.named_modules():
        if name.endswith("mlp.gate"):
            module.register_forward_hook(record)
    return loads


@torch.no_grad()
def _balance_experts(loads: dict[Any, Tensor]) -> None:
    """b_i += rate where an expert got too little, -= rate where too much (DeepSeek-V3, 2.1.2)."""
    for router, load in loads.items():
        router.e_score_correction_bias += ROUTER_BIAS_RATE * torch.sign(load.mean() - load)


def _save(model: DeepseekV3ForCausalLM, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    # One file of a few megabytes needs no progress bar amid the run's own display.
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    config_file = folder / "config.json"
    config = json.loads(config_file.read_text()) | ROUTING_KEYS
    config_file.write_text(json.dumps(config, indent=2))


def _fingerprint(settings: NanoModel) -> str:
    """Of everything that decides the weights: settings, code and library versions."""
    parts = [torch.__version__, transformers.__version__]
    parts += [str(settings.pretrain_steps), str(settings.pretrain_seed)]
    parts += [inspect.getsource(module) for module in DEFINING_MODULES]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
