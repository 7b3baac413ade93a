"""The end of a run that makes data: all waves and the general rows become data.jsonl, by way of the
evaluation sets and, if they are asked, of people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from configs.schema import SampledDataConfig
from launch.data_folder import DataFolder, write_line, writing
from launch.run_folder import RunFolder
from recipes.data_assembly import (
    Entry,
    decontaminated,
    general_entries,
    read_reviewed,
    reviewed,
)
from recipes.datasets import PromptSets
from recipes.decontamination import EvaluationTexts, Removed, write_removed
from recipes.row_files import Rejected
from rewards.scoring import Scorer
from rl.records import Completion, Outcome, Prompt


def assemble(
    folder: RunFolder,
    config: SampledDataConfig,
    data: DataFolder,
    sets: PromptSets,
    tokenizer: PreTrainedTokenizerBase,
    evaluation: EvaluationTexts | None,
) -> None:
    """Write the data; with recipe.review, first what people are to look at."""
    recipe = config.recipe
    bad_general: list[Rejected] = []
    removed: list[Removed] = []

    def entries() -> Iterator[Entry]:
        yield from data.entries()
        yield from general_entries(recipe, lambda text: len(tokenizer.encode(text)), bad_general)

    found = entries()
    if evaluation is not None:
        found = decontaminated(found, evaluation, removed)
    waits = recipe.review and not recipe.reviewed
    if recipe.reviewed:
        rows = read_reviewed(Path(recipe.reviewed).expanduser())
        with Scorer(config.reward) as scorer:
            found = reviewed(found, rows, _checker(sets.train, scorer))
            counts = data.write_data(found)
    else:
        counts = data.write_data(found, "review.jsonl" if waits else "data.jsonl")
    write_removed(removed, folder.path / "removed.jsonl")
    with writing(folder.path / "rejected_general.jsonl") as file:
        for row in bad_general:
            write_line(file, asdict(row))
    counts |= {
        "problems_left_out": dict(sets.rejected),
        "general_left_out": dict(Counter(row.reason for row in bad_general)),
    }
    status = data.finish(counts, finished=not waits)
    phase = "waiting for the review" if waits else "finished"
    folder.write_status(phase=phase, step=int(not waits), steps=1, **status)


def _checker(
    prompts: Sequence[Prompt], scorer: Scorer
) -> Callable[[Mapping[str, Any]], str | None]:
    """Why the answer of an edited row is not right; None where it is, or where nobody can say."""
    by_id = {prompt.id: prompt for prompt in prompts}

    def wrong_because(row: Mapping[str, Any]) -> str | None:
        prompt = by_id.get(row["id"].rpartition("-")[0])
        if prompt is None:  # a general row
            return None
        text = row["messages"][-1]["content"]
        score = scorer.score(prompt, Completion(prompt.id, 0, text, (), (), 0, "stop"), 1)
        right = score.outcome in (Outcome.CORRECT, Outcome.UNPARSEABLE_GOLD)
        return None if right else score.outcome.value

    return wrong_because
