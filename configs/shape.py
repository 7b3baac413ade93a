"""The sizes of a model that memory and time depend on, from the entries of its config.json.

The closed forms cover the families named in FAMILIES, to the last parameter; tests compare them
with the models that transformers builds. model/shape.py counts any other family on a model that is
built without memory. Nothing here imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Facts = Mapping[str, Any]
"""The entries of a config.json."""

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "deepseek_v3")
"""Values of model_type that are counted in closed form."""

NANO_FACTS: Facts = {
    "model_type": "deepseek_v3",
    "vocab_size": 320,
    "hidden_size": 128,
    "intermediate_size": 256,
    "moe_intermediate_size": 64,
    "num_hidden_layers": 3,
    "first_k_dense_replace": 1,
    "num_attention_heads": 4,
    "q_lora_rank": 64,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 64,
    "v_head_dim": 32,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "tie_word_embeddings": False,
}
"""The nano model, which is built on first use (recipes/nano_base.py; a test holds them equal)."""
NANO_STUDENT_FACTS: Facts = {
    "model_type": "llama",
    "vocab_size": 320,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}
"""The nano world's dense student, made from these (recipes/nano_student.py)."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Counts are numbers of parameters; widths are elements per token and layer."""

    family: str
    """model_type of config.json."""
    layers: int
    hidden: int
    vocabulary: int
    tied: bool
    """Whether the head is the embedding matrix."""
    query: int
    """Width of all query heads together; keys are as wide once every head has its own."""
    value: int
    """Width of what attention returns."""
    latent: int
    """Width of the low-rank queries, keys and values of multi-head latent attention, or 0."""
    heads: int
    cache: int
    """Key-value cache: keys and values of all key-value heads; for multi-head latent attention the
    latent and the rotary key that all heads share."""
    mlp: int
    """Intermediate width that one token passes through, in the widest layer."""
    experts: int
    """Routed experts per layer; 0 in a dense model."""
    experts_per_token: int
    parameters: int
    """The whole model as it is loaded and trained; a tied head counts once."""
    routed: int
    """The routed experts of all layers, which expert parallelism deals out."""
    routed_layers: int
    """Layers that have routed experts."""
    largest_unit: int
    """The embedding, or the largest layer without its routed experts: what ZeRO-3 gathers at
    least, beside the routed experts of a layer."""
    mtp: int = 0
    """The next-token-prediction module (MTP), on disk beside the model and not loaded."""

    @property
    def embedding(self) -> int:
        """Parameters of the embedding matrix."""
        return self.vocabulary * self.hidden

    @property
    def active(self) -> int:
        """Parameters that one token uses, embedding and head among them."""
        if self.experts == 0:
            return self.parameters
        return self.parameters - self.routed + self.routed_active

    @property
    def routed_active(self) -> int:
        """Parameters of the routed experts that one token passes through."""
        return self.routed * self.experts_per_token // max(self.experts, 1)

    @property
    def multiplied(self) -> int:
        """Parameters that one token is multiplied with: the embedding is only looked up, unless it
        is the head as well."""
        return self.active - (0 if self.tied else self.embedding)


def read_facts(folder: Path) -> Facts:
    """The config.json of a model folder. Its MTP layers are dropped where the weights have none,
    since transformers writes their number for every DeepSeek-V3.

    Raises FileNotFoundError.
    """
    facts: dict[str, Any] = json.loads((folder / "config.json").read_text())
    index = folder / "model.safetensors.index.json"
    beyond = f'"model.layers.{facts.get("num_hidden_layers")}.'
    if not index.is_file() or beyond not in index.read_text():
        facts.pop("num_nextn_predict_layers", None)
    return facts


def shape_from_facts(facts: Facts) -> ModelShape | None:
    """None for a family, or an option of one, that has no closed form here. A quantised checkpoint
    counts like a plain one: it is trained in learner.dtype."""
    family = facts.get("model_type")
    if family not in FAMILIES:
        return None
    if family == "deepseek_v3":
        return None if facts.get("attention_bias") else _deepseek_v3(facts)
    return _llama_like(facts, family)


