import random

from configs.rewards import MathSettings
from rewards.math.comparison import same_answer
from rewards.math.evaluation import TooLarge
from rewards.math.normalise import normalise

PIECES = (
    *("\\frac", "\\sqrt", "{", "}", "(", ")", "[", "]", "\\{", "\\}", "1", "2", "0", "x", "i", "e"),
    *("^", "_", "!", "+", "-", "=", "<", "\\le ", "\\ne ", "\\in ", ",", ";", ":", "|", "/", "."),
    *("\\pm ", "\\cup ", "\\%", "\\text{cm}", "\\pi", "\\infty", "\\ln ", "\\log_", "\\binom"),
    *("\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", "or ", "\\mathbb{R}", "\\setminus", "是"),
    *("\\pmod", "\\sum_{k=1}^{3}", "'", " ", "\\circ", "$", "m", "1/0"),
    *("\\lfloor ", "\\rfloor", "\\lceil ", "\\rceil", "\\sin ", "\\tan^{-1}", "\\cot ", "n", "f("),
)


def test_no_text_of_any_kind_raises_anything_else() -> None:
    rng = random.Random(0)
    settings = MathSettings()
    compared = 0
    for _ in range(1500):
        gold, answer = (
            normalise("".join(rng.choices(PIECES, k=rng.randrange(1, 12)))) for _ in range(2)
        )
        try:
            same_answer(gold, answer, settings, lambda gold, answer: False)
            compared += 1
        except TooLarge:
            pass
    assert compared > 1400


def test_normalising_twice_changes_nothing_more() -> None:
    rng = random.Random(1)
    for _ in range(300):
        once = normalise(
            "".join(rng.choices(("1", "x", "＋", "²", "½", "π", "\\dfrac{1}{2}"), k=6))
        )
        assert normalise(once) == once
