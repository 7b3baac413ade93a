"""What each metric means, and what verl and TRL call the same thing, for people who come from
there. `launch metrics` prints it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """An empty verl or trl: they have nothing that measures the same."""

    name: str
    """A "*" stands for any piece of the name."""
    meaning: str
    verl: str = ""
    trl: str = ""


METRICS = (
    Metric("critic/score/mean", "reward, mean over completions", "critic/score/mean", "reward"),
    Metric("critic/score/max", "highest reward of the step", "critic/score/max"),
    Metric("critic/score/min", "lowest reward of the step", "critic/score/min"),
    Metric("reward/*/mean", "one part of the reward, unweighted", "", "rewards/*/mean"),
    Metric("reward/outcome/*", "share of completions with this outcome"),
    Metric("group/zero_std_frac", "groups with equal rewards", "", "frac_reward_zero_std"),
    Metric("group/all_right", "groups in which every answer is right"),
    Metric("group/all_wrong", "groups in which no answer is right"),
    Metric(
        "response_length/mean",
        "tokens per completion",
        "response_length/mean",
        "completions/mean_length",
    ),
    Metric(
        "response_length/max",
        "longest completion",
        "response_length/max",
        "completions/max_length",
    ),
    Metric(
        "response_length/min",
        "shortest completion",
        "response_length/min",
        "completions/min_length",
    ),
    Metric(
        "response_length/clip_ratio",
        "completions cut off at the length limit",
        "response_length/clip_ratio",
        "completions/clipped_ratio",
    ),
    Metric("prompt_length/mean", "tokens per prompt", "prompt_length/mean"),
    Metric("aha/reflection_rate", "completions with a word of reflection, such as wait"),
    Metric("samples/trained", "completions trained on"),
    Metric("samples/left_out/*", "completions not trained on, by reason"),
    Metric("actor/entropy", "entropy of the policy, nats per token", "actor/entropy", "entropy"),
    Metric("actor/kl_loss", "KL to the reference policy", "actor/kl_loss", "kl"),
    Metric("actor/ppo_kl", "KL to the policy before the step", "actor/ppo_kl"),
    Metric("actor/loss", "loss with all its terms", "actor/loss", "loss"),
    Metric("actor/pg_loss", "the policy-gradient term", "actor/pg_loss"),
    Metric(
        "actor/pg_clipfrac",
        "tokens that the clip decides",
        "actor/pg_clipfrac",
        "clip_ratio/region_mean",
    ),
    Metric("actor/pg_clipfrac_low", "of these, at 1 - clip_low", "", "clip_ratio/low_mean"),
    Metric("actor/pg_clipfrac_high", "of these, at 1 + clip_high", "", "clip_ratio/high_mean"),
    Metric("actor/ratio", "new to old probability of a token, mean"),
    Metric(
        "actor/grad_norm", "norm of the gradient before clipping", "actor/grad_norm", "grad_norm"
    ),
    Metric("actor/lr", "learning rate", "actor/lr", "learning_rate"),
    Metric(
        "rollout/mismatch_kl",
        "KL between sampler and learner, same weights",
        "rollout_corr/kl",
    ),
    Metric(
        "rollout/importance_weight",
        "correction of that gap, mean",
        "rollout_corr/rollout_is_mean",
        "sampling/importance_sampling_ratio/mean",
    ),
    Metric("rollout/staleness", "updates since the policy that sampled the step"),
    Metric("sync/canary_gap", "largest gap on the canary's prompts, nats"),
    Metric("sync/transfer_s", "seconds to send the weights"),
    Metric("sync/canary_s", "seconds to check that they arrived"),
    Metric("timing_s/gen", "seconds of sampling and rewards", "timing_s/gen"),
    Metric("timing_s/old_log_prob", "seconds of old log-probs", "timing_s/old_log_prob"),
    Metric("timing_s/ref", "seconds of the reference policy", "timing_s/ref"),
    Metric("timing_s/update_actor", "seconds of the updates", "timing_s/update_actor"),
    Metric("timing_s/sync", "seconds of weights and canary", "timing_s/update_weights"),
    Metric("timing_s/data", "seconds of making the batch (fine-tuning)"),
    Metric("timing_s/step", "seconds of the whole step", "timing_s/step", "step_time"),
    Metric("perf/throughput", "tokens per second and device", "perf/throughput"),
    Metric("perf/total_num_tokens", "tokens of the step", "perf/total_num_tokens"),
    Metric("engine/running", "sequences that an engine decodes at once, mean"),
    Metric("engine/waiting", "requests without a place, the most at once in an engine"),
    Metric("engine/kv_cache_usage", "largest used share of an engine's KV cache"),
    Metric("engine/preemptions", "sequences put back for want of KV cache"),
    Metric("perf/peak_memory_gib/*", "largest memory of a process so far"),
    Metric("perf/disk_free_frac", "free share of run_dir's disk"),
    Metric("expert/*", "how evenly the router loads the experts"),
    Metric("heldout/accuracy", "held-out rows that a reward model judges as the data says"),
    Metric("judged/accuracy", "the same for the rows of the update", "", "accuracy"),
    Metric("judged/logit", "score of the chosen minus the rejected response", "", "margin"),
    Metric("heldout/loss", "held-out loss, nats per token (fine-tuning)", "val/loss", "eval_loss"),
    Metric("eval/pass_at_1", "right answers on held-out problems", "val-core/*/acc/mean@*"),
    Metric("eval/format_rate", "well-formed ones"),
    Metric("eval/mean_length", "tokens per completion there"),
    Metric("eval/truncated", "completions cut off there"),
    Metric("data/*", "what the batch is made of (fine-tuning)"),
)


def print_metrics(*, as_json: bool) -> int:
    if as_json:
        print(json.dumps([asdict(metric) for metric in METRICS], indent=2))
        return 0
    heads = Metric("metric", "meaning", "in verl", "in TRL")
    columns = [tuple(asdict(metric).values()) for metric in (heads, *METRICS)]
    widths = [max(len(row[i]) for row in columns) for i in range(4)]
    for row in columns:
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )
    return 0
