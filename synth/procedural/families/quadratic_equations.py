"""Quadratic equations with whole solutions, by factors. The second way tries every whole number."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, calc, n, state


class QuadraticEquations(Family):
    """x² + p·x + q = 0 with two different whole solutions."""

    about = "quadratic equations that can be factored"
    knobs = by_level(least=(1, 1, -6, -9, -12), most=(6, 9, 8, 10, 12))
    slips = ("signs",)

    def draw(self, chance: Chance) -> Values:
        """Draw two solutions that differ and are not zero."""
        one = other = 0
        while one * other * (one - other) == 0 or abs(one + other) < 2:
            one, other = (chance.between(chance.knob.least, chance.knob.most) for _ in "ab")
        return {"p": -one - other, "q": one * other, "letter": chance.choice("xyzt"), "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the equation."""
        x, p, q = facts["letter"], facts["p"], facts["q"]
        middle = f"{'+' if p > 0 else '-'} {'' if abs(p) == 1 else abs(p)}{x}"
        return {"equation": f"{x}² {middle} {'+' if q > 0 else '-'} {abs(q)} = 0"}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find two numbers with the right sum and product."""
        p, q, x = facts["p"], facts["q"], facts["letter"]
        low = next(a for a in range(-200, 200) if a and q % a == 0 and a + q // a == -p and a < q // a)
        high = q // low
        yield calc("the product of the two numbers", f"{n(low)} × {n(high)}", q)
        yield calc("the sum of the two numbers", f"{n(low)} + {n(high)}", -p)
        yield state("the factored form", f"({x} {_minus(low)})({x} {_minus(high)}) = 0", "factored")
        first, second = sorted((-low, -high)) if slip == "signs" else (low, high)
        yield state("the solutions", f"{x} = {first} or {x} = {second}", "zero", value=f"{x} = {first} or {x} = {second}")

    def recheck(self, facts: Facts) -> list[str]:
        """Try whole numbers."""
        x = facts["letter"]
        found = [f"{x} = {number}" for number in range(-200, 200) if number * number + facts["p"] * number + facts["q"] == 0]
        return [" or ".join(found)]


def _minus(number: int) -> str:
    return f"- {number}" if number > 0 else f"+ {-number}"
