"""Threads, devices and ports of the processes."""

from __future__ import annotations

import socket
from collections import defaultdict

import pytest

from configs.clusters import LocalCluster, SlurmCluster
from configs.errors import UserError
from configs.schema import RlLearner, RolloutSettings
from launch.cluster import free_port
from launch.workers import node_of, threads_per_process, worker_environment
from tests.loop.fakes import make_config

VISIBLE = "CUDA_VISIBLE_DEVICES"


def test_threads_are_shared_among_processes_of_one_kind() -> None:
    config = make_config().model_copy(update={"cluster": LocalCluster(threads=8)})
    assert [threads_per_process(config, n) for n in (1, 2, 3, 16)] == [8, 4, 2, 1]
    assert worker_environment(config, "learner", 0, 2)["OMP_NUM_THREADS"] == "4"


def test_cpu_workers_see_no_gpu() -> None:
    environment = worker_environment(make_config(), "sampler", 0, 1)
    assert environment["CUDA_VISIBLE_DEVICES"] == "" and environment["DS_ACCELERATOR"] == "cpu"


@pytest.mark.parametrize("deterministic", [True, False])
def test_deterministic_workers_have_a_deterministic_flash_attention(
    deterministic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As transformers calls it."""
    from transformers import modeling_flash_attention_utils as flash

    config = make_config().model_copy(
        update={"cluster": LocalCluster(device="cuda"), "deterministic": deterministic}
    )
    for name, value in worker_environment(config, "learner", 0, 1).items():
        monkeypatch.setenv(name, value)
    arguments = flash._process_flash_attention_kwargs(
        8, 8, is_causal=True, supports_mapping=defaultdict(bool, deterministic=True)
    )
    assert arguments["deterministic"] is deterministic


def test_gpus_are_shared_by_rank_i_and_the_sampler_that_covers_it() -> None:
    config = make_config().model_copy(
        update={
            "cluster": LocalCluster(device="cuda"),
            "rollout": RolloutSettings(tensor_parallel=2, transfer="ipc"),
        }
    )
    ranks = [worker_environment(config, "learner", i, 4)["CUDA_VISIBLE_DEVICES"] for i in range(4)]
    samplers = [
        worker_environment(config, "sampler", i, 2)["CUDA_VISIBLE_DEVICES"] for i in range(2)
    ]
    assert ranks == ["0", "1", "2", "3"] and samplers == ["0,1", "2,3"]


def test_a_split_gives_samplers_the_gpus_after_the_learner() -> None:
    """Three ranks and engines of two GPUs: no engine lies across two machines."""
    cluster = SlurmCluster(device="cuda", nodes=2, devices_per_node=4, placement="split")
    config = make_config().model_copy(
        update={
            "cluster": cluster,
            "learner": RlLearner(ranks=3),
            "rollout": RolloutSettings(tensor_parallel=2, transfer="nccl"),
        }
    )

    def places(role: str, count: int) -> list[tuple[int, str]]:
        return [
            (node_of(config, role, i), worker_environment(config, role, i, count)[VISIBLE])
            for i in range(count)
        ]

    assert places("learner", 3) == [(0, "0"), (0, "1"), (0, "2")]
    assert places("sampler", 2) == [(1, "0,1"), (1, "2,3")]


def test_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cluster.rendezvous_port={port}: cannot be used"):
            free_port("127.0.0.1", port)
    assert free_port("127.0.0.1") > 0


def test_several_machines_on_cpus_keep_learner_and_samplers_apart() -> None:
    def nodes(role: str, count: int) -> list[int]:
        return [node_of(config, role, index) for index in range(count)]

    config = make_config().model_copy(update={"cluster": SlurmCluster(nodes=3, threads=8)})
    assert nodes("learner", 5) == [0, 1, 2, 0, 1]
    assert nodes("sampler", 4) == [2, 1, 0, 2]
    assert threads_per_process(config, 5) == 4  # two on a machine


def test_gpus_are_counted_through_the_machines() -> None:
    config = make_config().model_copy(
        update={
            "cluster": SlurmCluster(device="cuda", nodes=2, devices_per_node=4),
            "rollout": RolloutSettings(tensor_parallel=2, transfer="nccl"),
        }
    )
    places = [
        (node_of(config, role, i), worker_environment(config, role, i, n)["CUDA_VISIBLE_DEVICES"])
        for role, n in (("learner", 8), ("sampler", 4))
        for i in range(n)
    ]
    assert places == [
        *[(0, "0"), (0, "1"), (0, "2"), (0, "3"), (1, "0"), (1, "1"), (1, "2"), (1, "3")],
        *[(0, "0,1"), (0, "2,3"), (1, "0,1"), (1, "2,3")],
    ]
