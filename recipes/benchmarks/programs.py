"""From the row of a data file to a problem whose answer is a program.

An item's answer is a JSON record of its tests, in one of the three shapes that the code judge
takes; `prefix` is code that stands before the program.

    {"tests": [{"stdin": "1 2\\n", "stdout": "3\\n"}], "time_limit_s": 2.0}
    {"tests": [{"args": [1, 2], "expected": 3}], "entry_point": "Solution.add", "prefix": "..."}
    {"tests": ["assert add(1, 2) == 3"], "entry_point": "add", "prefix": "import math"}
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import zlib
from typing import Any

from configs.errors import UserError
from recipes.benchmarks import prompts
from recipes.benchmarks.items import Item, Row

LCB_WINDOW = ("2024-08", "2025-01")
"""Months of LiveCodeBench that the paper reports, first and last."""
STARTER_IMPORTS = """\
from typing import *
from collections import *
import bisect, collections, functools, heapq, itertools, math, random, re, string
"""
"""What LeetCode has imported already; its starter code names List and others without it."""


def read_livecodebench(row: Row) -> Item | None:
    """Columns: question_content, contest_date, starter_code, public_test_cases and
    private_test_cases (JSON, or base64 of zlib of a pickled JSON text), metadata. Problems outside
    the paper's window are left out."""
    # Readers of JSON lines make a date of it where they recognise one.
    month = str(row.values[row.column("contest_date")])[:7]
    if not LCB_WINDOW[0] <= month <= LCB_WINDOW[1]:
        return None
    question, starter = row.text("question_content"), row.optional("starter_code")
    tests = [*_tests(row, "public_test_cases"), *_tests(row, "private_test_cases")]
    if starter:
        answer = {
            "tests": [_call(row, test) for test in tests],
            "entry_point": f"Solution.{_function_name(row)}",
            "prefix": STARTER_IMPORTS,
        }
        text = prompts.PROGRAM_WITH_STARTER.format(question=question, starter=starter)
    else:
        answer = {"tests": [_stdin(row, test) for test in tests]}
        text = prompts.PROGRAM.format(question=question)
    return Item(
        question=text,
        answer=json.dumps(answer, ensure_ascii=False),
        sources=(question,),
        metadata={"difficulty": row.optional("difficulty")},
    )


def read_codeforces(row: Row) -> Item:
    """Columns: question (the whole statement), tests (a list of objects with input and output);
    time_limit_s if any."""
    question, tests = row.text("question"), row.values[row.column("tests")]
    if not isinstance(tests, list) or not tests:
        raise UserError(f"{row.where}: the column 'tests' must be a list of input and output")
    answer: dict[str, Any] = {"tests": [_stdin(row, test) for test in tests]}
    if limit := row.optional("time_limit_s"):
        answer["time_limit_s"] = float(limit)
    return Item(
        question=prompts.PROGRAM.format(question=question),
        answer=json.dumps(answer, ensure_ascii=False),
        sources=(question,),
    )


def read_humaneval(row: Row) -> Item:
    """Columns: prompt (signature and docstring), test (defines check), entry_point;
    canonical_solution if any."""
    starter, entry_point = row.text("prompt"), row.text("entry_point")
    answer = {
        "tests": [f"{row.text('test')}\ncheck(candidate)"],
        "entry_point": entry_point,
        # Imports and helper functions, which an answer need not repeat.
        "prefix": starter.partition(f"def {entry_point}")[0],
    }
    question = f"Complete the function {entry_point}."
    return Item(
        question=prompts.PROGRAM_WITH_STARTER.format(question=question, starter=starter.strip()),
        answer=json.dumps(answer, ensure_ascii=False),
        sources=tuple(filter(None, (starter, row.optional("canonical_solution")))),
    )


def read_mbpp(row: Row) -> Item:
    """Columns: prompt or text, test_list (assert statements), code; test_imports if any."""
    question, tests = row.text("prompt", "text"), row.texts("test_list")
    imports = "\n".join([*(row.values.get("test_imports") or ()), ""])
    answer = {"tests": tests, "prefix": imports}
    return Item(
        question=prompts.FUNCTION.format(question=question.strip(), test=tests[0]),
        answer=json.dumps(answer, ensure_ascii=False),
        sources=tuple(filter(None, (question, row.optional("code")))),
    )


def _tests(row: Row, name: str) -> list[Any]:
    text = row.text(name)
    try:
        return json.loads(text if text.lstrip().startswith("[") else _unpack(text))
    except (ValueError, binascii.Error, zlib.error, pickle.UnpicklingError) as error:
        raise UserError(f"{row.where}: the column {name!r} cannot be read: {error}") from error


def _stdin(row: Row, test: Any) -> dict[str, str]:
    if not isinstance(test, dict) or not {"input", "output"} <= test.keys():
        raise UserError(f"{row.where}: a test must be an object with input and output: {test!r}")
    return {"stdin": str(test["input"]), "stdout": str(test["output"])}


def _call(row: Row, test: Any) -> dict[str, Any]:
    """Arguments stand in lines of JSON, and so does the value."""
    texts = _stdin(row, test)
    try:
        args = [json.loads(line) for line in texts["stdin"].splitlines() if line.strip()]
        return {"args": args, "expected": json.loads(texts["stdout"])}
    except ValueError as error:
        raise UserError(f"{row.where}: a test is not JSON ({error}): {test!r}") from error


def _function_name(row: Row) -> str:
    try:
        return json.loads(row.text("metadata"))["func_name"]
    except (ValueError, KeyError) as error:
        raise UserError(f"{row.where}: the column 'metadata' names no func_name") from error


class _TextOnly(pickle.Unpickler):
    """Reads plain values; a pickle that names any class or function is refused."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        raise pickle.UnpicklingError(f"a pickle that names {module_name}.{global_name}")


def _unpack(text: str) -> str:
    value = _TextOnly(io.BytesIO(zlib.decompress(base64.b64decode(text)))).load()
    if not isinstance(value, str):
        raise pickle.UnpicklingError("a pickle of something else than text")
    return value
