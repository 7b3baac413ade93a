"""From the scored samples of a wave to rows: kept ones and dropped ones, none lost.

sift (filters) -> judge -> rewrite -> check the rewritten -> at most so many per prompt
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from configs.data_making import SampledDataRecipe
from recipes.judging import judge_all
from recipes.nano_rewriting import rewrite_nano
from recipes.rewriting import rewrite_all
from recipes.text_models import TextModel
from recipes.trajectories import (
    ENOUGH,
    REWRITER,
    REWRITTEN,
    Dropped,
    Trajectory,
    needs_judge,
    sift,
    unreadable_because,
)
from rewards.scoring import Scorer
from rl.records import Completion, Group, Outcome

Sample = Trajectory | Dropped
Batch = Callable[[Sequence[Trajectory]], list[Sample]]


@dataclass(frozen=True, slots=True)
class Finisher:
    """What is done with samples after they are scored, and by whom."""

    recipe: SampledDataRecipe
    scorer: Scorer
    count_tokens: Callable[[str], int]
    rewriter: TextModel | None = None
    judge: TextModel | None = None

    def finish(self, groups: Sequence[Group]) -> list[Sample]:
        """What becomes of every sample of a wave, in order."""
        has_judge = self.judge is not None
        samples = [
            each
            for group in groups
            for each in sift(group, self.recipe.filters, has_judge=has_judge)
        ]
        open_ones = {
            f"{group.prompt.id}-{completion.sample_index}"
            for group in groups
            for completion, score in zip(group.completions, group.scores, strict=True)
            if needs_judge(score.outcome)
        }
        samples = self._judged(samples, lambda sample: sample.name in open_ones)
        if self.recipe.rewriter.by != "none":
            samples = on_kept(samples, self._rewrite)
            samples = on_kept(samples, lambda kept: [self._still_readable(each) for each in kept])
            samples = self._checked_again(samples)
        return at_most(self.recipe.keep_per_prompt, samples)

    def _judged(self, samples: list[Sample], concerns: Callable[[Sample], bool]) -> list[Sample]:
        judge = self.judge
        if judge is None:
            return samples
        return on_kept(samples, lambda kept: judge_all(kept, judge), concerns)

    def _rewrite(self, kept: Sequence[Trajectory]) -> list[Sample]:
        if self.rewriter is None:
            return [rewrite_nano(each) for each in kept]
        return [
            replace(each, tokens=self.count_tokens(each.answer))
            if isinstance(each, Trajectory)
            else each
            for each in rewrite_all(kept, self.rewriter)
        ]

    def _still_readable(self, written: Trajectory) -> Sample:
        problem = unreadable_because(written, self.recipe.filters)
        if problem is None:
            return written
        return Dropped(written.name, REWRITER, ": ".join(problem), written.answer)

    def _checked_again(self, samples: list[Sample]) -> list[Sample]:
        """A rewritten answer has to be right by the same rules as before, or for the judge."""
        outcomes = {
            sample.name: self._outcome(sample)
            for sample in samples
            if isinstance(sample, Trajectory)
        }
        samples = [
            Dropped(sample.name, REWRITTEN, outcomes[sample.name].value, sample.answer)
            if isinstance(sample, Trajectory)
            and outcomes[sample.name] is not Outcome.CORRECT
            and not needs_judge(outcomes[sample.name])
            else sample
            for sample in samples
        ]
        return self._judged(samples, lambda sample: needs_judge(outcomes[sample.name]))

    def _outcome(self, written: Trajectory) -> Outcome:
        completion = Completion(written.prompt.id, 0, written.answer, (), (), 0, "stop")
        return self.scorer.score(written.prompt, completion, max_tokens=1).outcome


def on_kept(
    samples: Sequence[Sample], change: Batch, concerns: Callable[[Sample], bool] = lambda _: True
) -> list[Sample]:
    """The samples with what `change` makes of the kept ones that are concerned, all at once."""
    places = [
        i for i, each in enumerate(samples) if isinstance(each, Trajectory) and concerns(each)
    ]
    changed = change([each for i in places if isinstance(each := samples[i], Trajectory)])
    found = list(samples)
    for place, sample in zip(places, changed, strict=True):
        found[place] = sample
    return found


def at_most(count: int, samples: Sequence[Sample]) -> list[Sample]:
    """The samples with only the first `count` kept ones of each prompt left; 0: all."""
    found: list[Sample] = []
    kept: dict[str, int] = {}
    for sample in samples:
        if isinstance(sample, Trajectory):
            number = kept[sample.prompt.id] = kept.get(sample.prompt.id, 0) + 1
            if count and number > count:
                sample = Dropped(sample.name, ENOUGH, "", sample.answer)
        found.append(sample)
    return found
