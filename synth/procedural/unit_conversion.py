"""Unit conversion inside one system: lengths, masses, volumes, times, and compound quantities such as 3 h 25 min.

The second road never uses the conversion the steps use: it climbs one unit after the other, from the smallest up, on a table of its own.
"""

from collections.abc import Mapping
from fractions import Fraction
from random import Random
from typing import Any, ClassVar

from synth.arithmetic import written
from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_FACTORS = {
    ("metres", "centimetres"): 100,
    ("kilometres", "metres"): 1000,
    ("centimetres", "millimetres"): 10,
    ("kilograms", "grams"): 1000,
    ("tonnes", "kilograms"): 1000,
    ("litres", "millilitres"): 1000,
    ("hours", "minutes"): 60,
    ("minutes", "seconds"): 60,
    ("days", "hours"): 24,
    ("weeks", "days"): 7,
    ("feet", "inches"): 12,
    ("yards", "feet"): 3,
    ("pounds", "ounces"): 16,
    ("gallons", "quarts"): 4,
}
_LADDERS = (
    ("millimetres", 10, "centimetres", 100, "metres", 1000, "kilometres"),
    ("grams", 1000, "kilograms", 1000, "tonnes"),
    ("millilitres", 1000, "litres"),
    ("seconds", 60, "minutes", 60, "hours", 24, "days", 7, "weeks"),
    ("inches", 12, "feet", 3, "yards"),
    ("ounces", 16, "pounds"),
    ("quarts", 4, "gallons"),
)
_THINGS = {
    "metres": ("a rope", "a wall", "a bolt of linen"), "kilometres": ("a hiking trail", "a canal", "a ski run"),
    "centimetres": ("a pencil", "a leaf", "a brass pipe"), "kilograms": ("a sack of flour", "a suitcase", "a stone"),
    "tonnes": ("a load of gravel", "a young elephant", "a boat"), "litres": ("a watering can", "a bucket", "a pot of soup"),
    "hours": ("a train ride", "a rehearsal", "a night shift"), "minutes": ("a song cycle", "a lesson", "a swim"),
    "days": ("a sea voyage", "an experiment", "a heat wave"), "weeks": ("a building project", "a holiday", "a training plan"),
    "feet": ("a ladder", "a shelf", "a canoe"), "yards": ("a carpet", "a garden path", "a sail's edge"),
    "pounds": ("a pumpkin", "a toolbox", "a cheese"), "gallons": ("a cider barrel", "a fish tank", "a fuel can"),
}  # fmt: skip


class UnitConversion(Generator):
    """From large to small units, back again, with compound quantities, and (from difficulty 4) sums of several pieces."""

    about: ClassVar[str] = "converting units of length, mass, volume and time"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a conversion; the kind follows the difficulty."""
        say = Narrator(draw)
        large, small = say.one_of(*_FACTORS)
        factor = _FACTORS[large, small]
        thing, who = say.one_of(*_THINGS[large]), say.person()
        rule = say.one_of(
            f"The rule behind this is that one of the {large} holds {factor} {small}.",
            f"Remember how the units are connected: {factor} {small} make one of the {large}.",
            f"Everything rests on one relation. It takes {factor} {small} to fill one of the {large}.",
        )
        count = 1 if difficulty == 1 else 2 if difficulty <= 3 else difficulty - 1
        pieces = [[draw.randint(2, 9 + 3 * difficulty), draw.randrange(1, factor) if difficulty > 1 else 0] for _ in range(count)]
        if difficulty in (2, 3):
            pieces = pieces[:1]
        back = difficulty >= 3
        return self._told(say, large, small, factor, rule, thing, who, pieces, back)

    def _told(
        self, say: Narrator, large: str, small: str, factor: int, rule: str, thing: str, who: str, pieces: list[list[int]], back: bool
    ) -> Exercise:
        amounts = [f"{big} {large} and {little} {small}" if little else f"{big} {large}" for big, little in pieces]
        several = len(amounts) > 1
        if several:
            opening = f"{who} measures {thing} in {len(amounts)} stretches: {'; '.join(amounts)}."
            ask = say.one_of(f"How many {small} is that in total?", f"Express the sum in {small}.")
        else:
            opening = say.one_of(f"{who} notes {amounts[0]} for {thing}.", f"For {thing}, {who} reads off {amounts[0]}.")
            ask = say.one_of(f"How many {small} is that?", f"Write this in {small}.", f"Convert it to {small}.")
        steps, totals = [rule], []
        for number, (big, little) in enumerate(pieces):
            total = big * factor + little
            totals.append(total)
            line = f"{big} {large} hold {big} × {factor} = {big * factor} {small}"
            if little:
                line += say.one_of(
                    f". With the other {little} this makes {big * factor} + {little} = {total}",
                    f", and {big * factor} + {little} = {total} with the rest",
                )
            steps.append(say.led(number, len(pieces) + 1 + several, f"{line}."))
        whole = sum(totals)
        if several:
            steps.append(say.last(f"add up what was found: {' + '.join(map(str, totals))} = {whole} {small}."))
        facts: dict[str, Any] = {"pieces": pieces, "from": large, "to": small}
        if not several and pieces[0][1] == 0 and not back:
            steps.append(say.check(f"going back, {whole} / {factor} = {pieces[0][0]}, which is where we began."))
        if back:
            result = Fraction(whole, factor)
            ask = ask.rstrip("?.") + say.one_of(f", and how many {large} exactly?", f", and as an exact number of {large}?")
            steps.append(say.one_of(f"In {large} this is {whole} / {factor} = {written(result)}.", f"Divide once more to return: {whole} / {factor} = {written(result)}."))
            facts["to"] = large
            answer = f"{written(result)} {large}"
            ask = f"What is the total in {large}, exactly? Give a whole number, a decimal or a fraction."
        else:
            answer = f"{whole} {small}"
        title = say.one_of(f"From {large} to {small}", "Changing units", f"Measuring {thing}", "The same amount in other words")
        facts["pieces"] = [[big, little] if little else [big] for big, little in pieces]
        return Exercise(title, f"{opening} {ask}", tuple(steps), answer, facts)

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Measure everything in the smallest unit of the ladder, then climb."""
        ladder = next(ladder for ladder in _LADDERS if facts["from"] in ladder)
        names, rungs = ladder[::2], ladder[1::2]
        in_smallest = {names[0]: 1}
        for name, below, rung in zip(names[1:], names, rungs, strict=False):
            in_smallest[name] = in_smallest[below] * int(rung)
        lower = names[names.index(facts["from"]) - 1]
        smallest = sum(sum(n * in_smallest[unit] for n, unit in zip(piece, (facts["from"], lower), strict=False)) for piece in facts["pieces"])
        return written(Fraction(smallest, in_smallest[facts["to"]]))
