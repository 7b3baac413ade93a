"""Memory of learners on CPUs: freed memory is kept for the next tensors and given back when it is
told to, and the programs that are compiled for shapes do not pile up."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from configs.compose import load_config
from launch.workers import worker_environment
from model.host_memory import FEW_PROGRAMS, KEEP, LEARNER_ENVIRONMENT

SCRIPT = """
from pathlib import Path
import torch
from model.host_memory import return_free

def resident_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

first, last = torch.ones(40 * 2**20), torch.ones(1)
before = resident_mib()
del first
freed = resident_mib()
return_free()
print(before - freed, freed - resident_mib())
"""
"""A tensor of 160 MiB with something behind it."""


def freed_mib(environment: dict[str, str]) -> tuple[float, float]:
    """MiB that leave the process when the tensor is freed, and when it is told to give it back."""
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    at_once, later = map(float, done.stdout.split())
    return at_once, later


def test_memory_stays_until_it_is_given_back() -> None:
    at_once, later = freed_mib(KEEP)
    assert at_once < 10
    assert later > 150


def test_control_without_it_memory_leaves_at_once() -> None:
    at_once, _ = freed_mib({})
    assert at_once > 150


SHAPES = """
from pathlib import Path
import torch
from model.host_memory import return_free

def resident_mib():
    return_free()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

torch.set_num_threads(1)
weights = [torch.randn(64 * i, 128, dtype=torch.bfloat16, requires_grad=True) for i in range(1, 9)]

def train(num_tokens):
    x = torch.randn(num_tokens, 128, dtype=torch.bfloat16, requires_grad=True)
    sum((x @ weight.T).sum() for weight in weights).backward()

for num_tokens in range(100, 104):
    train(num_tokens)
before = resident_mib()
for num_tokens in range(104, 124):
    train(num_tokens)
print(resident_mib() - before)
"""
"""Growth while twenty new lengths of rows are trained on."""


def growth_mib(environment: dict[str, str]) -> float:
    command = [sys.executable, "-c", SHAPES]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_compiled_programs_do_not_pile_up() -> None:
    without = growth_mib({})
    if without < 30:
        pytest.skip(f"{without:.0f} MiB: on this CPU nothing is compiled for bfloat16 products")
    assert growth_mib(FEW_PROGRAMS) < without / 4


def test_learners_on_cpus_have_both() -> None:
    config = load_config([])
    assert worker_environment(config, "learner", 0, 1).items() >= LEARNER_ENVIRONMENT.items()
    assert not worker_environment(config, "sampler", 0, 1).keys() & LEARNER_ENVIRONMENT.keys()
