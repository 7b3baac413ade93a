"""Run a function in the processes of a learner group, with the results handed back."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import multiprocessing


def run_ranks(function: Callable[..., Any], num_ranks: int, *arguments: Any) -> list[Any]:
    """[function(rank, address, *arguments) for each rank], each in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(_entry, (function, address, arguments, folder), nprocs=num_ranks)
        return [torch.load(Path(folder) / str(r), weights_only=False) for r in range(num_ranks)]


def _entry(
    rank: int, function: Callable[..., Any], address: str, arguments: tuple[Any, ...], folder: str
) -> None:
    torch.set_num_threads(1)
    torch.save(function(rank, address, *arguments), Path(folder) / str(rank))
