"""A small grammar for the LaTeX that answers are written in. Reads, never evaluates.

    expression  term {(+|-) term}           power  postfix [^ script]
    term        power {[*|/] power}          atom   number | symbol | group | \\command ...

What the grammar does not know raises Unreadable; such answers go to Math-Verify.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from rewards.math.nodes import Node

MAX_DEPTH = 50
"""Deeper nesting is no answer and would exhaust the stack."""

FUNCTIONS = (
    *("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "tanh", "ln", "log", "lg", "exp"),
)
_INVERTED = ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")
"""Whose power -1 is the inverse function: \\sin^{-1} is arcsin."""
_ONE = Node("number", value=Fraction(1))
_MINUS_ONES = (Node("group", (Node("number", value=Fraction(-1)),)), Node("neg", (_ONE,)))
_CONSTANTS = {"\\pi": "pi", "\\infty": "inf", "e": "e", "i": "i"}
_GREEK = re.compile(
    r"\\(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau"
    r"|upsilon|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Sigma|Phi|Psi|Omega|ell)"
    r"(?![A-Za-z])"
)
_NUMBER = re.compile(r"[0-9]{1,3}+(?:,[0-9]{3})++(?:\.[0-9]++)?+|[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++")
_REPEATING = re.compile(r"([0-9]*+)\.([0-9]*+)\s*\\(?:overline|bar)\s*\{\s*([0-9]++)\s*\}")
_COMMAND = re.compile(r"\\[A-Za-z]++")
_NO_FACTOR = ("\\cdot", "\\times", "\\div", "\\rfloor", "\\rceil")
_APPLIED = "fghFGH"
"""Letters that are functions when a parenthesis follows: f(x+1) is not f x + f."""
_CLOSING = {"(": ")", "[": "]", "{": "}", "|": "|", "\\{": "\\}"}


class Unreadable(ValueError):
    """The text is outside the grammar."""


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The expression in a normalised text; raises Unreadable."""
    parser = _Parser(text)
    node = parser.expression()
    parser.skip()
    if parser.at < len(text):
        raise Unreadable(text[parser.at :])
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def skip(self) -> None:
        while self.text.startswith(" ", self.at):
            self.at += 1

    def sees(self, *tokens: str) -> str | None:
        """The first of the tokens that comes next, if any; white space before it is skipped."""
        self.skip()
        for token in tokens:
            if self.text.startswith(token, self.at):
                end = self.at + len(token)
                is_command = len(token) > 1 and token[-1].isalpha()
                if not (is_command and self.text[end : end + 1].isalpha()):
                    return token
        return None

    def take(self, *tokens: str) -> str | None:
        token = self.sees(*tokens)
        if token is not None:
            self.at += len(token)
        return token

    def need(self, token: str) -> None:
        if self.take(token) is None:
            raise Unreadable(f"{token} expected at {self.text[self.at :]!r}")

    def expression(self) -> Node:
        terms = [self.term()]
        while (sign := self.take("+", "-")) is not None:
            term = self.term()
            terms.append(term if sign == "+" else Node("neg", (term,)))
        return terms[0] if len(terms) == 1 else Node("+", tuple(terms))

    def term(self) -> Node:
        factors = [self.signed()]
        while True:
            operator = self.take("*", "\\cdot", "\\times", "/", "\\div")
            if operator is not None:
                factor = self.signed()
                factors.append(Node("inverse", (factor,)) if operator in ("/", "\\div") else factor)
            elif self.starts_factor():
                factors += self.juxtaposed(factors.pop(), self.power())
            else:
                return factors[0] if len(factors) == 1 else Node("*", tuple(factors))

    def juxtaposed(self, left: Node, right: Node) -> list[Node]:
        """2x is a product, 2\\frac{1}{2} a mixed number, and "2 3" neither."""
        if right.kind == "number":
            raise Unreadable("two numbers side by side")
        is_fraction = right.kind == "frac" and all(p.kind == "number" for p in right.parts)
        if left.kind != "number" or not is_fraction:
            return [left, right]
        if left.value.denominator != 1:
            raise Unreadable("a decimal before a fraction")
        return [Node("+", (left, right if left.value >= 0 else Node("neg", (right,))))]

    def signed(self) -> Node:
        sign = self.take("+", "-")
        if sign is None:
            return self.power()
        self.descend()
        operand = self.signed()
        self.depth -= 1
        if sign == "+":
            return operand
        if operand.kind == "number":
            return Node("number", value=-operand.value)
        return Node("neg", (operand,))

    def descend(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")

    def starts_factor(self) -> bool:
        self.skip()
        rest = self.text[self.at : self.at + 1]
        if rest.isalnum() or rest in ("(", "[", "{", "."):
            return bool(rest)
        command = _COMMAND.match(self.text, self.at)
        return command is not None and command.group() not in _NO_FACTOR

    def power(self) -> Node:
        base = self.postfix(self.atom())
        if self.sees("^") is None:
            return base
        if self.take("^{\\circ}") is not None:
            raise Unreadable("degrees inside an expression")
        self.take("^")
        exponent = self.script()
        if self.sees("^"):
            raise Unreadable("two exponents")
        return self.postfix(Node("^", (base, exponent)))

    def postfix(self, node: Node) -> Node:
        factorials = 0
        while self.take("!") is not None:
            node, factorials = Node("!", (node,)), factorials + 1
            if factorials > MAX_DEPTH:
                raise Unreadable("too many factorials")
        return node

    def script(self) -> Node:
        """An exponent: {...}, (...), a signed number or one symbol."""
        sign = self.take("-", "+")
        node = self.postfix(self.atom())
        return Node("neg", (node,)) if sign == "-" else node

    def atom(self) -> Node:
        self.descend()
        node = self.unguarded_atom()
        self.depth -= 1
        return node

    def unguarded_atom(self) -> Node:
        self.skip()
        repeating = _REPEATING.match(self.text, self.at)
        if repeating is not None:
            self.at = repeating.end()
            return Node("number", value=_repeating(*repeating.groups()))
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            self.at = number.end()
            return Node("number", value=Fraction(number.group().replace(",", "").rstrip(".")))
        opening = self.take("\\{", "(", "[", "{", "|")
        if opening is not None:
            return self.group(opening)
        greek = _GREEK.match(self.text, self.at)
        if greek is not None:
            self.at = greek.end()
            return self.symbol(greek[1])
        command = _COMMAND.match(self.text, self.at)
        if command is not None:
            self.at = command.end()
            return self.command(command.group())
        letter = self.text[self.at : self.at + 1]
        if letter.isascii() and letter.isalpha():
            self.at += 1
            return self.letter(letter)
        raise Unreadable(f"{self.text[self.at :]!r}")

    def group(self, opening: str) -> Node:
        node = self.expression()
        self.need(_CLOSING[opening])
        # A group hides that its content is a number: (2)(3) is a product, 2(\frac12) too.
        return Node("abs" if opening == "|" else "group", (node,))

    def letter(self, letter: str) -> Node:
        if letter in _CONSTANTS and self.sees("_") is None:
            return Node("constant", name=_CONSTANTS[letter])
        if letter in _APPLIED and self.take("(") is not None:
            arguments = [self.expression()]
            while self.take(",") is not None:
                arguments.append(self.expression())
            self.need(")")
            return Node("apply", tuple(arguments), name=letter)
        return self.symbol(letter)

    def symbol(self, name: str) -> Node:
        if self.take("_") is not None:
            name += "_" + self.raw_argument()
        while self.take("'") is not None:
            name += "'"
        return Node("symbol", name=name)

    def raw_argument(self) -> str:
        """The text of {...} or of one character, spaces removed."""
        self.skip()
        match = re.compile(r"\{([^{}]*)\}|([A-Za-z0-9])").match(self.text, self.at)
        if match is None:
            raise Unreadable("a subscript or name expected")
        self.at = match.end()
        return (match[1] or match[2] or "").replace(" ", "")

    def argument(self) -> Node:
        """A LaTeX argument: {...} or one single character, so that \\frac12 is one half."""
        self.skip()
        if self.take("{") is not None:
            return self.group("{").parts[0]
        if self.text[self.at : self.at + 1].isdigit():
            self.at += 1
            return Node("number", value=Fraction(self.text[self.at - 1]))
        return self.atom()

    def command(self, name: str) -> Node:
        if name in _CONSTANTS:
            return Node("constant", name=_CONSTANTS[name])
        if name in ("\\frac", "\\binom"):
            return Node(name[1:], (self.argument(), self.argument()))
        if name == "\\sqrt":
            return self.root()
        if name in ("\\mathrm", "\\text"):
            return self.named(self.raw_argument())
        if name == "\\operatorname" and (inner := self.raw_argument()) in FUNCTIONS:
            return self.function(inner)
        if name[1:] in FUNCTIONS:
            return self.function(name[1:])
        if name in ("\\sum", "\\prod", "\\int", "\\lim"):
            return self.bound(name)
        if name in ("\\overline", "\\bar", "\\vec", "\\hat"):
            return Node("symbol", name=f"{name[1:]} {self.raw_argument()}")
        if name in ("\\lfloor", "\\lceil"):
            inner = self.expression()
            self.need(f"\\r{name[2:]}")
            return Node(name[2:], (inner,))
        raise Unreadable(name)

    def bound(self, name: str) -> Node:
        """A sum or integral, which is only recognised, not worked out: the same operator with the
        same limits over the same body is the same."""
        while (mark := self.take("_", "^")) is not None:
            name += mark + self.raw_argument()
        return Node("opaque", (self.term(),), name=name)

    def named(self, name: str) -> Node:
        if len(name) == 1:
            return self.letter(name)
        if name.isalpha() and name.isascii():
            return self.symbol(name)
        raise Unreadable(name)

    def root(self) -> Node:
        degree = Node("number", value=Fraction(2))
        if self.take("[") is not None:
            degree = self.expression()
            self.need("]")
        return Node("root", (self.argument(), degree))

    def function(self, name: str) -> Node:
        """\\sin^2 x, \\log_2 8, \\ln(x), \\sin 2x: without parentheses the argument is the product
        that follows, up to the next operator or function."""
        base = self.script() if self.take("_") is not None else None
        exponent = self.script() if self.take("^") is not None else None
        self.skip()
        if self.text[self.at : self.at + 1] in ("(", "[", "{", "|"):
            operand = self.postfix(self.atom())
            operand = operand.parts[0] if operand.kind == "group" else operand
        else:
            factors = [self.signed()]
            while self.starts_factor() and not self.sees(*(f"\\{f}" for f in FUNCTIONS)):
                factors += self.juxtaposed(factors.pop(), self.power())
            operand = factors[0] if len(factors) == 1 else Node("*", tuple(factors))
        if name in _INVERTED and exponent in _MINUS_ONES:
            return Node("function", (operand,), name=f"arc{name}")
        if base is not None:
            node = Node("log_base", (operand, base))
        else:
            node = Node("function", (operand,), name=name)
        return node if exponent is None else Node("^", (node, exponent))


def _repeating(whole: str, fixed: str, period: str) -> Fraction:
    """0.1\\overline{6} is (1 + 6/9) / 10."""
    start = int(f"0{whole}{fixed}")
    nines = 10 ** len(period) - 1
    return (start + Fraction(int(period), nines)) / 10 ** len(fixed)
