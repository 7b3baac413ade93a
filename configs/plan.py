"""What a run will do, worked out from its settings alone: batch arithmetic, processes, memory.

Nothing is started and nothing heavy imported. Memory is an estimate; each line shows its formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from configs.facts import max_prompt_tokens, model_facts
from configs.schema import (
    NanoData,
    NanoModel,
    NanoSolutions,
    RlConfig,
    RunConfig,
    SftConfig,
)

GIB = 2**30
BYTES = {"float32": 4, "bfloat16": 2}

LIBRARIES_GIB = {"driver": 0.6, "sampler": 1.3, "learner": 0.9, "reward": 0.2}
"""Resident memory of the imported libraries, before there is any model."""

ACTIVATION_FACTOR = 34
"""Bytes of activations per token, layer and hidden unit in 16-bit training, attention scores aside
(Korthikanti et al., arXiv 2205.05198, table 2 with s h b (34 + 5 a s / h) and flash attention)."""


@dataclass(frozen=True, slots=True)
class ModelSize:
    """The sizes that memory depends on."""

    parameters: int
    layers: int
    hidden: int
    vocabulary: int
    exact: bool
    """Whether they come from the model's config.json."""


NANO_SIZE = ModelSize(parameters=2_000_000, layers=4, hidden=128, vocabulary=512, exact=False)
"""Upper bounds for the nano model, which is built on first use."""


def describe_plan(config: RunConfig) -> str:
    """The plan as text: one `name: value` line each under three headings."""
    sections = {
        "Batch": sft_batch_plan(config) if isinstance(config, SftConfig) else batch_plan(config),
        "Processes": process_plan(config),
        "Memory (estimate)": memory_plan(config),
    }
    lines: list[str] = []
    for title, entries in sections.items():
        lines.append(f"# {title}")
        lines += [f"#   {name}: {value}" for name, value in entries.items()]
    return "\n".join(lines)


