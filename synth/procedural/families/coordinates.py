"""Points in a grid: middle, distance and slope. The second way walks from one point to the other."""

from math import isqrt

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, calc, div, mul, n, state, sub


class Coordinates(Family):
    """The middle of two points, the slope through them, or their distance."""

    about = "points in the plane"
    knobs = by_level(most=(6, 9, 12, 15, 20), negative=(0, 0, 1, 1, 1))
    slips = ("half_difference", "upside_down", "adds_ways")
    largest = 10_000

    def draw(self, chance: Chance) -> Values:
        """Draw points that make the result exact."""
        low = -chance.knob.most if chance.knob.negative else 1
        shape = chance.choice(("middle", "slope", "distance"))
        x, y = chance.between(low, chance.knob.most), chance.between(low, chance.knob.most)
        dx, dy = 2 * chance.between(1, chance.knob.most), 2 * chance.between(1, chance.knob.most)
        if shape == "slope":
            dy = dx * chance.between(2, 4)
        if shape == "distance":
            a, b = chance.choice(((3, 4), (6, 8), (5, 12), (8, 15), (9, 12), (12, 16)))
            dx, dy = (a, b) if chance.chances(0.5) else (b, a)
        if dx == dy:
            dy += 2
        return {"shape": shape, "one": [x, y], "other": [x + dx, y + dy], "who": chance.person(), **chance.of_world("grids")}

    def words(self, facts: Facts) -> Values:
        """Return the points as they are written."""
        return {"p": _point(*facts["one"]), "q": _point(*facts["other"])}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Work with each coordinate for itself."""
        (a, b), (c, d), shape = facts["one"], facts["other"], facts["shape"]
        if {"half_difference": "middle", "upside_down": "slope", "adds_ways": "distance"}.get(slip, shape) != shape:
            return
        if shape == "middle":
            sign, x, y = ("-", (c - a) // 2, (d - b) // 2) if slip else ("+", (a + c) // 2, (b + d) // 2)
            yield calc("the first coordinate of the midpoint", f"({c} {sign} {n(a)}) ÷ 2", x)
            yield calc("the second coordinate of the midpoint", f"({d} {sign} {n(b)}) ÷ 2", y)
            yield state("the midpoint", f"the midpoint is {_point(x, y)}", value=_point(x, y))
            return
        across, up = sub("the change in x", c, a), sub("the change in y", d, b)
        yield from (across, up)
        if shape == "slope":
            yield div("the slope", *((across.value, up.value) if slip else (up.value, across.value)))
        elif slip:
            yield add("the distance", across.value, up.value)
        else:
            squares = [mul(f"the square of {way}", way, way) for way in (across.value, up.value)]
            yield from squares
            yield (whole := add("the square of the distance", *(step.value for step in squares)))
            root = isqrt(whole.value)
            yield state(f"the square root of {whole.value}", f"{root} × {root} = {whole.value}", "root", square=whole.value, root=root)
            yield state("the distance", f"the distance is {root}", value=str(root))

    def recheck(self, facts: Facts) -> list[str]:
        """Walk towards each other, or step by step, or try lengths."""
        (a, b), (c, d) = facts["one"], facts["other"]
        if facts["shape"] == "middle":
            while a < c:
                a, c = a + 1, c - 1
            while b < d:
                b, d = b + 1, d - 1
            return [_point(a, b)]
        if facts["shape"] == "slope":
            return [str(next(m for m in range(1, 50) if b + m * (c - a) == d))]
        return [str(next(r for r in range(1, 500) if r * r == (c - a) ** 2 + (d - b) ** 2))]


def _point(x: int, y: int) -> str:
    return f"({x}, {y})"
