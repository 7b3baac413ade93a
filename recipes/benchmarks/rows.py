"""From the row of a data file to a problem: mathematics, multiple choice, instructions.

Each reader takes a row with the columns that it names and gives an Item, or None for a row that
the benchmark itself marks as broken. A row of another shape is a UserError.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

from configs.errors import UserError
from recipes.benchmarks import prompts
from recipes.benchmarks.items import Item, Row
from rewards.instructions import problem_with
from rl.seeds import seed_for


def read_math(row: Row) -> Item:
    """Columns: problem, answer; solution if there is one."""
    question = row.text("problem", "Problem", "question")
    name = row.column("answer", "Answer")
    # AIME files keep their answers as numbers.
    answer = str(row.values[name]).strip()
    if not answer or row.values[name] is None:
        raise UserError(f"{row.where}: the column {name!r} is empty; it must be the answer")
    return Item(
        question=prompts.MATH.format(question=question.strip()),
        answer=answer,
        sources=_sources(question, row.optional("solution") or row.optional("Solution")),
        metadata=_kept(row, "subject", "level"),
    )


def read_gsm8k(row: Row) -> Item:
    """Columns: question, answer (ending in "#### N")."""
    question, solution = row.text("question"), row.text("answer")
    _, mark, answer = solution.rpartition("####")
    if not mark or not answer.strip():
        raise UserError(f"{row.where}: the answer must end in '#### N', not {solution[-30:]!r}")
    return Item(
        question=prompts.MATH.format(question=question.strip()),
        answer=answer.strip(),
        sources=_sources(question, solution),
    )


def read_gpqa(row: Row) -> Item:
    """Columns: Question, Correct Answer, Incorrect Answer 1, 2 and 3; Explanation if any.

    The order of the choices is drawn from the question, so it is the same in every run.
    """
    question, correct = row.text("Question"), row.text("Correct Answer").strip()
    choices = [correct, *(row.text(f"Incorrect Answer {i}").strip() for i in (1, 2, 3))]
    random.Random(seed_for(0, "gpqa", question)).shuffle(choices)
    return _choice(
        prompts.CHOICE, row, question, choices, choices.index(correct), row.optional("Explanation")
    )


def read_mmlu(row: Row) -> Item:
    """Columns: question, choices (four texts), answer (0 to 3); subject if any."""
    choices = row.texts("choices")
    return _choice(prompts.CHOICE, row, row.text("question"), choices, _index(row, choices))


def read_mmlu_redux(row: Row) -> Item | None:
    """MMLU's columns and error_type, correct_answer. Questions that the re-annotation found broken
    are left out; where only the key was wrong, the corrected one is taken."""
    choices, error = row.texts("choices"), row.text("error_type")
    index = _index(row, choices)
    if error == "wrong_groundtruth":
        corrected = _corrected(row, choices)
        if corrected is None:
            return None
        index = corrected
    elif error != "ok":
        return None
    return _choice(prompts.MMLU_REDUX, row, row.text("question"), choices, index)


def read_mmlu_pro(row: Row) -> Item:
    """Columns: question, options (up to ten texts), answer (a letter), category."""
    choices = row.texts("options")
    return _choice(
        prompts.MMLU_PRO,
        row,
        row.text("question"),
        choices,
        _letter_index(row, choices),
        subject=row.text("category"),
    )


def read_c_eval(row: Row) -> Item:
    """Columns: question, A, B, C, D, answer (a letter), subject; explanation if any."""
    choices, subject = [row.text(letter) for letter in "ABCD"], row.text("subject")
    return _choice(
        prompts.C_EVAL,
        row,
        row.text("question"),
        choices,
        _letter_index(row, choices),
        row.optional("explanation"),
        subject=prompts.C_EVAL_SUBJECTS.get(subject, subject),
    )


def read_cluewsc(row: Row) -> Item:
    """Columns: text, target (span1_text: the noun, span2_text: the pronoun), label (true or false;
    the hub's table writes 0 for true and 1 for false)."""
    text, target = row.text("text"), row.values[row.column("target")]
    if not isinstance(target, dict) or not {"span1_text", "span2_text"} <= target.keys():
        raise UserError(f"{row.where}: the column 'target' must hold span1_text and span2_text")
    label = str(row.values[row.column("label")]).lower()
    if label not in ("true", "false", "0", "1"):
        raise UserError(f"{row.where}: the column 'label' is {label!r}; it must be true or false")
    question = prompts.CLUEWSC.format(
        text=text, pronoun=target["span2_text"], noun=target["span1_text"]
    )
    answer = "A" if label in ("true", "0") else "B"
    return Item(question=question, answer=answer, sources=_sources(text))


def read_ifeval(row: Row) -> Item:
    """Columns: prompt, instruction_id_list, kwargs (one object per instruction)."""
    question, names = row.text("prompt"), row.texts("instruction_id_list")
    values = row.values[row.column("kwargs")]
    if not isinstance(values, list) or len(values) != len(names):
        raise UserError(f"{row.where}: the column 'kwargs' must hold one object per instruction")
    # The hub's table fills the arguments that an instruction does not have with null.
    arguments = [{k: v for k, v in (each or {}).items() if v is not None} for each in values]
    for name, given in zip(names, arguments, strict=True):
        if problem := problem_with(name, given):
            raise UserError(f"{row.where}: {problem}")
    instructions = [
        {"name": name, "arguments": given} for name, given in zip(names, arguments, strict=True)
    ]
    return Item(
        question=question,
        answer=json.dumps(instructions, ensure_ascii=False),
        sources=_sources(question),
    )


def _choice(
    template: str,
    row: Row,
    question: str,
    choices: Sequence[str],
    index: int,
    solution: str = "",
    subject: str = "",
) -> Item:
    letters = prompts.LETTERS[: len(choices)]
    return Item(
        question=template.format(
            question=question.strip(),
            options=prompts.options(choices),
            letters=letters,
            subject=subject.replace("_", " "),
        ),
        answer=letters[index],
        sources=_sources(question, solution),
        metadata=_kept(row, "subject", "category") | {"letters": letters},
    )


def _index(row: Row, choices: Sequence[str]) -> int:
    """The column answer as a position in choices."""
    value = row.values[row.column("answer")]
    if not isinstance(value, int) or not 0 <= value < len(choices):
        raise UserError(
            f"{row.where}: the column 'answer' is {value!r}; it must be from 0 to "
            f"{len(choices) - 1}"
        )
    return value


def _letter_index(row: Row, choices: Sequence[str]) -> int:
    letter = row.text("answer").strip()
    letters = prompts.LETTERS[: len(choices)]
    if len(letter) != 1 or letter not in letters:
        raise UserError(
            f"{row.where}: the column 'answer' is {letter!r}; it must be one of {letters}"
        )
    return letters.index(letter)


def _corrected(row: Row, choices: Sequence[str]) -> int | None:
    """MMLU-Redux's corrected key: a position, a letter or the text of a choice; None otherwise."""
    value = row.optional("correct_answer").strip()
    if value.isdecimal() and int(value) < len(choices):
        return int(value)
    if len(value) == 1 and value in prompts.LETTERS[: len(choices)]:
        return prompts.LETTERS.index(value)
    return choices.index(value) if value in choices else None


def _sources(*texts: str) -> tuple[str, ...]:
    return tuple(text for text in texts if text.strip())


def _kept(row: Row, *names: str) -> dict[str, str]:
    return {name: value for name in names if (value := row.optional(name))}
