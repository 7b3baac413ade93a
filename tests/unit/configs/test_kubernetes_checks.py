"""What cannot work on Kubernetes is said in one line before anything is submitted."""

from __future__ import annotations

import pytest

from configs.checks import check_settings
from configs.compose import load_config
from configs.errors import UserError

PLAIN = ("r1_zero", "cluster=kubernetes", "cluster.image=r1:1", "cluster.runs_claim=runs")
FOLDER = ("model=folder", "data=gsm8k", "learner.row_tokens=40000")


def check(*words: str) -> None:
    check_settings(load_config([f"recipe={PLAIN[0]}", *PLAIN[1:], *words]))


def test_the_nano_run_is_fine() -> None:
    check()


def test_files_below_a_claim_are_fine() -> None:
    check(*FOLDER, "cluster.more_claims={m: /m}", "model.path=/m/a", "data.path=/runs/a.jsonl")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        # 2 ranks, 2 samplers and 1 reward actor.
        (["cluster.pod_cpus=4"], "cluster.pod_cpus=4: one pod gets 5 actors (learner ranks, "),
        (
            ["cluster.shared_memory_gib=64"],
            "cluster.shared_memory_gib=64: must be below cluster.host_memory_gib=64",
        ),
        (["cluster.env={HF_TOKEN: hf_abc}"], "cluster.env: HF_TOKEN looks like a secret"),
        (["cluster.env={WANDB_API_KEY: abc}"], "cluster.env: WANDB_API_KEY looks like a secret"),
        (["cluster.tolerations=[gpu]"], "cluster.tolerations=gpu: must be KEY:EFFECT or"),
        (["cluster.tolerations=['a:Never']"], "cluster.tolerations=a:Never: must be"),
        (["cluster.runs_path=runs"], "runs: where pods have a claim must be an absolute path"),
        (["cluster.more_claims={m: /runs}"], "/runs: two volumes of the pods cannot be in the"),
        (["cluster.more_claims={m: /tmp}"], "/tmp: two volumes of the pods cannot be in the"),
        (
            [*FOLDER, "model.path=/runs/a", "data.path=a.jsonl"],
            "data.path=a.jsonl: must be a path in the pods, below one of their claims (/runs)",
        ),
        (
            [*FOLDER, "model.path=models/a", "data.path=/runs/a.jsonl"],
            "model.path=models/a: must be a path in the pods",
        ),
    ],
)
def test_a_mistake_is_one_line(words: list[str], expected: str) -> None:
    with pytest.raises(UserError) as raised:
        check(*words)
    assert str(raised.value).startswith(expected)
    assert len(str(raised.value).splitlines()) == 1


def test_names_that_hold_no_secret_are_fine() -> None:
    check("cluster.env={NCCL_SOCKET_IFNAME: eth0, TOKENIZERS_PARALLELISM: 'false'}")
