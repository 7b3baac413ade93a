"""Problems as prompts, split into training and held-out, and the order they are trained in."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from transformers import PreTrainedTokenizerBase

from configs.data_sets import Gsm8kData, NanoData, ProblemData, Problems
from configs.errors import UserError
from recipes.nano_world import Problem as NanoProblem
from recipes.nano_world import draw_problems
from recipes.problem_rows import Problem, read_problem
from recipes.row_files import BadRow, Rejected, as_text, json_lines, open_rows
from rewards.math import MathChecker
from rewards.math.numbers import read_number
from rl.order import batch_of_step
from rl.records import Outcome, Prompt

R1_ZERO_TEMPLATE = (
    "A conversation between User and Assistant. The user asks a question, and the Assistant "
    "solves it. The assistant first thinks about the reasoning process in the mind and then "
    "provides the user with the answer. The reasoning process and answer are enclosed within "
    "<think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process "
    "here </think> <answer> answer here </answer>. User: {question}. Assistant:"
)
"""Table 1 of the paper, word for word; the question takes the place of "prompt"."""


@dataclass(frozen=True, slots=True)
class PromptSets:
    """The prompts of a run: no problem is in both lists."""

    train: list[Prompt]
    heldout: list[Prompt]
    rejected: Mapping[str, int]
    """Reason -> number of problems left out."""
    rejected_rows: Sequence[Rejected] = ()
    """Those of them that are listed one by one."""


def load_prompts(data: Problems, tokenizer: PreTrainedTokenizerBase) -> PromptSets:
    """All prompts of a data set, tokenized once and for all, in a fixed order."""
    if isinstance(data, NanoData):
        return PromptSets(
            train=_nano_prompts(data.train_problems, "train", data, tokenizer),
            heldout=_nano_prompts(data.heldout_problems, "heldout", data, tokenizer),
            rejected={},
        )
    if isinstance(data, ProblemData):
        return _load_problems(data, tokenizer)
    return _load_gsm8k(data, tokenizer)


def prompts_for_step(
    prompts: Sequence[Prompt], count: int, step: int, run_seed: int
) -> list[Prompt]:
    """The prompts of one step (steps count from 0), as a pure function of its arguments.

    The order is that of rl.order.batch_of_step: no prompt comes twice in a step.
    """
    if len(prompts) < count:
        raise UserError(
            f"rollout.prompts_per_step={count}: the data set has only {len(prompts)} training "
            "prompts; lower rollout.prompts_per_step or give more data"
        )
    return [prompts[i] for i in batch_of_step(len(prompts), count, step, run_seed)]


def chat_prompt(question: str, tokenizer: PreTrainedTokenizerBase) -> tuple[str, list[int]]:
    """A question in the tokenizer's chat template, up to where the assistant begins: text and ids.

    Raises UserError for a tokenizer without one.
    """
    if not tokenizer.chat_template:
        raise UserError(
            "data.template=chat: the model's tokenizer has no chat template; take "
            "data.template=r1_zero, which is for base models, or give it R1's with "
            "`python -m recipes.r1_base FOLDER NEW`"
        )
    messages = [{"role": "user", "content": question}]
    text = cast(
        str, tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    )
    # The template writes the begin-of-sentence token itself.
    return text, tokenizer.encode(text, add_special_tokens=False)


def _nano_prompts(
    count: int, split: str, data: NanoData, tokenizer: PreTrainedTokenizerBase
) -> list[Prompt]:
    prompts = []
    for i, problem in enumerate(draw_problems(count, heldout=split == "heldout", seed=data.seed)):
        text = problem.prompt
        if data.template == "chat":
            text, token_ids = chat_prompt(nano_question(problem), tokenizer)
        else:
            token_ids = tokenizer.encode(text, add_special_tokens=False)
        about = {
            "kind": problem.kind,
            "language": problem.language,
            "question": nano_question(problem),
        }
        prompt = Prompt(f"nano-{split}-{i}", text, tuple(token_ids), problem.answer, about)
        prompts.append(prompt)
    return prompts


def nano_question(problem: NanoProblem) -> str:
    """What the user asks, without the plain-text form around it: " Compute 47+38."."""
    return problem.prompt.removeprefix("User:").removesuffix(" Assistant:")


def _load_problems(data: ProblemData, tokenizer: PreTrainedTokenizerBase) -> PromptSets:
    """Good rows as prompts; every other row is listed with its reason."""
    prompts: dict[str, Prompt] = {}
    names: set[str] = set()
    rejected: list[Rejected] = []
    with MathChecker() as checker:
        for number, read in open_rows(data.path, data.subset, data.split, streaming=data.streaming):
            try:
                row = read()
                problem = read_problem(row, data)
                prompt = _problem_prompt(_name(row, number), problem, data, tokenizer)
                if prompt.id in names:
                    raise BadRow("id occurs twice", prompt.id)
                if problem.question in prompts:
                    raise BadRow("question occurs twice", prompts[problem.question].id)
                if problem.checker == "math":
                    _check_readable(problem.answer, checker)
            except BadRow as bad:
                rejected.append(Rejected(number, bad.reason, bad.detail))
                continue
            names.add(prompt.id)
            prompts[problem.question] = prompt
            if len(prompts) == data.problems:
                break
    counts = Counter(each.reason for each in rejected)
    if len(prompts) <= data.heldout_problems:
        reasons = "; ".join(f"{count} {reason}" for reason, count in counts.items())
        raise UserError(
            f"data.heldout_problems={data.heldout_problems}: leaves nothing to train on, since "
            f"{data.path} has {len(prompts)} usable problems ({reasons or 'and no bad row'}); use "
            "a smaller number or more data"
        )
    by_digest = sorted(prompts, key=lambda question: hashlib.blake2b(question.encode()).digest())
    heldout = by_digest[: data.heldout_problems]
    held = set(heldout)
    return PromptSets(
        train=[prompt for question, prompt in prompts.items() if question not in held],
        heldout=[prompts[question] for question in heldout],
        rejected=dict(counts),
        rejected_rows=tuple(rejected),
    )


def _check_readable(answer: str, checker: MathChecker) -> None:
    """Raises BadRow for an answer that would not even count as equal to itself."""
    verdict = checker.check(answer, answer, is_answer=True)
    if verdict.outcome is not Outcome.CORRECT:
        raise BadRow("answer that the checker cannot read", f"{answer[:80]!r} {verdict.detail}")


def _name(row: Mapping[str, Any], number: int) -> str:
    """The id of a row, its own if it has one."""
    own = row.get("id") if row.get("id") is not None else row.get("uuid")
    return f"row-{number}" if own is None else str(own)


def _problem_prompt(
    name: str, problem: Problem, data: ProblemData, tokenizer: PreTrainedTokenizerBase
) -> Prompt:
    """Raises BadRow for a prompt that is too long."""
    if data.template == "chat":
        question = problem.asked()
        text, token_ids = chat_prompt(question, tokenizer)
    else:
        question = problem.asked() if problem.checker == "code" else problem.question
        text = R1_ZERO_TEMPLATE.format(question=question)
        token_ids = tokenizer.encode(text)
    if len(token_ids) > data.max_prompt_tokens:
        raise BadRow(
            f"prompt longer than {data.max_prompt_tokens} tokens", f"{len(token_ids)} tokens"
        )
    about = {"kind": problem.checker, "language": problem.language, "question": question}
    if problem.checker != "math":
        about["checker"] = problem.checker
    return Prompt(name, text, tuple(token_ids), problem.answer, about)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of a GSM8K file."""

    line: int
    question: str
    answer: str

    @property
    def digest(self) -> bytes:
        """Orders rows at random, but the same for every copy of a question."""
        return hashlib.blake2b(self.question.encode()).digest()


