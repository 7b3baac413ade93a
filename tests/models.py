"""Small random models for tests, with weights large enough that mistakes show in log-probs."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, LlamaConfig, LlamaForCausalLM

VOCAB_SIZE = 320


def save_tiny_deepseek(folder: Path, *, seed: int = 0) -> Path:
    """A DeepSeek-V3 with everything that makes it special: MLA, YaRN, a dense first layer, grouped
    sigmoid routing with a selection bias, a shared expert. About 1.2M parameters, float32."""
    config = DeepseekV3Config(
        vocab_size=VOCAB_SIZE,
        hidden_size=64,
        intermediate_size=128,
        moe_intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=2,
        n_shared_experts=1,
        n_routed_experts=8,
        num_experts_per_tok=2,
        n_group=4,
        topk_group=2,
        first_k_dense_replace=1,
        routed_scaling_factor=2.5,
        norm_topk_prob=True,
        kv_lora_rank=512,
        q_lora_rank=64,
        qk_nope_head_dim=32,
        qk_rope_head_dim=64,
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
    torch.manual_seed(seed)
    model = DeepseekV3ForCausalLM(config).float()
    _enlarge(model)
    for name, buffer in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            buffer.copy_(0.2 * torch.randn(buffer.shape))
    model.save_pretrained(folder)
    # Not written by the configuration class, and needed by vLLM to load the router's bias.
    _add_to_config(folder, topk_method="noaux_tc", scoring_func="sigmoid")
    return folder


def save_tiny_llama(folder: Path, *, seed: int = 0) -> Path:
    """A Llama with tied embeddings, about 0.1M parameters, float32. Its heads have 32 elements, the
    fewest that the sampler's CPU kernels know."""
    config = LlamaConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config).float()
    _enlarge(model)
    model.save_pretrained(folder)
    return folder


def _enlarge(model: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(8.0)
            else:
                parameter.add_(0.1 * torch.randn_like(parameter))


def _add_to_config(folder: Path, **entries: str) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries, indent=2))