def _llama_like(facts: Facts, family: str) -> ModelShape:
    hidden, layers, mlp = (
        facts["hidden_size"],
        facts["num_hidden_layers"],
        facts["intermediate_size"],
    )
    heads = facts["num_attention_heads"]
    kv_heads = facts.get("num_key_value_heads") or heads
    width = facts.get("head_dim") or hidden // heads
    query, key = heads * width, kv_heads * width
    layer = hidden * (2 * query + 2 * key) + 3 * hidden * mlp + 2 * hidden
    if facts.get("attention_bias"):
        layer += query + 2 * key + hidden
    elif family == "qwen2":
        layer += query + 2 * key
    if facts.get("mlp_bias"):
        layer += 2 * mlp + hidden
    if family == "qwen3":
        layer += 2 * width
    ends, tied = _ends(facts)
    return ModelShape(
        family=family,
        layers=layers,
        hidden=hidden,
        vocabulary=facts["vocab_size"],
        tied=tied,
        query=query,
        value=query,
        latent=0,
        heads=heads,
        cache=2 * key,
        mlp=mlp,
        experts=0,
        experts_per_token=0,
        parameters=ends + layers * layer,
        routed=0,
        routed_layers=0,
        largest_unit=max(layer, facts["vocab_size"] * hidden),
    )


def _deepseek_v3(facts: Facts) -> ModelShape:
    hidden, layers, heads = (
        facts["hidden_size"],
        facts["num_hidden_layers"],
        facts["num_attention_heads"],
    )
    nope, rope = facts["qk_nope_head_dim"], facts["qk_rope_head_dim"]
    query, value = heads * (nope + rope), heads * facts["v_head_dim"]
    latent, query_latent = facts["kv_lora_rank"], facts.get("q_lora_rank") or 0
    attention = hidden * query
    if query_latent:
        attention = hidden * query_latent + query_latent + query_latent * query
    attention += hidden * (latent + rope) + latent + latent * (heads * nope + value)
    attention += value * hidden
    experts, shared = facts["n_routed_experts"], facts["n_shared_experts"]
    width, dense_layers = facts["moe_intermediate_size"], facts["first_k_dense_replace"]
    dense = attention + 3 * hidden * facts["intermediate_size"] + 2 * hidden
    routed = experts * 3 * hidden * width
    sparse = attention + hidden * experts + shared * 3 * hidden * width + 2 * hidden
    ends, tied = _ends(facts)
    per_token = facts["num_experts_per_tok"]
    return ModelShape(
        family="deepseek_v3",
        layers=layers,
        hidden=hidden,
        vocabulary=facts["vocab_size"],
        tied=tied,
        query=query,
        value=value,
        latent=query_latent + latent + rope,
        heads=heads,
        cache=latent + rope,
        mlp=max(facts["intermediate_size"], (per_token + shared) * width),
        experts=experts,
        experts_per_token=per_token,
        parameters=ends + dense_layers * dense + (layers - dense_layers) * (sparse + routed),
        routed=(layers - dense_layers) * routed,
        routed_layers=layers - dense_layers,
        largest_unit=max(dense, sparse, facts["vocab_size"] * hidden),
        # Two norms, a projection of both together, a layer, and a norm before the shared head.
        mtp=(facts.get("num_nextn_predict_layers") or 0)
        * (sparse + routed + 2 * hidden * hidden + 3 * hidden),
    )


def _ends(facts: Facts) -> tuple[int, bool]:
    """(parameters of embedding, head and last norm, whether the head is tied)."""
    tied = bool(facts.get("tie_word_embeddings"))
    matrices = facts["vocab_size"] * facts["hidden_size"] * (1 if tied else 2)
    return matrices + facts["hidden_size"], tied
