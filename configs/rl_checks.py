"""Rules over several settings of reinforcement learning; configs/checks.py runs them.

Each returns one line (setting, value, what is allowed, what to do) or None.
"""

from __future__ import annotations

from pathlib import Path

from configs.data_sets import Gsm8kData, NanoData
from configs.facts import max_prompt_tokens
from configs.plan_placement import sampler_device
from configs.schema import RlConfig


def batch_divides(config: RlConfig) -> str | None:
    rollout, learner = config.rollout, config.learner
    prompts, samples = rollout.prompts_per_step, rollout.samples_per_prompt
    if (prompts * samples) % learner.mini_batches == 0:
        return None
    nearest = _nearest_divisor(prompts * samples, learner.mini_batches)
    return (
        f"learner.mini_batches={learner.mini_batches}: must divide rollout.prompts_per_step x "
        f"rollout.samples_per_prompt = {prompts} x {samples} = {prompts * samples}; the nearest "
        f"that does is {nearest}"
    )


def rows_hold_longest_sample(config: RlConfig) -> str | None:
    completion = config.longest_completion
    prompt = max_prompt_tokens(config)
    if config.learner.row_tokens >= prompt + completion:
        return None
    return (
        f"learner.row_tokens={config.learner.row_tokens}: must hold the longest prompt and "
        f"completion, {prompt} + {completion} = {prompt + completion} tokens; raise it or lower "
        "rollout.max_tokens"
    )


def schedule_starts_after_first_update(config: RlConfig) -> str | None:
    for update, cap in sorted(config.rollout.max_tokens_schedule.items()):
        if update < 1 or cap < 1:
            return (
                f"rollout.max_tokens_schedule={{{update}: {cap}}}: update numbers and caps must be "
                "at least 1; the cap at the start is rollout.max_tokens"
            )
    return None


def enough_problems(config: RlConfig) -> str | None:
    if isinstance(config.data, NanoData) and (
        config.data.train_problems < config.rollout.prompts_per_step
    ):
        return (
            f"rollout.prompts_per_step={config.rollout.prompts_per_step}: at most "
            f"data.train_problems={config.data.train_problems}, so that no problem comes twice in "
            "a step; lower it or raise data.train_problems"
        )
    return None


def enough_heldout_problems(config: RlConfig) -> str | None:
    if config.recipe.eval_problems <= config.data.heldout_problems:
        return None
    return (
        f"recipe.eval_problems={config.recipe.eval_problems}: at most data.heldout_problems="
        f"{config.data.heldout_problems}; lower it or raise data.heldout_problems"
    )


def prompts_for_every_sampler(config: RlConfig) -> str | None:
    rollout = config.rollout
    if rollout.samplers <= rollout.prompts_per_step:
        return None
    return (
        f"rollout.samplers={rollout.samplers}: at most rollout.prompts_per_step="
        f"{rollout.prompts_per_step}, or some would have nothing to do; lower it"
    )


def wave_within_step(config: RlConfig) -> str | None:
    rollout = config.rollout
    wave, samplers, prompts = rollout.wave_prompts, rollout.samplers, rollout.prompts_per_step
    if wave == 0 or samplers <= wave <= prompts:
        return None
    return (
        f"rollout.wave_prompts={wave}: must be 0 (one wave for all) or from rollout.samplers="
        f"{samplers} to rollout.prompts_per_step={prompts}; choose a value in between"
    )


def correction_needs_learner_log_probs(config: RlConfig) -> str | None:
    algorithm = config.algorithm
    if algorithm.importance_correction == "none" or algorithm.old_log_probs == "learner":
        return None
    return (
        f"algorithm.importance_correction={algorithm.importance_correction}: needs "
        f"algorithm.old_log_probs=learner, not {algorithm.old_log_probs}, because it weighs the "
        "learner's against the sampler's; set the one or drop the other"
    )


def nucleus_needs_learner_log_probs(config: RlConfig) -> str | None:
    if config.rollout.top_p == 1.0 or config.algorithm.old_log_probs == "learner":
        return None
    return (
        f"rollout.top_p={config.rollout.top_p}: the sampler's log-probs are then those of the "
        "nucleus, which the learner's cannot be compared with; set rollout.top_p=1 or "
        "algorithm.old_log_probs=learner"
    )


def rloo_has_one_update(config: RlConfig) -> str | None:
    if config.algorithm.loss != "rloo" or config.learner.mini_batches == 1:
        return None
    return (
        f"algorithm.loss=rloo: needs learner.mini_batches=1, not {config.learner.mini_batches}, "
        "because it has no ratio; for several updates take algorithm.loss=grpo with "
        "algorithm.advantage=leave_one_out"
    )


def reward_has_a_part(config: RlConfig) -> str | None:
    if config.reward.accuracy != 0.0 or config.reward.format != 0.0:
        return None
    return "reward.accuracy=0 and reward.format=0: one must differ from 0, or nothing can be learnt"


def warmup_within_run(config: RlConfig) -> str | None:
    updates = config.recipe.steps * config.learner.mini_batches
    if config.learner.warmup_updates < updates:
        return None
    return (
        f"learner.warmup_updates={config.learner.warmup_updates}: must be below the run's "
        f"{updates} updates (recipe.steps x learner.mini_batches)"
    )


