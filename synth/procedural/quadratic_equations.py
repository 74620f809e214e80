"""Quadratic equations with whole roots, solved by factoring or by the formula.

`solve` substitutes every whole number in range and keeps those that make the polynomial zero.
"""

import re
from collections.abc import Mapping
from math import isqrt
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_IDEA = (
    "A product is zero only if one of its factors is zero. So we look for a way to write the left side as a product.",
    "If the left side can be split into two factors, each factor gives one solution.",
    "Two numbers are wanted whose sum is the opposite of the middle coefficient and whose product is the last one. They are the roots.",
    "Viète's rule connects roots and coefficients, and it turns the equation into a hunt for two numbers.",
)
_FORMULA = (
    "The formula for quadratic equations works whether or not a factorisation is in sight. Its heart is the discriminant b² - 4ac.",
    "We use the quadratic formula. The discriminant b² - 4ac decides how many solutions there are.",
    "When factors are not easy to guess, the quadratic formula finds the roots from the coefficients alone.",
)


class QuadraticEquations(Generator):
    """Equations a x² + b x + c = 0 with two whole-number roots; a = 1 up to difficulty 3."""

    about: ClassVar[str] = "quadratic equations with whole-number roots"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an equation, solved by factoring if a = 1 and by the formula otherwise."""
        say = Narrator(draw)
        size = 4 + 2 * difficulty
        low, high = sorted(draw.sample([n for n in range(1 - size if difficulty > 1 else 1, size + 1) if n], 2))
        a = 1 if difficulty <= 3 else draw.randint(2, difficulty)
        b, c = -a * (low + high), a * low * high
        x = say.one_of("x", "z", "t", "u")
        polynomial = _polynomial(a, b, c, x)
        who = say.person()
        problem = say.one_of(
            f"Find all solutions of {polynomial} = 0.",
            f"For which values of {x} does {polynomial} equal zero?",
            f"{who} draws the parabola given by {polynomial}. Where does it cross the horizontal axis?",
            f"Solve the equation {polynomial} = 0 and check the result.",
            f"{who} claims that {polynomial} = 0 has two whole solutions. Which are they?",
        )
        steps = self._factored(say, x, low, high, b, c) if a == 1 else self._by_formula(say, low, high, a, b, c)
        checks = [f"{_polynomial(a, b, c, root)} = 0" for root in (low, high)]
        steps.append(
            say.check(f"{checks[0]}, and {checks[1]}.", f"for {x} = {low} we have {checks[0]}. For {x} = {high} we have {checks[1]}.")
        )
        title = say.one_of(
            "Roots of a parabola", "A quadratic equation", "Where the curve meets the axis", "Two solutions", "From square to line"
        )
        return Exercise(title, problem, tuple(steps), f"{x} = {low} or {x} = {high}", {"polynomial": polynomial})

    def _factored(self, say: Narrator, x: str, low: int, high: int, b: int, c: int) -> list[str]:
        factors = f"({x}{_signed(-low)})({x}{_signed(-high)})"
        return [
            say.one_of(*_IDEA),
            say.first(
                f"we need two numbers with sum {-b} and product {c}. The numbers {low} and {high} do it: {low} + {_bracketed(high)} "
                f"= {-b} and "
                f"{low} × {_bracketed(high)} = {c}.",
                f"which numbers multiply to {c} and add up to {-b}? Trying the divisors of {c} leads to {low} and {high}, because "
                f"{low} × {_bracketed(high)} = {c} and {low} + {_bracketed(high)} = {-b}.",
            ),
            say.then(f"the left side is therefore {factors}.", f"this lets us write the equation as {factors} = 0."),
            say.last(
                f"one factor must vanish, so {x} = {low} or {x} = {high}.",
                f"the first factor is zero for {x} = {low}, the second for {x} = {high}.",
            ),
        ]

    def _by_formula(self, say: Narrator, low: int, high: int, a: int, b: int, c: int) -> list[str]:
        inside = b * b - 4 * a * c
        root = isqrt(inside)
        return [
            say.one_of(*_FORMULA),
            say.first(
                f"read off a = {a}, b = {b} and c = {c}. Then {_bracketed(b)}² - 4 × {a} × {_bracketed(c)} = {inside}.",
                f"with a = {a}, b = {b} and c = {c} the discriminant is {_bracketed(b)}² - 4 × {a} × {_bracketed(c)} = {inside}.",
            ),
            say.then(f"its square root is {root}, since {root}² = {inside}.", f"{root} × {root} = {inside}, so the square root is {root}."),
            say.last(
                f"the smaller solution is ({-b} - {root}) / (2 × {a}) = {low}, the larger is ({-b} + {root}) / (2 × {a}) = {high}.",
                f"we take both signs: ({-b} + {root}) / (2 × {a}) = {high} and ({-b} - {root}) / (2 × {a}) = {low}.",
            ),
        ]

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Read the printed polynomial and try every whole number from -200 to 200."""
        text = facts["polynomial"]
        (unknown,) = set(filter(str.isalpha, text))
        terms = re.findall(r"([+-]?)(\d*)([a-z]?)(²?)", text.replace(" ", ""))
        roots = []
        for n in range(-200, 201):
            value = 0
            for sign, digits, letter, square in terms:
                if digits or letter:
                    value += (-1 if sign == "-" else 1) * int(digits or 1) * (n if letter else 1) * (n if square else 1)
            if value == 0:
                roots.append(n)
        if len(roots) != 2:
            raise ValueError("there are not two whole roots")
        return f"{unknown} = {roots[0]} or {unknown} = {roots[1]}"


def _signed(k: int) -> str:
    return f" + {k}" if k >= 0 else f" - {-k}"


def _bracketed(k: int) -> str:
    return str(k) if k >= 0 else f"({k})"


def _polynomial(a: int, b: int, c: int, x: str | int) -> str:
    """Return the polynomial in a letter, or its value at a number, written out."""
    at, times = (x, "") if isinstance(x, str) else (_bracketed(x), " × ")
    linear = "" if b == 0 else f" {'+' if b > 0 else '-'} {'' if abs(b) == 1 else f'{abs(b)}{times}'}{at}"
    return f"{'' if a == 1 else f'{a}{times}'}{at}²{linear}{_signed(c) if c else ''}"
