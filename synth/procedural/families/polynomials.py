"""Values of polynomials by Horner's scheme. The second way adds up the powers."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import ordinal
from synth.procedural.steps import Steps, calc, n


class Polynomials(Family):
    """Degree two at the first levels, up to four."""

    about = "values of polynomials"
    knobs = by_level(degree=(2, 2, 3, 3, 4), most=(5, 9, 7, 9, 9), x=(3, 5, 4, 5, 4))
    slips = ("loses_sign", "multiplies_first")
    largest = 100_000

    def draw(self, chance: Chance) -> Values:
        """Draw coefficients that are not 0 or 1, and a place."""
        many = range(chance.knob.degree + 1)
        coefficients = [chance.between(2, chance.knob.most) * (-1 if at and chance.chances(0.4) else 1) for at in many]
        names = {"letter": chance.choice("xtz"), "name": chance.choice("pfgq"), "who": chance.person()}
        return {"coefficients": coefficients, "x": chance.between(2, chance.knob.x), **names}

    def words(self, facts: Facts) -> Values:
        """Return the polynomial as it is printed."""
        text, letter = "", facts["letter"]
        for at, coefficient in enumerate(facts["coefficients"]):
            power = len(facts["coefficients"]) - 1 - at
            sign = ("" if coefficient > 0 else "-") if not at else " + " if coefficient > 0 else " - "
            text += f"{sign}{abs(coefficient)}{letter if power else ''}{'²³⁴'[power - 2] if power > 1 else ''}"
        return {"formula": text}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Multiply by the place and add the next coefficient, again and again."""
        x, (value, *others) = facts["x"], facts["coefficients"]
        for at, coefficient in enumerate(others, 2):
            told = abs(coefficient) if slip == "loses_sign" else coefficient
            name = f"the running value after the {ordinal(at)} coefficient"
            sign = "+" if told > 0 else "-"
            if slip == "multiplies_first":
                step = calc(name, f"({n(value)} {sign} {abs(told)}) × {x}", (value + told) * x)
            else:
                step = calc(name, f"{n(value)} × {x} {sign} {abs(told)}", value * x + told)
            yield step
            value = step.value

    def recheck(self, facts: Facts) -> list[str]:
        """Add up products of single factors."""
        total = 0
        for power, coefficient in enumerate(reversed(facts["coefficients"])):
            term = coefficient
            for _ in range(power):
                term *= facts["x"]
            total += term
        return [str(total)]
