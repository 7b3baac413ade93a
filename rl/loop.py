"""The training loop: R1's GRPO, one rollout and its mini-batch updates per step.

    prompts -> rollouts -> advantages over whole groups -> reference log-probs
            -> mini-batches -> packed rows -> updates -> (next step) publish weights -> canary

Everything outside is behind the Protocols of rl/protocols.py. A step whose rollouts are in the
journal is replayed without generating: the same updates from the same inputs give the same bits.

With rollout.max_staleness=1 the samplers generate the next step while the learner trains on this
one: with the policy from before its updates, one step old when it is trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from torch import Tensor

from configs.schema import RlConfig
from rl.losses import AGGREGATIONS, token_weights
from rl.metrics import rollout_metrics, step_metrics, timing_metrics
from rl.packing import pack, unpack
from rl.protocols import Learner, LoopState, Observer, Policy, Publisher, Rollouts, StepResult
from rl.records import Group, Prompt, Row, Sample, SamplingSettings
from rl.samples import (
    build_samples,
    shuffle_rewards,
    split_mini_batches,
    with_old_log_probs,
    with_reference_log_probs,
)
from rl.schedules import learning_rate, length_cap, reference_due
from rl.seeds import seed_for
from rl.timing import PhaseTimer

T = TypeVar("T")


def train(
    config: RlConfig,
    state: LoopState,
    *,
    prompts_for: Callable[[int], Sequence[Prompt]],
    rollouts: Rollouts,
    learner: Learner,
    publisher: Publisher,
    observer: Observer,
) -> LoopState:
    """Run the steps from state to the end of the recipe; returns the final state."""
    while state.step < config.recipe.steps:
        timer = PhaseTimer()
        metrics: dict[str, float] = {}
        prompts = prompts_for(state.step)

        sampling = sampling_settings(config, state.version)
        with timer("sync"):
            if not rollouts.is_begun(state.step, prompts):
                metrics |= publisher.publish(state.version)
        with timer("gen"):
            groups = rollouts.collect(state.step, prompts, sampling)
        metrics["rollout/staleness"] = float(_staleness(groups, state.version, config))
        metrics |= rollout_metrics(groups)

        next_step = state.step + 1
        if config.rollout.max_staleness > 0 and next_step < config.recipe.steps:
            next_prompts = prompts_for(next_step)
            with timer("sync"):
                if not rollouts.is_begun(next_step, next_prompts):
                    metrics |= publisher.publish(state.version)
                    rollouts.begin(next_step, next_prompts, sampling)

        if config.reward.shuffle:
            groups = shuffle_rewards(groups, seed_for(config.seed, "shuffle", state.step))
        batch = build_samples(groups, algorithm=config.algorithm)
        samples = batch.samples
        metrics |= batch.metrics
        if config.algorithm.old_log_probs == "learner":
            with timer("old_log_prob"):
                old = _log_probs(samples, learner, config, "policy")
                samples = with_old_log_probs(samples, old)
        if config.algorithm.kl_coef > 0.0:
            with timer("ref"):
                reference = _log_probs(samples, learner, config, "reference")
                samples = with_reference_log_probs(samples, reference)

        with timer("update_actor"):
            updates = learner.updates(_mini_batches(samples, learner, config, state))
            metrics |= step_metrics(updates)
            version = state.version + len(updates)
            if reference_due(state.version, version, config.algorithm.reference_refresh_updates):
                learner.refresh_reference()

        state = LoopState(step=state.step + 1, version=version)
        metrics |= timing_metrics(
            timer.seconds(), num_tokens=_num_tokens(groups), num_devices=learner.num_ranks
        )
        observer.step_finished(StepResult(state, groups, metrics))
    return state


def sampling_settings(config: RlConfig, version: int) -> SamplingSettings:
    """How the policy of this version is sampled in training."""
    rollout = config.rollout
    return SamplingSettings(
        temperature=rollout.temperature,
        top_p=rollout.top_p,
        max_tokens=length_cap(version, rollout.max_tokens, rollout.max_tokens_schedule),
    )


def _mini_batches(
    samples: Sequence[Sample], learner: Learner, config: RlConfig, state: LoopState
) -> Iterator[tuple[list[list[Row]], float]]:
    """Rows and learning rate of one update per mini-batch; old log-probs and advantages stay those
    of the whole rollout."""
    mini_batches = split_mini_batches(
        samples,
        num=config.learner.mini_batches,
        seed=seed_for(config.seed, "split", state.step),
    )
    for index, mini_batch in enumerate(mini_batches):
        weights = token_weights(
            [int(sample.loss_mask.sum()) for sample in mini_batch],
            aggregation=AGGREGATIONS[config.algorithm.loss],
            max_tokens=sampling_settings(config, state.version).max_tokens,
        )
        rows = _pack(mini_batch, learner, config, weights)
        rate = learning_rate(
            state.version + index, config.learner.learning_rate, config.learner.warmup_updates
        )
        yield rows, rate


def _log_probs(
    samples: Sequence[Sample], learner: Learner, config: RlConfig, policy: Policy
) -> list[Tensor]:
    """Per sample, [L] float32 log-probs of its tokens under the policy."""
    if not samples:
        return []
    rows = _pack(samples, learner, config)
    return unpack(_flat(rows), _flat(learner.log_probs(rows, policy)))


def _pack(
    samples: Sequence[Sample],
    learner: Learner,
    config: RlConfig,
    weights: Sequence[float] | None = None,
) -> list[list[Row]]:
    return pack(
        samples,
        row_tokens=config.learner.row_tokens,
        num_ranks=learner.num_ranks,
        weights=weights,
        rows_multiple_of=config.learner.rows_per_micro_batch,
        share_prompts=config.learner.share_prefixes,
    )


def _flat(per_rank: Sequence[Sequence[T]]) -> list[T]:
    return [item for items in per_rank for item in items]


def _num_tokens(groups: Sequence[Group]) -> int:
    return sum(
        len(group.prompt.token_ids) + len(completion.token_ids)
        for group in groups
        for completion in group.completions
    )


def _staleness(groups: Sequence[Group], version: int, config: RlConfig) -> int:
    """Updates since the policy that sampled the step: 0 in synchronous training, otherwise at most
    those of one step."""
    found = {completion.policy_version for group in groups for completion in group.completions}
    oldest = version - config.rollout.max_staleness * config.learner.mini_batches
    assert len(found) == 1 and oldest <= min(found) <= version, (
        f"policy {version} got completions sampled by versions {found}"
    )
    return version - found.pop()
