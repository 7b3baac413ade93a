"""Sampled trajectories on their way to training data, and the filters in between.

    prompt, completion, score -> Trajectory -> ... -> Kept row, or Dropped with its reason

The filters are those of the paper (arXiv 2501.12948v2, B.3.2 and B.3.3): right answers in a
readable form, one language, no repetition, no long paragraphs, no code blocks in the thinking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.data_making import FilterSettings
from recipes.decontamination import units
from rewards.format import ANSWER, END_ANSWER, END_THINK, THINK, strip_end_tokens, thinking_part
from rewards.language import language_share
from rewards.repetition import repetition_penalty
from rewards.summary import summary_of
from rl.records import Completion, Group, Outcome, Prompt, Score

CUT = "cut at the length cap"
FORM = "not well formed"
UNCHECKED = "the answer could not be checked"
WRONG = "the answer is not right"
LANGUAGE = "mixed languages"
REPETITION = "repeats itself"
PARAGRAPH = "long paragraph"
CODE = "code block in the thinking"
SAME = "the same as an earlier sample"
REWRITER = "the rewriter's text cannot be used"
REWRITTEN = "the answer is not right any more after rewriting"
JUDGED = "not right, says the judge"
JUDGE = "the judge's verdict cannot be read"
ENOUGH = "enough of this prompt"
OVERLAP = "shares text with an evaluation set"
REVIEW = "taken out in the review"
REVIEWED = "the answer is not right any more after the review"
STAGES = (
    *(CUT, FORM, UNCHECKED, WRONG, LANGUAGE, REPETITION, PARAGRAPH, CODE, SAME),
    *(JUDGE, JUDGED, REWRITER, REWRITTEN, ENOUGH, OVERLAP, REVIEW, REVIEWED),
)
"""Reasons to drop a trajectory, in the order in which they are looked for."""

EMPTY_LINE = re.compile(r"\n[^\S\n]*\n")
FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
NO_STRIPPED_LIMIT = 0.99
"""Formulas and code are no other language; how much of them there is does not matter here."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One sample that is worth a look, taken apart.

    Trajectory(name="nano-train-17-3", prompt=..., thinking="3+4=7", summary="7", tokens=12)
    """

    name: str
    prompt: Prompt
    thinking: str
    summary: str
    """What follows the thinking, without <answer> tags."""
    tokens: int
    """Of the completion as it was sampled, or of the answer that a language model made of it."""

    @property
    def question(self) -> str:
        return self.prompt.metadata["question"]

    @property
    def answer(self) -> str:
        """What the assistant says in a chat row."""
        return f"{THINK}{self.thinking}{END_THINK}{self.summary}"

    def row(self) -> dict[str, Any]:
        """The chat row to train on."""
        metadata = self.prompt.metadata
        return {
            "id": self.name,
            "domain": metadata.get("kind", ""),
            "language": metadata.get("language", ""),
            "tokens": self.tokens,
            "messages": [
                {"role": "user", "content": self.question},
                {"role": "assistant", "content": self.answer},
            ],
        }


@dataclass(frozen=True, slots=True)
class Dropped:
    """Dropped(name="nano-train-17-3", reason="repeats itself", detail="0.62 of its n-grams",
    text="...")"""

    name: str
    reason: str
    """One of STAGES."""
    detail: str
    text: str
    """The completion."""


def take_apart(prompt: Prompt, completion: Completion) -> Trajectory | None:
    """None when there is no thinking or no summary."""
    name = f"{prompt.id}-{completion.sample_index}"
    text = strip_end_tokens(completion.text)
    summary = summary_of(prompt.text, text)
    thinking = thinking_part(text)
    if summary is None or END_THINK not in text:
        return None
    inside = summary.strip().removeprefix(ANSWER).removesuffix(END_ANSWER)
    if not inside.strip() or not thinking.strip() or ANSWER in inside or END_ANSWER in inside:
        return None
    return Trajectory(name, prompt, thinking, inside, len(completion.token_ids))


def sift(group: Group, filters: FilterSettings, *, has_judge: bool) -> list[Trajectory | Dropped]:
    """What becomes of each sample of a prompt, before anything is rewritten.

    has_judge: leave trajectories that rules cannot check to the judge.
    """
    found: list[Trajectory | Dropped] = []
    seen: set[tuple[str, str]] = set()
    for completion, score in zip(group.completions, group.scores, strict=True):
        sifted = _sift_one(group.prompt, completion, score, filters, has_judge)
        if isinstance(sifted, Trajectory):
            said = (sifted.thinking.strip(), sifted.summary.strip())
            if said in seen:
                sifted = Dropped(sifted.name, SAME, "", completion.text)
            seen.add(said)
        found.append(sifted)
    return found


def needs_judge(outcome: Outcome) -> bool:
    """Whether rules have no verdict because of the reference answer, not because of us."""
    return outcome is Outcome.UNPARSEABLE_GOLD


def _sift_one(
    prompt: Prompt, completion: Completion, score: Score, filters: FilterSettings, has_judge: bool
) -> Trajectory | Dropped:
    def drop(reason: str, detail: str = "") -> Dropped:
        return Dropped(f"{prompt.id}-{completion.sample_index}", reason, detail, completion.text)

    if completion.finish_reason != "stop":
        return drop(CUT, f"{len(completion.token_ids)} tokens")
    trajectory = take_apart(prompt, completion)
    if trajectory is None or score.parts["format"] < 1.0:
        return drop(FORM)
    if score.outcome is Outcome.CHECKER_ERROR or (
        score.outcome is Outcome.UNPARSEABLE_GOLD and not has_judge
    ):
        return drop(UNCHECKED, score.outcome.value)
    if score.outcome is not Outcome.CORRECT and not needs_judge(score.outcome):
        return drop(WRONG, score.outcome.value)
    unreadable = unreadable_because(trajectory, filters)
    return trajectory if unreadable is None else drop(*unreadable)


def unreadable_because(trajectory: Trajectory, filters: FilterSettings) -> tuple[str, str] | None:
    """(reason, detail) of the first filter that a right trajectory does not pass; None: it does."""
    language = trajectory.prompt.metadata["language"]
    for where, text in (("thinking", trajectory.thinking), ("summary", trajectory.summary)):
        share = _language(text, language)
        if share is not None and share < filters.min_language_share:
            return LANGUAGE, f"{share:.2f} of the {where}'s words in {language}"
    repeated = -repetition_penalty(trajectory.thinking, filters.repetition_ngram)
    if repeated > filters.max_repetition:
        return REPETITION, f"{repeated:.2f} of its {filters.repetition_ngram}-grams"
    longest = max(len(units(part)) for part in EMPTY_LINE.split(trajectory.thinking))
    if filters.max_paragraph_words and longest > filters.max_paragraph_words:
        return PARAGRAPH, f"{longest} words"
    if not filters.code_blocks and FENCE.search(trajectory.thinking):
        return CODE, ""
    return None


def _language(text: str, target: str) -> float | None:
    """The share of the words in the target language; None without words. Unlike in the reward, few
    words are evidence too: one of three in another language is a mixture."""
    found = language_share(text, target, NO_STRIPPED_LIMIT)
    return found.target_words / found.words if found.words else None


def counts_table(sampled: int, dropped: Mapping[str, int], kept: int) -> list[dict[str, int | str]]:
    """Reason by reason how many were dropped and how many were left."""
    left, lines = sampled, []
    for reason in STAGES:
        if count := dropped.get(reason, 0):
            left -= count
            lines.append({"filter": reason, "dropped": count, "left": left})
    assert left == kept, (sampled, dropped, kept)
    return lines


class Domains:
    """Samples, average rounds and average tokens by domain, as in the paper's Table 5."""

    def __init__(self) -> None:
        self.rows = 0
        self._sums: dict[str, list[int]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        rounds = sum(message["role"] == "user" for message in row["messages"])
        sums = self._sums.setdefault(row["domain"], [0, 0, 0])
        self._sums[row["domain"]] = [sums[0] + 1, sums[1] + rounds, sums[2] + row["tokens"]]
        self.rows += 1

    def table(self) -> dict[str, dict[str, float]]:
        return {
            domain: {"samples": samples, "rounds": rounds / samples, "tokens": tokens / samples}
            for domain, (samples, rounds, tokens) in sorted(self._sums.items())
        }
