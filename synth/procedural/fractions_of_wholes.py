"""Fractions: parts taken from a whole one after the other, and sums of unlike fractions.

`solve` cuts the whole into equal pieces, small enough for all fractions, and counts pieces.
"""

from collections.abc import Mapping
from fractions import Fraction
from math import lcm
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_SCENES = (
    (
        "Water from the tank",
        "a full rain tank",
        "of the tank",
        ("waters the beans", "fills the trough", "rinses the tools", "cools the engine"),
    ),
    ("Dividing a field", "a field", "of the field", ("is sown with rye", "is planted with leeks", "becomes meadow", "is left for bees")),
    (
        "A day's work",
        "a day's work",
        "of the day",
        ("goes into letters", "goes into repairs", "is spent on the road", "goes into training"),
    ),
    ("A roll of cloth", "a roll of cloth", "of the roll", ("becomes curtains", "becomes sails", "is cut into flags", "covers the chairs")),
    ("The choir's budget", "the choir's budget", "of the budget", ("pays for music", "pays for the hall", "goes to travel", "buys robes")),
    ("A long walk", "a long walk", "of the way", ("leads through forest", "runs along the river", "crosses the moor", "goes uphill")),
    ("The loaf of bread", "a large loaf", "of the loaf", ("is eaten at breakfast", "goes into soup", "is given to guests", "is toasted")),
    (
        "Painting the fence",
        "a garden fence",
        "of the fence",
        ("is painted green", "is painted white", "is oiled", "is replaced by new boards"),
    ),
)
_IDEA = (
    "Fractions can be added only when their parts have the same size, so we look for a common denominator.",
    "Unlike fractions count parts of different sizes. Before they are added, the parts must be cut equally small.",
    "The denominator tells the size of the parts. To add, we rewrite the fractions with one denominator for all.",
    "Thirds and quarters cannot be counted together as they are. A common denominator turns both into the same kind of part.",
)


class FractionsOfWholes(Generator):
    """The fraction that is left, or used, after two to four parts are taken."""

    about: ClassVar[str] = "adding and subtracting fractions with different denominators"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an exercise with two parts (difficulty 1 and 2), or three or four; denominators grow with difficulty."""
        say = Narrator(draw)
        title, whole, of_it, uses = say.one_of(*_SCENES)
        count = 2 if difficulty <= 2 else 3 if difficulty <= 4 else 4
        parts = self._parts(draw, count, 6 + 2 * difficulty)
        chosen = say.shuffled(uses)[:count]
        told = [f"{part} {of_it} {use}" for part, use in zip(parts, chosen, strict=True)]
        ask_left = draw.random() < 0.6
        who = say.person()
        opening = say.one_of(
            f"{who} makes a plan for {whole}: {'; '.join(told)}.",
            f"{who} looks back on {whole}. In the end, {', then '.join(told)}.",
            f"This is what becomes of {whole} that belongs to {who}: {', '.join(told)}.",
        )
        ask = "What fraction is left over?" if ask_left else "What fraction is that altogether?"
        common = lcm(*(part.denominator for part in parts))
        steps = [say.one_of(*_IDEA)]
        steps.append(
            say.first(
                f"the smallest number that {_listed([part.denominator for part in parts])} all divide is {common}.",
                f"a denominator that suits every part is {common}, the least common multiple of {_listed([p.denominator for p in parts])}.",
            )
        )
        rewritten = [f"{part} = {part.numerator * common // part.denominator}/{common}" for part in parts]
        steps.append(say.then(f"rewrite each part: {', '.join(rewritten)}.", f"in the new parts we have {', '.join(rewritten)}."))
        pieces = [part.numerator * common // part.denominator for part in parts]
        used = sum(parts, Fraction(0))
        steps.append(
            say.then(
                f"add the numerators and keep the denominator: {' + '.join(map(str, pieces))} = {sum(pieces)}, so "
                f"{sum(pieces)}/{common} is used.",
                f"the parts together are {' + '.join(f'{piece}/{common}' for piece in pieces)} = {sum(pieces)}/{common} of the whole.",
            )
        )
        result = used
        unreduced = Fraction(sum(pieces), common), sum(pieces)
        if ask_left:
            result = 1 - used
            left = common - sum(pieces)
            unreduced = Fraction(left, common), left
            steps.append(
                say.then(
                    f"the whole is {common}/{common}, and {common} - {sum(pieces)} = {left}. What is left is {left}/{common}.",
                    f"take this away from one whole: {common}/{common} - {sum(pieces)}/{common} = {left}/{common}.",
                )
            )
        if result.denominator != common:
            factor = common // result.denominator
            steps.append(
                say.last(
                    f"both numbers of the fraction can be divided by {factor}: {unreduced[1]}/{common} = {result}, "
                    f"since {unreduced[1]} / {factor} = {result.numerator} and {common} / {factor} = {result.denominator}.",
                    f"simplify by {factor}, because {unreduced[1]} / {factor} = {result.numerator} and {common} / {factor} = "
                    f"{result.denominator}. The fraction becomes {result}.",
                )
            )
        else:
            steps.append(
                say.last(f"no number greater than one divides both {result.numerator} and {common}, so {result} is in lowest terms.")
            )
        facts = {"parts": [str(part) for part in parts], "ask": "left" if ask_left else "used"}
        return Exercise(title, f"{opening} {ask}", tuple(steps), str(result), facts)

    def _parts(self, draw: Random, count: int, largest: int) -> list[Fraction]:
        """Return proper fractions with different denominators that leave something of the whole."""
        while True:
            denominators = draw.sample(range(2, largest), count)
            parts = [Fraction(draw.randint(1, max(1, n // 2)), n) for n in denominators]
            reduced = {part.denominator for part in parts}
            if sum(parts) < 1 and len(reduced) == count and lcm(*reduced) <= 360:
                return parts

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Cut the whole into pieces and count them."""
        named = [tuple(map(int, part.split("/"))) for part in facts["parts"]]
        pieces = 1
        for _, denominator in named:
            pieces *= denominator
        used = 0
        for numerator, denominator in named:
            for _ in range(numerator):
                used += pieces // denominator
        count = pieces - used if facts["ask"] == "left" else used
        divisor = next(n for n in range(pieces, 0, -1) if count % n == 0 and pieces % n == 0)
        return f"{count // divisor}/{pieces // divisor}"


def _listed(items: list[int]) -> str:
    return f"{', '.join(map(str, items[:-1]))} and {items[-1]}"
