"""A program and its tests, as read from one JSON record. Every mistake names its field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from configs.errors import UserError
from configs.rewards import CodeSettings
from rewards.code.asserts import NotACall, read_assert
from rewards.code.codec import Unsupported, call_text, encode
from rewards.code.compare import OutputComparison
from rewards.code.values import Check, holds_nan, shown, value_of
from rewards.sandbox.jobs import MAX_MEMORY_MIB, MAX_TIME_S, MIN_MEMORY_MIB, Limits
from rewards.sandbox.languages import LANGUAGES


class TaskError(UserError):
    """The task itself is at fault: no statement about the program, and no reward."""


@dataclass(frozen=True, slots=True)
class OutputTest:
    """What the program reads and should print."""

    stdin: bytes
    stdout: bytes


@dataclass(frozen=True, slots=True)
class CallTest:
    """One call and what has to hold for its value."""

    call: str
    """As `codec.call_text` writes it; of a function, or of a method of a new instance."""
    check: Check
    expectation: str
    """For reading."""


@dataclass(frozen=True, slots=True)
class ModuleTests:
    """Tests as statements that only running them can tell. Each text is one test."""

    statements: tuple[str, ...]
    entry_point: str | None
    """What the tests call `candidate`."""


@dataclass(frozen=True, slots=True)
class CodeTask:
    """A program and its tests."""

    code: str
    language: str
    tests: tuple[OutputTest, ...] | tuple[CallTest, ...] | ModuleTests
    limits: Limits
    """Of each test."""
    comparison: OutputComparison
    """Of what is printed; of output tests only."""

    @property
    def total(self) -> int:
        """Number of tests."""
        tests = self.tests
        return len(tests.statements if isinstance(tests, ModuleTests) else tests)


def read_task(record: Mapping[str, Any], settings: CodeSettings) -> CodeTask:
    """The task in a record; keys that mean nothing here are left alone. Raises TaskError.

    read_task({"code": "print(1)", "tests": [{"stdin": "", "stdout": "1"}]}, CodeSettings())

    Keys: code, tests; language (python), entry_point, time_limit_s, memory_limit_mb, compare
    (tokens), tuple_is_list (false: a list is not accepted where a tuple is expected).
    """
    language = _text(record, "language", "python")
    if language not in LANGUAGES:
        raise TaskError(f"language: {language!r}; choose from: {', '.join(LANGUAGES)}")
    tests = _read_tests(record)
    if language != "python" and not isinstance(tests, ModuleTests):
        for test in tests:
            if isinstance(test, CallTest):
                raise TaskError(f"tests: calls and asserts need language python, not {language}")
    elif language != "python":
        raise TaskError(f"tests: calls and asserts need language python, not {language}")
    return CodeTask(
        code=_text(record, "code"),
        language=language,
        tests=tests,
        limits=_read_limits(record, settings),
        comparison=_read_comparison(_text(record, "compare", "tokens")),
    )


def _read_tests(
    record: Mapping[str, Any],
) -> tuple[OutputTest, ...] | tuple[CallTest, ...] | ModuleTests:
    tests = record.get("tests")
    if not isinstance(tests, list) or not tests:
        raise TaskError("tests: missing, empty or not a list; nothing would be checked")
    tests = cast("list[Any]", tests)
    entry_point = _text(record, "entry_point", "") or None
    _check_entry_point(entry_point)
    if all(isinstance(test, str) for test in tests):
        return _assert_tests(tests, entry_point)
    for i, test in enumerate(tests):
        if not isinstance(test, dict):
            raise TaskError(f"tests[{i}]: not an object, or strings and objects mixed")
    if all("stdin" in test or "stdout" in test for test in tests):
        return tuple(
            OutputTest(_bytes(test, "stdin", i), _bytes(test, "stdout", i))
            for i, test in enumerate(tests)
        )
    if entry_point is None:
        raise TaskError("entry_point: missing; name the function that tests with args call")
    tuple_is_list = record.get("tuple_is_list", False)
    if not isinstance(tuple_is_list, bool):
        raise TaskError(f"tuple_is_list: {tuple_is_list!r}; true or false")
    return tuple(_call_test(test, i, entry_point, tuple_is_list) for i, test in enumerate(tests))


def _check_entry_point(entry_point: str | None) -> None:
    names = [] if entry_point is None else entry_point.split(".")
    if len(names) > 2 or not all(name.isidentifier() for name in names):
        raise TaskError(f"entry_point: {entry_point!r}; a function, or Class.method")


def _call_test(test: dict[str, Any], i: int, entry_point: str, tuple_is_list: bool) -> CallTest:
    for name in test.keys() - {"args", "kwargs", "expected"}:
        raise TaskError(f"tests[{i}].{name}: unknown; give stdin and stdout, or args and expected")
    if "expected" not in test:
        raise TaskError(f"tests[{i}].expected: missing")
    args, kwargs = test.get("args", []), test.get("kwargs", {})
    if not isinstance(args, list):
        raise TaskError(f"tests[{i}].args: {str(args)[:60]!r}; a list of arguments")
    if not isinstance(kwargs, dict):
        raise TaskError(f"tests[{i}].kwargs: {str(kwargs)[:60]!r}; an object of arguments")
    try:
        expected = value_of(test["expected"])
        call = call_text(entry_point, cast("list[Any]", args), cast("dict[str, Any]", kwargs))
    except Unsupported as error:
        raise TaskError(f"tests[{i}]: {error}") from error
    if holds_nan(expected):
        raise TaskError(f"tests[{i}].expected: holds nan, which equals nothing")
    check = Check("equal", expected, tuple_is_list=tuple_is_list)
    return CallTest(call, check, f"expected {shown(encode(test['expected']))}")


def _assert_tests(tests: list[str], entry_point: str | None) -> tuple[CallTest, ...] | ModuleTests:
    """Calls where all asserts are comparisons of one call with a literal."""
    found: list[CallTest] = []
    for i, text in enumerate(tests):
        try:
            parsed = read_assert(text)
            function = parsed.function
            if function == "candidate" and entry_point is not None:
                function = entry_point
            call = call_text(function, parsed.args, parsed.kwargs)
            check = Check(
                parsed.kind,
                value_of(parsed.expected),
                relative=parsed.relative,
                absolute=parsed.absolute,
                exact_integers=parsed.exact_integers,
            )
        except NotACall as error:
            if error.syntax:
                raise TaskError(f"tests[{i}]: {error}") from error
            return ModuleTests(tuple(tests), entry_point)
        except Unsupported as error:
            raise TaskError(f"tests[{i}]: {error}") from error
        found.append(CallTest(call, check, text.strip()[:100]))
    return tuple(found)


def _read_limits(record: Mapping[str, Any], settings: CodeSettings) -> Limits:
    time_s = record.get("time_limit_s", settings.time_limit_s)
    if type(time_s) not in (int, float) or not 0 < time_s <= MAX_TIME_S:
        raise TaskError(f"time_limit_s: {time_s!r}; seconds, above 0 and up to {MAX_TIME_S:g}")
    memory_mib = record.get("memory_limit_mb", settings.memory_limit_mib)
    lowest, highest = MIN_MEMORY_MIB, MAX_MEMORY_MIB
    if type(memory_mib) not in (int, float) or not lowest <= memory_mib <= highest:
        raise TaskError(f"memory_limit_mb: {memory_mib!r}; MiB, from {lowest} to {highest}")
    return Limits(float(time_s), int(memory_mib), settings.output_limit_bytes)


def _read_comparison(text: str) -> OutputComparison:
    if text == "tokens" or text == "exact":
        return OutputComparison(text)
    kind, _, number = text.partition(":")
    try:
        tolerance = float(number)
    except ValueError:
        tolerance = math.nan
    if kind != "float" or not 0 <= tolerance < 1:
        raise TaskError(f"compare: {text!r}; tokens, exact, or a tolerance such as float:1e-6")
    return OutputComparison("float", tolerance)


def _text(record: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = record.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        found = "missing" if value is None else f"{str(value)[:60]!r}"
        raise TaskError(f"{name}: {found}; a text is needed")
    return value


def _bytes(test: dict[str, Any], name: str, i: int) -> bytes:
    if not isinstance(test.get(name), str):
        raise TaskError(f"tests[{i}].{name}: missing or not a text")
    try:
        return test[name].encode()
    except UnicodeEncodeError as error:
        raise TaskError(f"tests[{i}].{name}: not valid Unicode ({error.reason})") from error
