"""What a finished model's folder says about itself: README.md, a model card, and how to sample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from configs.schema import FolderModel, RewardModelConfig, RlConfig, RunConfig, SftConfig
from launch.run_folder import provenance
from launch.sft_summary import data_summary, heldout_losses
from recipes.evaluation import from_json
from rollout.tokens import end_token_ids

CARD, GENERATION = "README.md", "generation_config.json"
TEMPERATURE, TOP_P = 0.6, 0.95
"""How DeepSeek-R1 is sampled (arXiv 2501.12948v2, D.1)."""
NOT_SHOWN = {"run_dir", "cluster", "tracking", "model", "deterministic"}
"""Of the settings: where it ran, not what was trained."""

TRAINED_BY = {
    RlConfig: "reinforcement learning with verifiable rewards (GRPO)",
    SftConfig: "supervised fine-tuning",
    RewardModelConfig: "learning a reward from preferences",
}


def model_card(run_folder: Path, config: RunConfig, updates: int, weights_sha256: str) -> str:
    """README.md of a model that a run has made.

    updates: of the optimiser. weights_sha256: as launch.record.weights_sha256.
    """
    judges = isinstance(config, RewardModelConfig)
    base = _base_name(config)
    facts = {
        "Trained by": TRAINED_BY[type(config)],
        "From": base or "the base model of R1 Foundry's nano world",
        "Data": _data(run_folder, config),
        "Updates": f"{updates:,} at a learning rate of {config.learner.learning_rate:g}",
        "Seed": str(config.seed),
        "Weights, SHA-256": f"`{weights_sha256}`",
    }
    head = {
        "library_name": "transformers",
        "pipeline_tag": "text-classification" if judges else "text-generation",
        "tags": ["r1-foundry", config.recipe.kind],
    }
    if base:
        head["base_model"] = base
    sections = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n# {run_folder.name}\n",
        _table(facts),
        _results(run_folder),
        "" if judges else _how_to_ask(config),
        "## Settings\n\nThose that differ from the defaults of R1 Foundry, which are DeepSeek-R1's "
        f"(arXiv 2501.12948v2):\n\n```yaml\n{_changed_settings(config)}```\n",
        f"## Versions\n\n```json\n{json.dumps(provenance(), indent=2)}\n```\n",
    ]
    return "\n".join(section for section in sections if section)


def generation_config(model_folder: Path) -> str:
    """generation_config.json of a reasoning model, the end tokens kept."""
    path = model_folder / GENERATION
    entries: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    entries.pop("_from_model_config", None)  # else transformers would take config.json's word
    # Where this file is, transformers does not look into config.json for the end tokens any more.
    ends = {"eos_token_id": list(end_token_ids(model_folder))}
    sampling = {"do_sample": True, "temperature": TEMPERATURE, "top_p": TOP_P}
    return json.dumps({**entries, **ends, **sampling}, indent=2) + "\n"


def _base_name(config: RunConfig) -> str:
    """Of the model that training began with: its folder's, or the name of the run that made it;
    empty for a nano model, which no folder was given for."""
    if not isinstance(config.model, FolderModel):
        return ""
    folder = Path(config.model.path)
    return folder.parent.name if folder.name == "final" else folder.name


def _data(run_folder: Path, config: RunConfig) -> str:
    path = getattr(config.data, "path", "")
    name = Path(path).name if path else config.data.kind
    return name if isinstance(config, RlConfig) else f"{name}: {data_summary(run_folder)}"


def _table(facts: Mapping[str, str]) -> str:
    rows = "".join(f"| {name} | {value} |\n" for name, value in facts.items())
    return f"| | |\n|---|---|\n{rows}"


def _results(run_folder: Path) -> str:
    """What was measured on held-out data, before and after."""
    folder = run_folder / "eval"
    lines = []
    if paths := sorted(folder.glob("step-*.json")):
        for path in (paths[0], paths[-1]):
            found, _ = from_json(path.read_text())
            rate, margin = 100 * found.pass_at_1, 100 * found.pass_at_1_margin
            lines.append(
                f"| {found.version} | pass@1 {rate:.1f} ± {margin:.1f} %, format "
                f"{100 * found.format_rate:.1f} %, {found.mean_length:.1f} tokens |"
            )
    lines += [
        f"| {each['step']:.0f} | loss {each['heldout/loss']:.4f} nats per token |"
        for each in heldout_losses(run_folder)
    ]
    for path in sorted(folder.glob("judged-*.json")):
        judged = json.loads(path.read_text())
        lines.append(f"| {judged['version']} | {100 * judged['accuracy']:.1f} % judged rightly |")
    if not lines:
        return ""
    return "## Held-out results\n\n| updates | |\n|---:|---|\n" + "\n".join(lines) + "\n"


def _how_to_ask(config: RunConfig) -> str:
    if getattr(config.data, "template", "chat") == "chat":
        asked = "It is asked through its chat template; the thinking stands in `<think>` tags."
    else:
        asked = (
            "It was never fine-tuned on conversations: it continues a text, the prompt template of "
            "R1-Zero (arXiv 2501.12948v2, Table 1)."
        )
    return (
        f"## Use\n\n{asked}\n\n```sh\nvllm serve FOLDER\n```\n\n"
        f"Sample with temperature {TEMPERATURE} and top-p {TOP_P}, as `generation_config.json` "
        "says.\n"
    )


def _changed_settings(config: RunConfig) -> str:
    changed = config.model_dump(mode="json", exclude_defaults=True, exclude=NOT_SHOWN)
    for group in ("data", "reward"):
        for key, value in changed.get(group, {}).items():
            if isinstance(value, str) and "/" in value:  # a file: its name says enough
                changed[group][key] = Path(value).name
    return yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
