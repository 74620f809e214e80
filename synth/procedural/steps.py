"""Typed steps: what a step finds, the statement that it makes, and how; its wording comes later, from the phrasebook.

    what    a noun phrase: "the number of rolls left"
    claim   the statement, the same in every layout: "40 - 12 = 28 rolls"
    how     the operation as an order: "subtract 12 from 40"
    value   the result, for the steps after it
    kind    the list of wordings in the phrasebook (`synth/phrases/steps.toml`, or the family's own)

A claim with an equals sign between numbers is recomputed by `synth.solution`; any other number of a step must be the problem's own, or one
that the family's second way reaches.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import Any, NamedTuple

from synth.arithmetic import Exact, written
from synth.procedural.grammar import listed, with_noun


class WorkStep(NamedTuple):
    """A step of a solution; `more` has further values for wordings of its own kind."""

    what: str
    claim: str
    kind: str = "state"
    how: str = ""
    value: Any = None
    result: str = ""
    more: Mapping[str, Any] = MappingProxyType({})


Steps = Iterator[WorkStep]


def calc(what: str, expression: str, value: Exact, unit: str = "", how: str = "", kind: str = "calc") -> WorkStep:
    """Return a step that evaluates an expression of plain numbers."""
    value = value.numerator if value.denominator == 1 else value
    result = with_noun(value, unit)
    return WorkStep(what, f"{expression} = {result}", kind, how or f"work out {expression}", value, result, {"expression": expression})


def ratio(what: str, expression: str, value: Exact) -> WorkStep:
    """Return a step whose result stays a fraction in lowest terms."""
    return WorkStep(what, f"{expression} = {value}", "calc", f"work out {expression}", value, str(value), {"expression": expression})


def quotient(what: str, above: int, below: int) -> WorkStep:
    """Return a step that states a fraction, reduced if it can be."""
    value = Fraction(above, below)
    if f"{above}/{below}" == str(value):
        return WorkStep(what, str(value), "fraction", "", value, str(value))
    return ratio(what, f"{above}/{below}", value)


def add(what: str, *terms: Exact, unit: str = "") -> WorkStep:
    """Return a step that adds."""
    told = f"add {n(terms[1])} to {n(terms[0])}" if len(terms) == 2 else f"add up {listed(map(written, terms))}"
    return calc(what, " + ".join(map(n, terms)), sum(terms), unit, told, "add")


def sub(what: str, first: Exact, second: Exact, unit: str = "") -> WorkStep:
    """Return a step that subtracts."""
    return calc(what, f"{n(first)} - {n(second)}", first - second, unit, f"subtract {n(second)} from {n(first)}", "sub")


def mul(what: str, *factors: Exact, unit: str = "") -> WorkStep:
    """Return a step that multiplies."""
    told = f"multiply {n(factors[0])} by {listed(map(n, factors[1:]))}"
    return calc(what, " × ".join(map(n, factors)), prod(factors), unit, told, "mul")


def div(what: str, first: Exact, second: Exact, unit: str = "") -> WorkStep:
    """Return a step that divides."""
    below = f"({written(second)})" if "/" in written(second) else n(second)
    return calc(what, f"{n(first)} ÷ {below}", Fraction(first) / second, unit, f"divide {n(first)} by {below}", "div")


def percent_of(what: str, rate: int, whole: Exact, unit: str = "") -> WorkStep:
    """Return a step that takes a percentage."""
    return calc(what, f"{written(whole)} × {rate} ÷ 100", Fraction(whole) * rate / 100, unit)


def remainder(what: str, number: int, divisor: int, how: str = "") -> WorkStep:
    """Return a step that takes away the divisor as often as it goes."""
    return calc(what, f"{number} - {number // divisor} × {divisor}", number % divisor, how=how)


def state(what: str, claim: str, kind: str = "state", value: Any = None, result: str = "", **more: Any) -> WorkStep:
    """Return a step that states something without calculating."""
    return WorkStep(what, claim, kind, "", value, result or ("" if value is None else str(value)), more)


def confirm(what: str, expression: str, value: Exact) -> WorkStep:
    """Return a step after the answer that confirms it."""
    return calc(what, expression, value, kind="check")


def n(number: Exact) -> str:
    """Return a number as a term of an expression: negative ones in brackets."""
    return f"({written(number)})" if number < 0 else written(number)
