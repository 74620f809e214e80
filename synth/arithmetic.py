"""Exact arithmetic on text: the value of an expression, and the equations in a worked solution.

Python's own parser reads expressions, and they are evaluated over `fractions.Fraction`, allowing only numbers and + - * / **: nothing is
executed or rounded. `equations` finds `... = ...` in prose and accepts only pure arithmetic: an equation with a letter on either side is
algebra, which this module does not judge.

Invariants
    - Sizes are bounded (length of an expression, exponents), so hostile text costs little time.
    - A stated decimal agrees with an exact value if it is that value rounded to the decimals it shows; whole numbers must be exact.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

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
_SIGN = re.compile("|".join(re.escape(sign) for sign in sorted(_SIGNS, key=len, reverse=True)))
_FRACTION = re.compile(r"\\d?frac\{([^{}]*)\}\{([^{}]*)\}")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_STRETCH = r"[0-9.+\-*/() ]"
_CHAIN = re.compile(rf"{_STRETCH}+(?:={_STRETCH}+)+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_BARE = re.compile(r"[-() ]*\d+(?:\.\d+)?[() ]*")
_OPERATOR = re.compile(r"\s*(?:[+*/)]|-\s)|-")
"""A beginning that needs an operand before it; a minus after a space and close to its number is a sign."""

_SENTENCE_END = re.compile(r"\.\s+")
"""No decimal point has a space after it."""

_CLINGS = frozenset("%_√:)\\")


@dataclass(frozen=True)
class Equation:
    """Two expressions that a text states to be equal."""

    left: str
    right: str

    @property
    def holds(self) -> bool:
        """Return whether it is true."""
        return agrees(value_of_expression(self.left), self.right)

    def __str__(self) -> str:
        """Return the equation as it is written."""
        return f"{self.left} = {self.right}"


def plain_signs(text: str) -> str:
    """Return text with typographic signs (×, ÷, −, ², 1,000, simple LaTeX) in Python's notation."""
    text = _FRACTION.sub(r"((\1)/(\2))", text.replace("$", "").replace("\\left", "").replace("\\right", ""))
    return _SIGN.sub(lambda found: _SIGNS[found[0]], _GROUPED.sub("", text))


def value_of_expression(expression: str) -> Fraction:
    """Return the exact value. Raises ValueError for anything but numbers and + - * / ** (whole exponents up to 64)."""
    source = plain_signs(expression).strip()
    if len(source) > _MAX_LENGTH:
        raise ValueError(f"the expression is longer than {_MAX_LENGTH} characters")
    try:
        return _value(ast.parse(source, mode="eval").body, source)
    except (SyntaxError, ZeroDivisionError, RecursionError, MemoryError) as error:
        raise ValueError(f"{expression!r} has no value: {error}") from None


def _value(node: ast.expr, source: str) -> Fraction:
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            digits = ast.get_source_segment(source, node) or ""
            if len(digits) > _MAX_DIGITS or not _NUMBER.fullmatch(digits):
                raise ValueError(f"{digits!r} is not a plain number")
            return Fraction(digits)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, source)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand, source)
        case ast.BinOp(left=left, op=operator, right=right):
            return _combined(_value(left, source), operator, _value(right, source))
    raise ValueError(f"{ast.unparse(node)!r} is not arithmetic")


def _combined(left: Fraction, operator: ast.operator, right: Fraction) -> Fraction:
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.Pow() if right.denominator == 1 and abs(right) <= _MAX_EXPONENT and abs(left.numerator) < 10**6:
            return Fraction(left ** int(right))
    raise ValueError("that operation is not allowed")


def agrees(value: Fraction, stated: str) -> bool:
    """Return whether `stated` gives that value, exactly or rounded to the decimals it shows."""
    number = value_of_expression(stated)
    if number == value:
        return True
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
    for sentence in _SENTENCE_END.split(plain_signs(text)):
        for found in _CHAIN.finditer(sentence):
            first, *between, last = found[0].split("=")
            sides = [_begun(first, sentence[: found.start()]), *between, _ended(last, sentence[found.end() :])]
            for left, right in pairwise(sides):
                both_bare = _BARE.fullmatch(left) and _BARE.fullmatch(right)
                if not both_bare and _is_expression(left) and _is_expression(right):
                    yield Equation(left.strip(), right.strip())


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


def _is_expression(text: str) -> bool:
    try:
        value_of_expression(text)
    except ValueError:
        return False
    return True


def numbers(text: str) -> list[str]:
    """Return the numbers of a text in order, without thousands separators: digits, and decimals if there are any."""
    return _NUMBER.findall(_GROUPED.sub("", text))


def written(value: Fraction | int) -> str:
    """Return a number as a textbook writes it: 12; 2.5 if at most three decimals suffice; otherwise 7/3."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    if 1000 % value.denominator == 0:
        return f"{float(value):.3f}".rstrip("0")
    return f"{value.numerator}/{value.denominator}"
