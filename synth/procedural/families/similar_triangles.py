"""Shadows and scales: what is in proportion. The second way builds up from the common unit."""

from fractions import Fraction

from synth.arithmetic import written
from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, div, mul, sub


class SimilarTriangles(Family):
    """A short stick and a tall thing with their shadows, or a plan and the real thing."""

    about = "similar triangles and scales"
    knobs = by_level(grid=(20, 10, 10, 5, 2))
    slips = ("adds", "upside_down")
    largest = 20_000

    def draw(self, chance: Chance) -> Values:
        """Draw a height, its shadow and a factor that is plausible for the tall thing."""
        world = chance.of_world("shadows")
        a, b, factor = 1, 1, 1
        while b * factor % 100:  # the long shadow is measured in whole metres
            (a, b), factor = chance.sample(range(60, 181, chance.knob.grid), 2), chance.within(world["factor"])
        return {
            "a": a,
            "b": b,
            "c": b * factor // 100,
            "short": world["short"],
            "tall": world["tall"],
            "who": chance.person(),
        }

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find how many times longer one shadow is, and multiply the height."""
        a, b, tall = facts["a"], facts["b"], facts["tall"]
        if slip == "upside_down" and a % (facts["c"] * 100 // b):
            return
        yield (long := mul("the long shadow in centimetres", facts["c"], 100, unit="centimetre"))
        what = f"the height of the {tall} in centimetres"
        if slip == "adds":
            yield (found := sub("the difference of the shadows", long.value, b, unit="centimetre"))
            yield (height := add(what, a, found.value, unit="centimetre"))
        else:
            yield (found := div("the factor between the shadows", long.value, b))
            yield (height := (div if slip else mul)(what, a, found.value, unit="centimetre"))
        yield div(f"the height of the {tall}", height.value, 100, unit="metre")

    def recheck(self, facts: Facts) -> list[str]:
        """Put the small triangle side by side until the long shadow is covered."""
        covered = height = 0
        while covered < 100 * facts["c"]:
            covered, height = covered + facts["b"], height + facts["a"]
        if covered != 100 * facts["c"]:
            raise ValueError("the shadows do not fit")
        return [written(Fraction(height, 100))]
