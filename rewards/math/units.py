"""Units of measurement after a number: which are the same, and how they convert.

split_unit("5\\\\text{ km/h}") == ("5", Unit({"m": 1, "s": -1}, 5/18)); "5 apples" has no unit that
could be wrong, so the noun is dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

_LENGTHS = {
    **{"mm": "1/1000", "cm": "1/100", "dm": "1/10", "m": "1", "km": "1000"},
    **{"in": "127/5000", "ft": "381/1250", "yd": "1143/1250", "mi": "201168/125"},
}
_MASSES = {"mg": "1/1000", "g": "1", "kg": "1000", "ton": "1000000"}
_POUNDS = {"lb": "1", "oz": "1/16"}
_TIMES = {"ms": "1/1000", "s": "1", "min": "60", "h": "3600", "day": "86400", "week": "604800"}
_ANGLES = {"°": "1"}
_MONEY = {"cent": "1/100", "dollar": "1"}
_OTHERS = ("year", "month", "yuan", "euro", "gbp", "yen", "rupee", "%", "rad")
_MORE = ("°C", "°F", "K", "N", "J", "W", "kW", "V", "A", "Hz", "Pa", "mol", "am", "pm", "gal")

_FACTORS: dict[str, tuple[str, Fraction]] = {
    name: (base, Fraction(factor))
    for base, table in (
        ("m", _LENGTHS),
        ("g", _MASSES),
        ("lb", _POUNDS),
        ("s", _TIMES),
        ("°", _ANGLES),
        ("dollar", _MONEY),
    )
    for name, factor in table.items()
} | {name: (name, Fraction(1)) for name in (*_OTHERS, *_MORE)}
_VOLUMES = {"L": Fraction(1, 1000), "mL": Fraction(1, 10**6)}

_SPELLINGS = {
    **dict.fromkeys(("millimeter", "millimetre", "毫米"), "mm"),
    **dict.fromkeys(("centimeter", "centimetre", "厘米"), "cm"),
    **dict.fromkeys(("decimeter", "decimetre", "分米"), "dm"),
    **dict.fromkeys(("meter", "metre", "米"), "m"),
    **dict.fromkeys(("kilometer", "kilometre", "千米", "公里"), "km"),
    **dict.fromkeys(("inch", "inches"), "in"),
    **dict.fromkeys(("foot", "feet"), "ft"),
    **dict.fromkeys(("yard",), "yd"),
    **dict.fromkeys(("mile",), "mi"),
    **dict.fromkeys(("milligram", "毫克"), "mg"),
    **dict.fromkeys(("gram", "克"), "g"),
    **dict.fromkeys(("kilogram", "千克", "公斤"), "kg"),
    **dict.fromkeys(("tonne", "吨"), "ton"),
    **dict.fromkeys(("lbs", "pound"), "lb"),
    **dict.fromkeys(("ounce",), "oz"),
    **dict.fromkeys(("second", "sec", "秒"), "s"),
    **dict.fromkeys(("minute", "分钟", "mins"), "min"),
    **dict.fromkeys(("hour", "hr", "小时"), "h"),
    **dict.fromkeys(("天", "days"), "day"),
    **dict.fromkeys(("degree", "deg", "度", "^{\\circ}"), "°"),
    **dict.fromkeys(("¢",), "cent"),
    **dict.fromkeys(("usd", "美元"), "dollar"),
    **dict.fromkeys(("元", "rmb", "人民币", "¥", "圆"), "yuan"),
    **dict.fromkeys(("€", "eur"), "euro"),
    **dict.fromkeys(("£",), "gbp"),
    **dict.fromkeys(("percent", "percentage", "pct", "\\%"), "%"),
    **dict.fromkeys(("radian",), "rad"),
    **dict.fromkeys(("liter", "litre", "升", "l"), "L"),
    **dict.fromkeys(("milliliter", "millilitre", "毫升", "ml"), "mL"),
    **dict.fromkeys(("gallon",), "gal"),
    **dict.fromkeys(("月", "个月"), "month"),
    **dict.fromkeys(("年",), "year"),
    **dict.fromkeys(("celsius", "摄氏度"), "°C"),
    **dict.fromkeys(("fahrenheit",), "°F"),
    **dict.fromkeys(("a.m", "am"), "am"),
    **dict.fromkeys(("p.m", "pm"), "pm"),
    **dict.fromkeys(("mph",), "mi/h"),
    **dict.fromkeys(("kmh", "kph"), "km/h"),
}
_MULTIPLIERS = {
    **{"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9},
    **{"trillion": 10**12, "dozen": 12, "万": 10**4, "亿": 10**8, "百万": 10**6, "千万": 10**7},
}

_CURRENCY = re.compile(r"^([€£¥])\s*(?=[\d.])")
_CJK = "\u4e00-\u9fff"
_TAIL = re.compile(
    r"^(?P<number>.*?[\d)}!.]|\\pi)\s*(?P<unit>(?:\\%|\^\{\\circ\}\s*[CF]?|[€£¥¢]"
    r"|\\(?:text|mathrm|operatorname)\s*\{[^{}]*\}(?:\s*\^\s*\{?-?[0-9]\}?)?"
    rf"|(?<=\d)\s*[{_CJK}]+(?:/[{_CJK}]+)?"
    r"|(?:(?<=\d)|(?<=\s)|(?<=\})|(?<=\)))[A-Za-z]+(?:\s*\^\s*\{?-?[0-9]\}?)?[A-Za-z./ ]*"
    r"(?:\^\s*\{?-?[0-9]\}?)?)"
    r"(?:\s|\\text\s*\{[^{}]*\}|/)*)$"
)
_WORDS_THAT_COUNT = ("mod", "bmod", "pmod", "or", "and", "base", "if", "for")


@dataclass(frozen=True, slots=True)
class Unit:
    """A product of powers of base units, times a factor."""

    powers: tuple[tuple[str, int], ...]
    factor: Fraction

    @property
    def is_percent(self) -> bool:
        return self.powers == (("%", 1),)

    @property
    def is_degree(self) -> bool:
        return self.powers == (("°", 1),)


def split_unit(text: str) -> tuple[str, Unit | None, int]:
    """The number in a normalised text, its unit if it has a known one, and the multiplier that a
    word such as "million" stands for."""
    currency = _CURRENCY.match(text)
    if currency is not None:
        return text[currency.end() :], _read_unit(currency[1]), 1
    match = _TAIL.match(text)
    if match is None:
        return text, None, 1
    number, tail = match["number"].strip(), match["unit"]
    words = re.sub(r"\\(?:text|mathrm|operatorname)\s*\{([^{}]*)\}", r" \1 ", tail)
    words = (
        words.replace("^{\\circ}", "°").replace("° ", "°").replace("\\%", "%").strip().strip(".")
    )
    first, _, rest = words.partition(" ")
    multiplier = _MULTIPLIERS.get(first.lower(), 1)
    if multiplier != 1:
        return number, _read_unit(rest.strip()), multiplier
    unit = _read_unit(words)
    is_plain = re.match(r"[A-Za-z]", tail) is not None
    if is_plain and not _may_carry(number, tail, spaced=text[match.start("unit") - 1] == " "):
        return text, None, 1
    if unit is not None:
        return number, unit, 1
    return (number, None, 1) if _is_noun(words, is_plain) else (text, None, 1)


def _may_carry(number: str, tail: str, spaced: bool) -> bool:
    """Whether plain letters after a number can be a unit: in "r^2 h" and "5m" h and m are
    variables, in "5 m" and "5cm" they are not."""
    if re.fullmatch(r"[A-Za-z]", tail.strip()):
        return spaced and re.fullmatch(r"-?[\d.,]+", number) is not None
    return re.search(r"(?<![\\A-Za-z])[A-Za-z]", number) is None and (
        spaced or _read_unit(tail.strip()) is not None
    )


def _is_noun(words: str, is_plain: bool) -> bool:
    """Whether the words merely say what is counted: "apples", not "x" or "mod 7"."""
    if any(word in _WORDS_THAT_COUNT for word in words.lower().split()):
        return False
    return not is_plain or bool(re.fullmatch(r"[A-Za-z]{3,}(?: [A-Za-z]+)*", words))


def _read_unit(words: str) -> Unit | None:
    """The unit that the words name; None when any of them is no unit."""
    words = re.sub(r"\s*\^\s*\{?(-?[0-9])\}?", r"^\1", words)
    words = re.sub(r"\b(?:square|sq\.?)\s+([a-z]+)", r"\1^2", words)
    words = re.sub(r"\bcubic\s+([a-z]+)|\bcu\.?\s+([a-z]+)", r"\1\2^3", words)
    words = re.sub(r"平方([\u4e00-\u9fff]+)", r"\1^2", words)
    words = re.sub(r"立方([\u4e00-\u9fff]+)", r"\1^3", words)
    words = _SPELLINGS.get(words.lower(), words)
    words = re.sub(r"\s*\bper\b\s*|\s*/\s*|(?<=[\u4e00-\u9fff])每", "/", words)
    powers: dict[str, int] = {}
    factor = Fraction(1)
    for position, group in enumerate(words.split("/")):
        for word in group.split():
            name, _, exponent = word.partition("^")
            power = int(exponent or 1) * (-1 if position else 1)
            known = _base_unit(name)
            if known is None:
                return None
            base, scale, own_power = known
            powers[base] = powers.get(base, 0) + power * own_power
            factor *= scale**power
    return Unit(tuple(sorted(powers.items())), factor) if powers else None


def _base_unit(name: str) -> tuple[str, Fraction, int] | None:
    for spelling in (name, name.lower(), name.lower().removesuffix("s")):
        spelling = _SPELLINGS.get(spelling, spelling)
        if spelling in _VOLUMES:
            return "m", _VOLUMES[spelling], 3
        if spelling in _FACTORS:
            return *_FACTORS[spelling], 1
    return None
