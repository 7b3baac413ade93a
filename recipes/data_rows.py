"""From the scored samples of a wave to rows: kept ones and dropped ones, none lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from configs.data_making import SampledDataRecipe
from recipes.nano_rewriting import rewrite_nano
from recipes.trajectories import ENOUGH, REWRITTEN, Dropped, Trajectory, sift
from rewards.scoring import Scorer
from rl.records import Completion, Group, Outcome


@dataclass(frozen=True, slots=True)
class Finisher:
    """What is done with samples after they are scored."""

    recipe: SampledDataRecipe
    scorer: Scorer
    max_tokens: int


def finish_wave(groups: Sequence[Group], finisher: Finisher) -> list[Trajectory | Dropped]:
    """What becomes of every sample, in order."""
    recipe = finisher.recipe
    sifted = [sift(group, recipe.filters, has_judge=False) for group in groups]
    return [
        each
        for samples in sifted
        for each in at_most(recipe.keep_per_prompt, [_rewritten(s, finisher) for s in samples])
    ]


def at_most(count: int, samples: Sequence[Trajectory | Dropped]) -> list[Trajectory | Dropped]:
    """The samples of one prompt with only the first `count` kept ones left; 0: all."""
    found: list[Trajectory | Dropped] = []
    kept = 0
    for sample in samples:
        if isinstance(sample, Trajectory):
            kept += 1
            if count and kept > count:
                sample = Dropped(sample.name, ENOUGH, "", sample.answer)
        found.append(sample)
    return found


def _rewritten(sample: Trajectory | Dropped, finisher: Finisher) -> Trajectory | Dropped:
    if isinstance(sample, Dropped) or finisher.recipe.rewriter.by == "none":
        return sample
    written = rewrite_nano(sample)
    return written if isinstance(written, Dropped) else still_right(written, finisher)


def still_right(written: Trajectory, finisher: Finisher) -> Trajectory | Dropped:
    """A rewritten trajectory, whose answer has to be right by the same rules as before."""
    completion = Completion(written.prompt.id, 0, written.answer, (), (), 0, "stop")
    score = finisher.scorer.score(written.prompt, completion, finisher.max_tokens)
    if score.outcome is Outcome.CORRECT:
        return written
    return Dropped(written.name, REWRITTEN, score.outcome.value, written.answer)
