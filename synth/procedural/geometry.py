"""Plane geometry: areas and perimeters of composed figures, and right triangles by Pythagoras' theorem.

`solve` puts the figure on a grid of unit squares and counts them, or tries every length until the squares agree.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 40, 41), (12, 35, 37), (28, 45, 53))
_UNITS = ("centimetres", "metres", "decimetres")
_PLACES = ("garden", "courtyard", "stage", "car park", "schoolyard", "meadow", "terrace", "workshop floor", "pond's deck", "market square")
_HOLES = ("a flower bed", "a fountain", "a shed", "a sandpit", "a well house", "a bed of roses", "a skylight", "a chicken run")
_LADDERS = (
    "A ladder leans against a wall. Its foot stands {a} {unit} from the wall and its top touches the wall at a height of {b} "
    "{unit}. How long "
    "is the ladder?",
    "{who} sails {a} {unit} due east and then {b} {unit} due north. What is the straight distance back to the start?",
    "A rectangular board is {a} {unit} wide and {b} {unit} long. {who} measures its diagonal. What should it be?",
    "The shorter sides of a right triangle measure {a} and {b} {unit}. Find the length of the longest side.",
    "{who} stretches a cord from the top of a mast, {b} {unit} high, to a peg {a} {unit} from its foot. How long is the cord?",
)  # fmt: skip
_LEGS = (
    "A ladder of {c} {unit} leans against a wall with its foot {a} {unit} from the wall. How high does it reach?",
    "The diagonal of a rectangular screen is {c} {unit} and one side is {a} {unit}. How long is the other side?",
    "In a right triangle the longest side measures {c} {unit} and another {a} {unit}. {who} wants to know the third side.",
    "{who} flies a kite on a tight line of {c} {unit}. It hovers above a point {a} {unit} away. How high is the kite?",
)


class Geometry(Generator):
    """Rectangles with holes or corners cut out, triangles, perimeters (difficulty 1 to 3); Pythagoras (from 2 on)."""

    about: ClassVar[str] = "areas, perimeters and the theorem of Pythagoras"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an area or a right-triangle exercise."""
        say = Narrator(draw)
        if difficulty >= 2 and draw.random() < 0.5:
            return self._right_triangle(say, difficulty)
        return self._area(say, difficulty)

    def _area(self, say: Narrator, difficulty: int) -> Exercise:
        draw, unit, place = say.draw, say.one_of(*_UNITS), say.one_of(*_PLACES)
        length, width = draw.randint(8, 14 + 6 * difficulty), draw.randint(6, 12 + 4 * difficulty)
        holes = [[draw.randint(2, length // 3), draw.randint(2, width // 3)] for _ in range(min(difficulty, 3))]
        chosen = say.shuffled(_HOLES)[: len(holes)]
        who = say.person()
        told = [f"{name} of {a} by {b} {unit}" for name, (a, b) in zip(chosen, holes, strict=True)]
        problem = say.one_of(
            f"A rectangular {place} is {length} {unit} long and {width} {unit} wide. On it lies {' and '.join(told)}. {who} wants "
            f"to pave the "
            f"rest. How large is the area to be paved?",
            f"{who} draws the plan of a {place}: a rectangle of {length} by {width} {unit}. Inside it there is "
            f"{' and '.join(told)}. Find the "
            f"area that stays free.",
            f"From a rectangular {place}, {length} {unit} by {width} {unit}, {who} takes away room for {' and for '.join(told)}. What area "
            f"remains?",
        )
        area, total = length * width, sum(a * b for a, b in holes)
        steps = [
            say.one_of(
                "The figure is a rectangle from which smaller rectangles are missing. We find all areas and subtract.",
                "An area with gaps is found by taking the whole and removing what is missing. Every part here is a rectangle.",
                "Areas can be added and subtracted like numbers, as long as the parts do not overlap.",
            ),
            say.first(
                f"the whole rectangle has {length} × {width} = {area} square {unit}.",
                f"length times width gives the full area, {length} × {width} = {area} square {unit}.",
            ),
        ]
        steps += [
            say.then(f"{name} takes {a} × {b} = {a * b} square {unit}.", f"for {name} we count {a} × {b} = {a * b} square {unit}.")
            for name, (a, b) in zip(chosen, holes, strict=True)
        ]
        minus = " - ".join(str(a * b) for a, b in holes)
        steps.append(
            say.last(
                f"subtract what is taken: {area} - {minus} = {area - total} square {unit}.",
                f"what stays is {area} - {minus} = {area - total} square {unit}.",
            )
        )
        title = say.one_of(f"The plan of the {place}", "Area with gaps", "How much is left to pave", "Rectangles inside a rectangle")
        facts = {"rectangle": [length, width], "holes": holes}
        return Exercise(title, problem, tuple(steps), f"{area - total} square {unit}", facts)

    def _right_triangle(self, say: Narrator, difficulty: int) -> Exercise:
        a, b, c = say.one_of(*_TRIPLES[: 2 + difficulty])
        factor = say.draw.randint(1, 1 + difficulty)
        a, b, c = a * factor, b * factor, c * factor
        if say.draw.random() < 0.5:
            a, b = b, a
        unit, who = say.one_of(*_UNITS), say.person()
        wanted = "c" if say.draw.random() < 0.5 else "b"
        problem = say.one_of(*(_LADDERS if wanted == "c" else _LEGS)).format(a=a, b=b, c=c, unit=unit, who=who)
        idea = say.one_of(
            "There is a right angle in this figure, so the theorem of Pythagoras applies: the squares over the two short sides "
            "together are as "
            "large as the square over the long side.",
            "A right triangle is hidden here. In it, the square of the longest side equals the sum of the squares of the others.",
            "Draw the right triangle first. Pythagoras tells how its three sides are connected through their squares.",
        )
        if wanted == "c":
            square, root = a * a + b * b, c
            working = (
                f"the squares of the short sides are {a}² = {a * a} and {b}² = {b * b}. Their sum is {a * a} + {b * b} = {square}.",
                f"add the squares: {a}² + {b}² = {a * a} + {b * b} = {square}.",
            )
            facts: dict[str, Any] = {"short": [a, b]}
        else:
            square, root = c * c - a * a, b
            working = (
                f"the long side has the square {c}² = {c * c}, the known short one {a}² = {a * a}. The difference is {c * c} - "
                f"{a * a} = {square}.",
                f"subtract the squares: {c}² - {a}² = {c * c} - {a * a} = {square}.",
            )
            facts = {"long": c, "short": [a]}
        steps = (
            idea,
            say.first(*working),
            say.last(
                f"we need the number whose square is {square}. Because {root} × {root} = {square}, the length is {root} {unit}.",
                f"take the square root. {root}² = {square}, so the side measures {root} {unit}.",
            ),
        )
        title = say.one_of("A right triangle", "Squares over the sides", "With the help of Pythagoras", "The missing side")
        return Exercise(title, problem, steps, f"{root} {unit}", facts)

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Count unit squares, or try lengths."""
        if "rectangle" in facts:
            return str(_cells(facts["rectangle"]) - sum(_cells(hole) for hole in facts["holes"]))
        known = sum(side * side for side in facts["short"])
        for side in range(1, 2000):
            if (known + side * side == facts["long"] * facts["long"]) if "long" in facts else (known == side * side):
                return str(side)
        raise ValueError("no whole length fits")


def _cells(rectangle: Sequence[int]) -> int:
    length, width = rectangle
    return sum(1 for _ in range(length) for _ in range(width))
