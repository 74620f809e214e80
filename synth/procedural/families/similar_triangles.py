"""Shadows and scales: what is in proportion. The second way builds up from the common unit."""

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
        a, b = chance.sample(range(60, 181, chance.knob.grid), 2)
        return {
            "a": a,
            "b": b,
            "c": b * chance.within(world["factor"]),
            "short": world["short"],
            "tall": world["tall"],
            "who": chance.person(),
        }

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find how many times longer one shadow is, and multiply the height."""
        a, b, c = facts["a"], facts["b"], facts["c"]
        if slip == "adds":
            yield (more := sub("the difference of the shadows", c, b, unit="centimetre"))
            yield add(f"the height of the {facts['tall']}", a, more.value, unit="centimetre")
            return
        yield (factor := div("the factor between the shadows", c, b))
        if slip and facts["a"] % factor.value:
            return
        yield (div if slip else mul)(f"the height of the {facts['tall']}", a, factor.value, unit="centimetre")

    def recheck(self, facts: Facts) -> list[str]:
        """Put the small triangle side by side until the long shadow is covered."""
        covered = height = 0
        while covered < facts["c"]:
            covered, height = covered + facts["b"], height + facts["a"]
        if covered != facts["c"]:
            raise ValueError("the shadows do not fit")
        return [str(height)]
