"""Two equations with two unknowns, as prices or as coins. The second way tries all pairs."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance, worlds
from synth.procedural.grammar import cardinal, plural, with_noun
from synth.procedural.steps import Steps, div, mul, sub


class LinearSystems(Family):
    """Two purchases of the same two goods."""

    about = "systems of two linear equations"
    knobs = by_level(count=(3, 4, 5, 6, 8), price=(6, 9, 15, 20, 30))
    slips = ("wrong_good", "divides_by_both")
    largest = 10_000

    def draw(self, chance: Chance) -> Values:
        """Draw two prices and two purchases in which one good occurs equally often, at higher levels a multiple."""
        one, other = chance.sample(worlds()["goods"], 2)
        x, y = chance.between(1, chance.knob.price), chance.between(1, chance.knob.price)
        a, b = chance.between(1, chance.knob.count - 1), chance.between(2, chance.knob.count)
        factor = 1 if chance.level < 3 else chance.between(2, 3)
        more = chance.between(1, 4)
        c, d = a * factor, b * factor + more
        bills = {"a": a, "b": b, "s": a * x + b * y, "c": c, "d": d, "t": c * x + d * y}
        return {**bills, "one": one["good"], "other": other["good"], "who": chance.person()}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Multiply one purchase so that the first good cancels, subtract, and put the price back."""
        a, b, s, c, d, t = (facts[name] for name in "abscdt")
        factor, one, other = c // a, facts["one"], facts["other"]
        several = "twice" if factor == 2 else f"{cardinal(factor)} times"
        if factor > 1:
            yield mul(f"the number of {plural(other)} in {several} the first purchase", b, factor, unit=other)
            yield mul(f"the cost of {several} the first purchase", s, factor, unit="euro")
        extra = f"{plural(other)} by which the second purchase exceeds {several} the first"
        extra = extra if factor > 1 else f"extra {plural(other)} in the second purchase"
        count = sub(f"the number of {extra}", d, b * factor, unit=other)
        gap = sub("the extra cost", t, s * factor, unit="euro")
        below = count.value + (a if slip == "divides_by_both" else 0)
        if gap.value % below or (s - b * (gap.value // below)) % a or s <= b * (gap.value // below):
            return
        yield from (count, gap)
        yield (price := div(f"the price of one {other}", gap.value, below, unit="euro"))
        if slip == "wrong_good":
            return
        yield (spent := mul(f"the cost of the {with_noun(b, other)} in the first purchase", b, price.value, unit="euro"))
        yield (left := sub(f"the cost of the {with_noun(a, one)}" if a > 1 else f"the price of one {one}", s, spent.value, unit="euro"))
        if a > 1:
            yield div(f"the price of one {one}", left.value, a, unit="euro")

    def recheck(self, facts: Facts) -> list[str]:
        """Try every price of the one, with what it leaves for the other."""
        a, b, s, c, d, t = (facts[name] for name in "abscdt")
        (x,) = [x for x in range(1, 100) if (s - a * x) % b == 0 and c * x + d * ((s - a * x) // b) == t]
        return [str(x)]
