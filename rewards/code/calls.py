"""Judging a function by calling it inside the sandbox and comparing outside."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rewards.code.codec import MAX_CHARACTERS, Malformed, encode, parse, quoted
from rewards.code.running import (
    LIMIT_KINDS,
    SYNTAX_ERRORS,
    Failure,
    JobRunner,
    Progress,
    failure_of,
)
from rewards.code.tasks import Call, CallTest, CodeTask
from rewards.code.values import read_value, shown
from rewards.code.verdicts import CodeVerdictKind
from rewards.sandbox.jobs import Job, Limits, RunResult, RunStatus

REPLY_BYTES = 16 << 20
"""Of all replies of one job."""

REPLY_HEAD = re.compile(
    r'\{"id":(?P<id>[0-9]{1,6}),"ms":[0-9]{1,9},"(?P<kind>value|raised|unsupported|load)":'
)
FAIR_SHARE = 0.95
"""A call that was stopped after so much of its time limit does not get another try."""


def driver_source(name: str) -> str:
    """The program that runs codec.py and a driver as one module.

    It gets a copy of the built-ins: what a candidate does to the real ones leaves it alone.
    """
    folder = Path(__file__).parent
    text = (folder / "codec.py").read_text() + (folder / name).read_text()
    text += "\nmain(parse, decode, encode, quoted)\n"
    return (
        "import builtins\n"
        f"exec(compile({text!r}, 'driver', 'exec', dont_inherit=True),"
        " {'__builtins__': dict(vars(builtins)), '__name__': 'driver'})\n"
    )


CALL_DRIVER = driver_source("call_driver.py")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sandbox says about one call."""

    kind: Literal["value", "raised", "unsupported", "load"]
    text: str
    """Typed JSON for "value", else a message."""
    spent_ms: int
    """From the start of the job to this reply, as the program would have it."""
    value: Any = None
    """As `values.read_value` makes it."""

    def failure(self) -> Failure | None:
        """None for a value."""
        if self.kind == "value":
            return None
        if self.kind == "unsupported":
            return Failure(CodeVerdictKind.WRONG_ANSWER, f"returned {self.text}")
        if self.kind == "load" and self.text.startswith(SYNTAX_ERRORS):
            return Failure(CodeVerdictKind.COMPILE_ERROR, self.text)
        if self.text.startswith("MemoryError"):
            return Failure(CodeVerdictKind.MEMORY_LIMIT, self.text)
        return Failure(CodeVerdictKind.RUNTIME_ERROR, self.text)


def call_job(source: str, calls: Sequence[Call], limits: Limits) -> Job:
    """The job that makes these calls of a program."""
    lines = [f'{{"source":{quoted(source)}}}']
    for call in calls:
        args, kwargs = encode(list(call.args)), encode(dict(call.kwargs))
        lines.append(f'{{"function":{quoted(call.function)},"args":{args},"kwargs":{kwargs}}}')
    limits = Limits(limits.time_s, limits.memory_mib, REPLY_BYTES)
    return Job(CALL_DRIVER, stdin="\n".join(lines).encode(), limits=limits)


def read_replies(result: RunResult, count: int) -> Iterator[Reply]:
    """The replies to the first calls; fewer than `count` when the job ended early.

    Raises Malformed for anything that the driver does not write: the program wrote it.
    """
    lines = result.stdout.split(b"\n")
    unfinished = lines.pop()
    finished = result.status is RunStatus.FINISHED
    if unfinished and finished:
        raise Malformed("the last reply is cut")
    if len(lines) > count:
        raise Malformed(f"{len(lines)} replies to {count} calls")
    if len(lines) == count and not (finished and result.exit_code == 0):
        lines.pop()  # the process did not end as the driver does: something went wrong in it
    for number, line in enumerate(lines):
        reply = _read_reply(line, number)
        if reply.kind == "load" and (number > 0 or len(lines) > 1):
            raise Malformed("a reply of the wrong kind")
        yield reply


def _read_reply(line: bytes, number: int) -> Reply:
    if len(line) > MAX_CHARACTERS + 1000:
        raise Malformed("a reply of too many characters")
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError as error:
        raise Malformed("a reply that is not ASCII") from error
    head = REPLY_HEAD.match(text)
    data = parse(text)
    if not head or head["id"] != str(number) or len(data) != 3 or not text.endswith("}"):
        raise Malformed(f"not a reply to call {number}")
    kind: Any = head["kind"]
    if kind == "value":
        content = text[head.end() : -1]
        return Reply(kind, content, data["ms"], read_value(data[kind]))
    if type(data[kind]) is not str:
        raise Malformed("a message that is no text")
    return Reply(kind, data[kind], data["ms"])


def judge_calls(
    runner: JobRunner, task: CodeTask, tests: Sequence[CallTest], progress: Progress, seed: str
) -> None:
    """Make all calls in one job, and the rest in another one where a limit ended it.

    So every call has the whole time limit to itself where it needs it, and most tasks need one
    job. The order is shuffled: a program cannot answer by position.
    """
    order = list(enumerate(tests, start=1))
    random.Random(seed).shuffle(order)
    while order and not progress.decided:
        job = call_job(task.code, [test.call for _, test in order], task.limits)
        result = runner.run(job)
        answered = spent_ms = 0
        try:
            for answered, reply in enumerate(read_replies(result, len(order)), start=1):
                number, test = order[answered - 1]
                spent_ms = reply.spent_ms
                failure = _failure(test, reply)
                if failure is not None and reply.kind == "load":
                    progress.reject(failure)
                    return
                progress.record(failure, number)
                if progress.decided:
                    return
        except Malformed as error:
            progress.reject(Failure(CodeVerdictKind.WRONG_ANSWER, f"forged replies: {error}"))
            return
        if answered < len(order) and not deserves_another(result, answered, spent_ms, task.limits):
            early = Failure(CodeVerdictKind.RUNTIME_ERROR, "ended without answering")
            progress.record(failure_of(result) or early, order[answered][0])
            answered += 1
        order = order[answered:]


def deserves_another(result: RunResult, answered: int, spent_ms: int, limits: Limits) -> bool:
    """Whether the call after `answered` ones may have failed because of those before it."""
    if result.status is RunStatus.TIME_LIMIT and spent_ms < 1000 * (1 - FAIR_SHARE) * limits.time_s:
        return False
    return answered > 0 and result.status in LIMIT_KINDS


def _failure(test: CallTest, reply: Reply) -> Failure | None:
    failure = reply.failure()
    if failure is None and not test.check.holds(reply.value):
        detail = f"{test.expectation}, got {shown(reply.text)}"
        return Failure(CodeVerdictKind.WRONG_ANSWER, detail)
    return failure