def _load_gsm8k(data: Gsm8kData, tokenizer: PreTrainedTokenizerBase) -> PromptSets:
    rejected: list[Rejected] = []
    rows: dict[str, _Row] = {}
    prompts: dict[str, Prompt] = {}
    for row in _read_rows(Path(data.path).expanduser()):
        if row.question in rows:
            first = f"gsm8k-{rows[row.question].line}"
            rejected.append(Rejected(row.line, "question occurs twice", first))
            continue
        rows[row.question] = row
        prompt = _gsm8k_prompt(row, data, tokenizer)
        if len(prompt.token_ids) <= data.max_prompt_tokens:
            prompts[row.question] = prompt
        else:
            reason = f"prompt longer than {data.max_prompt_tokens} tokens"
            rejected.append(Rejected(row.line, reason, f"{len(prompt.token_ids)} tokens"))
    if len(prompts) <= data.heldout_problems:
        raise UserError(
            f"data.heldout_problems: {data.heldout_problems} leaves nothing to train on, since "
            f"{data.path} has {len(prompts)} usable problems; use a smaller number or a larger file"
        )
    by_digest = sorted(prompts, key=lambda question: rows[question].digest)
    heldout = set(by_digest[: data.heldout_problems])
    return PromptSets(
        train=[prompt for question, prompt in prompts.items() if question not in heldout],
        heldout=[prompts[question] for question in by_digest[: data.heldout_problems]],
        rejected=dict(Counter(each.reason for each in rejected)),
        rejected_rows=tuple(rejected),
    )


def _gsm8k_prompt(row: _Row, data: Gsm8kData, tokenizer: PreTrainedTokenizerBase) -> Prompt:
    if data.template == "r1_zero":
        text = R1_ZERO_TEMPLATE.format(question=row.question)
        token_ids = tokenizer.encode(text)
    else:
        text, token_ids = chat_prompt(row.question, tokenizer)
    return Prompt(
        id=f"gsm8k-{row.line}",
        text=text,
        token_ids=tuple(token_ids),
        answer=row.answer,
        metadata={"kind": "gsm8k", "language": "en", "question": row.question},
    )


def _read_rows(path: Path) -> Iterator[_Row]:
    if not path.is_file():
        raise UserError(
            f"data.path: {path} is not a file; give a JSON-lines file with the keys question and "
            "answer, such as GSM8K's train.jsonl"
        )
    empty = True
    for number, read in json_lines(path):
        empty = False
        try:
            yield _parse_row(number, read())
        except BadRow as bad:
            raise UserError(
                f"data.path={path}:{number}: {bad.reason} ({bad.detail}); every line must be like "
                '{"question": "...", "answer": "... #### 42"}'
            ) from bad
    if empty:
        raise UserError(f"data.path: {path} is empty; give a file with one problem per line")


def _parse_row(number: int, row: Any) -> _Row:
    """Raises BadRow."""
    if not isinstance(row, dict):
        raise BadRow("not an object", type(row).__name__)
    question, solution = (as_text(row.get(key), key) for key in ("question", "answer"))
    _, mark, answer = solution.rpartition("####")
    if not mark or read_number(answer) is None:
        raise BadRow("the answer does not end in '#### N' with a number N", repr(solution[-30:]))
    return _Row(line=number, question=question.strip(), answer=answer.strip())
