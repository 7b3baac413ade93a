"""Cross-field rules: each is broken once on its own, and the shipped options break none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.checks import (
    SETTING_CHECKS,
    SFT_SETTING_CHECKS,
    check_files,
    check_settings,
)
from configs.compose import group_options, load_config
from configs.errors import UserError
from configs.facts import is_hub_name

GSM8K = ["model=smollm2_135m", "data=gsm8k", "data.path=x.jsonl"]


@pytest.mark.parametrize("model", ["nano_v3", "smollm2_135m"])
@pytest.mark.parametrize("algorithm", group_options()["algorithm"])
def test_shipped_options_fit_together(model: str, algorithm: str) -> None:
    data = GSM8K[1:] if model == "smollm2_135m" else []
    check_settings(load_config([f"model={model}", f"algorithm={algorithm}", *data]))


def test_gpu_cluster_fits_together() -> None:
    check_settings(load_config(["cluster=local_gpu", "learner.dtype=bfloat16"]))


SFT = ["recipe=sft", "data.path=x.jsonl"]


@pytest.mark.parametrize("model", ["nano_v3", "smollm2_135m"])
@pytest.mark.parametrize("data", ["data=chat", "data=nano_solutions"])
def test_shipped_fine_tuning_fits_together(model: str, data: str) -> None:
    path = ["data.path=x.jsonl"] if data == "data=chat" else []
    check_settings(load_config(["recipe=sft", f"model={model}", data, *path]))


BROKEN_SFT = {
    "rows_hold_longest_sequence": ["learner.row_tokens=512"],
    "expert_parallel_divides_ranks": ["learner.ranks=3", "learner.expert_parallel=2"],
    "prefixes_are_shared_on_the_cpu": [
        *("cluster.device=cuda", "learner.dtype=bfloat16", "learner.share_prefixes=true"),
    ],
    "float32_is_on_the_cpu": ["cluster.device=cuda", "learner.dtype=float32"],
}


def test_every_check_of_fine_tuning_is_broken_below() -> None:
    assert {check.__name__ for check in SFT_SETTING_CHECKS} == set(BROKEN_SFT)


@pytest.mark.parametrize("check", BROKEN_SFT)
def test_each_check_of_fine_tuning_reports_its_mistake(check: str) -> None:
    with pytest.raises(UserError) as caught:
        check_settings(load_config([*SFT, "data.max_tokens=1024", *BROKEN_SFT[check]]))
    (line,) = str(caught.value).splitlines()
    assert BROKEN_SFT[check][-1].split("=")[0] in line


BROKEN = {
    "batch_divides": ["learner.mini_batches=7"],
    "rows_hold_longest_sample": ["learner.row_tokens=80", "rollout.max_tokens=64"],
    "schedule_starts_after_first_update": ["rollout.max_tokens_schedule={0: 50}"],
    "enough_problems": ["data.train_problems=63"],
    "enough_heldout_problems": ["recipe.eval_problems=257"],
    "prompts_for_every_sampler": ["rollout.samplers=65"],
    "wave_within_step": ["rollout.wave_prompts=65"],
    "nucleus_needs_learner_log_probs": ["rollout.top_p=0.9"],
    "correction_needs_learner_log_probs": ["algorithm.importance_correction=token"],
    "rloo_has_one_update": ["algorithm.loss=rloo"],
    "reward_has_a_part": ["reward.accuracy=0.0", "reward.format=0.0"],
    "expert_parallel_divides_ranks": ["learner.ranks=3", "learner.expert_parallel=2"],
    "warmup_within_run": ["learner.warmup_updates=160"],
    "device_has_what_it_needs": ["rollout.transfer=nccl"],
    "split_devices_are_enough": ["cluster.placement=split"],
    "only_devices_of_their_own_run_ahead": [
        *("rollout.max_staleness=1", "cluster=local_gpu", "learner.dtype=bfloat16"),
    ],
    "transfer_fits_placement": [
        *("rollout.transfer=nccl", "cluster=local_gpu", "learner.dtype=bfloat16"),
    ],
    "prefixes_are_shared_on_the_cpu": [
        *("learner.share_prefixes=true", "cluster=local_gpu", "learner.dtype=bfloat16"),
    ],
    "float32_is_on_the_cpu": ["learner.dtype=float32", "cluster=local_gpu"],
    "data_fits_model": ["data=gsm8k", "data.path=x", "data.max_prompt_tokens=64"],
    "rules_can_check_the_data": [
        *("data.checker=judge", "model=smollm2_135m", "data=problems", "data.path=x"),
        "data.max_prompt_tokens=64",
    ],
    "general_prompts_have_models": ["data.general=nano", "reward.helpful_model=x"],
    "both_kinds_of_prompts_in_a_step": [
        *("recipe.general_share=0.001", "data.general=nano"),
        *("reward.helpful_model=x", "reward.safety_model=x"),
    ],
}


def test_every_check_is_broken_below() -> None:
    assert {check.__name__ for check in SETTING_CHECKS} == set(BROKEN)


@pytest.mark.parametrize("check", SETTING_CHECKS, ids=lambda check: check.__name__)
def test_each_check_alone_reports_its_mistake(check) -> None:
    overrides = BROKEN[check.__name__]
    with pytest.raises(UserError) as caught:
        check_settings(load_config(["rollout.prompts_per_step=64", "recipe.steps=40", *overrides]))
    (line,) = str(caught.value).splitlines()
    assert overrides[0].split("=")[0] in line or "data.kind" in line or "prompts_per_step" in line


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["cluster.device=cuda"], "rollout.transfer=ray"),
        (["rollout.tensor_parallel=2"], "rollout.tensor_parallel=2"),
        (["learner.offload=true"], "learner.offload=true"),
    ],
)
def test_devices(overrides: list[str], named: str) -> None:
    with pytest.raises(UserError, match=named):
        check_settings(load_config(overrides))


SPLIT = [
    *("cluster=local_gpu", "cluster.placement=split", "cluster.devices_per_node=8"),
    *("rollout.transfer=nccl", "rollout.max_staleness=1", "rollout.tensor_parallel=2"),
    *("learner.dtype=bfloat16", "learner.ranks=3", "learner.offload=false"),
    *("rollout.prompts_per_step=64", "recipe.steps=40"),
]


def test_a_split_may_run_ahead_and_needs_gpus_for_both() -> None:
    """Engines of two GPUs begin at the fourth: two of them have a place behind three ranks."""
    check_settings(load_config([*SPLIT, "rollout.samplers=2"]))
    with pytest.raises(UserError, match="3 samplers of 2 GPUs need 10, and there are 8"):
        check_settings(load_config([*SPLIT, "rollout.samplers=3"]))


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("learner.offload=true", "learner.offload=true: with cluster.placement=split"),
        ("rollout.transfer=ipc", "rollout.transfer=ipc: needs the same GPU"),
        ("cluster.device=cpu", "cluster.placement=split: is about GPUs"),
    ],
)
def test_what_a_split_excludes(word: str, named: str) -> None:
    with pytest.raises(UserError, match=named):
        check_settings(load_config([*SPLIT, word]))


GPU_CLUSTERS = [
    name for name in group_options()["cluster"] if name not in ("local", "slurm", "kubernetes")
]


@pytest.mark.parametrize("cluster", GPU_CLUSTERS)
def test_weights_reach_the_samplers_of_every_gpu_cluster(cluster: str) -> None:
    """Each GPU of a sampler needs the learner rank that is on it."""
    run = [f"cluster={cluster}", "rollout.samplers=2", "rollout.tensor_parallel=2"]
    run += ["learner.dtype=bfloat16", "rollout.prompts_per_step=64", "recipe.steps=40"]
    if cluster == "kubernetes_gpu":
        run += ["cluster.image=x", "cluster.runs_claim=x"]
    check_settings(load_config([*run, "learner.ranks=4"]))
    with pytest.raises(UserError, match=r"learner.ranks=3 is below .* = 4; set learner.ranks=4"):
        check_settings(load_config([*run, "learner.ranks=3"]))


def test_batch_arithmetic_names_the_nearest_divisor() -> None:
    with pytest.raises(UserError, match="64 x 16 = 1024; the nearest that does is 8"):
        check_settings(load_config(["rollout.prompts_per_step=64", "learner.mini_batches=7"]))


def test_rows_must_hold_what_the_schedule_reaches_and_no_more() -> None:
    run = ["recipe.steps=10", "learner.mini_batches=4", "learner.row_tokens=1024"]
    check_settings(load_config([*run, "rollout.max_tokens_schedule={41: 2000}"]))
    with pytest.raises(UserError, match=r"32 \+ 2000 = 2032 tokens"):
        check_settings(load_config([*run, "rollout.max_tokens_schedule={40: 2000}"]))


def test_every_broken_rule_is_named_at_once() -> None:
    with pytest.raises(UserError) as caught:
        check_settings(load_config(["learner.mini_batches=7", "rollout.tensor_parallel=2"]))
    assert len(str(caught.value).splitlines()) == 2


def model_folder(folder: Path, **config: int) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").touch()
    (folder / "tokenizer.json").touch()
    return folder


def files_error(*overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        check_files(load_config(overrides))
    (line,) = str(caught.value).splitlines()
    return line


def test_a_complete_model_folder_passes(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    check_files(load_config(["model=folder", f"model.path={folder}", f"run_dir={tmp_path}/run"]))


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("config.json", "no config.json"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
    ],
)
def test_an_incomplete_model_folder_is_refused(tmp_path: Path, missing: str, named: str) -> None:
    folder = model_folder(tmp_path / "m")
    (folder / missing).unlink()
    assert named in files_error("model=folder", f"model.path={folder}", f"run_dir={tmp_path}/run")


def test_a_missing_model_folder_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no such folder" in files_error("model=folder", "model.path=/nowhere")
    assert "launch prepare smollm2_135m" in files_error("model=smollm2_135m")
    on_the_hub = files_error("model=folder", "model.path=Qwen/Qwen2.5-0.5B")
    assert "hf download Qwen/Qwen2.5-0.5B --local-dir FOLDER" in on_the_hub


def test_expert_parallel_must_divide_the_experts(tmp_path: Path) -> None:
    moe = ["model=folder", "learner.ranks=3", "learner.expert_parallel=3"]
    moe.append(f"run_dir={tmp_path}/run")
    good = model_folder(tmp_path / "six", n_routed_experts=6)
    check_files(load_config([*moe, f"model.path={good}"]))
    bad = model_folder(tmp_path / "eight", n_routed_experts=8)
    assert "which is 8" in files_error(*moe, f"model.path={bad}")
    dense = model_folder(tmp_path / "dense")
    assert "which is 0" in files_error(*moe, f"model.path={dense}")


def test_a_data_file_must_be_there_and_long_enough(tmp_path: Path) -> None:
    folder, file = model_folder(tmp_path / "m"), tmp_path / "rows.jsonl"
    run = ["model=folder", f"model.path={folder}", "data=gsm8k", f"data.path={file}"]
    run += ["data.heldout_problems=2", "rollout.prompts_per_step=2", f"run_dir={tmp_path}/run"]
    assert "no such file" in files_error(*run)
    file.write_text("\n\n")
    assert "has 0 rows, and at least 4 are needed" in files_error(*run)
    file.write_text("{}\n" * 4)
    check_files(load_config(run))


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (["recipe=r1_zero"], "data.kind=nano: is of the nano world"),
        (["recipe=sft", "data=nano_solutions"], "data.kind=nano_solutions: is of the nano world"),
        (
            ["recipe=r1/reward_safety", "data=nano_preferences"],
            "data.kind=nano_preferences: is of the nano world",
        ),
        (["recipe=r1/cold_start_data"], "data.kind=nano: is of the nano world"),
    ],
)
def test_the_nano_world_is_for_its_vocabulary(
    tmp_path: Path, recipe: list[str], expected: str
) -> None:
    real = model_folder(tmp_path / "real", vocab_size=151936)
    nano = model_folder(tmp_path / "nano", vocab_size=320)
    run = [*recipe, "model=folder", f"run_dir={tmp_path}/run"]
    assert files_error(*run, f"model.path={real}").startswith(expected)
    check_files(load_config([*run, f"model.path={nano}"]))


def test_conversations_must_be_there_or_on_the_hub(tmp_path: Path) -> None:
    run = ["recipe=sft", f"run_dir={tmp_path}/run"]
    assert "no such file" in files_error(*run, f"data.path={tmp_path}/no.jsonl")
    assert "no such file" in files_error(*run, "data.path=owner/no.parquet")
    check_files(load_config([*run, "data.path=owner/name"]))
    (tmp_path / "yes.jsonl").touch()
    check_files(load_config([*run, f"data.path={tmp_path}/yes.jsonl"]))


def test_the_run_folder_must_be_a_folder_one_can_write(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert "is a file" in files_error(f"run_dir={file}")
    assert "cannot be written" in files_error(f"run_dir={file}/below")


def test_nothing_is_written_by_checking(tmp_path: Path) -> None:
    check_files(load_config([f"run_dir={tmp_path}/a/b"]))
    assert list(tmp_path.iterdir()) == []


def test_hub_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "local").mkdir()
    assert is_hub_name("Qwen/Qwen2.5-0.5B")
    for path in ["/a/b", "./a", "../a", "~/a", "a", "models/x", "local/x", "a/b/c", "a/"]:
        assert not is_hub_name(path), path
