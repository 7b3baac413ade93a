"""Judged responses to learn from: train and held-out, with every row left out and why."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from configs.errors import UserError
from configs.reward_models import PreferenceData
from configs.schema import RewardModelConfig
from recipes.nano_general import Split
from recipes.nano_preferences import nano_candidates, nano_judge, nano_labelled
from recipes.pair_judging import AskedJudge
from recipes.preference_pairs import (
    Candidates,
    Judge,
    JudgeRules,
    Preference,
    balanced_lengths,
    judged,
)
from recipes.reward_tokens import RewardEncoder
from recipes.row_files import BadRow, Rejected, as_text, json_lines
from rewards.format import END_THINK
from rewards.preference import final_summary
from rl.judged import Judged


@dataclass(frozen=True, slots=True)
class JudgedSets:
    """No question is in both lists."""

    train: list[Judged]
    heldout: list[Judged]
    rejected: list[Rejected]

    def counts(self) -> dict[str, int]:
        """Reason -> number of rows left out."""
        return dict(Counter(row.reason for row in self.rejected).most_common())

    def summary(self) -> dict[str, Any]:
        """What a run was trained on, to be compared when it goes on."""
        digest = hashlib.sha256()
        for unit in (*self.train, *self.heldout):
            digest.update(repr([unit.label, *map(torch.Tensor.tolist, unit.segments)]).encode())
        return {
            "train_sequences": len(self.train),
            "heldout_sequences": len(self.heldout),
            "rejected": self.counts(),
            "sha256": digest.hexdigest(),
        }

    def rejected_json(self) -> str:
        lines = [json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in self.rejected]
        return "".join(lines)


def load_judged(
    config: RewardModelConfig,
    tokenizer: PreTrainedTokenizerBase,
    end_ids: Sequence[int],
    judge: AskedJudge | None = None,
) -> JudgedSets:
    """All rows, compared where they were not, tokenized once and for all. judge: of rows of a file;
    None: those that nobody has compared are left out."""
    rejected: list[Rejected] = []
    train = list(_preferences(config, "train", rejected, judge))
    heldout = list(_preferences(config, "heldout", rejected, judge))
    if config.recipe.objective == "pairwise" and config.judge.balance_lengths:
        kept = balanced_lengths(train)
        names = {pair.name for pair in kept}
        rejected += [
            Rejected(pair.row, "left out to balance lengths", pair.name)
            for pair in train
            if pair.name not in names
        ]
        train = kept
    encoder = RewardEncoder(tokenizer, end_ids)
    sets = JudgedSets(
        train=_encoded(train, encoder, config.data.max_tokens, rejected),
        heldout=_encoded(heldout, encoder, config.data.max_tokens, rejected),
        rejected=rejected,
    )
    if len(sets.train) < config.recipe.batch_size:
        raise UserError(
            f"recipe.batch_size={config.recipe.batch_size}: there are only {len(sets.train)} to "
            f"train on ({sets.counts() or 'no row was left out'}); lower it or give more data"
        )
    return sets


def _preferences(
    config: RewardModelConfig, split: Split, rejected: list[Rejected], asked: AskedJudge | None
) -> Iterator[Preference]:
    pairwise, data = config.recipe.objective == "pairwise", config.data
    rows: Iterable[Preference | Candidates]
    judge: Judge | None = asked
    if isinstance(data, PreferenceData):
        rows = list(_file_rows(data, split, pairwise, rejected))
        if asked is not None:
            doubtful = [row for row in rows if isinstance(row, Candidates)]
            asked.prepare(doubtful, config.judge.queries)
    elif pairwise:
        rows, judge = nano_candidates(data, split), nano_judge(data)
    else:
        rows = nano_labelled(data, split)
    rules = JudgeRules(config.judge.queries, config.judge.margin)
    for number, row in enumerate(rows, start=1):
        if isinstance(row, Candidates):
            pair = judged(row, judge, rules) if judge else "two responses and no judge (judge.by)"
        else:
            pair = row
        if isinstance(pair, Preference):
            yield pair
        else:
            # Pairs of the nano world are counted.
            rejected.append(Rejected(row.row or number, pair, row.name))


def _encoded(
    rows: Sequence[Preference], encoder: RewardEncoder, longest: int, rejected: list[Rejected]
) -> list[Judged]:
    units = []
    for row in rows:
        ids = [encoder.encode(row.question, response) for response in row.responses]
        if max(map(len, ids)) > longest:
            rejected.append(Rejected(row.row, "longer than data.max_tokens", row.name))
            continue
        segments = tuple(torch.tensor(each, dtype=torch.int64) for each in ids)
        units.append(Judged(row.name, segments, float(row.label)))
    return units


# --- rows of a file -------------------------------------------------------------------------------


def _file_rows(
    data: PreferenceData, split: Split, pairwise: bool, rejected: list[Rejected]
) -> Iterator[Preference | Candidates]:
    """Rows of one split; what is bad is noted with the training rows, once."""
    good: dict[str, Preference | Candidates] = {}
    for number, read in json_lines(Path(data.path).expanduser()):
        try:
            row = parse(read(), number, pairwise=pairwise)
            if row.name in good:
                raise BadRow("id occurs twice", row.name)
            good[row.name] = row
        except BadRow as bad:
            if split == "train":
                rejected.append(Rejected(number, bad.reason, bad.detail))
    rows = good.values()
    heldout = _heldout_questions([row.question for row in rows], data.heldout_rows)
    yield from (row for row in rows if (row.question in heldout) == (split == "heldout"))


def parse(row: Any, number: int, *, pairwise: bool) -> Preference | Candidates:
    """One row, cut to what the model may see. Raises BadRow."""
    if not isinstance(row, dict):
        raise BadRow("not an object", type(row).__name__)
    name = str(row["id"]) if row.get("id") is not None else f"row-{number}"
    question = as_text(row.get("prompt"), "prompt")
    if not pairwise:
        if not isinstance(row.get("safe"), bool):
            raise BadRow("safe is not true or false", str(row.get("safe")))
        response = as_text(row.get("response"), "response")
        return Preference(name, question, (response,), row["safe"], number)
    if "responses" in row:
        responses = row["responses"]
        if not isinstance(responses, list) or len(responses) != 2:
            raise BadRow("responses is not a list of two", str(responses)[:80])
        return Candidates(
            name, question, _two(responses[0], responses[1], ("first", "second")), number
        )
    two = _two(row.get("chosen"), row.get("rejected"), ("chosen", "rejected"))
    return Preference(name, question, two, row=number)


def _two(one: Any, other: Any, names: tuple[str, str]) -> tuple[str, str]:
    """Two final summaries that there is a difference between."""
    two = _summary(one, names[0]), _summary(other, names[1])
    if two[0].strip() == two[1].strip():
        raise BadRow("both responses are the same", two[0][:80])
    return two


def _summary(response: Any, name: str) -> str:
    """The final summary alone. A response without thinking is all summary."""
    text = as_text(response, name)
    summary = final_summary(text) if END_THINK in text else text
    if summary is None:
        raise BadRow("nothing after the thinking", name)
    return summary


def _heldout_questions(questions: Sequence[str], wanted: int) -> set[str]:
    """Questions whose rows are held out: at least so many rows, if there are."""
    num_rows, chosen = Counter(questions), set[str]()
    for question in sorted(num_rows, key=lambda q: hashlib.blake2b(q.encode()).digest()):
        if wanted <= 0:
            break
        chosen.add(question)
        wanted -= num_rows[question]
    return chosen
