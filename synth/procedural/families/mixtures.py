"""Mixing two solutions: how strong is the result? The second way counts drops."""

from fractions import Fraction

from synth.arithmetic import written
from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, calc, percent_of


class Mixtures(Family):
    """Two amounts with different shares of one substance."""

    about = "mixing liquids of different strength"
    knobs = by_level(most=(6, 10, 20, 30, 40), grid=(10, 10, 5, 5, 5))
    slips = ("averages", "adds_shares")

    def draw(self, chance: Chance) -> Values:
        """Draw amounts whose mixture has a share with at most one decimal."""
        while True:
            a, b = chance.between(2, chance.knob.most), chance.between(2, chance.knob.most)
            p, q = chance.between(5, 50, chance.knob.grid), chance.between(5, 90, chance.knob.grid)
            if a != b and p != q and (a * p + b * q) * 10 % (a + b) == 0 and p * a * q * b:
                world = chance.of_world("solutions")
                return {"a": a, "b": b, "p": p, "q": q, **world, "who": chance.person()}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Add what is dissolved and what there is in all, and divide."""
        a, b, p, q = (facts[name] for name in "abpq")
        if slip:
            expression, share = (f"({p} + {q}) ÷ 2", Fraction(p + q, 2)) if slip == "averages" else (f"{p} + {q}", Fraction(p + q))
            yield calc(f"the share of {facts['solute']} in the mixture", expression, share, "%")
            return
        first = percent_of(f"the amount of {facts['solute']} in the first portion", p, a, facts["unit"])
        second = percent_of(f"the amount of {facts['solute']} in the second portion", q, b, facts["unit"])
        whole = add("the total amount of the mixture", a, b, unit=facts["unit"])
        inside = add(f"the total amount of {facts['solute']}", first.value, second.value, unit=facts["unit"])
        yield from (first, second, inside, whole)
        share = Fraction(inside.value) / whole.value * 100
        yield calc(f"the share of {facts['solute']} in the mixture", f"{written(inside.value)} ÷ {whole.value} × 100", share, "%")

    def recheck(self, facts: Facts) -> list[str]:
        """Pour drops of a hundredth one by one, and count those of the substance."""
        parts = ((facts["a"], facts["p"]), (facts["b"], facts["q"]))
        drops = [number < share for amount, share in parts for _ in range(amount) for number in range(100)]
        return [written(Fraction(100 * sum(drops), len(drops)))]
