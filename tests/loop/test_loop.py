"""The loop against a fake world: order of calls, versions, denominators, replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from configs.schema import AlgorithmSettings, RlConfig
from rl.loop import sampling_settings, train
from rl.protocols import LoopState, Policy
from rl.records import Group, Prompt, Row, SamplingSettings
from tests.loop.fakes import World, make_config, make_group, make_prompts, segments

START = LoopState(step=0, version=0)


def run(config: RlConfig, world: World, state: LoopState = START) -> LoopState:
    return train(
        config,
        state,
        prompts_for=make_prompts,
        rollouts=world,
        learner=world,
        publisher=world,
        observer=world,
    )


def test_calls_of_two_steps_in_order() -> None:
    world = World()
    assert run(make_config(steps=2), world) == LoopState(step=2, version=4)
    assert world.log == [
        ("publish", 0),
        ("generate", 0, 8),
        ("log_probs", "reference"),
        ("update", 0.125),
        ("update", 0.25),
        ("finished", 1, 2),
        ("publish", 2),
        ("generate", 1, 8),
        ("log_probs", "reference"),
        ("update", 0.375),
        ("update", 0.5),
        ("refresh",),
        ("finished", 2, 4),
    ]


def test_generation_runs_ahead_by_one_step() -> None:
    """A step is generated before the updates of the step before, with the policy that made it."""
    world = World()
    run(make_config(steps=3, max_staleness=1), world)
    order = [call[:2] for call in world.log if call[0] in ("publish", "generate", "finished")]
    assert order == [
        ("publish", 0),
        ("generate", 0),
        ("publish", 0),  # what is there already is not sent again
        ("generate", 1),
        ("finished", 1),
        ("publish", 2),
        ("generate", 2),
        ("finished", 2),
        ("finished", 3),
    ]
    versions = [world.journal[step][0].completions[0].policy_version for step in range(3)]
    assert versions == [0, 0, 2]
    assert [each.metrics["rollout/staleness"] for each in world.results] == [0.0, 2.0, 2.0]


def test_a_run_ahead_goes_on_from_a_checkpoint_as_if_nothing_had_happened() -> None:
    """At the checkpoint after step 2, step 3 was in the journal."""
    whole = World()
    run(make_config(steps=5, max_staleness=1), whole)
    resumed = World()
    resumed.journal = {step: whole.journal[step] for step in (0, 1, 2)}
    run(make_config(steps=5, max_staleness=1), resumed, LoopState(step=2, version=4))
    at = whole.log.index(("finished", 2, 4))
    assert resumed.log == whole.log[at + 1 :]
    assert resumed.journal == whole.journal


def test_completions_older_than_a_step_stop_the_run() -> None:
    world = World()
    world.journal[3] = [make_group(3, prompt, 3, world.rewards) for prompt in make_prompts(3)]
    config = make_config(steps=4, max_staleness=1)
    with pytest.raises(AssertionError, match=r"policy 6 got completions .* versions \{3\}"):
        run(config, world, LoopState(step=3, version=6))


def test_no_reference_pass_without_kl() -> None:
    world = World()
    run(make_config(steps=1, algorithm=AlgorithmSettings(kl_coef=0.0)), world)
    assert not [call for call in world.log if call[0] == "log_probs"]
    assert world.updated[0][0][0].reference_log_probs is None


def test_old_log_probs_from_the_learner_are_frozen_over_the_mini_batches() -> None:
    world = World()
    algorithm = AlgorithmSettings(kl_coef=0.0, old_log_probs="learner")
    run(make_config(steps=1, algorithm=algorithm), world)
    assert [call[0] for call in world.log].count("log_probs") == 1
    for update in world.updated:
        for row in update[0]:
            expected = torch.where(row.loss_mask, -row.token_ids / 100, 0.0)
            assert torch.equal(row.old_log_probs, expected)
            assert torch.equal(row.behaviour_log_probs, torch.where(row.loss_mask, -0.5, 0.0))


def test_every_sample_is_trained_on_once_with_its_group_advantage() -> None:
    world = World(rewards=(1.0, 0.0, 0.0, 0.0))
    run(make_config(steps=1), world)
    assert sorted(int(segment[-1]) for segment in segments(world)) == [
        10,
        10,
        11,
        11,
        12,
        12,
        13,
        13,
    ]
    for update in world.updated:
        for row in update[0]:
            # Reward 1 against 0, 0, 0: mean 1/4, population std sqrt(3)/4.
            winner = row.loss_mask & (row.token_ids == 10)
            loser = row.loss_mask & (row.token_ids != 10)
            torch.testing.assert_close(
                row.advantages[winner], torch.full((int(winner.sum()),), 3**0.5), atol=1e-4, rtol=0
            )
            torch.testing.assert_close(
                row.advantages[loser],
                torch.full((int(loser.sum()),), -(3**-0.5)),
                atol=1e-4,
                rtol=0,
            )


def test_weights_of_each_mini_batch_sum_to_one() -> None:
    world = World()
    run(make_config(steps=1), world)
    for update in world.updated:
        assert sum(float(row.weights.sum()) for row in update[0]) == pytest.approx(1.0)


def test_journalled_step_is_replayed_without_generating_or_publishing() -> None:
    first = World()
    run(make_config(steps=2), first)
    second = World()
    second.journal = dict(first.journal)
    run(make_config(steps=2), second)
    assert not [call for call in second.log if call[0] in ("publish", "generate")]
    assert len(first.updated) == len(second.updated)
    for ours, theirs in zip(first.updated, second.updated, strict=True):
        for a, b in zip(ours[0], theirs[0], strict=True):
            assert torch.equal(a.token_ids, b.token_ids) and torch.equal(a.weights, b.weights)


def test_restart_in_the_middle_does_what_an_uninterrupted_run_does() -> None:
    whole = World()
    run(make_config(steps=3), whole)
    half = World()
    state = run(make_config(steps=1), half)
    run(make_config(steps=3), half, state)
    assert half.log == whole.log


def test_completions_of_another_version_stop_the_run() -> None:
    world = World()
    world.journal[0] = [make_group(0, prompt, 0, world.rewards) for prompt in make_prompts(0)]
    with pytest.raises(AssertionError, match="policy 1 got completions sampled by versions"):
        run(make_config(), world, LoopState(step=0, version=1))


def test_the_policy_is_sampled_as_the_settings_say() -> None:
    config = make_config()
    rollout = config.rollout.model_copy(update={"temperature": 0.7, "top_p": 0.9})
    found = sampling_settings(config.model_copy(update={"rollout": rollout}), 0)
    assert found == SamplingSettings(temperature=0.7, top_p=0.9, max_tokens=8)


def test_length_cap_follows_the_schedule() -> None:
    world = World()
    run(make_config(steps=3, max_tokens_schedule={3: 99}), world)
    assert [call[2] for call in world.log if call[0] == "generate"] == [8, 8, 99]


def test_step_without_signal_makes_no_update() -> None:
    world = World(rewards=(1.0, 1.0, 1.0, 1.0))
    assert run(make_config(steps=2), world) == LoopState(step=2, version=0)
    assert world.updated == []
    assert world.results[0].metrics["group/zero_std_frac"] == 1.0


def test_shuffled_rewards_keep_the_scores_but_not_their_owners() -> None:
    plain, shuffled = World((1.0, 0.0, 0.0, 0.0)), World((1.0, 0.0, 0.0, 0.0))
    run(make_config(steps=6), plain)
    run(make_config(steps=6, shuffle=True), shuffled)

    def winners(world: World) -> set[int]:
        return {
            int(token)
            for update in world.updated
            for row in update[0]
            for token in row.token_ids[row.loss_mask & (row.advantages > 0)]
        }

    assert winners(plain) == {10}
    assert len(winners(shuffled)) > 1
    assert shuffled.results[0].metrics["critic/score/mean"] == 0.25


class SlowWorld(World):
    """Every call takes a different power of two of seconds, on a clock that only calls move."""

    SECONDS: ClassVar = {
        "is_begun": 1, "publish": 2, "collect": 4, "reference": 8, "policy": 16, "update": 32
    }  # fmt: skip

    def __init__(self, clock: list[float]) -> None:
        super().__init__()
        self._clock = clock

    def is_begun(self, step: int, prompts: Sequence[Prompt]) -> bool:
        self._clock[0] += self.SECONDS["is_begun"]
        return super().is_begun(step, prompts)

    def publish(self, version: int) -> Mapping[str, float]:
        self._clock[0] += self.SECONDS["publish"]
        return super().publish(version)

    def collect(
        self, step: int, prompts: Sequence[Prompt], sampling: SamplingSettings
    ) -> list[Group]:
        self._clock[0] += self.SECONDS["collect"]
        return super().collect(step, prompts, sampling)

    def log_probs(self, rows: Sequence[Sequence[Row]], policy: Policy) -> list[list[Tensor]]:
        self._clock[0] += self.SECONDS[policy]
        return super().log_probs(rows, policy)

    def update(self, rows: Sequence[Sequence[Row]], learning_rate: float) -> Mapping[str, float]:
        self._clock[0] += self.SECONDS["update"]
        return super().update(rows, learning_rate)


def test_the_timed_phases_add_up_to_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("rl.timing.time.perf_counter", lambda: clock[0])
    world = SlowWorld(clock)
    algorithm = AlgorithmSettings(old_log_probs="learner", kl_coef=0.1)
    run(make_config(steps=2, mini_batches=2, algorithm=algorithm), world)
    expected = {
        "sync": 3.0, "gen": 4.0, "ref": 8.0, "old_log_prob": 16.0, "update_actor": 64.0,
        "step": 95.0,
    }  # fmt: skip
    for result in world.results:
        times = {
            name.removeprefix("timing_s/"): seconds
            for name, seconds in result.metrics.items()
            if name.startswith("timing_s/")
        }
        assert times == expected
