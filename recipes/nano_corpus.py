"""What the nano base model reads: facts, a textbook, and solutions of every quality.

First facts, single steps of workings out of context. Then the textbook, in which every solution is
worked, right and well formed. Then the wild: short guesses and long workings, careful and rough
ones, in one language or both, in good and bad format. The first two parts decide what the base
model is able to do, the wild what it does when sampled.
"""

from __future__ import annotations

import random
from typing import Literal

from recipes.nano_tokenizer import EOS
from recipes.nano_world import LANGUAGES, Language, Problem, draw_problem, spell

Part = Literal["facts", "textbook", "wild"]

WORKED = 0.5
"""Share of worked solutions; the others are guesses."""
ROUGH = 0.4
"""Share of the worked solutions that announce themselves as rough."""
SLIP_ROUGH = 0.6
SLIP_CAREFUL = 0.08
GUESSED_RIGHT = 0.12
OTHER_LANGUAGE = 0.15
MIXED_LANGUAGE = 0.15

FORMATS: dict[str, float] = {
    "<think>{work}</think><answer>{answer}</answer>": 0.60,
    "<think>{work}</think>{answer}": 0.10,
    "<think>{work}<answer>{answer}</answer>": 0.08,
    "{work}{so}{answer}": 0.10,
    "{work}</think><answer>{answer}</answer>": 0.06,
    "<think>{work}</think><answer>{answer}</answer>{done}": 0.06,
}
"""How a solution is put down, and how often. Only the first one earns the format reward."""
GOOD_FORMAT = next(iter(FORMATS))


def textbook_solution(problem: Problem) -> str:
    """Worked, right, well formed, in the language of the problem."""
    steps, answer = problem.work()
    template = GOOD_FORMAT.format(work="".join(steps), answer=answer)
    return spell(template, problem.language) + EOS


def wild_solution(problem: Problem, rng: random.Random) -> str:
    """A solution as it might be found anywhere."""
    if rng.random() < WORKED:
        rough = rng.random() < ROUGH
        steps, answer = problem.work()
        if rng.random() < (SLIP_ROUGH if rough else SLIP_CAREFUL):
            steps, answer = problem.work(slip_at=rng.randrange(len(steps)))
        work = ["{roughly}", *steps] if rough else steps
    else:
        work, answer = ["{guess}"], problem.work()[1]
        if rng.random() > GUESSED_RIGHT:
            answer = _wrong_guess(answer, rng)
    (template,) = rng.choices(list(FORMATS), weights=list(FORMATS.values()))
    before, after = template.format(work="|", answer=answer, so="{so}", done="{done}").split("|")
    languages = _languages(problem.language, len(work) + 1, rng)
    spelled = [spell(part, language) for part, language in zip(work, languages, strict=False)]
    return before + "".join(spelled) + spell(after, languages[-1]) + EOS


def draw_document(rng: random.Random, part: Part) -> tuple[str, str]:
    """(prompt, solution) from one part of the corpus; never of a held-out problem."""
    problem = draw_problem(rng)
    while problem.is_heldout:
        problem = draw_problem(rng)
    if part == "facts":
        return _fact(problem, rng)
    if part == "textbook":
        return problem.prompt, textbook_solution(problem)
    return problem.prompt, wild_solution(problem, rng)


def _fact(problem: Problem, rng: random.Random) -> tuple[str, str]:
    """One step of a working by itself: (" ones 7+8", "=15")."""
    step = spell(rng.choice(problem.work()[0]), problem.language).removeprefix(";")
    question, equals, result = step.rpartition("=")
    return question, equals + result + EOS


def _wrong_guess(answer: str, rng: random.Random) -> str:
    """Another number of as many digits, right in all but one of them."""
    at = rng.randrange(len(answer))
    digits = "01" if set(answer) <= {"0", "1"} else "0123456789"
    digit = rng.choice([d for d in digits if d != answer[at]])
    return answer[:at] + digit + answer[at + 1 :]


def _languages(own: Language, count: int, rng: random.Random) -> list[Language]:
    """The language of each part of a solution."""
    other: Language = "zh" if own == "en" else "en"
    draw = rng.random()
    if draw < MIXED_LANGUAGE:
        return [rng.choice(LANGUAGES) for _ in range(count)]
    language: Language = other if draw < MIXED_LANGUAGE + OTHER_LANGUAGE else own
    return [language] * count
