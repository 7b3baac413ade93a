"""Runs test statements inside a sandbox of their own, without the program that they test; sent
there as text, behind codec.py.

stdin: {"tests": [text...], "names": [name...], "candidate": name or null} on the first line, then
one {"call": text, "value" | "raised": content} per call whose answer is known. The names stand
for functions that look their answer up. A call without an answer returns Unknown, with which the
test goes on as far as it can, so that one run finds many calls to make.

Reply, one line: {"calls": [text...], "results": [null | text...]}; results are the exceptions of
the tests, and count only when there are no calls left to make.
"""

import builtins
import os
import random
import sys
from collections.abc import Callable
from typing import Any

MAX_UNKNOWN = 1000


class Unanswered(BaseException):
    """Ends a test that goes on and on with unknown values; not an Exception, so that the test
    does not catch it."""


class Unknown:
    """Stands for an answer to come: passes comparisons, and survives what tests do before them."""

    def _agree(self, *_: object) -> bool:
        return True

    def _stay(self, *_: object) -> "Unknown":
        return self

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _agree  # pyright: ignore
    __add__ = __sub__ = __rsub__ = __abs__ = __round__ = __getitem__ = _stay


def main(
    parse: Callable[[str], Any],
    decode: Callable[[Any], Any],
    encode: Callable[[object], str],
    quoted: Callable[[str], str],
) -> None:
    """Run all tests once."""
    header, *lines = sys.stdin.buffer.read().decode().strip("\n").split("\n")
    setup = parse(header)
    answers = {answer["call"]: answer for answer in map(parse, lines)}
    wanted: dict[str, None] = {}
    unknown: list[str] = []

    def stand_in(name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            text = encode([name, list(args), kwargs])  # as call_text writes it
            answer = answers.get(text)
            if answer is None:
                wanted[text] = None
                unknown.append(text)
                if len(unknown) > MAX_UNKNOWN:
                    raise Unanswered
                return Unknown()
            if "raised" in answer:
                raise exception_of(answer["raised"])
            return decode(answer["value"])

        return call

    replies = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    space: dict[str, Any] = {name: stand_in(name) for name in setup["names"]}
    if setup["candidate"] is not None:
        space["candidate"] = stand_in(setup["candidate"])
    space["__name__"] = "tests"
    results = [outcome(text, space) for text in setup["tests"]]
    calls = ",".join(map(quoted, wanted))
    shown = ",".join("null" if result is None else quoted(result) for result in results)
    with open(replies, "w") as stream:
        stream.write(f'{{"calls":[{calls}],"results":[{shown}]}}\n')


def outcome(text: str, space: dict[str, Any]) -> "str | None":
    """Run one test; None, or its exception's name and message."""
    random.seed(0)  # the same calls in every run, whatever the tests before it drew
    try:
        exec(compile(text, "test", "exec", dont_inherit=True), space)
    except Unanswered:
        return "unanswered"
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return None


def exception_of(description: str) -> Exception:
    """The built-in exception in "ValueError: bad input", or a RuntimeError for any other.

    Also for one that ends a loop: a test that maps a function would skip the rest of its checks.
    """
    name, _, message = description.partition(": ")
    kind = getattr(builtins, name, None)
    ends_loops = name in ("StopIteration", "StopAsyncIteration")
    if isinstance(kind, type) and issubclass(kind, Exception) and not ends_loops:
        try:
            return kind(message)
        except TypeError:  # UnicodeDecodeError and its like take other arguments
            pass
    return RuntimeError(description)
