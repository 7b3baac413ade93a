"""Judging by test statements that cannot be read as data, such as loops over calls.

The tests run in one sandbox and the program in another, and only values pass between them. No job
can talk to another one, so the tests run again and again: each run ends by naming the calls whose
answers it lacks, the program makes these calls in a job of its own, and the tests start over with
the answers, until no call is missing. A function is thus taken to depend on its arguments alone;
what it does to them in place is not seen.
"""

from __future__ import annotations

import ast
import builtins
import random
from collections.abc import Sequence
from typing import Any

from rewards.code.calls import call_job, deserves_another, driver_source, read_replies
from rewards.code.codec import Malformed, parse, quoted
from rewards.code.running import Failure, JobRunner, Progress, failure_of
from rewards.code.tasks import CodeTask, ModuleTests, TaskError
from rewards.code.verdicts import CodeVerdictKind
from rewards.sandbox.jobs import Job, Limits

MODULE_DRIVER = driver_source("module_driver.py")
MAX_ROUNDS = 100
MAX_CALLS = 5_000
"""Different ones; a test that makes more may never end."""
REPLY_BYTES = 16 << 20


class TestsBroke(Exception):
    """The run of the tests ended without a result."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


def judge_module(
    runner: JobRunner, task: CodeTask, tests: ModuleTests, progress: Progress, seed: str
) -> None:
    """Run the tests to their end. Raises TaskError when they cannot be run at all."""
    names = free_names(tests.statements)
    if tests.entry_point and tests.entry_point.isidentifier():
        names.append(tests.entry_point)  # it may bear the name of a built-in
    answers: dict[str, str] = {}
    shuffle = random.Random(seed)
    for _ in range(MAX_ROUNDS):
        if len(answers) > MAX_CALLS:
            break
        try:
            calls, results = _run_tests(runner, task, tests, names, answers)
        except TestsBroke as error:
            # Without an answer it is the tests' own fault; afterwards the answers have caused it.
            if not answers:
                raise TaskError(f"tests: they end with {error.failure.detail}") from error
            progress.reject(error.failure)
            return
        if not calls:
            if not answers and any(results):
                raise TaskError(f"tests: without a call of the program: {_first(results)}")
            for number, result in enumerate(results, start=1):
                progress.record(_failure(result), number)
            return
        shuffle.shuffle(calls)  # a program cannot answer by position
        failure = _answer(runner, task, calls, answers)
        if failure is not None:
            progress.reject(failure)
            return
    endless = f"the tests go on after {len(answers)} different calls"
    progress.reject(Failure(CodeVerdictKind.TIME_LIMIT, endless))


def free_names(statements: Sequence[str]) -> list[str]:
    """Names that the tests use and neither bind nor find in Python: the program's functions."""
    try:
        nodes = [node for text in statements for node in ast.walk(ast.parse(text))]
    except (SyntaxError, ValueError, RecursionError) as error:
        raise TaskError(f"tests: not Python: {error}") from error
    used: set[str] = set()
    bound = {"candidate", *dir(builtins)}
    for node in nodes:
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return sorted(used - bound)


def _run_tests(
    runner: JobRunner,
    task: CodeTask,
    tests: ModuleTests,
    names: list[str],
    answers: dict[str, str],
) -> tuple[list[str], list[str | None]]:
    """The calls to be made, and the results if there are none. Raises TestsBroke."""
    entry_point = "null" if tests.entry_point is None else quoted(tests.entry_point)
    texts, stand_ins = ",".join(map(quoted, tests.statements)), ",".join(map(quoted, names))
    header = f'{{"tests":[{texts}],"names":[{stand_ins}],"candidate":{entry_point}}}'
    stdin = "\n".join([header, *answers.values()]).encode()
    limits = Limits(task.limits.time_s, task.limits.memory_mib, REPLY_BYTES)
    result = runner.run(Job(MODULE_DRIVER, stdin=stdin, limits=limits))
    failure = failure_of(result)
    if failure is not None:
        raise TestsBroke(failure)
    try:
        reply: Any = parse(result.stdout.decode("ascii"))
        return reply["calls"], reply["results"]
    except (Malformed, UnicodeDecodeError, KeyError, TypeError) as error:
        detail = f"no result ({error})"
        raise TestsBroke(Failure(CodeVerdictKind.RUNTIME_ERROR, detail)) from error


def _answer(
    runner: JobRunner, task: CodeTask, calls: list[str], answers: dict[str, str]
) -> Failure | None:
    """Add the answers to these calls. A program that forges replies or fails to answer at all is
    rejected; its exceptions are answers, which a test may well expect."""
    while calls:
        result = runner.run(call_job(task.code, calls, task.limits, stops=False))
        answered = spent_ms = 0
        try:
            for answered, reply in enumerate(read_replies(result, len(calls)), start=1):
                call, spent_ms = calls[answered - 1], reply.spent_ms
                if reply.kind == "load" or reply.text.startswith("MemoryError"):
                    return reply.failure()
                kind = "value" if reply.kind == "value" else "raised"
                content = reply.text if kind == "value" else quoted(reply.text)
                answers[call] = f'{{"call":{quoted(call)},"{kind}":{content}}}'
        except Malformed as error:
            return Failure(CodeVerdictKind.WRONG_ANSWER, f"forged replies: {error}")
        if sum(map(len, answers.values())) > REPLY_BYTES:
            too_long = f"the answers have more than {REPLY_BYTES} bytes"
            return Failure(CodeVerdictKind.OUTPUT_LIMIT, too_long)
        if answered < len(calls) and not deserves_another(result, answered, spent_ms, task.limits):
            early = Failure(CodeVerdictKind.RUNTIME_ERROR, "ended without answering")
            return failure_of(result) or early
        calls = calls[answered:]
    return None


def _first(results: list[str | None]) -> str:
    return next(result for result in results if result)


def _failure(result: str | None) -> Failure | None:
    if result is None:
        return None
    if result.startswith("Unsupported: a value of type"):
        # Answers hold plain values only, so the tests themselves pass such an argument.
        raise TaskError(f"tests: an argument is {result.partition(': ')[2]}")
    wrong = result.startswith("AssertionError")
    kind = CodeVerdictKind.WRONG_ANSWER if wrong else CodeVerdictKind.RUNTIME_ERROR
    return Failure(kind, result)
