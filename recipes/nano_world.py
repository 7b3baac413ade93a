"""The nano world: small verifiable problems in two languages, and how they are worked.

    kind     question                 working
    add      Compute 47+38.           ones 7+8=15 tens 4+3=7+1=8
    sub      Compute 52-17.           ones 2-7=-5+10=5 tens 5-1=4-1=3
    count    Count a: a, b, c, a.     a+1=1 b+0=1 c+0=1 a+1=2
    logic    Compute 101 or 011.      1 or 0=1;0 or 1=1;1 or 1=1
    program  Run x=3;x=x+4;x=x-2.     3+4=7-2=5

Each step of a working is a table look-up that a tiny transformer learns in minutes, while the
answer in one go is out of its reach: longer working pays. Steps have fixed widths ("+0"), so that
what a step needs stands at a fixed distance from it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rl.seeds import seed_for

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, Language] = ("en", "zh")

WORDS: dict[str, dict[Language, str]] = {
    "compute": {"en": " Compute ", "zh": " 计算"},
    "count": {"en": " Count ", "zh": " 数"},
    "run": {"en": " Run ", "zh": " 运行"},
    "stop": {"en": ".", "zh": "。"},
    "ones": {"en": " ones ", "zh": "个"},
    "tens": {"en": " tens ", "zh": "十"},
    "and": {"en": " and ", "zh": "与"},
    "or": {"en": " or ", "zh": "或"},
    "xor": {"en": " xor ", "zh": "异或"},
    "guess": {"en": " guess", "zh": "猜"},
    "roughly": {"en": " roughly ", "zh": "大概"},
    "so": {"en": " so ", "zh": "得"},
    "done": {"en": " done", "zh": "完"},
}
"""Every word of the world in both languages; workings name them in braces: "{ones}7+8=15"."""

LETTERS = "abcde"
HELDOUT_SHARE = 8
"""One problem in this many is held out."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Problem(kind="add", operands=("47", "38"), language="en")"""

    kind: str
    operands: tuple[str, ...]
    language: Language

    @property
    def canonical(self) -> str:
        """The problem itself, whatever its wording, language or order of equal operands."""
        operands = sorted(self.operands) if self.kind == "add" else self.operands
        if self.kind == "logic":
            left, operator, right = self.operands
            operands = [operator, *sorted((left, right))]
        return " ".join((self.kind, *operands))

    @property
    def is_heldout(self) -> bool:
        """Depends on nothing but the problem, so no seed of any data set can mix the two up."""
        return seed_for(0, "nano split", self.canonical) % HELDOUT_SHARE == 0

    @property
    def prompt(self) -> str:
        """R1-Zero's plain-text form, scaled down: "User: Compute 47+38. Assistant:"."""
        question = QUESTIONS[self.kind](self.operands)
        return f"User:{spell(question, self.language)} Assistant:"

    @property
    def answer(self) -> str:
        """The gold answer: a number, or for logic a word of bits."""
        answer = self.work()[1]
        return answer if self.kind == "logic" else str(int(answer))

    def work(self, slip_at: int | None = None) -> tuple[list[str], str]:
        """The steps of the working, words in braces, and the answer they lead to.

        slip_at: index of a step whose result comes out wrong; later steps go on from there.
        """
        return WORKINGS[self.kind](self.operands, slip_at)


def spell(template: str, language: Language) -> str:
    """Fill in the words: spell("{ones}7+8=15", "zh") == "个7+8=15"."""
    return template.format_map({name: forms[language] for name, forms in WORDS.items()})


# --- the five kinds: how a problem is worked ------------------------------------------------------


def _work_add(operands: tuple[str, ...], slip_at: int | None) -> tuple[list[str], str]:
    (a1, a0), (b1, b0) = operands
    ones = int(a0) + int(b0)
    ones += _slip(slip_at == 0, ones)
    carry, tens = ones // 10, int(a1) + int(b1)
    total = tens + carry
    total += _slip(slip_at == 1, total)
    steps = [f"{{ones}}{a0}+{b0}={ones}", f"{{tens}}{a1}+{b1}={tens}+{carry}={total}"]
    return steps, f"{total}{ones % 10}"


def _work_sub(operands: tuple[str, ...], slip_at: int | None) -> tuple[list[str], str]:
    (a1, a0), (b1, b0) = operands
    difference = int(a0) - int(b0)
    borrow = int(difference < 0)
    ones = difference + 10 * borrow
    ones += _slip(slip_at == 0, ones)
    tens = int(a1) - int(b1)
    total = tens - borrow
    total += _slip(slip_at == 1, total)
    steps = [
        f"{{ones}}{a0}-{b0}={difference}+{10 * borrow}={ones}",
        f"{{tens}}{a1}-{b1}={tens}-{borrow}={total}",
    ]
    return steps, f"{total}{ones}"


