"""Ratios and rates: sharing in a ratio, scaling a recipe, speeds and times.

`solve` deals a quantity out in rounds, or goes through time and amount in small steps, and counts.
"""

from collections.abc import Mapping
from fractions import Fraction
from random import Random
from typing import Any, ClassVar

from synth.arithmetic import written
from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator, listed

_SHARES = (
    ("Sharing the harvest", "{names} share {total} kilograms of walnuts in the ratio {ratio}.", "kilograms"),
    ("Mixing paint", "For {total} litres of green paint, {names} mix their colours in the ratio {ratio}.", "litres"),
    ("A prize divided", "{names} win {total} euros and split them {ratio}, in the order of their names.", "euros"),
    ("Hours on the night watch", "{names} divide {total} hours of watch duty in the ratio {ratio}.", "hours"),
    (
        "Beds in the garden",
        "{names} plant {total} strawberry plants. Their beds differ in size, so the plants are shared {ratio}.",
        "plants",
    ),
    ("Pages to translate", "{names} translate a book of {total} pages. By agreement they divide the pages in the ratio {ratio}.", "pages"),
)
_RATES = (
    ("The cycling tour", "{who} cycles {b} kilometres in {a} hours, always at the same speed.", "How many kilometres does {who} "
                                                                                                "cover in {c} "
     "hours?", "kilometres", "hour"),
    ("A steady pump", "A pump moves {b} litres in {a} minutes.", "{who} lets it run for {c} minutes. How many litres is that?", "litres",
     "minute"),
    ("Baking for guests", "For {a} guests {who} needs {b} grams of flour.", "{c} guests have been invited. How many grams of flour "
                                                                            "are needed?",
     "grams", "guest"),
    ("Typing practice", "{who} types {b} words in {a} minutes.", "At that pace, how many words are typed in {c} "
                                                                 "minutes?", "words", "minute"),
    ("Feeding the goats", "{a} goats eat {b} kilograms of hay in a week.", "{who} keeps {c} goats. How many kilograms do they eat "
                                                                           "in a week?",
     "kilograms", "goat"),
    ("Buying by weight", "{who} pays {b} cents for {a} hundred grams of cheese.", "What do {c} hundred grams of the same cheese "
                                                                                  "cost, in cents?",
     "cents", "hundred grams"),
)  # fmt: skip


class RatiosAndRates(Generator):
    """A quantity shared in a ratio of two to four parts, or a rate applied to another amount."""

    largest: ClassVar[int] = 10_000
    about: ClassVar[str] = "ratios, rates and proportional reasoning"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a sharing or a rate exercise."""
        say = Narrator(draw)
        return self._share(say, difficulty) if draw.random() < 0.5 else self._rate(say, difficulty)

    def _share(self, say: Narrator, difficulty: int) -> Exercise:
        count = 2 if difficulty <= 2 else 3 if difficulty <= 4 else 4
        ratio = say.draw.sample(range(1, 6 + difficulty), count)
        part = say.draw.randint(3, 6 + 5 * difficulty)
        names = say.people(count)
        asked = say.draw.randrange(count)
        total, parts = part * sum(ratio), sum(ratio)
        title, story, unit = say.one_of(*_SHARES)
        shown = " : ".join(map(str, ratio))
        ask = say.one_of(f"How many {unit} fall to {names[asked]}?", f"What is the share of {names[asked]}, in {unit}?")
        steps = [
            say.one_of(
                "A ratio counts equal parts. Once we know the size of one part, every share follows.",
                "In a ratio the numbers tell how many equal parts each side receives. So we look for one part.",
                "The trick with ratios is to think in parts of equal size, whatever that size may turn out to be.",
            ),
            say.first(
                f"all parts together number {' + '.join(map(str, ratio))} = {parts}.",
                f"count the parts: {' + '.join(map(str, ratio))} = {parts}.",
            ),
            say.then(
                f"these {parts} parts make up {total} {unit}, so one part is {total} / {parts} = {part} {unit}.",
                f"one part is worth {total} / {parts} = {part}.",
            ),
            say.last(
                f"{names[asked]} receives {ratio[asked]} of them, which is {ratio[asked]} × {part} = {ratio[asked] * part} {unit}.",
                f"the share of {names[asked]} has {ratio[asked]} parts, and {ratio[asked]} × {part} = {ratio[asked] * part}.",
            ),
            say.check(f"all shares must add up to the whole: {' + '.join(str(r * part) for r in ratio)} = {total}."),
        ]
        problem = f"{story.format(names=listed(names), total=total, ratio=shown)} {ask}"
        facts = {"ratio": ratio, "total": total, "names": names, "asked": names[asked]}
        return Exercise(title, problem, tuple(steps), f"{ratio[asked] * part} {unit}", facts)

    def _rate(self, say: Narrator, difficulty: int) -> Exercise:
        draw = say.draw
        a, c = draw.sample(range(2, 7 + 2 * difficulty), 2)
        one = Fraction(draw.randint(4, 12 * difficulty + 12)) if difficulty <= 3 else Fraction(draw.randint(9, 120), draw.choice((2, 4)))
        while (one * a).denominator != 1:
            one *= 2
        b = int(one * a)
        title, given, ask, unit, per = say.one_of(*_RATES)
        who = say.person()
        result = one * c
        steps = (
            say.one_of(
                "Twice as much of one means twice as much of the other, so it pays to find the amount for a single unit.",
                "Both quantities grow in step. That is why the amount that belongs to one unit is the key.",
                "The relation is proportional: the quotient of the two quantities never changes.",
            ),
            say.first(
                f"for a single {per} we divide: {b} / {a} = {written(one)} {unit}.",
                f"the amount that belongs to one {per} is {b} / {a} = {written(one)}.",
            ),
            say.last(
                f"carry this over to {c}: {c} × {written(one)} = {written(result)} {unit}.",
                f"multiply by {c}, and {written(one)} × {c} = {written(result)} comes out.",
            ),
            say.check(
                f"both quotients should be equal, and they are: {b} / {a} = {written(one)} and {written(result)} / {c} = {written(one)}."
            ),
        )
        problem = f"{given.format(who=who, a=a, b=b)} {ask.format(who=who, c=c)}"
        return Exercise(title, problem, steps, f"{written(result)} {unit}", {"amount": a, "brings": b, "asked_amount": c})

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Deal out in rounds, or count in equal small pieces."""
        if "ratio" in facts:
            hands, left = [0] * len(facts["ratio"]), facts["total"]
            if min(facts["ratio"]) < 1:
                raise ValueError("a ratio's parts are above zero")
            while left > 0:
                for place, size in enumerate(facts["ratio"]):
                    hands[place] += size
                    left -= size
            if left:
                raise ValueError("the total is not a whole number of rounds")
            return str(hands[facts["names"].index(facts["asked"])])
        pieces = sum(facts["brings"] for _ in range(facts["asked_amount"]))
        whole, rest = divmod(pieces, facts["amount"])
        return written(whole + Fraction(rest, facts["amount"]))
