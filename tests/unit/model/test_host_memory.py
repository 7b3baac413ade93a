"""Freed memory: kept by the process for its next tensors, and given back when it is told to."""

from __future__ import annotations

import os
import subprocess
import sys

from configs.compose import load_config
from launch.workers import worker_environment
from model.host_memory import KEEP

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


def test_learners_on_cpus_keep_memory() -> None:
    config = load_config([])
    assert worker_environment(config, "learner", 0, 1).items() >= KEEP.items()
    assert not worker_environment(config, "sampler", 0, 1).keys() & KEEP.keys()
