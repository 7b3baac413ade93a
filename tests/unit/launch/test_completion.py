"""Completion as the shells do it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from launch.cli import make_parser
from launch.completion import script, words_by_command

COMPLETE = """
source "$1"
shift
COMP_LINE="$1" COMP_POINT=${#1}
read -ra COMP_WORDS <<< "$1"
[[ $1 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_launch
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "launch.bash"
    path.write_text(script("bash", make_parser()))
    return path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("launch pl", ["plan"]),
        ("launch run r1_z", ["r1_zero", "r1_zero_64k"]),
        ("launch run r1_zero model=nano_v", ["nano_v3"]),
        ("launch run algorithm.loss=gs", ["gspo"]),
        ("launch plan learner.gradient_ch", ["learner.gradient_checkpointing=true",
                                            "learner.gradient_checkpointing=false"]),
        ("launch check learner.learning_r", ["learner.learning_rate="]),
        ("launch run --dr", ["--dry-run"]),
        ("launch completion z", ["zsh"]),
        ("launch sandbox ser", ["serve"]),
        ("launch eval folder max_tok", ["max_tokens="]),
        ("launch status model=", [""]),
    ],
)  # fmt: skip
def test_bash(bash: Path, line: str, expected: list[str]) -> None:
    done = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", str(bash), line], capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == expected


def test_every_command_and_what_users_never_choose() -> None:
    words = words_by_command(make_parser())
    assert set(words) - {""} == set(words[""]) - {"--help"}
    assert not any(word.startswith("scale=") for word in words["run"])
    assert not any(set(word) & set("'\"$`\\ ;&|") for all in words.values() for word in all)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_can_read_their_script(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script(shell, make_parser()))
    done = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
