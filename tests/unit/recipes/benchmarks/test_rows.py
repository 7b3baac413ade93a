"""One row of each benchmark, in the columns its files have; all questions are made up here."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from datetime import datetime
from typing import Any

import pytest

from configs.errors import UserError
from recipes.benchmarks.items import Item, Row
from recipes.benchmarks.programs import STARTER_IMPORTS
from recipes.benchmarks.table import BENCHMARKS

LCB_TESTS = json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}])
PACKED = base64.b64encode(zlib.compress(pickle.dumps(LCB_TESTS))).decode()

ROWS: dict[str, dict[str, Any]] = {
    "aime_2024": {"ID": "I-1", "Problem": "Find $2+2$.", "Answer": 4, "Solution": "It is 4."},
    "aime_2025": {"problem": "Find $2+3$.", "answer": "5", "id": "0"},
    "math_500": {
        "problem": "Find half of $x$.",
        "solution": "It is $\\frac{x}{2}$.",
        "answer": "\\frac{x}{2}",
        "subject": "Algebra",
        "level": 2,
        "unique_id": "a/1",
    },
    "gsm8k": {"question": "Ann has 3 pens and buys 4.", "answer": "3+4=<<3+4=7>>7\n#### 7"},
    "gpqa_diamond": {
        "Question": "Which made-up particle is blue?",
        "Correct Answer": "bluon",
        "Incorrect Answer 1": "redon",
        "Incorrect Answer 2": "greenon",
        "Incorrect Answer 3": "greyon",
        "Explanation": "By its name.",
        "Record ID": "r1",
    },
    "mmlu": {
        "question": "What is warm?",
        "subject": "made_up",
        "choices": ["ice", "fire", "snow", "hail"],
        "answer": 1,
    },
    "mmlu_redux": {
        "question": "What is cold?",
        "choices": ["ice", "fire", "sun", "lava"],
        "answer": 1,
        "error_type": "wrong_groundtruth",
        "correct_answer": "0",
    },
    "mmlu_pro": {
        "question": "Which is even?",
        "options": ["1", "3", "5", "7", "9", "11", "13", "15", "17", "18"],
        "answer": "J",
        "answer_index": 9,
        "category": "math",
    },
    "c_eval": {
        "subject": "made_up",
        "question": "下列哪个是水果？",
        "A": "石头",
        "B": "苹果",
        "C": "桌子",
        "D": "云",
        "answer": "B",
        "explanation": "苹果是水果。",
    },
    "cluewsc": {
        "text": "小王把书给了小李，因为他想看。",
        "target": {"span1_text": "小李", "span1_index": 6, "span2_text": "他", "span2_index": 11},
        "label": "true",
    },
    "livecodebench": {
        "question_content": "Add two numbers.",
        "contest_date": "2024-11-02T00:00:00",
        "starter_code": "",
        "public_test_cases": LCB_TESTS,
        "private_test_cases": PACKED,
        "metadata": "{}",
        "difficulty": "easy",
    },
    "humaneval": {
        "task_id": "x/0",
        "prompt": 'import math\n\ndef double(n):\n    """Twice n."""\n',
        "canonical_solution": "    return math.prod((2, n))\n",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n",
        "entry_point": "double",
    },
    "mbpp": {
        "task_id": 1,
        "prompt": "Write a function to halve a number.",
        "code": "def halve(n):\n    return n / 2",
        "test_imports": ["import math"],
        "test_list": ["assert halve(4) == 2", "assert halve(2) == 1"],
    },
    "codeforces": {
        "question": "Print the sum.",
        "tests": [{"input": "1 2", "output": "3"}],
        "time_limit_s": 1.5,
    },
    "ifeval": {
        "key": 1,
        "prompt": "Write without commas in two words.",
        "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
        "kwargs": [
            {"num_words": None, "relation": None},
            {"num_words": 3, "relation": "less than"},
        ],
    },
}

CALLED = {
    "starter_code": "class Solution:\n    def add(self, a: List[int], b: str) -> List[bool]:",
    "metadata": '{"func_name": "add"}',
    "public_test_cases": json.dumps([{"input": '[1, 2]\n"x"', "output": "[true]"}]),
    "private_test_cases": json.dumps([{"input": '[1, 2]\n"x"\n', "output": "[true]"}]),
}

ANSWERS = {
    "aime_2024": "4",
    "aime_2025": "5",
    "math_500": "\\frac{x}{2}",
    "gsm8k": "7",
    "mmlu": "B",
    "mmlu_redux": "A",
    "mmlu_pro": "J",
    "c_eval": "B",
    "cluewsc": "A",
}


def read(name: str, **changes: Any) -> Item | None:
    return BENCHMARKS[name].read(Row(ROWS[name] | changes, f"{name}.jsonl:1"))


def item(name: str, **changes: Any) -> Item:
    found = read(name, **changes)
    assert found is not None
    return found


def test_every_benchmark_with_rows_has_one_here() -> None:
    assert set(ROWS) == set(BENCHMARKS) - {"nano", "nano_helpful", "nano_safety"}


@pytest.mark.parametrize(("name", "answer"), ANSWERS.items())
def test_answers(name: str, answer: str) -> None:
    assert item(name).answer == answer


@pytest.mark.parametrize("name", ROWS)
def test_the_question_reaches_the_prompt_and_the_answer_does_not(name: str) -> None:
    found = item(name)
    question = found.sources[0].strip()
    assert question in found.question
    for solution in found.sources[1:]:
        assert solution not in found.question
    assert not any(
        "{" in word and "}" in word and "question" in word for word in found.question.split()
    )


def test_samples_per_problem_are_the_papers() -> None:
    paper = {
        "aime_2024": 64,
        "aime_2025": 64,
        "gpqa_diamond": 64,
        "math_500": 16,
        "codeforces": 16,
        "livecodebench": 8,
    }
    assert {name: BENCHMARKS[name].samples for name in paper} == paper


SIMPLE_EVALS = (
    "Answer the following multiple choice question. The last line of your response should be of "
    "the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think "
    "step by step before answering.\n\n"
)
QUESTIONS = {
    "math_500": (
        "Find half of $x$.\nPlease reason step by step, and put your final answer within \\boxed{}."
    ),
    "mmlu": f"{SIMPLE_EVALS}What is warm?\n\nA) ice\nB) fire\nC) snow\nD) hail",
    "gpqa_diamond": (
        f"{SIMPLE_EVALS}Which made-up particle is blue?\n\n"
        "A) redon\nB) greyon\nC) bluon\nD) greenon"
    ),
    "mmlu_pro": (
        "The following is a multiple choice question about math. Think step by step and then "
        'finish your answer with "The answer is (X)" where X is the correct letter choice.\n\n'
        "Which is even?\n\n"
        "A) 1\nB) 3\nC) 5\nD) 7\nE) 9\nF) 11\nG) 13\nH) 15\nI) 17\nJ) 18"
    ),
    "mmlu_redux": (
        "## Question\nWhat is cold?\n\n## Choices\nA) ice\nB) fire\nC) sun\nD) lava\n\n"
        "## Instruction\nReason first, then select the correct choice. Give both in this JSON "
        "form, with nothing but the letter of the choice as answer:\n"
        '{"reasoning": "...", "answer": "C"}'
    ),
    "c_eval": (
        "以下是中国关于made up考试的单项选择题，请选出其中的正确答案。请一步一步推理，"
        "并在最后一行按“答案：X”的格式作答，X 为选项字母。\n\n"
        "下列哪个是水果？\n\nA) 石头\nB) 苹果\nC) 桌子\nD) 云"
    ),
    "cluewsc": (
        "阅读下面的句子：\n小王把书给了小李，因为他想看。\n\n句中的“他”指的是“小李”吗？\n\n"
        "A) 是\nB) 否\n\n请一步一步推理，并在最后一行按“答案：X”的格式作答，X 为选项字母。"
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_are_asked_without_examples(name: str) -> None:
    assert item(name).question == QUESTIONS[name]


def test_c_eval_names_its_subjects_in_chinese() -> None:
    assert "中国关于税务师考试" in item("c_eval", subject="tax_accountant").question


def test_gpqa_choices_are_shuffled_by_the_question_alone() -> None:
    found = item("gpqa_diamond")
    options = dict(line.split(") ", 1) for line in found.question.splitlines()[-4:])
    assert sorted(options.values()) == ["bluon", "greenon", "greyon", "redon"]
    assert options[found.answer] == "bluon"
    assert item("gpqa_diamond") == found
    letters = {item("gpqa_diamond", Question=f"Which one, case {i}?").answer for i in range(40)}
    assert letters == set("ABCD")


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"error_type": "ok"}, "B"),
        ({"correct_answer": "C"}, "C"),
        ({"correct_answer": "lava"}, "D"),
        ({"correct_answer": "nothing of these"}, None),
        ({"correct_answer": None}, None),
        ({"error_type": "no_correct_answer"}, None),
        ({"error_type": "bad_question_clarity"}, None),
    ],
)
def test_mmlu_redux_corrects_and_leaves_out(changes: dict[str, Any], answer: str | None) -> None:
    found = read("mmlu_redux", **changes)
    assert (found.answer if found else None) == answer


@pytest.mark.parametrize(
    ("label", "answer"),
    [("true", "A"), ("false", "B"), (0, "A"), (1, "B"), (True, "A"), (False, "B")],
)
def test_cluewsc_labels_of_files_and_of_the_hub(label: Any, answer: str) -> None:
    assert item("cluewsc", label=label).answer == answer


def test_ifeval_keeps_only_the_arguments_that_an_instruction_has() -> None:
    assert json.loads(item("ifeval").answer) == [
        {"name": "punctuation:no_comma", "arguments": {}},
        {
            "name": "length_constraints:number_words",
            "arguments": {"num_words": 3, "relation": "less than"},
        },
    ]


def test_programs_with_stdin_tests() -> None:
    test = {"stdin": "1 2\n", "stdout": "3\n"}
    assert json.loads(item("livecodebench").answer) == {"tests": [test, test]}
    assert json.loads(item("codeforces").answer) == {
        "tests": [{"stdin": "1 2", "stdout": "3"}],
        "time_limit_s": 1.5,
    }


def test_programs_that_are_called() -> None:
    called = item("livecodebench", **CALLED)
    assert json.loads(called.answer) == {
        "tests": [{"args": [[1, 2], "x"], "expected": [True]}] * 2,
        "entry_point": "Solution.add",
        "prefix": STARTER_IMPORTS,
    }
    assert CALLED["starter_code"] in called.question
    compile(STARTER_IMPORTS, "prefix", "exec")


def test_programs_with_asserts_run_as_their_tests_mean_them() -> None:
    """The reference solution passes its own tests when put together as the answer says."""
    for name, solution in (
        ("humaneval", ROWS["humaneval"]["prompt"] + ROWS["humaneval"]["canonical_solution"]),
        ("mbpp", ROWS["mbpp"]["code"]),
    ):
        answer = json.loads(item(name).answer)
        names: dict[str, Any] = {}
        exec(answer["prefix"] + solution, names)
        names["candidate"] = names.get(answer.get("entry_point"))
        for test in answer["tests"]:
            exec(test, names)
        assert solution.strip() not in item(name).question
    assert json.loads(item("humaneval").answer)["prefix"] == "import math\n\n"
    assert "assert halve(4) == 2" in item("mbpp").question


@pytest.mark.parametrize(
    ("date", "inside"),
    [
        ("2024-07-31", False),
        ("2024-08-01", True),
        ("2025-01-31T12:00", True),
        ("2025-02-01", False),
        (datetime(2025, 1, 31), True),
        (datetime(2025, 2, 1), False),
    ],
)
def test_livecodebench_is_cut_to_the_papers_window(date: object, inside: bool) -> None:
    assert (read("livecodebench", contest_date=date) is not None) == inside


class _Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


def test_a_pickle_with_code_in_it_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    packed = base64.b64encode(zlib.compress(pickle.dumps(_Hostile()))).decode()
    with pytest.raises(UserError, match=r"'private_test_cases' cannot be read: .*builtins\.print"):
        read("livecodebench", private_test_cases=packed)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("math_500", {"problem": " "}, "column 'problem' is ' '"),
        ("math_500", {"answer": None}, "column 'answer' is empty"),
        ("gsm8k", {"answer": "7"}, "must end in '#### N', not '7'"),
        ("mmlu", {"answer": 4}, "'answer' is 4; it must be from 0 to 3"),
        ("mmlu", {"choices": "ice"}, "'choices' must be a list of texts"),
        ("mmlu_pro", {"answer": "K"}, "'answer' is 'K'; it must be one of ABCDEFGHIJ"),
        ("cluewsc", {"target": {}}, "'target' must hold span1_text and span2_text"),
        ("cluewsc", {"label": "yes"}, "'label' is 'yes'"),
        ("livecodebench", CALLED | {"metadata": "{}"}, "'metadata' names no func_name"),
        ("livecodebench", CALLED | {"public_test_cases": LCB_TESTS}, "a test is not JSON"),
        ("livecodebench", {"private_test_cases": "%%%"}, "'private_test_cases' cannot be read"),
        (
            "codeforces",
            {"tests": [{"input": "1"}]},
            "a test must be an object with input and output",
        ),
        ("codeforces", {"tests": []}, "'tests' must be a list"),
        ("ifeval", {"kwargs": [{}]}, "'kwargs' must hold one object per instruction"),
        ("ifeval", {"kwargs": [{}, {"num_words": 3}]}, "number_words needs the arguments"),
    ],
)
def test_a_bad_row_is_named(name: str, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as error:
        read(name, **changes)
    assert str(error.value).startswith(f"{name}.jsonl:1: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ROWS)
def test_a_file_with_other_columns_is_named(name: str) -> None:
    with pytest.raises(UserError, match=r"other\.jsonl:1: no column .*; the row has: a, b"):
        BENCHMARKS[name].read(Row({"a": "1", "b": "2"}, "other.jsonl:1"))
