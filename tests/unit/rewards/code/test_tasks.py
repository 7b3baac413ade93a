from __future__ import annotations

from typing import Any

import pytest

from configs.errors import UserError
from rewards.code.compare import OutputComparison
from rewards.code.tasks import Call, CallTest, ModuleTests, OutputTest, TaskError, read_task
from rewards.code.values import Check
from rewards.sandbox.jobs import Limits
from tests.unit.rewards.code.conftest import SETTINGS

OUTPUT = {"code": "c", "tests": [{"stdin": "1", "stdout": "2"}]}
CALL = {"code": "c", "entry_point": "f", "tests": [{"args": [1], "expected": 2}]}
ASSERT = {"code": "c", "tests": ["assert f(1) == 2"]}


def test_output_tests() -> None:
    task = read_task(
        {**OUTPUT, "time_limit_s": 2, "memory_limit_mb": 64, "compare": "float:1e-6", "id": 7},
        SETTINGS,
    )
    assert task.tests == (OutputTest(b"1", b"2"),)
    assert task.limits == Limits(2.0, 64, SETTINGS.output_limit_bytes)
    assert task.comparison == OutputComparison("float", 1e-6)
    assert (task.language, task.total) == ("python", 1)


def test_call_tests() -> None:
    tests = [{"args": [1], "expected": [2]}, {"kwargs": {"x": 1}, "expected": None}]
    task = read_task({**CALL, "entry_point": "S.f", "tests": tests}, SETTINGS)
    first, second = task.tests  # pyright: ignore
    assert first.call == Call("S.f", (1,), {})
    assert first.check == Check("equal", [2])
    assert second.call == Call("S.f", (), {"x": 1})
    assert task.limits.time_s == SETTINGS.time_limit_s


def test_asserts_are_calls_where_all_can_be_read() -> None:
    task = read_task(
        {**ASSERT, "tests": ["assert candidate(1) == 2"], "entry_point": "g"}, SETTINGS
    )
    assert isinstance(task.tests[0], CallTest)  # pyright: ignore
    assert task.tests[0].call == Call("g", (1,), {})  # pyright: ignore
    mixed = ["assert f(1) == 2", "for i in range(3): assert f(i)"]
    assert read_task({**ASSERT, "tests": mixed}, SETTINGS).tests == ModuleTests(tuple(mixed), None)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"tests": ASSERT["tests"]}, "code: missing"),
        ({**OUTPUT, "code": 3}, "code: '3'"),
        ({**OUTPUT, "language": "cobol"}, "language: 'cobol'; choose from: python"),
        ({**CALL, "language": "c"}, "tests: calls and asserts need language python"),
        ({**ASSERT, "language": "c"}, "tests: calls and asserts need language python"),
        ({**ASSERT, "language": "c", "tests": ["x = 1"]}, "tests: calls and asserts need"),
        ({"code": ""}, "tests: missing"),
        ({"code": "", "tests": []}, "tests: missing, empty"),
        ({"code": "", "tests": "assert f()"}, "tests: missing, empty or not a list"),
        ({"code": "", "tests": [1]}, "tests[0]: not an object"),
        ({**CALL, "tests": [*CALL["tests"], "assert f()"]}, "tests[1]: not an object"),
        ({"code": "", "tests": [{"stdin": "1"}]}, "tests[0].stdout: missing"),
        ({"code": "", "tests": [{"stdout": "1"}]}, "tests[0].stdin: missing"),
        ({"code": "", "tests": [{"stdin": 1, "stdout": "1"}]}, "tests[0].stdin: missing or not"),
        ({"code": "", "tests": [{"stdin": "\ud800", "stdout": ""}]}, "tests[0].stdin: not valid"),
        ({"code": "", "tests": CALL["tests"]}, "entry_point: missing"),
        ({**CALL, "entry_point": "a.b.c"}, "entry_point: 'a.b.c'"),
        ({**CALL, "entry_point": "f()"}, "entry_point: 'f()'"),
        ({**CALL, "entry_point": 1}, "entry_point: '1'"),
        ({**CALL, "tests": [{"args": [1]}]}, "tests[0].expected: missing"),
        ({**CALL, "tests": [{"args": 1, "expected": 2}]}, "tests[0].args: '1'"),
        ({**CALL, "tests": [{"kwargs": [], "expected": 2}]}, "tests[0].kwargs: '[]'"),
        ({**CALL, "tests": [{"arg": [1], "expected": 2}]}, "tests[0].arg: unknown"),
        ({**CALL, "tests": [{"expected": float("nan")}]}, "tests[0].expected: holds nan"),
        ({**CALL, "tuple_is_list": 1}, "tuple_is_list: 1"),
        ({**ASSERT, "tests": ["assert f(1 == 2"]}, "tests[0]: not Python"),
        ({**OUTPUT, "time_limit_s": 0}, "time_limit_s: 0"),
        ({**OUTPUT, "time_limit_s": True}, "time_limit_s: True"),
        ({**OUTPUT, "time_limit_s": float("inf")}, "time_limit_s: inf"),
        ({**OUTPUT, "time_limit_s": "2"}, "time_limit_s: '2'"),
        ({**OUTPUT, "memory_limit_mb": -1}, "memory_limit_mb: -1"),
        ({**OUTPUT, "compare": "fuzzy"}, "compare: 'fuzzy'"),
        ({**OUTPUT, "compare": "float:"}, "compare: 'float:'"),
        ({**OUTPUT, "compare": "float:nan"}, "compare: 'float:nan'"),
    ],
)
def test_mistakes_name_their_field(record: dict[str, Any], field: str) -> None:
    with pytest.raises(TaskError) as caught:
        read_task(record, SETTINGS)
    assert str(caught.value).startswith(field)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UserError)
