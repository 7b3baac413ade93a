"""Small problems with a right and a wrong solution, and cases as (arguments, value)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """`right` passes all cases; `wrong` passes some of them."""

    right: str
    wrong: str
    cases: list[tuple[tuple[Any, ...], Any]]


PROBLEMS = {
    "add": Problem(
        "def f(a, b): return a + b",
        "def f(a, b): return a | b",
        [((1, 2), 3), ((3, 1), 4), ((-5, 5), 0), ((10**30, 1), 10**30 + 1)],
    ),
    "factorial": Problem(
        "import math\ndef f(n): return math.factorial(n)",
        "def f(n):\n    r = 1.0\n    for i in range(2, n + 1): r *= i\n    return int(r)",
        [((5,), 120), ((0,), 1), ((30,), 265252859812191058636308480000000)],
    ),
    "mean": Problem(
        "def f(v): return sum(v) / len(v)",
        "def f(v): return sum(v) // len(v)",
        [(([1, 2],), 1.5), (([0.1, 0.2, 0.3],), 0.2), (([4],), 4.0)],
    ),
    "is_prime": Problem(
        "def f(n): return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))",
        "def f(n): return all(n % d for d in range(2, int(n ** 0.5) + 1))",
        [((7,), True), ((9,), False), ((1,), False), ((2,), True)],
    ),
    "reverse_words": Problem(
        "def f(s): return ' '.join(s.split()[::-1])",
        "def f(s): return s[::-1]",
        [(("a",), "a"), (("one two",), "two one"), (("x  y z",), "z y x")],
    ),
    "vowels": Problem(
        "def f(s):\n    return sum(c in 'aeiou' for c in s.lower())",
        "def f(s):\n    return sum(c in 'aeiou' for c in s)",
        [(("abc",), 1), (("AbE",), 2), (("",), 0)],
    ),
    "min_max": Problem(
        "def f(v): return min(v), max(v)",
        "def f(v): return [min(v), max(v)]",
        [(([3, 1, 2],), (1, 3)), (([5],), (5, 5))],
    ),
    "unique": Problem(
        "def f(v): return set(v)",
        "def f(v): return sorted(set(v))",
        [(([1, 1, 2],), {1, 2}), (([],), set())],
    ),
    "count": Problem(
        "from collections import Counter\ndef f(s): return Counter(s)",
        "def f(s): return {c: 1 for c in s}",
        [(("ab",), {"a": 1, "b": 1}), (("aab",), {"a": 2, "b": 1})],
    ),
    "group": Problem(
        "from collections import defaultdict\ndef f(v):\n    d = defaultdict(list)\n"
        "    for x in v: d[x % 2].append(x)\n    return d",
        "def f(v): return {0: [x for x in v if x % 2 == 0], 1: [x for x in v if x % 2 == 1]}",
        [(([1, 2, 3],), {1: [1, 3], 0: [2]}), (([2],), {0: [2]})],
    ),
    "roots": Problem(
        "import cmath\ndef f(a, b, c):\n    d = cmath.sqrt(b * b - 4 * a * c)\n"
        "    return ((-b + d) / (2 * a), (-b - d) / (2 * a))",
        "import cmath\ndef f(a, b, c):\n    d = cmath.sqrt(b * b - 4 * a * c)\n"
        "    return ((-b - d) / (2 * a), (-b + d) / (2 * a))",
        [((1, -2, 1), (1 + 0j, 1 + 0j)), ((1, 0, 1), (1j, -1j))],
    ),
    "hypotenuse": Problem(
        "def f(a, b): return (a * a + b * b) ** 0.5",
        "def f(a, b): return round((a * a + b * b) ** 0.5)",
        [((3, 4), 5.0), ((1, 1), 1.4142135623730951)],
    ),
    "first_or_none": Problem(
        "def f(v): return v[0] if v else None",
        "def f(v): return v[0] if v else 0",
        [(([7],), 7), (([],), None)],
    ),
    "flatten": Problem(
        "def f(v):\n    if not isinstance(v, list): return [v]\n"
        "    return [y for x in v for y in f(x)]",
        "def f(v): return [y for x in v for y in (x if isinstance(x, list) else [x])]",
        [(([1, [2]],), [1, 2]), (([1, [2, [3, []]]],), [1, 2, 3])],
    ),
    "transpose": Problem(
        "def f(m): return [list(r) for r in zip(*m)]",
        "def f(m): return [list(r) for r in m]",
        [(([[1]],), [[1]]), (([[1, 2], [3, 4]],), [[1, 3], [2, 4]])],
    ),
    "gcd": Problem(
        "def f(a, b):\n    while b: a, b = b, a % b\n    return a",
        "def f(a, b):\n    while a != b: a, b = (a - b, b) if a > b else (a, b - a)\n    return a",
        [((12, 18), 6), ((7, 0), 7)],
    ),
    "fibonacci": Problem(
        "from functools import lru_cache\n@lru_cache(None)\ndef f(n):\n"
        "    return n if n < 2 else f(n - 1) + f(n - 2)",
        "def f(n): return n if n < 3 else f(n - 1) + f(n - 2)",
        [((0,), 0), ((1,), 1), ((10,), 55)],
    ),
    "binary": Problem(
        "def f(n): return bin(n)[2:]",
        "def f(n): return bin(n).lstrip('0b')",
        [((5,), "101"), ((0,), "0")],
    ),
    "caesar": Problem(
        "def f(s, k):\n    return ''.join(chr((ord(c) - 97 + k) % 26 + 97) for c in s)",
        "def f(s, k): return ''.join(chr(ord(c) + k) for c in s)",
        [(("abc", 1), "bcd"), (("xyz", 3), "abc")],
    ),
    "palindrome": Problem(
        "def f(s):\n    t = [c for c in s.lower() if c.isalnum()]\n    return t == t[::-1]",
        "def f(s): return s == s[::-1]",
        [(("aba",), True), (("ab",), False), (("A, a",), True)],
    ),
    "balanced": Problem(
        "def f(s):\n    d = 0\n    for c in s:\n        d += 1 if c == '(' else -1\n"
        "        if d < 0: return False\n    return d == 0",
        "def f(s): return s.count('(') == s.count(')')",
        [(("()",), True), (("(",), False), ((")(",), False)],
    ),
    "two_sum": Problem(
        "def f(v, t):\n    seen = {}\n    for i, x in enumerate(v):\n"
        "        if t - x in seen: return (seen[t - x], i)\n        seen[x] = i",
        "def f(v, t):\n    for i, x in enumerate(v):\n"
        "        if t - x in v: return (i, v.index(t - x))",
        [(([2, 7, 11], 9), (0, 1)), (([3, 3], 6), (0, 1))],
    ),
    "merge": Problem(
        "def f(v):\n    out = []\n    for a, b in sorted(v):\n"
        "        if out and a <= out[-1][1]: out[-1] = (out[-1][0], max(b, out[-1][1]))\n"
        "        else: out.append((a, b))\n    return out",
        "def f(v):\n    out = []\n    for a, b in sorted(v):\n"
        "        if out and a <= out[-1][1]: out[-1] = (out[-1][0], b)\n"
        "        else: out.append((a, b))\n    return out",
        [(([(1, 3), (2, 4)],), [(1, 4)]), (([(1, 9), (2, 4)],), [(1, 9)])],
    ),
    "roman": Problem(
        "def f(n):\n    out = ''\n"
        "    for v, s in [(10, 'X'), (9, 'IX'), (5, 'V'), (4, 'IV'), (1, 'I')]:\n"
        "        while n >= v: out += s; n -= v\n    return out",
        "def f(n):\n    out = ''\n    for v, s in [(10, 'X'), (5, 'V'), (1, 'I')]:\n"
        "        while n >= v: out += s; n -= v\n    return out",
        [((8,), "VIII"), ((14,), "XIV")],
    ),
    "unicode": Problem(
        "def f(s): return s.upper() + '\\u00df\\U0001f600'",
        "def f(s): return s + '\\u00df\\U0001f600'",
        [(("1",), "1\u00df\U0001f600"), (("\u00e9\n",), "\u00c9\n\u00df\U0001f600")],
    ),
    "bytes": Problem(
        "def f(b): return b[::-1]",
        "def f(b): return bytes(sorted(b))",
        [((b"\x00\xff",), b"\xff\x00"), ((b"ba",), b"ab")],
    ),
    "keyword_default": Problem(
        "def f(x, step=2, *rest): return [x + step, *rest]",
        "def f(x, step=1, *rest): return [x + step, *rest]",
        [((1,), [3]), ((1, 5, 9), [6, 9])],
    ),
    "dataclass": Problem(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\n"
        "class P:\n    x: int\n    def twice(self) -> int: return 2 * self.x\n"
        "def f(x): return P(x).twice()",
        "def f(x): return x + x % 2",
        [((0,), 0), ((4,), 8)],
    ),
    "sorted_by": Problem(
        "def f(v): return sorted(v, key=lambda p: (-p[1], p[0]))",
        "def f(v): return sorted(v, key=lambda p: -p[1])",
        [
            (([("a", 1), ("b", 2)],), [("b", 2), ("a", 1)]),
            (([("b", 1), ("a", 1)],), [("a", 1), ("b", 1)]),
        ],
    ),
    "knapsack": Problem(
        "def f(w, v, c):\n    best = [0] * (c + 1)\n    for a, b in zip(w, v):\n"
        "        for i in range(c, a - 1, -1): best[i] = max(best[i], best[i - a] + b)\n"
        "    return best[c]",
        "def f(w, v, c):\n    best = [0] * (c + 1)\n    for a, b in zip(w, v):\n"
        "        for i in range(a, c + 1): best[i] = max(best[i], best[i - a] + b)\n"
        "    return best[c]",
        [(([2, 3], [3, 4], 5), 7), (([1, 5], [2, 3], 4), 2)],
    ),
    "primes": Problem(
        "def f(n):\n    s = bytearray([1]) * (n + 1)\n    out = []\n    for i in range(2, n + 1):\n"
        "        if s[i]:\n            out.append(i)\n"
        "            for j in range(i * i, n + 1, i): s[j] = 0\n    return out",
        "def f(n): return [i for i in range(2, n + 1) if i % 2 or i == 2]",
        [((7,), [2, 3, 5, 7]), ((10,), [2, 3, 5, 7]), ((1,), [])],
    ),
    "prints_along": Problem(
        "print('loading')\ndef f(x):\n    print('called', x)\n    return x * x",
        "print('loading')\ndef f(x):\n    print(x * x)",
        [((3,), 9), ((0,), 0)],
    ),
}

IN_MAIN = """
if __name__ == "__main__":
    import ast
    print(repr(f(*ast.literal_eval(input()))))
"""
"""Turns a solution into a program: arguments in, value out."""
