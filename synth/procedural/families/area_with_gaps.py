"""Rectangles from which smaller ones are missing. The second way lays out unit squares and counts them."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import listed
from synth.procedural.steps import Steps, add, calc, mul


class AreaWithGaps(Family):
    """One to three holes in a surface whose size is plausible."""

    about = "areas of rectangles with parts missing"
    knobs = by_level(holes=(1, 1, 2, 2, 3))
    slips = ("perimeter", "adds_holes")
    largest = 20_000

    def draw(self, chance: Chance) -> Values:
        """Draw a surface of a world and smaller rectangles that fit into it together."""
        world = chance.of_world("plots")
        wide, long = sorted([chance.within(world["long"]), chance.within(world["wide"])])
        names = chance.sample(world["holes"], chance.knob.holes)
        holes = [[name, chance.between(2, max(2, long // 5)), chance.between(2, max(2, wide // 4))] for name in names]
        return {"long": long, "wide": wide, "holes": holes, "plot": world["plot"], "unit": world["unit"], "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the holes as a list in a sentence."""
        gaps = listed(f"{name} measuring {a} by {b} {facts['unit']}s" for name, a, b in facts["holes"])
        return {"gaps": gaps, "form": ("also rectangular", "both rectangular", "all rectangular")[len(facts["holes"]) - 1]}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Take the missing areas from the whole one."""
        long, wide, plot, unit = facts["long"], facts["wide"], facts["plot"], f"square {facts['unit']}"
        yield (whole := (add if slip == "perimeter" else mul)(f"the area of the whole {plot}", long, wide, unit=unit))
        areas = []
        for name, a, b in facts["holes"]:
            yield (gap := (add if slip == "perimeter" else mul)(f"the area of the {name.split(' ', 1)[1]}", a, b, unit=unit))
            areas.append(gap.value)
        missing = listed(f"the {name.split(' ', 1)[1]}" for name, _, _ in facts["holes"])
        sign = " + " if slip == "adds_holes" else " - "
        left = whole.value + sum(areas) if slip == "adds_holes" else whole.value - sum(areas)
        yield calc(
            f"the area of the {plot} without {missing}",
            sign.join(map(str, [whole.value, *areas])),
            left,
            unit,
            kind="add" if slip == "adds_holes" else "sub",
        )

    def recheck(self, facts: Facts) -> list[str]:
        """Lay unit squares row by row, and take some up again."""
        squares = sum(1 for _ in range(facts["long"]) for _ in range(facts["wide"]))
        return [str(squares - sum(1 for _, a, b in facts["holes"] for _ in range(a) for _ in range(b)))]
