"""Reading replies: all of what the driver writes, and nothing else."""

from __future__ import annotations

import pytest

from rewards.code.calls import read_replies
from rewards.code.codec import Malformed
from rewards.sandbox.jobs import RunResult, RunStatus

FIRST = b'{"id":0,"ms":1,"value":10}\n'
SECOND = b'{"id":1,"ms":2,"raised":"E: text"}\n'
LOAD = b'{"id":0,"ms":0,"load":"SyntaxError: x"}\n'


def read(
    stdout: bytes, count: int, status: RunStatus = RunStatus.FINISHED, exit_code: int | None = 0
) -> list[tuple[str, str]]:
    result = RunResult(status, exit_code, stdout, b"", 0.1, "")
    return [(reply.kind, reply.text) for reply in read_replies(result, count)]


def test_replies_in_order() -> None:
    assert read(FIRST + SECOND, 2) == [("value", "10"), ("raised", "E: text")]
    assert read(LOAD, 3) == [("load", "SyntaxError: x")]
    [reply] = read_replies(RunResult(RunStatus.FINISHED, 0, FIRST, b"", 0.1, ""), 1)
    assert (reply.value, reply.spent_ms) == (10, 1)


def test_an_early_end_leaves_the_replies_before_it() -> None:
    assert read(b"", 2) == []
    assert read(FIRST, 2) == [("value", "10")]
    assert read(FIRST + SECOND[:9], 2, RunStatus.TIME_LIMIT, -9) == [("value", "10")]
    assert read(FIRST + SECOND[:9], 2, RunStatus.OUTPUT_LIMIT, -9) == [("value", "10")]


@pytest.mark.parametrize(
    ("status", "exit_code"), [(RunStatus.FINISHED, 1), (RunStatus.TIME_LIMIT, -9)]
)
def test_the_last_reply_needs_a_clean_end(status: RunStatus, exit_code: int) -> None:
    assert read(FIRST + SECOND, 2, status, exit_code) == [("value", "10")]


@pytest.mark.parametrize(
    "stdout",
    [
        FIRST + SECOND + SECOND,
        FIRST + SECOND + SECOND.replace(b"1", b"2", 1),
        FIRST + SECOND + b"\n",
        FIRST + SECOND + b"x",
        FIRST + SECOND[:-1],
        SECOND,
        FIRST + FIRST,
        SECOND + FIRST,
        b"\n" + FIRST,
        FIRST + LOAD,
        LOAD + SECOND,
        FIRST + LOAD.replace(b"0", b"1", 1),
        FIRST.replace(b"}", b"} "),
        FIRST.replace(b"{", b" {"),
        FIRST.replace(b"0", b"00", 1),
        FIRST.replace(b"0", b"-0", 1),
        FIRST.replace(b'"ms":1,', b""),
        FIRST.replace(b"1,", b"-1,"),
        FIRST.replace(b"}", b',"more":1}'),
        FIRST.replace(b"value", b"passed"),
        FIRST.replace(b"10", b""),
        FIRST.replace(b"10", b"10,"),
        FIRST.replace(b"10", b"1e1"),
        FIRST.replace(b"10", b"\xff"),
        FIRST.replace(b"10", '"\u00e9"'.encode()),
        FIRST.replace(b"10", b'"' + b"a" * 5_000_000 + b'"'),
        b'{"id":0,"ms":1,"raised":10}\n',
        b'{"id":0,"ms":1,"value":10,"value":11}\n',
        b"[]\n",
        b"null\n",
        b'{"ok": true}\n',
    ],
)
def test_anything_else_is_malformed(stdout: bytes) -> None:
    with pytest.raises(Malformed):
        read(stdout, 2)
