"""Calls a program's functions inside the sandbox; sent there as text, behind codec.py.

stdin: {"source": text} on the first line, then one {"function", "args", "kwargs"} per call.
Replies: one line per call, in order, {"id": i, "ms": since the start, KIND: content} with KIND
    value         what the function returned, as typed JSON
    raised        the exception's type and message
    unsupported   it returned something that typed JSON cannot say
    load          (only as the first and last reply) the module itself raised

Replies leave on a duplicate of descriptor 1, which then goes to the null device, so that what the
program prints stays apart from them. The program can forge replies all the same; that is why it
is never told what to expect, and why the reader refuses whatever is not exactly in this form.
"""

import os
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any


def main(
    parse: Callable[[str], Any],
    decode: Callable[[Any], Any],
    encode: Callable[[object], str],
    quoted: Callable[[str], str],
) -> None:
    """Serve all calls, then end the process at once: no thread of the program writes after it."""
    write, end, clock = os.write, os._exit, time.monotonic
    start = clock()
    header, *lines = sys.stdin.buffer.read().decode().strip("\n").split("\n")
    source = parse(header)["source"]
    calls = [
        (call["function"], decode(call["args"]), {**decode(call["kwargs"])})
        for call in map(parse, lines)
    ]
    replies = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)

    def reply(number: int, kind: str, content: str) -> None:
        spent_ms = int(1000 * (clock() - start))
        data = f'{{"id":{number},"ms":{spent_ms},"{kind}":{content}}}\n'.encode()
        while data:
            data = data[write(replies, data) :]

    # Not "__main__", so that a script's own main part is left out. The module is registered
    # because dataclasses and typing look their own module up.
    module = ModuleType("candidate")
    sys.modules["candidate"] = module
    try:
        exec(compile(source, "candidate.py", "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:
        reply(0, "load", quoted(described(error)))
        end(0)
    for number, (function, args, kwargs) in enumerate(calls):
        try:
            value = resolved(module, function)(*args, **kwargs)
        except BaseException as error:
            reply(number, "raised", quoted(described(error)))
            continue
        try:
            kind, content = "value", encode(value)
        except BaseException as error:
            kind, content = "unsupported", quoted(described(error))
        reply(number, kind, content)
    end(0)


def resolved(module: ModuleType, path: str) -> Callable[..., Any]:
    """A function of the module, or for "Class.method" the method of a new instance."""
    name, _, method = path.partition(".")
    if name not in module.__dict__:
        raise NameError(f"the program defines no {name!r}")
    found = module.__dict__[name]
    return getattr(found(), method) if method else found


def described(error: BaseException) -> str:
    """Type and message. The message comes from the program's code and may itself raise."""
    name = type.__dict__["__name__"].__get__(type(error))
    try:
        return f"{name}: {str(error)[:200]}"
    except BaseException:
        return f"{name}"
