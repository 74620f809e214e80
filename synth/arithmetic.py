"""Exact arithmetic on text: the value of an expression, and the equations in a worked solution.

Expressions are read here, with Python's precedence and only numbers and + - * / **, and evaluated over whole numbers and fractions: nothing
is executed or rounded. `equations` finds `... = ...` in prose and accepts only pure arithmetic: an equation with a letter on either side is
algebra, which this module does not judge.

Invariants
    - Sizes are bounded (length of an expression, digits, exponents), so hostile text costs little time.
    - A stated decimal agrees with an exact value if it is that value rounded to the decimals it shows; whole numbers must be exact.
"""

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

Exact = int | Fraction

_MAX_LENGTH = 400
_MAX_EXPONENT = 64
_MAX_DIGITS = 60

_SIGNS = {
    "×": "*",
    "·": "*",
    "⋅": "*",
    "÷": "/",
    "−": "-",
    "–": "-",
    "²": "**2",
    "³": "**3",
    "^": "**",
    "\\times": "*",
    "\\cdot": "*",
    "\\div": "/",
}
_FRACTION = re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}")
_GROUPED = re.compile(r",(?<=\d,)(?=\d{3}(?!\d))")
_STRETCH = "0123456789.+-*/() "
_NUMBER = re.compile(r"\d\d*(?:\.\d+)?")
"""Like `_GROUPED` it begins with a single character, because `re` looks for that quickly."""

_TOKEN = re.compile(r"\d+(?:\.\d+)?|\*\*|[-+*/()]")
_BARE = re.compile(r"[-() ]*\d+(?:\.\d+)?[() ]*")
_OPERATOR = re.compile(r"\s*(?:[+*/)]|-\s)|-")
"""A beginning that needs an operand before it; a minus after a space and close to its number is a sign."""

_SENTENCE_END = re.compile(r"\.\s+")
"""No decimal point has a space after it."""

_CLINGS = frozenset("%_√:)\\")
_LIST_MARK = re.compile(r"^[ \t]*[-*] +", re.MULTILINE)
"""It stands before a line of a list and is no minus."""


class Equation(NamedTuple):
    """Two expressions that a text states to be equal, and their values."""

    left: str
    right: str
    value: Exact
    stated: Exact

    @property
    def holds(self) -> bool:
        """Return whether it is true."""
        return self.value == self.stated or _rounds_to(self.value, self.right, self.stated)

    def __str__(self) -> str:
        """Return the equation as it is written."""
        return f"{self.left} = {self.right}"


def plain_signs(text: str) -> str:
    """Return text with typographic signs (×, ÷, −, ², 1,000, simple LaTeX) in Python's notation."""
    text = text.replace("$", "")
    if "\\" in text:
        text = _FRACTION.sub(r"((\1)/(\2))", text.replace("\\left", "").replace("\\right", ""))
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    return _GROUPED.sub("", text) if "," in text else text


def value_of_expression(expression: str) -> Exact:
    """Return the exact value. Raises ValueError for anything but numbers and + - * / ** (whole exponents up to 64)."""
    return _value(plain_signs(expression))


def _value(source: str) -> Exact:
    """Return the value of an expression in plain signs. Raises ValueError."""
    source = source.strip()
    if source.isdecimal() and source[0] != "0" and len(source) <= _MAX_DIGITS:
        return int(source)
    if len(source) > _MAX_LENGTH:
        raise ValueError(f"the expression is longer than {_MAX_LENGTH} characters")
    tokens = _TOKEN.findall(source)
    try:
        if "".join(tokens) != "".join(source.split()):
            raise ValueError("it is not arithmetic")
        tokens.reverse()
        value = _sum(tokens)
        if tokens:
            raise ValueError(f"{tokens[-1]!r} has no place")
    except (ValueError, IndexError, ZeroDivisionError, RecursionError) as error:
        raise ValueError(f"{source!r} has no value: {error}") from None
    return value


def _sum(tokens: list[str]) -> Exact:
    """Take a sum from the end of tokens in reverse."""
    value = _product(tokens)
    while tokens and tokens[-1] in ("+", "-"):
        value = value + _product(tokens) if tokens.pop() == "+" else value - _product(tokens)
    return value


def _product(tokens: list[str]) -> Exact:
    value = _signed(tokens)
    while tokens and tokens[-1] in ("*", "/"):
        value = value * _signed(tokens) if tokens.pop() == "*" else _quotient(value, _signed(tokens))
    return value


def _signed(tokens: list[str]) -> Exact:
    if tokens[-1] in ("+", "-"):
        return _signed(tokens) if tokens.pop() == "+" else -_signed(tokens)
    base = _atom(tokens)
    if not tokens or tokens[-1] != "**":
        return base
    tokens.pop()
    exponent = _signed(tokens)
    if exponent.denominator != 1 or not -_MAX_EXPONENT <= exponent <= _MAX_EXPONENT or abs(base.numerator) >= 10**6:
        raise ValueError("that power is not allowed")
    power: Fraction = Fraction(base) ** int(exponent)
    return power