def device_has_what_it_needs(config: RlConfig) -> str | None:
    rollout, cuda = config.rollout, config.cluster.device == "cuda"
    if cuda and rollout.transfer == "ray":
        return "rollout.transfer=ray: on cluster.device=cuda take ipc (same GPUs) or nccl"
    if not cuda and rollout.transfer != "ray":
        return (
            f"rollout.transfer={rollout.transfer}: needs cluster.device=cuda; on the CPU the only "
            "choice is ray"
        )
    if not cuda and rollout.tensor_parallel > 1:
        return (
            f"rollout.tensor_parallel={rollout.tensor_parallel}: needs cluster.device=cuda; on the "
            "CPU it is 1, and rollout.samplers adds engines"
        )
    if not cuda and config.learner.offload:
        return "learner.offload=true: needs cluster.device=cuda; on the CPU leave it out"
    return None


def only_devices_of_their_own_run_ahead(config: RlConfig) -> str | None:
    if config.rollout.max_staleness == 0 or config.cluster.device == "cpu":
        return None
    if config.cluster.placement == "split":
        return None
    return (
        "rollout.max_staleness=1: samplers and learner would work at the same time on the same "
        "GPUs; set cluster.placement=split or rollout.max_staleness=0"
    )


def split_devices_are_enough(config: RlConfig) -> str | None:
    cluster, learner, rollout = config.cluster, config.learner, config.rollout
    if cluster.placement == "colocated":
        return None
    if cluster.device == "cpu":
        return "cluster.placement=split: is about GPUs; on the CPU leave it out"
    if learner.offload:
        return (
            "learner.offload=true: with cluster.placement=split nobody needs the room; set "
            "learner.offload=false"
        )
    if config.data.general:
        return (
            f"data.general={config.data.general}: reward models take turns with the learner on "
            "its GPUs; set cluster.placement=colocated"
        )
    have = cluster.nodes * cluster.devices_per_node
    # Where one more sampler would begin.
    need = sampler_device(cluster, rollout.samplers, rollout.tensor_parallel, learner.ranks)
    if need <= have:
        return None
    return (
        f"cluster.placement=split: {learner.ranks} learner ranks and {rollout.samplers} samplers "
        f"of {rollout.tensor_parallel} GPUs need {need}, and there are {have}; lower learner.ranks "
        "or rollout.samplers, or raise cluster.nodes"
    )


def transfer_fits_placement(config: RlConfig) -> str | None:
    rollout, ranks = config.rollout, config.learner.ranks
    split = config.cluster.placement == "split"
    if config.cluster.device == "cpu":
        return None
    if rollout.transfer == "nccl" and not split:
        return (
            "rollout.transfer=nccl: cannot join two processes on one GPU; take ipc, or set "
            "cluster.placement=split"
        )
    if rollout.transfer == "ipc" and split:
        return "rollout.transfer=ipc: needs the same GPU on both sides; with a split take nccl"
    engines = rollout.samplers * rollout.tensor_parallel
    if rollout.transfer == "ipc" and ranks < engines:
        return (
            "rollout.transfer=ipc: each GPU of a sampler gets its weights from the learner rank on "
            f"it, and learner.ranks={ranks} is below rollout.samplers x rollout.tensor_parallel = "
            f"{engines}; set learner.ranks={engines}, or lower rollout.samplers"
        )
    return None


def general_prompts_have_models(config: RlConfig) -> str | None:
    models = {
        "reward.helpful_model": config.reward.helpful_model,
        "reward.safety_model": config.reward.safety_model,
    }
    missing = [setting for setting, path in models.items() if not path]
    if config.data.general and missing:
        return (
            f"data.general={config.data.general}: {' and '.join(missing)} must name the final/ "
            "folders of runs of r1/reward_helpful and r1/reward_safety"
        )
    if not config.data.general and len(missing) < 2:
        return "reward.helpful_model, reward.safety_model: nothing to rate; add data.general"
    return None


def both_kinds_of_prompts_in_a_step(config: RlConfig) -> str | None:
    prompts = config.rollout.prompts_per_step
    general = round(config.recipe.general_share * prompts)
    if not config.data.general or 0 < general < prompts:
        return None
    return (
        f"recipe.general_share={config.recipe.general_share}: gives {general} general prompts of "
        f"rollout.prompts_per_step={prompts}; there must be some of either kind"
    )


def general_prompts_are_there(config: RlConfig) -> str | None:
    general = config.data.general
    if not general or general == "nano" or Path(general).expanduser().is_file():
        return None
    return f"data.general={general}: no such file; name a .jsonl file, or nano"


def data_file_has_rows(config: RlConfig) -> str | None:
    if not isinstance(config.data, Gsm8kData):
        return None
    path = Path(config.data.path).expanduser()
    if not path.is_file():
        return f"data.path={config.data.path}: no such file; name a .jsonl file"
    with path.open("rb") as file:
        rows = sum(1 for line in file if line.strip())
    needed = config.data.heldout_problems + config.rollout.prompts_per_step
    if rows < needed:
        return (
            f"data.path={config.data.path}: has {rows} rows, and at least {needed} are needed "
            "(data.heldout_problems + rollout.prompts_per_step); lower one of them or add rows"
        )
    return None


def _nearest_divisor(number: int, to: int) -> int:
    return min((n for n in range(1, number + 1) if number % n == 0), key=lambda n: abs(n - to))
