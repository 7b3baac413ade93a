"""Problems from the rows of data files: mathematics, programs with tests, answers in words.

GSM8K        question, answer ("... #### 42")
MATH         problem, solution (with \\boxed{}), answer if any
NuminaMath   problem, solution, answer if any; OpenR1-Math the same
programs     question or the like, and one of
             tests or official_tests: [{"input", "output"}] or [{"stdin", "stdout"}]
             public_tests, private_tests: {"input": [...], "output": [...]}
             input_output: JSON of {"inputs", "outputs"}
             test_list: ["assert ..."]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from configs.data_sets import ProblemData
from configs.rewards import CodeSettings
from recipes.benchmarks import prompts
from recipes.row_files import BadRow, as_text
from rewards.code.tasks import TaskError, read_task
from rewards.identifier import written_language
from rewards.language import SCRIPTS_OF
from rewards.math.extraction import box_run

Checker = Literal["math", "code", "judge"]

QUESTIONS = ("problem", "question", "description", "prompt", "text")
ANSWERS = ("answer", "final_answer")
SOLUTIONS = ("solution",)
STDIN_TESTS = ("tests", "official_tests")
TEST_COLUMNS = (*STDIN_TESTS, "public_tests", "private_tests", "input_output", "test_list")
NOT_CHECKABLE = ("proof", "notfound")
"""What NuminaMath writes as the answer of a problem that has none to compare with."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Problem(question="What is 3+4?", answer="7", checker="math", language="en")"""

    question: str
    """As the data has it."""
    answer: str
    """A reference answer, or JSON of tests."""
    checker: Checker
    language: str

    def asked(self) -> str:
        """What the user says: the question, and in which form the answer is wanted."""
        if self.checker == "judge":
            return self.question
        if self.checker == "math":
            return prompts.MATH.format(question=self.question)
        tests = json.loads(self.answer)["tests"]
        if isinstance(tests[0], str):
            return prompts.FUNCTION.format(question=self.question, test=tests[0])
        return prompts.PROGRAM.format(question=self.question)


def read_problem(row: Any, data: ProblemData) -> Problem:
    """The problem in a row. Raises BadRow."""
    if not isinstance(row, Mapping):
        raise BadRow("not an object", type(row).__name__)
    name = _column(row, data.question, QUESTIONS, "question")
    question = as_text(row[name], name).strip()
    found = written_language(question)
    language = found if found in SCRIPTS_OF else "en"
    if data.checker == "code" or (data.checker == "auto" and _has_tests(row)):
        return Problem(question, _tests(row), "code", language)
    checker: Checker = "judge" if data.checker == "judge" else "math"
    return Problem(question, _answer(row, data, checker), checker, language)


def _column(row: Mapping[str, Any], named: str, known: tuple[str, ...], what: str) -> str:
    for name in (named,) if named else known:
        if row.get(name) is not None:
            return name
    has = ", ".join(map(str, row)) or "nothing"
    raise BadRow(f"no {what} column", f"the row has: {has}")


def _answer(row: Mapping[str, Any], data: ProblemData, checker: Checker) -> str:
    """The answer column, else the last box of the solution; a number in a column is as good."""
    named = (data.answer,) if data.answer else (*ANSWERS, *SOLUTIONS)
    name = next((each for each in named if row.get(each) not in (None, "")), None)
    if name is None:
        raise BadRow("no answer", f"nothing in {', '.join(named)}")
    value = row[name]
    text = as_text(str(value) if isinstance(value, int | float) else value, name).strip()
    if checker == "judge":
        return text
    if name in SOLUTIONS:
        boxed = box_run(text)
        if not boxed:
            raise BadRow("no \\boxed{} in the solution", text[-60:])
        return boxed
    _, mark, last = text.rpartition("####")
    text = last.strip() if mark else text
    if not text or text.lower() in NOT_CHECKABLE:
        raise BadRow("no answer that can be checked", text)
    return text


def _has_tests(row: Mapping[str, Any]) -> bool:
    return any(row.get(name) for name in TEST_COLUMNS)


def _tests(row: Mapping[str, Any]) -> str:
    """The tests of a program as the code judge takes them, tried out on an empty program."""
    try:
        task = _task(row)
        read_task({**task, "code": ""}, CodeSettings())
    except TaskError as error:
        raise BadRow("tests cannot be run", str(error)) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRow("tests cannot be read", f"{type(error).__name__}: {error}") from error
    return json.dumps(task, ensure_ascii=False)


def _task(row: Mapping[str, Any]) -> dict[str, Any]:
    limit = row.get("time_limit_s") or row.get("time_limit")
    limits = {"time_limit_s": float(limit)} if isinstance(limit, int | float) else {}
    if row.get("test_list"):
        return {"tests": list(row["test_list"]), **limits}
    if row.get("input_output"):
        return _apps(row["input_output"]) | limits
    tests = [
        _stdin(each) for name in STDIN_TESTS for each in _parsed(row[name] if row.get(name) else [])
    ]
    for name in ("public_tests", "private_tests"):
        if row.get(name):
            both = _parsed(row[name])
            pairs = zip(both["input"], both["output"], strict=True)
            tests += [{"stdin": str(stdin), "stdout": str(stdout)} for stdin, stdout in pairs]
    if not tests:
        raise BadRow("no tests", ", ".join(TEST_COLUMNS))
    return {"tests": tests, **limits}


def _apps(value: Any) -> dict[str, Any]:
    both = _parsed(value)
    pairs = list(zip(both["inputs"], both["outputs"], strict=True))
    if name := both.get("fn_name"):
        # Some sets wrap the expected value into a list and some do not, so it would be a guess.
        raise BadRow("tests that call a function in input_output", str(name))
    return {"tests": [{"stdin": str(i), "stdout": str(o)} for i, o in pairs]}


def _stdin(test: Any) -> dict[str, str]:
    names = ("stdin", "stdout") if "stdin" in test else ("input", "output")
    return {"stdin": str(test[names[0]]), "stdout": str(test[names[1]])}


def _parsed(value: Any) -> Any:
    """A column that is a structure, or its JSON."""
    return json.loads(value) if isinstance(value, str) else value
