"""Assert statements as data: which function, which arguments, which value.

Only literals are read, by `ast.literal_eval`; nothing of a test is run here.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal


class NotACall(ValueError):
    """The statement is not a comparison of one call with a literal."""

    def __init__(self, message: str, *, syntax: bool = False) -> None:
        super().__init__(message)
        self.syntax = syntax
        """Whether it is not Python at all."""


@dataclass(frozen=True, slots=True)
class ParsedAssert:
    """One assert.

    read_assert("assert f([1], k=2) == 3")
    == ParsedAssert(function="f", args=([1],), kwargs={"k": 2}, kind="equal", expected=3)
    """

    function: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    kind: Literal["equal", "truthy", "falsy"] = "truthy"
    expected: Any = None
    relative: float = 1e-9
    absolute: float = 0.0
    exact_integers: bool = True


def read_assert(text: str) -> ParsedAssert:
    """`assert` with a call f(...) or Class().f(...), which is compared with a literal by ==, `is`,
    isclose or abs(... - ...) < eps, negated, or alone. Raises NotACall."""
    try:
        statements = ast.parse(text.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotACall(f"not Python: {error}", syntax=True) from error
    if len(statements) != 1 or not isinstance(statements[0], ast.Assert):
        raise NotACall("not a single assert")
    return _condition(statements[0].test)


def _condition(test: ast.expr) -> ParsedAssert:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return replace(_call(test.operand), kind="falsy")
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _comparison(test.left, test.ops[0], test.comparators[0])
    if isinstance(test, ast.Call) and ast.unparse(test.func) in ("math.isclose", "isclose"):
        return _close(test)
    return _call(test)


def _comparison(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ParsedAssert:
    if isinstance(operator, ast.Lt | ast.LtE):
        return _within(left, _number(right))
    names_one_object = isinstance(right, ast.Constant) and type(right.value) in (bool, type(None))
    if not (isinstance(operator, ast.Eq) or (isinstance(operator, ast.Is) and names_one_object)):
        raise NotACall("a comparison of another kind")
    call, expected = _call_and_literal(left, right)
    return replace(call, kind="equal", expected=expected)


def _within(left: ast.expr, epsilon: float) -> ParsedAssert:
    """abs(f(...) - value) < epsilon."""
    match left:
        case ast.Call(
            func=ast.Name(id="abs"), args=[ast.BinOp(left=a, op=ast.Sub(), right=b)], keywords=[]
        ):
            call, expected = _call_and_literal(a, b)
            return _approximately(call, expected, 0.0, epsilon)
        case _:
            raise NotACall("an inequality")


def _close(test: ast.Call) -> ParsedAssert:
    """math.isclose(f(...), value, rel_tol=..., abs_tol=...)."""
    tolerances = {keyword.arg: _number(keyword.value) for keyword in test.keywords}
    if len(test.args) != 2 or not tolerances.keys() <= {"rel_tol", "abs_tol"}:
        raise NotACall("isclose with other arguments")
    call, expected = _call_and_literal(*test.args)
    relative, absolute = tolerances.get("rel_tol", 1e-9), tolerances.get("abs_tol", 0.0)
    return _approximately(call, expected, relative, absolute)


def _approximately(
    call: ParsedAssert, expected: Any, relative: float, absolute: float
) -> ParsedAssert:
    if type(expected) not in (int, float):
        raise NotACall("a tolerance for something that is not a number")
    if min(relative, absolute) < 0:
        raise NotACall("a negative tolerance")
    return replace(
        call,
        kind="equal",
        expected=expected,
        relative=relative,
        absolute=absolute,
        exact_integers=False,
    )


def _call_and_literal(a: ast.expr, b: ast.expr) -> tuple[ParsedAssert, Any]:
    """In either order."""
    try:
        return _call(a), _literal(b)
    except NotACall:
        return _call(b), _literal(a)


def _call(node: ast.expr) -> ParsedAssert:
    match node:
        case ast.Call(func=ast.Name(id=function)):
            pass
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Name(id=owner), args=[], keywords=[]), attr=method
            )
        ):
            function = f"{owner}.{method}"
        case _:
            raise NotACall("not a call of a named function")
    kwargs: dict[str, Any] = {}
    for keyword in node.keywords:
        if keyword.arg is None:
            raise NotACall("**arguments")
        kwargs[keyword.arg] = _literal(keyword.value)
    return ParsedAssert(function, tuple(map(_literal, node.args)), kwargs)


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise NotACall("not a literal") from error


def _number(node: ast.expr) -> float:
    value = _literal(node)
    if type(value) not in (int, float):
        raise NotACall("not a number")
    return float(value)
