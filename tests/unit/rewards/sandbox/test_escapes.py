"""The hostile programs against both tiers, started by root and by an ordinary user."""

from __future__ import annotations

from typing import Any

import pytest

from rewards.sandbox.inside.protocol import Tier
from tests.unit.rewards.sandbox.escapes import ESCAPES
from tests.unit.rewards.sandbox.machine import need, run_python

pytestmark = pytest.mark.integration

MODULE = "tests.unit.rewards.sandbox.attack"
EXPECTED = {escape.name: escape.status for escape in ESCAPES}
NEXT_PRINTS = "42 []\n"


def verdict(result: dict[str, Any]) -> list[str]:
    """All that is wrong with how a program ended."""
    expected = EXPECTED[result["name"]]
    wrong = {
        "got through": result["escaped"],
        "did harm": bool(result["harm"]),
        "harmed the next job": result["next"] != NEXT_PRINTS,
        "broke the sandbox": result["status"] == "sandbox_error",
        f"is not {expected}": expected is not None and result["status"] != expected,
    }
    return [reason for reason, holds in wrong.items() if holds]


def test_there_are_enough_programs_and_their_names_are_unique() -> None:
    assert len(EXPECTED) == len(ESCAPES) >= 130


@pytest.mark.parametrize("user", ["root", "user"])
@pytest.mark.parametrize("tier", [Tier.NAMESPACES, Tier.LANDLOCK])
def test_no_program_gets_through(tier: Tier, user: str) -> None:
    need(tier)
    results = run_python(["-m", MODULE, tier], user)
    assert {result["name"] for result in results} == set(EXPECTED)
    failures = [(reasons, result) for result in results if (reasons := verdict(result))]
    assert failures == []


@pytest.mark.parametrize("user", ["root", "user"])
def test_without_a_jail_the_programs_do_get_through(user: str) -> None:
    results = run_python(["-m", MODULE, Tier.NONE, "control"], user)
    assert len(results) == sum(escape.control for escape in ESCAPES) >= 25
    assert [result["name"] for result in results if not result["escaped"]] == []
    assert any(result["harm"] for result in results)
