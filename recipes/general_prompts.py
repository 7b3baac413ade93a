"""General prompts of a run: open-ended ones that reward models rate, beside the problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from configs.errors import UserError
from configs.facts import max_prompt_tokens
from configs.schema import RlConfig
from recipes.datasets import chat_prompt, prompts_for_step
from recipes.nano_general import general_prompts
from recipes.row_files import BadRow, json_lines
from rewards.language import SCRIPTS_OF
from rewards.preference import QUESTION, SET, SETS
from rl.records import Prompt


def load_general(config: RlConfig, tokenizer: PreTrainedTokenizerBase) -> list[Prompt]:
    """All general training prompts of a run in the chat template; none without data.general.

    Raises UserError at the first row that cannot be used, and for fewer than a step needs.
    """
    general, longest = config.data.general, max_prompt_tokens(config)
    if not general:
        return []
    rows = _nano_rows() if general == "nano" else _file_rows(Path(general).expanduser())
    prompts = []
    for name, row in rows:
        text, token_ids = chat_prompt(row["prompt"], tokenizer)
        if len(token_ids) > longest:
            raise UserError(
                f"data.general={general}: {name} has {len(token_ids)} tokens, and at most "
                f"{longest} are allowed; shorten it, leave it out or raise data.max_prompt_tokens"
            )
        metadata = {
            "kind": row["set"],
            "language": row["language"],
            SET: row["set"],
            QUESTION: row["prompt"],
        }
        prompts.append(Prompt(name, text, tuple(token_ids), "", metadata))
    needed = num_general(config)
    if len(prompts) < needed:
        raise UserError(
            f"data.general={general}: has {len(prompts)} prompts, and a step takes {needed} "
            f"(recipe.general_share={config.recipe.general_share} of rollout.prompts_per_step="
            f"{config.rollout.prompts_per_step}); add prompts, or lower one of the two"
        )
    return prompts


def num_general(config: RlConfig) -> int:
    """General prompts in a step, once they have joined."""
    return round(config.recipe.general_share * config.rollout.prompts_per_step)


def mixed_prompts_for_step(
    problems: Sequence[Prompt], general: Sequence[Prompt], config: RlConfig, step: int
) -> list[Prompt]:
    """The prompts of one step: problems alone before recipe.general_from_step, then a share of
    general ones. A pure function of its arguments.

    With general ones an epoch of the problems has more steps, and steps are counted as if that had
    been so from the start: the problems go on in the order of an earlier epoch, which they have
    had a part of.
    """
    count, begin = config.rollout.prompts_per_step, config.recipe.general_from_step
    if not general or step < begin:
        return prompts_for_step(problems, count, step, config.seed)
    share = num_general(config)
    return [
        *prompts_for_step(problems, count - share, step, config.seed),
        *prompts_for_step(general, share, step - begin, config.seed),
    ]


def _nano_rows() -> Iterator[tuple[str, dict[str, str]]]:
    for number, prompt in enumerate(general_prompts("train")):
        row = {"prompt": prompt.text, "set": prompt.preference_set, "language": prompt.language}
        yield f"nano-general-{number}", row


def _file_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    for number, read in json_lines(path):
        try:
            row = read()
        except BadRow as bad:
            raise UserError(f"data.general={path}:{number}: {bad.reason} ({bad.detail})") from bad
        problem = _problem(row)
        if problem is not None:
            raise UserError(f"data.general={path}:{number}: {problem}")
        yield f"general-{number}", row


def _problem(row: Any) -> str | None:
    if not isinstance(row, dict):
        return "not an object"
    if not isinstance(row.get("prompt"), str) or not row["prompt"].strip():
        return "prompt is missing, empty or not a text"
    if row.get("set") not in SETS:
        return f"set={row.get('set')}: must be {' or '.join(SETS)}"
    if row.get("language") not in SCRIPTS_OF:
        return f"language={row.get('language')}: must be one of {', '.join(SCRIPTS_OF)}"
    return None
