"""Unit conversion inside one system: lengths, masses, volumes, times, and compound quantities such as 3 h 25 min.

`solve` does not use the conversion of the steps: it climbs one unit after the other, from the smallest up, with a table of its own.
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
    """From large to small units, back again, with compound quantities, and (from difficulty 4) sums of several parts."""

    about: ClassVar[str] = "converting units of length, mass, volume and time"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a conversion to the smaller unit (difficulty 1 and 2) or an exact one to the larger unit, of one to four parts."""
        say = Narrator(draw)
        large, small = say.one_of(*_FACTORS)
        factor = _FACTORS[large, small]
        thing, who = say.one_of(*_THINGS[large]), say.person()
        count = 1 if difficulty <= 3 else difficulty - 1
        pieces = [(draw.randint(2, 9 + 3 * difficulty), draw.randrange(1, factor) if difficulty > 1 else 0) for _ in range(count)]
        amounts = [_amount(big, large) + (f" and {_amount(little, small)}" if little else "") for big, little in pieces]
        steps = [
            say.one_of(
                f"The rule behind this is that one {_one(large)} holds {factor} {small}.",
                f"Remember how the units are connected: {factor} {small} make one {_one(large)}.",
                f"Everything rests on one relation. It takes {factor} {small} to fill one {_one(large)}.",
                f"Between the two units stands the number {factor}, because one {_one(large)} is made of {factor} {small}.",
            )
        ]
        steps += [say.led(number, count + 1, self._in_small(say, large, small, factor, *piece)) for number, piece in enumerate(pieces)]
        totals = [big * factor + little for big, little in pieces]
        whole = sum(totals)
        if count > 1:
            steps.append(say.then(f"add up what was found: {' + '.join(map(str, totals))} = {whole} {small}."))
        to = small if difficulty <= 2 else large
        result = Fraction(whole, factor) if to == large else Fraction(whole)
        if to == large:
            steps.append(
                say.last(
                    f"a smaller number of the larger unit says the same: {whole} / {factor} = {written(result)} {large}.",
                    f"divide by {factor} to return to {large}: {whole} / {factor} = {written(result)}.",
                )
            )
        else:
            steps.append(say.check(f"going back, ({whole} - {pieces[0][1]}) / {factor} = {pieces[0][0]}, which is where we began."))
        title = say.one_of(f"From {large} to {small}", "Changing units", f"Measuring {thing}", "The same amount in other words")
        problem = f"{self._given(say, who, thing, amounts)} {self._asked(say, to, to == large)}"
        facts = {"pieces": [[big, little] if little else [big] for big, little in pieces], "from": large, "to": to}
        return Exercise(title, problem, tuple(steps), f"{written(result)} {to}", facts)

    def _given(self, say: Narrator, who: str, thing: str, amounts: list[str]) -> str:
        if len(amounts) > 1:
            return say.one_of(
                f"{who} measures {thing} in several pieces: {'; '.join(amounts)}.",
                f"For {thing}, {who} adds up these amounts: {'; '.join(amounts)}.",
            )
        return say.one_of(f"{who} notes {amounts[0]} for {thing}.", f"For {thing}, {who} reads off {amounts[0]}.")

    def _asked(self, say: Narrator, to: str, exactly: bool) -> str:
        if exactly:
            return say.one_of(f"How many {to} is that altogether, exactly?", f"Express the whole as an exact number of {to}.")
        return say.one_of(f"How many {to} is that?", f"Write this in {to}.", f"Convert it to {to}.")

    def _in_small(self, say: Narrator, large: str, small: str, factor: int, big: int, little: int) -> str:
        begun = f"{big} {large} hold {big} × {factor} = {big * factor} {small}"
        if not little:
            return f"{begun}."
        return say.one_of(
            f"{begun}. With the other {little} this makes {big * factor} + {little} = {big * factor + little}.",
            f"{begun}, and {big * factor} + {little} = {big * factor + little} with the rest.",
            f"turn the {large} into {small} and add the rest: {big} × {factor} + {little} = {big * factor + little}.",
        )

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Measure everything in the smallest unit, then climb to larger ones."""
        ladder = next(ladder for ladder in _LADDERS if facts["from"] in ladder)
        names, rungs = ladder[::2], ladder[1::2]
        in_smallest = {names[0]: 1}
        for name, below, rung in zip(names[1:], names, rungs, strict=False):
            in_smallest[name] = in_smallest[below] * int(rung)
        lower = names[names.index(facts["from"]) - 1]
        smallest = sum(
            sum(n * in_smallest[unit] for n, unit in zip(piece, (facts["from"], lower), strict=False)) for piece in facts["pieces"]
        )
        return written(Fraction(smallest, in_smallest[facts["to"]]))


def _one(unit: str) -> str:
    """Return the name of a single unit."""
    return {"feet": "foot", "inches": "inch"}.get(unit, unit[:-1])


def _amount(number: int, unit: str) -> str:
    return f"{number} {_one(unit) if number == 1 else unit}"
