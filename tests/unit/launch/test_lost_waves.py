"""A step whose journal has lost something."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from configs.rewards import RewardSettings
from launch.rollouts import GenerationPlan, RayRollouts
from rl.records import Group, Prompt, SamplingSettings
from rollout.journal import Journal
from tests.loop.fakes import make_group

PROMPTS = [Prompt(name, "p", (1, 2, 3), "7") for name in "abc"]
SAMPLING = SamplingSettings(temperature=1.0, top_p=1.0, max_tokens=8)
STEP = 4


class Rollouts(RayRollouts):
    """Waves of one prompt each, sampled by the policy of a version."""

    def __init__(self, folder: Path, version: int) -> None:
        samplers: Any = SimpleNamespace(loads=lambda: [])
        plan = GenerationPlan(0, 2, 1, 60.0, RewardSettings())
        super().__init__(
            samplers, [], Journal(folder), plan, replace_sampler=lambda index: None, turns=None
        )
        self.version = version
        self.generated: list[str] = []

    def _generate(self, prompts: Sequence[Prompt], *_: Any) -> list[Group]:
        self.generated += [prompt.id for prompt in prompts]
        return [make_group(STEP, prompt, self.version, [1.0, 0.0]) for prompt in prompts]


@pytest.mark.parametrize(("version", "again"), [(7, ["b"]), (8, ["b", "a", "c"])])
def test_a_lost_wave_is_made_again_and_with_it_those_of_another_policy(
    tmp_path: Path, version: int, again: list[str]
) -> None:
    before = Rollouts(tmp_path, version=7).collect(STEP, PROMPTS, SAMPLING)
    next(tmp_path.glob("000004-0001-*")).write_bytes(b"damaged")
    rollouts = Rollouts(tmp_path, version)
    groups = rollouts.collect(STEP, PROMPTS, SAMPLING)
    assert rollouts.generated == again
    assert [group.prompt for group in groups] == PROMPTS
    assert {each.policy_version for group in groups for each in group.completions} == {version}
    assert (groups == before) == (version == 7)
    kept = Journal(tmp_path).read(STEP)
    assert [group for index in sorted(kept) for group in kept[index]] == groups


def test_a_crash_in_the_middle_leaves_something_missing(tmp_path: Path) -> None:
    """A step of two policies that looks whole could never be trained on."""
    Rollouts(tmp_path, version=7).collect(STEP, PROMPTS, SAMPLING)
    next(tmp_path.glob("000004-0001-*")).unlink()
    crashing = Rollouts(tmp_path, version=8)
    crashing._journal.write = lambda *_: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        crashing.collect(STEP, PROMPTS, SAMPLING)
    assert not Rollouts(tmp_path, version=8).is_begun(STEP, PROMPTS)
