"""What a run that makes data will do, worked out from its settings alone."""

from __future__ import annotations

from configs.data_sets import NanoData
from configs.schema import SampledDataConfig


def data_plan(config: SampledDataConfig) -> dict[str, str]:
    """Line by line, for `launch run --dry-run`."""
    recipe, rollout = config.recipe, config.rollout
    samples = f"{rollout.samples_per_prompt} samples of at most {rollout.max_tokens:,} tokens"
    prompts = "each training prompt of data"
    if isinstance(config.data, NanoData):
        prompts = f"each of {config.data.train_problems:,} problems"
    return {
        "sampling": f"{samples} for {prompts}, at temperature {rollout.temperature:g}, on "
        f"{rollout.samplers} x vLLM ({rollout.dtype}, {config.cluster.device})",
        "kept on disk": f"every {rollout.wave_prompts} prompts"
        if rollout.wave_prompts
        else "all prompts together",
        "rewriting": _who(recipe.rewriter.by, recipe.rewriter.model, "as sampled"),
        "judge": _who(recipe.judge.by, recipe.judge.model, "rules only"),
        "per prompt": f"at most {recipe.keep_per_prompt} kept"
        if recipe.keep_per_prompt
        else "all that pass are kept",
    }


def _who(by: str, model: str, nobody: str) -> str:
    return {"none": nobody, "rule": "by a rule"}.get(by, f"by {model} ({by})")