def _atom(tokens: list[str]) -> Exact:
    token = tokens.pop()
    if token == "(":
        value = _sum(tokens)
        if tokens.pop() != ")":
            raise ValueError("a bracket is open")
        return value
    whole, point, decimals = token.partition(".")
    if len(token) > _MAX_DIGITS or not whole.isdigit() or (whole[0] == "0" and not point and whole.strip("0")):
        raise ValueError(f"{token!r} is not a plain number")
    return Fraction(int(whole + decimals), 10 ** len(decimals)) if point else int(whole)


def _quotient(left: Exact, right: Exact) -> Exact:
    value = Fraction(left) / right
    return value.numerator if value.denominator == 1 else value


def agrees(value: Exact, stated: str) -> bool:
    """Return whether `stated` gives that value, exactly or rounded to the decimals it shows."""
    number = value_of_expression(stated)
    return number == value or _rounds_to(value, stated, number)


def _rounds_to(value: Exact, stated: str, number: Exact) -> bool:
    """Return whether a stated decimal is a value rounded to the decimals it shows."""
    shown = re.fullmatch(r"\(?-?\d+\.(\d+)\)?", plain_signs(stated).strip())
    if shown is None:
        return False
    step = Decimal(1).scaleb(-len(shown[1]))
    with localcontext(prec=_MAX_LENGTH):
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        roundings = {Fraction(exact.quantize(step, rounding)) for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN)}
    return number in roundings


def equations(text: str) -> Iterator[Equation]:
    """Yield every equation of pure numbers in a text; a chain a = b = c gives two."""
    if "=" not in text:
        return
    text = plain_signs(text)
    for sentence in _SENTENCE_END.split(_LIST_MARK.sub("", text) if "- " in text or "* " in text else text):
        for before, sides, after in _chains(sentence):
            sides[0], sides[-1] = _begun(sides[0], before), _ended(sides[-1], after)
            values = [(side, _value_or_none(side)) for side in sides]
            for (left, value), (right, stated) in pairwise(values):
                if value is not None and stated is not None and not (_BARE.fullmatch(left) and _BARE.fullmatch(right)):
                    yield Equation(left.strip(), right.strip(), value, stated)


def _chains(sentence: str) -> Iterator[tuple[str, list[str], str]]:
    """Yield every `a = b = ...` of digits and signs alone: what stands before it, its sides, and what follows."""
    parts = sentence.split("=")
    at = 0
    while at < len(parts) - 1:
        before = parts[at].rstrip(_STRETCH)
        sides = [parts[at][len(before) :]]
        end = at + 1
        while end < len(parts) - 1 and parts[end] and not parts[end].strip(_STRETCH):
            sides.append(parts[end])
            end += 1
        after = parts[end].lstrip(_STRETCH)
        sides.append(parts[end][: len(parts[end]) - len(after)])
        if not sides[-1]:
            sides.pop()
            after = "="
        if sides[0] and len(sides) > 1:
            yield before or "=" * (at > 0), sides, after or "=" * (end < len(parts) - 1)
            at = end
        else:
            at += 1


def _begun(side: str, before: str) -> str:
    """Return the first side of a chain, or "" if it continues something that is not a number: `x + 6`, `15% of 80`, `3x`."""
    word = before.rstrip()[-1:]
    glued = not side[:1].isspace() and (before[-1:].isalnum() or before[-1:] in _CLINGS)
    goes_on = _OPERATOR.match(side) is not None and (word.isalnum() or word in _CLINGS)
    bare = _BARE.fullmatch(side) is not None and word.isalpha()
    return "" if glued or goes_on or bare else side


def _ended(side: str, after: str) -> str:
    """Return the last side of a chain up to the end of its sentence, or "" if a letter continues it: `10x`, `2(x + 1)`, `5 + x`."""
    sentence_end = re.search(r"\.(?!\d)", side)
    if sentence_end is not None:
        return side[: sentence_end.start()]
    glued = not side[-1:].isspace() and (after[:1].isalpha() or after[:1] in _CLINGS)
    return "" if glued else side


def _value_or_none(source: str) -> Exact | None:
    try:
        return _value(source)
    except ValueError:
        return None


def numbers(text: str) -> list[str]:
    """Return the numbers of a text in order, without thousands separators: digits, and decimals if there are any."""
    return _NUMBER.findall(_GROUPED.sub("", text) if "," in text else text)


def written(value: Exact) -> str:
    """Return a number as a textbook writes it: 12; 2.5 if at most three decimals suffice; otherwise 7/3."""
    if value.denominator == 1:
        return str(value.numerator)
    if 1000 % value.denominator == 0:
        return f"{float(value):.3f}".rstrip("0")
    return f"{value.numerator}/{value.denominator}"
