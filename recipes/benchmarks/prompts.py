"""What a problem looks like to the model. No system prompt and no examples: few-shot prompts make
R1 worse (arXiv 2501.12948v2, sections 6 and D.1), so few-shot benchmarks are asked zero-shot."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "ABCDEFGHIJ"

MATH = "{question}\nPlease reason step by step, and put your final answer within \\boxed{{}}."
"""The directive of the paper and of the model's own README."""

CHOICE = (
    "Answer the following multiple choice question. The last line of your response should be of "
    "the following format: 'Answer: $LETTER' (without quotes) where LETTER is one of {letters}. "
    "Think step by step before answering.\n\n{question}\n\n{options}"
)
"""MMLU and GPQA, in the form the paper takes from simple-evals."""

MMLU_PRO = (
    "The following is a multiple choice question about {subject}. Think step by step and then "
    'finish your answer with "The answer is (X)" where X is the correct letter choice.\n\n'
    "{question}\n\n{options}"
)
"""Zero-shot form of MMLU-Pro's own prompt, whose answer line it keeps."""

MMLU_REDUX = (
    "## Question\n{question}\n\n## Choices\n{options}\n\n## Instruction\nReason first, then select "
    "the correct choice. Give both in this JSON form, with nothing but the letter of the choice as "
    'answer:\n{{"reasoning": "...", "answer": "C"}}'
)
"""Zero-Eval's shape: the answer is a field of a JSON object."""

C_EVAL = (
    "以下是中国关于{subject}考试的单项选择题，请选出其中的正确答案。请一步一步推理，"
    "并在最后一行按“答案：X”的格式作答，X 为选项字母。\n\n{question}\n\n{options}"
)
"""C-Eval's own opening; the line on the form of the answer stands for its examples."""

CLUEWSC = (
    "阅读下面的句子：\n{text}\n\n句中的“{pronoun}”指的是“{noun}”吗？\n\nA) 是\nB) 否\n\n"
    "请一步一步推理，并在最后一行按“答案：X”的格式作答，X 为选项字母。"
)
"""The pronoun problem as a choice of two, which needs no examples to know the form."""

PROGRAM = (
    "{question}\n\nWrite a Python program that solves the problem. It must read the input from "
    "stdin and write the result to stdout. Put the whole program into one ```python code block."
)
"""LiveCodeBench and Codeforces-style problems with tests on stdin."""

PROGRAM_WITH_STARTER = (
    "{question}\n\nComplete this Python code, keeping its names, and put the whole solution into "
    "one ```python code block.\n```python\n{starter}\n```"
)
"""LiveCodeBench's LeetCode problems and HumanEval, whose tests call a function."""

FUNCTION = (
    "{question}\n\nYour code must satisfy this test:\n{test}\n\nPut the whole solution into one "
    "```python code block."
)
"""MBPP: the first test tells the function's name and arguments."""


def options(texts: Sequence[str]) -> str:
    """["red", "blue"] -> "A) red\\nB) blue"."""
    return "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, texts, strict=False))
