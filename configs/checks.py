"""Rules that span several settings or look at files, run before anything heavy is imported.

Each check is a named function that returns one line (setting, value, what is allowed, what to do)
or None. Checks never change a setting.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from configs.data_checks import (
    DATA_MAKING_CHECKS,
    problem_data_is_there,
    rules_can_check_the_data,
)
from configs.errors import UserError
from configs.facts import is_hub_name, max_prompt_tokens, model_facts
from configs.kubernetes import KubernetesCluster
from configs.kubernetes_checks import KUBERNETES_CHECKS
from configs.reward_models import NanoPreferences, PreferenceData
from configs.schema import (
    AnyRunConfig,
    ChatData,
    FolderModel,
    Gsm8kData,
    NanoData,
    NanoModel,
    RewardModelConfig,
    RlConfig,
    RunConfig,
    SampledDataConfig,
    SftConfig,
)

SMOLLM2_FOLDER = "models/smollm2-135m"
"""The default path of configs/model/smollm2_135m.yaml."""


def check_settings(config: AnyRunConfig) -> None:
    """All cross-field rules; every broken one is named, one per line."""
    if isinstance(config, SampledDataConfig):
        findings = [check(config) for check in DATA_SETTING_CHECKS]
    elif isinstance(config, RewardModelConfig):
        findings = [check(config) for check in REWARD_MODEL_SETTING_CHECKS]
    elif isinstance(config, SftConfig):
        findings = [check(config) for check in SFT_SETTING_CHECKS]
    else:
        findings = [check(config) for check in SETTING_CHECKS]
    if isinstance(config.cluster, KubernetesCluster):
        assert not isinstance(config, SampledDataConfig)
        findings += [check(config, config.cluster) for check in KUBERNETES_CHECKS]
    _report(findings)


def check_files(config: AnyRunConfig, *, in_pods: bool = False) -> None:
    """Whether what the run reads is there and what it writes can be written. On Kubernetes, only
    the driver can look at what there is in the pods."""
    if isinstance(config, SampledDataConfig):
        _report([check(config) for check in DATA_FILE_CHECKS])
    elif isinstance(config.cluster, KubernetesCluster) and not in_pods:
        _report([run_dir_is_writable(config)])
    elif isinstance(config, RewardModelConfig):
        _report([check(config) for check in REWARD_MODEL_FILE_CHECKS])
    elif isinstance(config, SftConfig):
        _report([check(config) for check in SFT_FILE_CHECKS])
    else:
        _report([check(config) for check in FILE_CHECKS])


def _report(findings: list[str | None]) -> None:
    problems = [finding for finding in findings if finding is not None]
    if problems:
        raise UserError("\n".join(problems))


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
    updates = config.recipe.steps * config.learner.mini_batches
    schedule = config.rollout.max_tokens_schedule
    reached = [cap for update, cap in schedule.items() if update <= updates]
    completion = max([config.rollout.max_tokens, *reached])
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


def expert_parallel_divides_ranks(config: RunConfig) -> str | None:
    learner = config.learner
    if learner.ranks % learner.expert_parallel == 0:
        return None
    return (
        f"learner.expert_parallel={learner.expert_parallel}: must divide learner.ranks="
        f"{learner.ranks}; lower it or add ranks"
    )


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


def prefixes_are_shared_on_the_cpu(config: RunConfig) -> str | None:
    if config.learner.share_prefixes and config.cluster.device == "cuda":
        return "learner.share_prefixes=true: needs cluster.device=cpu; on GPUs set it to false"
    return None


def data_fits_model(config: RlConfig | SampledDataConfig) -> str | None:
    if isinstance(config.model, NanoModel) and not isinstance(config.data, NanoData):
        return (
            f"data.kind={config.data.kind}: the nano model's vocabulary covers data=nano only; "
            "choose model=smollm2_135m or model=folder"
        )
    return None


def model_folder_is_complete(config: AnyRunConfig) -> str | None:
    if not isinstance(config.model, FolderModel):
        return None
    folder = Path(config.model.path).expanduser()
    remedy = "name a Hugging Face model folder"
    if config.model.path == SMOLLM2_FOLDER:
        remedy = "make it with: launch prepare smollm2_135m"
    elif is_hub_name(config.model.path):
        remedy = (
            "models are read from folders; download it with "
            f"`.venv/bin/hf download {config.model.path} --local-dir FOLDER` and set "
            "model.path=FOLDER"
        )
    if not folder.is_dir():
        return f"model.path={config.model.path}: no such folder; {remedy}"
    if not (folder / "config.json").is_file():
        return f"model.path={config.model.path}: no config.json in it; {remedy}"
    if not any(folder.glob("*.safetensors")):
        return f"model.path={config.model.path}: no weights (*.safetensors) in it; {remedy}"
    if not any(folder.glob("tokenizer*")):
        return f"model.path={config.model.path}: no tokenizer (tokenizer.json) in it; {remedy}"
    return None


def expert_parallel_divides_experts(config: RunConfig) -> str | None:
    facts = model_facts(config)
    size = config.learner.expert_parallel
    if size == 1 or facts is None:
        return None
    experts = facts.get("n_routed_experts") or facts.get("num_experts") or 0
    if experts and experts % size == 0:
        return None
    return (
        f"learner.expert_parallel={size}: must divide the number of experts of the model, which "
        f"is {experts}; set it to 1 or to a divisor"
    )


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


def local_run_is_on_one_machine(config: AnyRunConfig) -> str | None:
    if config.cluster.kind != "local" or config.cluster.nodes == 1:
        return None
    return (
        f"cluster.nodes={config.cluster.nodes}: cluster.kind=local is one machine; set "
        "cluster.nodes=1, or cluster.kind=slurm (launch plan takes any number)"
    )


def run_dir_is_writable(config: AnyRunConfig) -> str | None:
    folder = Path(config.run_dir).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        return f"run_dir={config.run_dir}: is a file; name a folder"
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return None
    return f"run_dir={config.run_dir}: cannot be written ({existing}); choose another folder"


def rows_hold_longest_sequence(config: SftConfig) -> str | None:
    if config.learner.row_tokens >= config.data.max_tokens:
        return None
    return (
        f"learner.row_tokens={config.learner.row_tokens}: must hold the longest sequence, "
        f"data.max_tokens={config.data.max_tokens}; raise the former or lower the latter"
    )


def chat_data_is_there(config: SftConfig) -> str | None:
    if not isinstance(config.data, ChatData):
        return None
    path = Path(config.data.path).expanduser()
    a_file_is_meant = path.suffix in (".jsonl", ".parquet")
    if path.exists() or (is_hub_name(config.data.path) and not a_file_is_meant):
        return None
    return (
        f"data.path={config.data.path}: no such file; name a .jsonl or .parquet file, or a data "
        "set on the Hugging Face hub as owner/name"
    )


def rows_hold_longest_pair(config: RewardModelConfig) -> str | None:
    responses = 2 if config.recipe.objective == "pairwise" else 1
    needed = responses * config.data.max_tokens
    if config.learner.row_tokens >= needed:
        return None
    return (
        f"learner.row_tokens={config.learner.row_tokens}: must hold {responses} of at most "
        f"data.max_tokens={config.data.max_tokens} tokens, {needed}; raise the former or lower the "
        "latter"
    )


def preferences_fit_model(config: RewardModelConfig) -> str | None:
    if isinstance(config.model, FolderModel) or isinstance(config.data, NanoPreferences):
        return None
    return (
        f"data.kind={config.data.kind}: the nano model's vocabulary covers data=nano_preferences "
        "only; choose model=folder"
    )


def preference_file_is_there(config: RewardModelConfig) -> str | None:
    if not isinstance(config.data, PreferenceData):
        return None
    if Path(config.data.path).expanduser().is_file():
        return None
    return f"data.path={config.data.path}: no such file; name a .jsonl file"


SETTING_CHECKS: list[Callable[[RlConfig], str | None]] = [
    batch_divides,
    rows_hold_longest_sample,
    schedule_starts_after_first_update,
    enough_problems,
    enough_heldout_problems,
    prompts_for_every_sampler,
    wave_within_step,
    correction_needs_learner_log_probs,
    rloo_has_one_update,
    reward_has_a_part,
    expert_parallel_divides_ranks,
    warmup_within_run,
    device_has_what_it_needs,
    prefixes_are_shared_on_the_cpu,
    data_fits_model,
    rules_can_check_the_data,
    general_prompts_have_models,
    both_kinds_of_prompts_in_a_step,
]

FILE_CHECKS: list[Callable[[RlConfig], str | None]] = [
    model_folder_is_complete,
    expert_parallel_divides_experts,
    data_file_has_rows,
    problem_data_is_there,
    general_prompts_are_there,
    local_run_is_on_one_machine,
    run_dir_is_writable,
]


SFT_SETTING_CHECKS: list[Callable[[SftConfig], str | None]] = [
    rows_hold_longest_sequence,
    expert_parallel_divides_ranks,
    prefixes_are_shared_on_the_cpu,
]

SFT_FILE_CHECKS: list[Callable[[SftConfig], str | None]] = [
    model_folder_is_complete,
    expert_parallel_divides_experts,
    chat_data_is_there,
    local_run_is_on_one_machine,
    run_dir_is_writable,
]

REWARD_MODEL_SETTING_CHECKS: list[Callable[[RewardModelConfig], str | None]] = [
    rows_hold_longest_pair,
    expert_parallel_divides_ranks,
    preferences_fit_model,
]

REWARD_MODEL_FILE_CHECKS: list[Callable[[RewardModelConfig], str | None]] = [
    model_folder_is_complete,
    expert_parallel_divides_experts,
    preference_file_is_there,
    local_run_is_on_one_machine,
    run_dir_is_writable,
]


DATA_SETTING_CHECKS: list[Callable[[SampledDataConfig], str | None]] = [
    data_fits_model,
    *DATA_MAKING_CHECKS,
]

DATA_FILE_CHECKS: list[Callable[[SampledDataConfig], str | None]] = [
    model_folder_is_complete,
    problem_data_is_there,
    local_run_is_on_one_machine,
    run_dir_is_writable,
]


def _nearest_divisor(number: int, to: int) -> int:
    return min((n for n in range(1, number + 1) if number % n == 0), key=lambda n: abs(n - to))
