from __future__ import annotations

import pytest

from rewards.code.verdicts import CodeVerdictKind
from tests.unit.rewards.code.abuse import ABUSE, INPUTS, TESTS

HONEST = "def f(x): return (7 * x + 3) % 101"


def test_the_honest_program_passes(judge) -> None:
    assert judge(code=HONEST, entry_point="f", tests=TESTS).verdict == "accepted"


@pytest.mark.parametrize("code", ABUSE.values(), ids=ABUSE.keys())
def test_no_abuse_is_accepted(judge, code: str) -> None:
    verdict = judge(code=code, entry_point="f", tests=TESTS, time_limit_s=2)
    assert verdict.verdict not in (CodeVerdictKind.ACCEPTED, CodeVerdictKind.SANDBOX_ERROR)
    assert verdict.passed < verdict.total


@pytest.mark.parametrize("code", ABUSE.values(), ids=ABUSE.keys())
@pytest.mark.integration
def test_no_abuse_passes_test_statements(judge, code: str) -> None:
    """The same when the tests are a program of their own."""
    loop = f"for x in {INPUTS}:\n    assert candidate(x) == (7 * x + 3) % 101"
    verdict = judge(code=code, entry_point="f", tests=[loop], time_limit_s=2)
    assert verdict.verdict not in (CodeVerdictKind.ACCEPTED, CodeVerdictKind.SANDBOX_ERROR)


def test_the_honest_program_passes_after_all_of_them(judge) -> None:
    assert judge(code=HONEST + "\n# again", entry_point="f", tests=TESTS).verdict == "accepted"