def sft_batch_plan(config: SftConfig) -> dict[str, str]:
    """How sequences become updates."""
    recipe, learner, data = config.recipe, config.learner, config.data
    entries = {
        "each update": f"{recipe.batch_size} sequences of at most {data.max_tokens:,} tokens, "
        f"packed into rows of {learner.row_tokens:,} on {_count(learner.ranks, 'rank')}",
        "whole run": f"{_count(recipe.epochs, 'epoch')}; what does not fill a batch is left out "
        "of the epoch",
        "learning rate": f"{learner.learning_rate:g} on a cosine to "
        f"{learner.learning_rate * recipe.final_rate_share:g}, "
        + (f"warm-up {learner.warmup_updates} updates" if learner.warmup_updates else "no warm-up"),
        "loss": "mean over the assistant's tokens of the batch, end of turn included",
        "evaluation": f"loss of {data.heldout_rows} held-out rows, "
        + (f"every {recipe.eval_every} updates" if recipe.eval_every else "before and after"),
    }
    if isinstance(data, NanoSolutions):
        updates = recipe.epochs * (data.train_problems // recipe.batch_size)
        entries["whole run"] = (
            f"{_count(recipe.epochs, 'epoch')} over {data.train_problems:,} problems = "
            f"{_count(updates, 'update')}"
        )
    return entries


def batch_plan(config: RlConfig) -> dict[str, str]:
    """How prompts become updates."""
    recipe, rollout, learner = config.recipe, config.rollout, config.learner
    completions = rollout.prompts_per_step * rollout.samples_per_prompt
    updates = recipe.steps * learner.mini_batches
    entries = {
        "each step": f"{rollout.prompts_per_step} prompts x {rollout.samples_per_prompt} samples = "
        f"{completions:,} completions of at most {rollout.max_tokens:,} tokens -> "
        f"{_count(learner.mini_batches, 'update')} on {completions // learner.mini_batches:,} each",
        "whole run": f"{recipe.steps:,} steps = {updates:,} updates on "
        f"{recipe.steps * completions:,} completions",
        "reference": _reference_plan(config),
        "evaluation": f"{recipe.eval_problems} held-out problems x {recipe.eval_samples} samples, "
        + (f"every {recipe.eval_every} steps" if recipe.eval_every else "before and after"),
        "rows": f"prompt and completion, at most "
        f"{max_prompt_tokens(config) + rollout.max_tokens:,} tokens, are packed into rows of "
        f"{learner.row_tokens:,} on {_count(learner.ranks, 'rank')}",
    }
    if isinstance(config.data, NanoData):
        epochs = recipe.steps * rollout.prompts_per_step / config.data.train_problems
        entries["epochs"] = f"{epochs:.2f} over {config.data.train_problems:,} problems"
    return entries


def _reference_plan(config: RlConfig) -> str:
    every, mini_batches = config.algorithm.reference_refresh_updates, config.learner.mini_batches
    if config.algorithm.kl_coef == 0.0:
        return "none (algorithm.kl_coef=0)"
    if every == 0:
        return "the base model throughout"
    times = config.recipe.steps * mini_batches // every
    return (
        f"replaced by the policy every {every} updates = {every / mini_batches:g} steps, "
        f"{_count(times, 'time')} in this run"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def process_plan(config: RunConfig) -> dict[str, str]:
    """Which processes there are; learner and samplers take turns on the same devices."""
    learner, cluster = config.learner, config.cluster
    threads = f"{cluster.threads} CPU threads" if cluster.threads else "all CPU cores"
    sharding = f"ZeRO {learner.zero_stage}, expert parallel {learner.expert_parallel}"
    entries = {"driver": "1"}
    if isinstance(config, RlConfig):
        rollout = config.rollout
        gpus = f", {rollout.tensor_parallel} GPU each" if cluster.device == "cuda" else ""
        entries["samplers"] = f"{rollout.samplers} (vLLM, {rollout.dtype}{gpus})"
    entries["learner ranks"] = f"{learner.ranks} (DeepSpeed, {sharding}, {learner.dtype})"
    if isinstance(config, RlConfig):
        entries["reward actors"] = f"{config.reward.workers}"
    return entries | {
        "threads": f"{threads}, shared by the processes of the phase that is running",
        "device": cluster.device,
    }


def memory_plan(config: RunConfig) -> dict[str, str]:
    """Peak per process, with the formula."""
    size = model_size(config)
    if size is None:
        return {"unknown": "the model's config.json is not on this disk"}
    source = "from config.json" if size.exact else "about"
    libraries = LIBRARIES_GIB if config.cluster.device == "cpu" else dict.fromkeys(LIBRARIES_GIB, 0)
    entries = {
        "model": f"{source} {size.parameters / 1e6:,.1f}M parameters",
        "driver": f"{libraries['driver']:.1f} GiB (libraries)",
    }
    learner = {"each learner rank": _learner_memory(config, size, libraries["learner"])}
    if isinstance(config, SftConfig):
        return entries | learner
    return {
        **entries,
        "each sampler": _sampler_memory(config, size, libraries["sampler"]),
        **learner,
        "each reward actor": f"{libraries['reward']:.1f} GiB (libraries)",
    }


def _sampler_memory(config: RlConfig, size: ModelSize, libraries: float) -> str:
    if config.cluster.device == "cuda":
        return f"{config.rollout.gpu_memory_fraction:.0%} of each GPU (gpu_memory_fraction)"
    weights = size.parameters * BYTES[config.rollout.dtype] / GIB
    cache = config.rollout.kv_cache_gib
    return (
        f"{libraries + weights + cache:.1f} GiB = {libraries} libraries + {weights:.2f} weights "
        f"({BYTES[config.rollout.dtype]} bytes x parameters) + {cache:g} KV cache (kv_cache_gib)"
    )


def _learner_memory(config: RunConfig, size: ModelSize, libraries: float) -> str:
    learner = config.learner
    number = BYTES[learner.dtype]
    shards = {stage: learner.ranks if learner.zero_stage >= stage else 1 for stage in (1, 2, 3)}
    copies = 2 if isinstance(config, RlConfig) and config.algorithm.kl_coef > 0.0 else 1
    master = 4 if learner.dtype == "bfloat16" else 0
    weights = size.parameters * number * copies / shards[3] / GIB
    gradients = size.parameters * number / shards[2] / GIB
    optimiser = size.parameters * (8 + master) / shards[1] / GIB
    tokens = learner.row_tokens * learner.rows_per_micro_batch
    layers = 1 + math.sqrt(size.layers) if learner.gradient_checkpointing else size.layers
    activations = tokens * layers * size.hidden * ACTIVATION_FACTOR * number / 2 / GIB
    chunk = min(tokens, learner.log_prob_chunk_tokens)
    logits = 3 * chunk * size.vocabulary * 4 / GIB
    total = libraries + weights + gradients + optimiser + activations + logits
    return (
        f"{total:.1f} GiB = {libraries} libraries + {weights:.2f} weights ({number} bytes x "
        f"parameters{' x 2 with the reference' if copies == 2 else ''}) + "
        f"{gradients:.2f} gradients + {optimiser:.2f} AdamW ({8 + master} bytes x parameters) + "
        f"{activations:.2f} activations ({ACTIVATION_FACTOR * number // 2} bytes x "
        f"{tokens:,} tokens x layers x hidden) + "
        f"{logits:.2f} logits (3 x 4 bytes x {chunk:,} tokens x vocabulary)"
    )


def model_size(config: RunConfig) -> ModelSize | None:
    """None when the model's config.json is not on this disk."""
    if isinstance(config.model, NanoModel):
        return NANO_SIZE
    facts = model_facts(config)
    if facts is None:
        return None
    return ModelSize(
        parameters=count_parameters(facts),
        layers=facts["num_hidden_layers"],
        hidden=facts["hidden_size"],
        vocabulary=facts["vocab_size"],
        exact=True,
    )


def count_parameters(facts: dict[str, int]) -> int:
    """Matrices of a Llama-like or DeepSeek-V3 model from its config.json; norms and biases, below
    one in a thousand, are left out."""
    hidden, layers = facts["hidden_size"], facts["num_hidden_layers"]
    embeddings = facts["vocab_size"] * hidden * (1 if facts.get("tie_word_embeddings") else 2)
    dense_mlp = 3 * hidden * facts["intermediate_size"]
    if "n_routed_experts" not in facts:
        return embeddings + layers * (_attention_parameters(facts) + dense_mlp)
    experts = facts["n_routed_experts"] + facts["n_shared_experts"]
    moe_mlp = 3 * hidden * facts["moe_intermediate_size"] * experts
    moe_mlp += hidden * facts["n_routed_experts"]
    dense = facts["first_k_dense_replace"]
    mlps = dense * dense_mlp + (layers - dense) * moe_mlp
    return embeddings + layers * _attention_parameters(facts) + mlps


def _attention_parameters(facts: dict[str, int]) -> int:
    hidden, heads = facts["hidden_size"], facts["num_attention_heads"]
    if "kv_lora_rank" not in facts:
        width = facts.get("head_dim", hidden // heads)
        return hidden * width * 2 * (heads + facts.get("num_key_value_heads", heads))
    nope, rope, value = (
        facts["qk_nope_head_dim"],
        facts["qk_rope_head_dim"],
        facts["v_head_dim"],
    )
    latent, query_latent = facts["kv_lora_rank"], facts.get("q_lora_rank")
    queries = heads * (nope + rope)
    query = hidden * query_latent + query_latent * queries if query_latent else hidden * queries
    return (
        query + hidden * (latent + rope) + latent * heads * (nope + value) + heads * value * hidden
    )
