"""Converting the units of things that are measured in them. The second way counts small units one by one."""

from fractions import Fraction

from synth.arithmetic import written
from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import with_noun
from synth.procedural.steps import Steps, add, div, mul


class UnitConversion(Family):
    """Several things of a size, or a mixed measure, in a smaller or a larger unit."""

    about = "converting units of length, weight, volume and time"
    knobs = by_level(count=(1, 4, 8, 12, 20), mixed=(0, 0, 1, 1, 1))
    slips = ("wrong_way", "by_hundred")
    largest = 100_000

    def draw(self, chance: Chance) -> Values:
        """Draw a measured thing of a world."""
        world = chance.of_world("measured")
        facts = {name: world[name] for name in ("thing", "small", "large")} | {"who": chance.person()}
        size = chance.within(world["range"], world["grid"])
        if chance.knob.mixed and size > world["factor"]:
            whole, rest = divmod(size, world["factor"])
            if rest:
                return {**facts, "shape": "mixed", "whole": whole, "rest": rest, "count": chance.between(2, chance.knob.count)}
        return {**facts, "shape": "plain", "size": size, "count": chance.between(2, max(3, chance.knob.count))}

    def words(self, facts: Facts) -> Values:
        """Return how the quantity is called, and the verb that tells it."""
        return dict(zip(("verb", "quantity"), _SAID[facts["small"]], strict=True))

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Bring everything to the small unit, multiply, and change over to the large one if it was asked for."""
        factor, small = _FACTORS[facts["small"], facts["large"]], facts["small"]
        _, quantity = _SAID[small]
        used = 100 if slip == "by_hundred" else factor
        if facts["shape"] == "mixed":
            if slip == "by_hundred" and factor == 100:
                return
            inside = mul(f"the number of {small}s in {with_noun(facts['whole'], facts['large'])}", facts["whole"], used, unit=small)
            yield inside
            yield (each := add(f"the {quantity} of one {facts['thing']}", inside.value, facts["rest"], unit=small))
            yield mul(f"the total {quantity} of the {with_noun(facts['count'], facts['thing'])}", each.value, facts["count"], unit=small)
            return
        yield (whole := mul(f"the total {quantity} in {small}s", facts["size"], facts["count"], unit=small))
        last = (mul if slip == "wrong_way" else div)(f"the total {quantity} in {facts['large']}s", whole.value, used, unit=facts["large"])
        yield last

    def recheck(self, facts: Facts) -> list[str]:
        """Count small units."""
        factor = sum(1 for _ in range(_FACTORS[facts["small"], facts["large"]]))
        if facts["shape"] == "mixed":
            return [str(sum(facts["rest"] + sum(factor for _ in range(facts["whole"])) for _ in range(facts["count"])))]
        return [written(Fraction(sum(facts["size"] for _ in range(facts["count"])), factor))]


_FACTORS = {
    ("centimetre", "metre"): 100, ("metre", "kilometre"): 1000, ("gram", "kilogram"): 1000, ("kilogram", "tonne"): 1000,
    ("millilitre", "litre"): 1000, ("minute", "hour"): 60, ("second", "minute"): 60, ("millimetre", "centimetre"): 10,
}  # fmt: skip

_SAID = {
    "millimetre": ("measures", "length"), "centimetre": ("measures", "length"), "metre": ("measures", "length"),
    "gram": ("weighs", "weight"), "kilogram": ("weighs", "weight"), "millilitre": ("holds", "capacity"),
    "second": ("lasts", "duration"), "minute": ("lasts", "duration"),
}  # fmt: skip
