"""What the project promises about itself: who imports what, and lists that are complete."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from configs.checks import SMOLLM2_FOLDER
from configs.compose import load_config
from configs.facts import NANO_MAX_PROMPT_TOKENS
from configs.schema import FolderModel
from recipes.nano_tokenizer import build_tokenizer
from recipes.nano_world import draw_problems

ROOT = Path(__file__).parents[2]

LEFT_OUT = {"torch", "torchvision", "torchaudio", "torchcodec", "triton"}
"""torch is installed first, by itself; why the others must not come is said in the list's head."""


def pinned(name: str) -> dict[str, str]:
    lines = (ROOT / "launch" / name).read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(package): version for package, version in pairs}


def needed_by(package: str) -> set[str]:
    requirements = [Requirement(line) for line in requires(package) or []]
    return {
        canonicalize_name(each.name)
        for each in requirements
        if each.marker is None or each.marker.evaluate({"extra": ""})
    }


def test_import_contracts_hold() -> None:
    program = (
        "from importlinter.cli import lint_imports_command; lint_imports_command(['--no-cache'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", ["configs", "rewards"])
def test_settings_and_rewards_load_without_torch(package: str) -> None:
    program = f"""
import importlib, pkgutil, sys, {package}
for module in pkgutil.walk_packages({package}.__path__, "{package}."):
    importlib.import_module(module.name)
print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_core_needs_torch_and_the_standard_library_only() -> None:
    allowed = {*sys.stdlib_module_names, "torch", "rl", "configs"}
    for file in (ROOT / "rl").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            assert {name.partition(".")[0] for name in names} <= allowed, file


def test_the_pinned_list_is_complete_and_free_of_what_must_not_come() -> None:
    packages = pinned("requirements-cpu.txt")
    assert not set(packages) & LEFT_OUT
    missing = {
        (package, needed)
        for package in [*packages, "r1-foundry"]
        for needed in needed_by(package) - set(packages) - LEFT_OUT
    }
    assert missing == set()


def test_no_prompt_of_the_nano_world_is_longer_than_the_checks_assume() -> None:
    tokenizer = build_tokenizer()
    problems = draw_problems(1000, heldout=False, seed=0)
    longest = max(len(tokenizer.encode(problem.prompt)) for problem in problems)
    assert longest <= NANO_MAX_PROMPT_TOKENS


def test_the_checks_know_where_smollm2_is() -> None:
    model = load_config(["model=smollm2_135m"]).model
    assert isinstance(model, FolderModel)
    assert model.path == SMOLLM2_FOLDER
