"""How fast the math checker is: `python -m tests.bench.bench_math`.

Every pair is new, so no cache helps. LaTeX-heavy pairs are the kinds that competition problems ask
for; one in twenty needs Math-Verify.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from math import gcd, lcm
from statistics import quantiles

from configs.rewards import MathSettings
from rewards.math import MathChecker
from rl.records import Outcome

NUM_PAIRS = 4000
BOMBS = (
    "\\int_0^1 \\frac{\\sin(x^7) e^{x^5}}{\\ln(1+x^3)} dx",
    "\\int_0^\\infty \\frac{x^{17} \\sin^9 x}{(1+x^2)^{23}} dx",
    "9^{9^{9^9}}",
)
Pair = tuple[str, str]
"""Gold answer and an equal prediction."""


def plain(rng: random.Random) -> Pair:
    value = rng.randrange(10**6)
    return str(value), rng.choice([f"{value:,}", f"\\${value}.00", f"{value}.", f"{value} dollars"])


LATEX: tuple[Callable[[int, int, int], Pair], ...] = (
    lambda a, b, c: (f"\\frac{{{a}}}{{{b}}}", f"\\dfrac{{{a * c}}}{{{b * c}}}"),
    lambda a, b, c: (f"{a}\\sqrt{{{b}}}", f"\\sqrt{{{a * a * b}}}"),
    lambda a, b, c: (f"{a}x^2 + {b}x + {c}", f"{c} + x({a}x + {b})"),
    lambda a, b, c: (f"\\left( {a}, \\frac{{{b}}}{{{c}}} \\right)", f"({a}, {b}/{c})"),
    lambda a, b, c: (f"[{a}, {a + b})", f"{a} \\le x < {a + b}"),
    lambda a, b, c: (f"x = {a} \\pm \\sqrt{{{b}}}", f"{a} - \\sqrt{{{b}}}, {a} + \\sqrt{{{b}}}"),
    lambda a, b, c: (f"\\{{{a}, {a + b}, -{c}\\}}", f"\\{{-{c}, {a}, {a + b}\\}}"),
    lambda a, b, c: (f"{a}\\pi - \\frac{{{b}}}{{{c}}}", f"\\frac{{{a * c}\\pi - {b}}}{{{c}}}"),
    lambda a, b, c: (f"{a}^\\circ", f"{a} \\text{{ degrees}}"),
    lambda a, b, c: (f"\\sin({a}x)\\cos {b}", f"\\cos({b}) \\sin {a}x"),
    lambda a, b, c: (f"\\frac{{{a}}}{{\\sqrt{{{b}}}}}", f"\\frac{{{a}\\sqrt{{{b}}}}}{{{b}}}"),
    lambda a, b, c: (f"{a}x + {b}y = {c}", f"{2 * a}x = {2 * c} - {2 * b}y"),
    lambda a, b, c: (f"{a}\\text{{ cm}}^2", f"{a} \\text{{ square centimeters}}"),
    lambda a, b, c: (f"{a * 10 + 5}\\%", f"\\frac{{{2 * a + 1}}}{{20}}"),
    lambda a, b, c: (f"\\binom{{{a % 40 + 2}}}{{2}}", f"{(a % 40 + 2) * (a % 40 + 1) // 2}"),
    lambda a, b, c: (f"e^{{{a}}} \\ln {b}", f"\\ln({b}) e^{{{a}}}"),
    lambda a, b, c: (
        f"(-\\infty, {a}) \\cup ({a + b}, \\infty)",
        f"x < {a} \\text{{ or }} x > {a + b}",
    ),
    lambda a, b, c: (f"{a} + {b}i", f"{b}i + {a}"),
    lambda a, b, c: (
        f"\\begin{{pmatrix}} {a} & {b} \\\\ {c} & 1 \\end{{pmatrix}}",
        f"\\begin{{bmatrix}} {a} & {b} \\\\ {c} & \\frac{{2}}{{2}} \\end{{bmatrix}}",
    ),
    lambda a, b, c: (f"\\operatorname{{lcm}}({a}, {b})", f"{a * b // gcd(a, b)}"),
)


def latex_heavy(rng: random.Random, kind: int) -> Pair:
    return LATEX[kind % len(LATEX)](*(rng.randrange(2, 10**4) for _ in range(3)))


def measure(checker: MathChecker, pairs: list[Pair]) -> str:
    """Checks each pair, and its gold against the next prediction of its kind."""
    seconds: list[float] = []
    wrong: list[Pair] = []
    start = time.perf_counter()
    for gold, answer in pairs:
        verdict = checker.check(f"<think>hm</think>So it is $\\boxed{{{answer}}}$.", gold)
        seconds.append(verdict.seconds)
        if verdict.outcome is not Outcome.CORRECT:
            wrong.append((gold, answer))
    rate = len(pairs) / (time.perf_counter() - start)
    assert len(wrong) <= len(pairs) // 1000, wrong[:5]
    cuts = quantiles(seconds, n=100)
    return f"{rate:9.0f} {1000 * cuts[49]:8.2f} {1000 * cuts[98]:8.2f}"


def bombs(checker: MathChecker) -> str:
    worst = following = 0.0
    for i, bomb in enumerate(BOMBS):
        start = time.perf_counter()
        assert checker.check(bomb, "5", is_answer=True).outcome is not Outcome.CORRECT
        ended = time.perf_counter()
        # Cheap, but for Math-Verify: a new worker has to answer it.
        checker.check(f"\\operatorname{{lcm}}({i + 2}, 7)", f"{lcm(i + 2, 7)}", is_answer=True)
        worst = max(worst, ended - start)
        following = max(following, time.perf_counter() - ended)
    return f"{worst:7.2f} s, the next check after {1000 * following:.0f} ms"


def main(num_pairs: int = NUM_PAIRS) -> None:
    """Prints a table: checks per second in one process, latencies, and how bombs end."""
    rng = random.Random(0)
    with MathChecker(MathSettings(cache_size=0)) as checker:
        checker.check("\\int_0^1 x dx", "\\frac12", is_answer=True)
        print("pairs            checks/s   p50 ms   p99 ms")
        print("GSM8K-like    ", measure(checker, [plain(rng) for _ in range(num_pairs)]))
        pairs = [latex_heavy(rng, kind) for kind in range(num_pairs)]
        print("LaTeX-heavy   ", measure(checker, pairs))
        print("slowest bomb  ", bombs(checker))


if __name__ == "__main__":
    main()
