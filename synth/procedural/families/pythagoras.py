"""Right triangles by the theorem of Pythagoras. The second way tries every length until the squares agree."""

from math import isqrt

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import with_noun
from synth.procedural.steps import Steps, WorkStep, add, mul, state, sub

_TRIPLES = (
    (3, 4, 5),
    (5, 12, 13),
    (8, 15, 17),
    (7, 24, 25),
    (20, 21, 29),
    (9, 40, 41),
    (12, 35, 37),
    (28, 45, 53),
    (11, 60, 61),
    (33, 56, 65),
)


class Pythagoras(Family):
    """The longest side, or one of the others."""

    about = "the theorem of Pythagoras"
    knobs = by_level(triples=(2, 3, 5, 8, 10), factor=(2, 3, 4, 4, 5))
    slips = ("forgets_root", "adds_sides", "wrong_sign")

    def draw(self, chance: Chance) -> Values:
        """Draw a multiple of a triple that fits a scene's range."""
        fits: list[tuple[int, int, int]] = []
        while not fits:
            world = chance.of_world("right_triangles")
            low, high = world["range"]
            factor = chance.between(1, chance.knob.factor)
            found = [(a * factor, b * factor, c * factor) for a, b, c in _TRIPLES[: chance.knob.triples]]
            fits = [triple for triple in found if low <= triple[2] <= high]
        a, b, c = chance.choice(fits)
        a, b = (b, a) if chance.chances(0.5) and not world.get("upright") else (a, b)
        shape = chance.choice(("long", "short"))
        known = {"a": a, "b": b} if shape == "long" else {"a": a, "c": c}
        sides = {name: world[name] for name in ("side_a", "side_b", "side_c", "unit", "scene")}
        return {"shape": shape, **known, **sides, "who": chance.person()}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Square, add or subtract, take the root."""
        longest = facts["shape"] == "long"
        one, other = (facts["a"], facts["b"]) if longest else (facts["c"], facts["a"])
        sought, unit = facts["side_c" if longest else "side_b"], facts["unit"]
        if slip == "adds_sides":
            yield (add if longest else sub)(sought, one, other, unit=unit)
            return
        plus = longest != (slip == "wrong_sign")
        whole = (add if plus else sub)(f"the square of {sought}", one**2, other**2)
        root = isqrt(max(whole.value, 0))
        if not root or root**2 != whole.value:
            return
        for side in (one, other):
            yield mul(f"the square of {side}", side, side)
        yield whole
        if slip == "forgets_root":
            yield state(sought, f"{sought} is {with_noun(whole.value, unit)}", value=with_noun(whole.value, unit))
            return
        squares = {"square": whole.value, "root": root}
        yield WorkStep(f"the square root of {whole.value}", f"{root} × {root} = {whole.value}", "root", "", root, str(root), squares)
        yield state(sought, f"{sought} is {with_noun(root, unit)}", value=with_noun(root, unit))

    def recheck(self, facts: Facts) -> list[str]:
        """Try lengths."""
        for side in range(1, 1000):
            if facts["shape"] == "long" and side**2 == facts["a"] ** 2 + facts["b"] ** 2:
                return [str(side)]
            if facts["shape"] == "short" and side**2 + facts["a"] ** 2 == facts["c"] ** 2:
                return [str(side)]
        raise ValueError("no length fits")
