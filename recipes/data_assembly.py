"""The rows of all waves become one data set: general rows added, what overlaps with an evaluation
set removed, reviewed by people.

Entries are {"kept": row} or {"dropped": {"name", "reason", "detail", "text"}}; they pass through
one by one, so that data sets of any size do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from configs.data_making import SampledDataRecipe
from configs.data_sets import ChatData
from configs.errors import UserError
from configs.evaluation import EvalDataSettings
from recipes.benchmarks.loading import load_problems
from recipes.chat_rows import Conversation, conversations, parse
from recipes.decontamination import EvaluationTexts, Removed
from recipes.nano_general import general_prompts, general_rows
from recipes.row_files import BadRow, Rejected
from recipes.trajectories import OVERLAP, REVIEW, REVIEWED

Entry = dict[str, Any]
GENERAL = "general"
"""The domain of conversations that come from a file, unless they name one."""


def evaluation_texts(recipe: SampledDataRecipe) -> EvaluationTexts | None:
    """The benchmarks that rows must not overlap with; None: none are named. Raises UserError for
    one that cannot be had."""
    names = [name.strip() for name in recipe.decontaminate.split(",") if name.strip()]
    data = EvalDataSettings(folder=recipe.benchmarks_folder)
    items = {name: load_problems(name, data).items for name in names}
    return EvaluationTexts(items) if items else None


def check_general(recipe: SampledDataRecipe) -> None:
    """Raises UserError where the conversations of recipe.general cannot be read at all."""
    if recipe.general:
        next(_conversations(recipe), None)


def general_entries(
    recipe: SampledDataRecipe, count_tokens: Callable[[str], int], rejected: list[Rejected]
) -> Iterator[Entry]:
    """The conversations of recipe.general as rows; bad ones go into `rejected`."""
    if not recipe.general:
        return
    added = 0
    for row in _conversations(recipe):
        if isinstance(row, Rejected):
            rejected.append(row)
            continue
        yield {"kept": _general_row(row, count_tokens)}
        added += 1
        if added == recipe.general_rows:
            return


def _conversations(recipe: SampledDataRecipe) -> Iterator[Conversation | Rejected]:
    if recipe.general == "nano":
        count = recipe.general_rows or len(general_prompts("train"))
        rows = enumerate(general_rows(count, seed=0))
        return (parse(row, number) for number, row in rows)
    return conversations(ChatData(path=recipe.general), "recipe.general")


def _general_row(row: Conversation, count_tokens: Callable[[str], int]) -> dict[str, Any]:
    said = [turn.content for turn in row.turns if turn.role == "assistant"]
    return {
        "id": f"{GENERAL}-{row.name}",
        "domain": row.domain or GENERAL,
        "language": "",
        "tokens": sum(map(count_tokens, said)),
        "messages": [{"role": turn.role, "content": turn.content} for turn in row.turns],
    }


def decontaminated(
    entries: Iterable[Entry], evaluation: EvaluationTexts, removed: list[Removed]
) -> Iterator[Entry]:
    """The entries with every row dropped that overlaps with the evaluation sets; which problems it
    overlaps with goes into `removed`."""
    for entry in entries:
        row = entry.get("kept")
        matches = evaluation.matches(_texts(row)) if row is not None else ()
        if row is None or not matches:
            yield entry
            continue
        removed.append(Removed(row["id"], matches))
        yield dropped(row, OVERLAP, ", ".join(match.item for match in matches))


def read_reviewed(path: Path) -> dict[str, dict[str, Any]]:
    """Id -> row of an edited review.jsonl. Raises UserError, naming the line."""
    rows: dict[str, dict[str, Any]] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"recipe.reviewed={path}, line {number}"
            try:
                row = json.loads(line.decode())
                parse(row, number)
            except (ValueError, BadRow) as error:
                raise UserError(f"{where}: {error}; mend the line, or take it out") from error
            name = str(row.get("id"))
            if name in rows:
                raise UserError(f"{where}: the id {name!r} occurs twice; keep one of the lines")
            rows[name] = row
    return rows


def reviewed(
    entries: Iterable[Entry],
    rows: Mapping[str, dict[str, Any]],
    wrong_because: Callable[[dict[str, Any]], str | None],
) -> Iterator[Entry]:
    """The entries as people left them: rows that are missing in theirs are dropped, edited ones
    replaced.

    wrong_because: why the answer of an edited row is not right, None where it is. Raises UserError
    in the end for a row of theirs that was not in the review.
    """
    unknown = dict(rows)
    for entry in entries:
        row = entry.get("kept")
        if row is None:
            yield entry
            continue
        theirs = unknown.pop(row["id"], None)
        if theirs is None:
            yield dropped(row, REVIEW, "")
        elif theirs["messages"] == row["messages"]:
            yield entry
        else:
            edited = row | {"messages": theirs["messages"]}
            problem = wrong_because(edited)
            yield {"kept": edited} if problem is None else dropped(edited, REVIEWED, problem)
    if unknown:
        raise UserError(
            f"recipe.reviewed: the id {next(iter(unknown))!r} was not in review.jsonl; keep the "
            "ids as they are"
        )


def dropped(row: Mapping[str, Any], reason: str, detail: str) -> Entry:
    said = row["messages"][-1]["content"]
    return {"dropped": {"name": row["id"], "reason": reason, "detail": detail, "text": said}}


def _texts(row: Mapping[str, Any]) -> list[str]:
    return [message["content"] for message in row["messages"]]
