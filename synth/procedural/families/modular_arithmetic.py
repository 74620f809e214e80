"""Remainders of sums, products and powers. The second way multiplies out and counts down."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, calc, mul, remainder


class ModularArithmetic(Family):
    """A product, then a power, is reduced as it goes along."""

    about = "remainders of sums, products and powers"
    knobs = by_level(modulus=(7, 9, 11, 13, 17), power=(0, 0, 3, 4, 5), most=(40, 80, 30, 40, 60))
    slips = ("forgets_last", "reduces_exponent")

    def draw(self, chance: Chance) -> Values:
        """Draw numbers larger than the modulus that it does not divide."""
        m = chance.between(4, chance.knob.modulus)
        a, b = (m * chance.between(1, chance.knob.most // m + 1) + rest for rest in chance.sample(range(1, m), 2))
        facts = {"m": m, "a": a, "who": chance.person()}
        if chance.knob.power:
            return {**facts, "shape": "power", "p": chance.between(3, chance.knob.power)}
        return {**facts, "shape": "product", "b": b, "c": chance.between(2, 30)}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Reduce first, then calculate with small numbers."""
        m, a = facts["m"], facts["a"]
        if slip == "reduces_exponent" and facts["shape"] == "product":
            return
        yield (first := remainder(f"the remainder when {a} is divided by {m}", a, m))
        if facts["shape"] == "product":
            b = facts["b"]
            yield (second := remainder(f"the remainder when {b} is divided by {m}", b, m))
            x, y, c = first.value, second.value, facts["c"]
            yield (left := calc(f"the product of the remainders plus {c}", f"{x} × {y} + {c}", x * y + c))
            if slip != "forgets_last" and left.value >= m:
                yield remainder("the remainder of this result", left.value, m)
            return
        value = first.value
        for at in range(2, (facts["p"] if slip != "reduces_exponent" else facts["p"] - 1) + 1):
            yield (product := mul(f"the product for the {_POWERS[at]} power", value, first.value))
            value = product.value
            if value >= m and not (slip == "forgets_last" and at == facts["p"]):
                yield (rest := remainder(f"the remainder of the {_POWERS[at]} power", value, m))
                value = rest.value

    def recheck(self, facts: Facts) -> list[str]:
        """Multiply out, and take the modulus away again and again."""
        value = 1
        for _ in range(facts.get("p", 1)):
            value *= facts["a"]
        value = value * facts["b"] + facts["c"] if facts["shape"] == "product" else value
        step = facts["m"] * 10**12
        while step >= facts["m"]:
            while value >= step:
                value -= step
            step = step // 10 if step > facts["m"] else 0
        return [str(value)]


_POWERS = ("", "", "second", "third", "fourth", "fifth")