def _work_count(operands: tuple[str, ...], slip_at: int | None) -> tuple[list[str], str]:
    letter, text = operands
    steps, count = [], 0
    for i, character in enumerate(text):
        found = int((character == letter) != (i == slip_at))
        count += found
        steps.append(f"{character}+{found}={count}")
    return steps, str(count)


def _work_logic(operands: tuple[str, ...], slip_at: int | None) -> tuple[list[str], str]:
    left, operator, right = operands
    steps, answer = [], ""
    for i, (a, b) in enumerate(zip(left, right, strict=True)):
        bit = {"{and}": a == b == "1", "{or}": "1" in a + b, "{xor}": a != b}[operator]
        bit = bit != (i == slip_at)
        steps.append(f"{';' if i else ''}{a}{operator}{b}={int(bit)}")
        answer += str(int(bit))
    return steps, answer


def _work_program(operands: tuple[str, ...], slip_at: int | None) -> tuple[list[str], str]:
    start, *statements = operands
    steps, value = [], int(start)
    for i, statement in enumerate(statements):
        operator, change = statement[0], int(statement[1])
        result = value + change if operator == "+" else value - change
        result += _slip(i == slip_at, result)
        steps.append(f"{'' if i else start}{operator}{change}={result}")
        value = result
    return steps, str(value)


def _slip(slipped: bool, value: int) -> int:
    """What a slip adds to a value: the neighbour that keeps its number of digits."""
    if not slipped:
        return 0
    return -1 if value in (9, 19) else 1


WORKINGS: dict[str, Callable[[tuple[str, ...], int | None], tuple[list[str], str]]] = {
    "add": _work_add,
    "sub": _work_sub,
    "count": _work_count,
    "logic": _work_logic,
    "program": _work_program,
}


# --- how it is asked, and how problems are drawn --------------------------------------------------


def _ask_program(operands: tuple[str, ...]) -> str:
    start, *statements = operands
    return "{run}" + ";".join([f"x={start}", *(f"x=x{s}" for s in statements)]) + "{stop}"


QUESTIONS: dict[str, Callable[[tuple[str, ...]], str]] = {
    "add": lambda operands: "{compute}" + "+".join(operands) + "{stop}",
    "sub": lambda operands: "{compute}" + "-".join(operands) + "{stop}",
    "count": lambda operands: "{count}" + operands[0] + ": " + ", ".join(operands[1]) + "{stop}",
    "logic": lambda operands: "{compute}" + "".join(operands) + "{stop}",
    "program": _ask_program,
}


def _draw_add(rng: random.Random) -> tuple[str, ...]:
    return _two_digits(rng), _two_digits(rng)


def _draw_sub(rng: random.Random) -> tuple[str, ...]:
    right, left = sorted((_two_digits(rng), _two_digits(rng)))
    return left, right


def _draw_count(rng: random.Random) -> tuple[str, ...]:
    return rng.choice(LETTERS), "".join(rng.choices(LETTERS, k=5))


def _draw_logic(rng: random.Random) -> tuple[str, ...]:
    left, right = ("".join(rng.choices("01", k=3)) for _ in range(2))
    return left, rng.choice(("{and}", "{or}", "{xor}")), right


def _draw_program(rng: random.Random) -> tuple[str, ...]:
    """Two statements that keep the value of x in one digit."""
    value = rng.randrange(10)
    operands = [str(value)]
    for _ in range(2):
        change = rng.choice([c for c in range(-9, 10) if c != 0 and 0 <= value + c <= 9])
        operands.append(f"{change:+d}")
        value += change
    return tuple(operands)


def _two_digits(rng: random.Random) -> str:
    return str(rng.randrange(10, 100))


DRAWS: dict[str, Callable[[random.Random], tuple[str, ...]]] = {
    "add": _draw_add,
    "sub": _draw_sub,
    "count": _draw_count,
    "logic": _draw_logic,
    "program": _draw_program,
}
KINDS = tuple(DRAWS)


def draw_problem(rng: random.Random) -> Problem:
    """A problem of any kind in either language."""
    kind = rng.choice(KINDS)
    return Problem(kind, DRAWS[kind](rng), rng.choice(LANGUAGES))


def draw_problems(count: int, *, heldout: bool, seed: int) -> list[Problem]:
    """So many different problems of one split."""
    rng = random.Random(seed_for(seed, "nano problems", str(heldout)))
    problems: dict[tuple[str, Language], Problem] = {}
    while len(problems) < count:
        problem = draw_problem(rng)
        if problem.is_heldout == heldout:
            problems.setdefault((problem.canonical, problem.language), problem)
    return list(problems.values())
