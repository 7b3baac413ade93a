"""Calls a program's functions inside the sandbox; sent there as text, behind codec.py.

stdin: [source, whether to stop at the first call that gives no value], then one call_text per
line.
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
    lines = sys.stdin.buffer.read().decode().split("\n")
    (source, stops), *calls = (decode(parse(line)) for line in lines)
    replies = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)

    def reply(number: int, kind: str, content: str) -> None:
        spent_ms = int(1000 * (clock() - start))
        data = f'{{"id":{number},"ms":{spent_ms},"{kind}":{content}}}\n'.encode()
        while data:
            data = data[write(replies, data) :]

    try:
        module = loaded(source)
    except BaseException as error:
        reply(0, "load", quoted(described(error)))
        end(0)
    for number, (function, args, kwargs) in enumerate(calls):
        kind = "raised"
        try:
            value = resolved(module, function)(*args, **kwargs)
            kind = "unsupported"
            content = encode(value)
            kind = "value"
        except BaseException as error:
            content = quoted(described(error))
        reply(number, kind, content)
        if stops and kind != "value":
            break
    end(0)


def loaded(source: str) -> ModuleType:
    """The program as a module. Not "__main__", so that a script's own main part is left out;
    registered, because dataclasses and typing look their own module up."""
    module = ModuleType("candidate")
    sys.modules["candidate"] = module
    exec(compile(source, "candidate.py", "exec", dont_inherit=True), module.__dict__)
    return module


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
