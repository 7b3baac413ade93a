"""Rules that span several settings or look at files, run before anything heavy is imported.

Each check is a named function that returns one line (setting, value, what is allowed, what to do)
or None. Checks never change a setting.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from configs.data_checks import (
    DATA_MAKING_CHECKS,
    chat_data_is_there,
    general_rows_are_there,
    nano_data_has_a_nano_model,
    problem_data_is_there,
    rules_can_check_the_data,
)
from configs.data_sets import NanoData
from configs.errors import UserError
from configs.facts import is_hub_name, model_facts
from configs.kubernetes import KubernetesCluster
from configs.kubernetes_checks import KUBERNETES_CHECKS
from configs.rl_checks import (
    batch_divides,
    both_kinds_of_prompts_in_a_step,
    correction_needs_learner_log_probs,
    data_file_has_rows,
    device_has_what_it_needs,
    enough_heldout_problems,
    enough_problems,
    general_prompts_are_there,
    general_prompts_have_models,
    nucleus_needs_learner_log_probs,
    only_devices_of_their_own_run_ahead,
    prompts_for_every_sampler,
    reward_has_a_part,
    rloo_has_one_update,
    rows_hold_longest_sample,
    schedule_starts_after_first_update,
    split_devices_are_enough,
    transfer_fits_placement,
    warmup_within_run,
    wave_within_step,
)
from configs.schema import (
    AnyRunConfig,
    FolderModel,
    NanoModel,
    RewardModelConfig,
    RlConfig,
    RunConfig,
    SampledDataConfig,
    SftConfig,
)
from configs.supervised_checks import (
    pair_judge_is_named,
    preference_file_is_there,
    preferences_fit_model,
    rows_hold_longest_pair,
    rows_hold_longest_sequence,
    verdicts_are_in_both_orders,
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
        findings += [check(config, config.cluster) for check in KUBERNETES_CHECKS]
    _report(findings)


def check_files(config: AnyRunConfig, *, in_pods: bool = False, made: Collection[str] = ()) -> None:
    """Whether what the run reads is there and what it writes can be written. On Kubernetes, only
    the driver can look at what there is in the pods.

    made: settings that name what other runs are still to make.
    """
    waits = {check for setting in made for check in LOOK_AT.get(setting, ())}
    if isinstance(config.cluster, KubernetesCluster) and not in_pods:
        _report([run_dir_is_writable(config)])
    elif isinstance(config, SampledDataConfig):
        _report([check(config) for check in DATA_FILE_CHECKS if check not in waits])
    elif isinstance(config, RewardModelConfig):
        _report([check(config) for check in REWARD_MODEL_FILE_CHECKS if check not in waits])
    elif isinstance(config, SftConfig):
        _report([check(config) for check in SFT_FILE_CHECKS if check not in waits])
    else:
        _report([check(config) for check in FILE_CHECKS if check not in waits])


def _report(findings: list[str | None]) -> None:
    problems = [finding for finding in findings if finding is not None]
    if problems:
        raise UserError("\n".join(problems))


def expert_parallel_divides_ranks(config: RunConfig) -> str | None:
    learner = config.learner
    if learner.ranks % learner.expert_parallel == 0:
        return None
    return (
        f"learner.expert_parallel={learner.expert_parallel}: must divide learner.ranks="
        f"{learner.ranks}; lower it or add ranks"
    )


def prefixes_are_shared_on_the_cpu(config: RunConfig) -> str | None:
    if config.learner.share_prefixes and config.cluster.device == "cuda":
        return "learner.share_prefixes=true: needs cluster.device=cpu; on GPUs set it to false"
    return None


def float32_is_on_the_cpu(config: RunConfig) -> str | None:
    if config.learner.dtype == "float32" and config.cluster.device == "cuda":
        return (
            "learner.dtype=float32: flash attention, which the learner has on cluster.device=cuda, "
            "takes bfloat16 alone; set learner.dtype=bfloat16"
        )
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


SETTING_CHECKS: list[Callable[[RlConfig], str | None]] = [
    batch_divides,
    rows_hold_longest_sample,
    schedule_starts_after_first_update,
    enough_problems,
    enough_heldout_problems,
    prompts_for_every_sampler,
    wave_within_step,
    correction_needs_learner_log_probs,
    nucleus_needs_learner_log_probs,
    rloo_has_one_update,
    reward_has_a_part,
    expert_parallel_divides_ranks,
    warmup_within_run,
    device_has_what_it_needs,
    split_devices_are_enough,
    transfer_fits_placement,
    only_devices_of_their_own_run_ahead,
    prefixes_are_shared_on_the_cpu,
    float32_is_on_the_cpu,
    data_fits_model,
    rules_can_check_the_data,
    general_prompts_have_models,
    both_kinds_of_prompts_in_a_step,
]

FILE_CHECKS: list[Callable[[RlConfig], str | None]] = [
    model_folder_is_complete,
    expert_parallel_divides_experts,
    data_file_has_rows,
    nano_data_has_a_nano_model,
    problem_data_is_there,
    general_prompts_are_there,
    local_run_is_on_one_machine,
    run_dir_is_writable,
]


SFT_SETTING_CHECKS: list[Callable[[SftConfig], str | None]] = [
    rows_hold_longest_sequence,
    expert_parallel_divides_ranks,
    prefixes_are_shared_on_the_cpu,
    float32_is_on_the_cpu,
]

SFT_FILE_CHECKS: list[Callable[[SftConfig], str | None]] = [
    model_folder_is_complete,
    expert_parallel_divides_experts,
    nano_data_has_a_nano_model,
    chat_data_is_there,
    local_run_is_on_one_machine,
    run_dir_is_writable,
]

REWARD_MODEL_SETTING_CHECKS: list[Callable[[RewardModelConfig], str | None]] = [
    rows_hold_longest_pair,
    expert_parallel_divides_ranks,
    float32_is_on_the_cpu,
    preferences_fit_model,
    pair_judge_is_named,
    verdicts_are_in_both_orders,
]

REWARD_MODEL_FILE_CHECKS: list[Callable[[RewardModelConfig], str | None]] = [
    model_folder_is_complete,
    expert_parallel_divides_experts,
    nano_data_has_a_nano_model,
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
    nano_data_has_a_nano_model,
    problem_data_is_there,
    general_rows_are_there,
    local_run_is_on_one_machine,
    run_dir_is_writable,
]

LOOK_AT: Mapping[str, Collection[Callable[..., str | None]]] = {
    "model": (model_folder_is_complete, expert_parallel_divides_experts),
    "data.path": (chat_data_is_there,),
    "run_dir": (run_dir_is_writable,),
}
"""Setting -> the checks that look at what it names on the disk, of those that a stage of a pipeline
is given by others."""
