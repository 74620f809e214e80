"""Percentages: a share of an amount, and amounts that rise or fall by a percentage, once or several times.

`solve` works in hundredths: it finds one per cent of the amount by whole-number division and counts up.
"""

from collections.abc import Mapping
from fractions import Fraction
from random import Random
from typing import Any, ClassVar

from synth.arithmetic import written
from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_SCENES = (
    ("The price of a bicycle", "a bicycle in {who}'s shop costs {n} euros", "the price", "euros"),
    ("A town that grows", "the town of Lindenau had {n} inhabitants when {who} was born", "the population", "inhabitants"),
    ("Water in the reservoir", "the reservoir that {who} looks after holds {n} cubic metres of water", "the volume", "cubic metres"),
    ("Savings over the years", "{who} puts {n} pounds into a savings account", "the balance", "pounds"),
    ("Readers of a newsletter", "{who}'s newsletter has {n} readers", "the number of readers", "readers"),
    ("The farmer's harvest", "last year {who} harvested {n} kilograms of potatoes", "the harvest", "kilograms"),
    ("Electricity in the school", "in one month {who}'s school uses {n} kilowatt hours", "the consumption", "kilowatt hours"),
    ("A forest in numbers", "the ranger {who} counts {n} trees in a stretch of forest", "the number of trees", "trees"),
)
_RISE = ("it rises by {p}%", "it goes up by {p}%", "there is an increase of {p}%", "it grows by {p}%")
_FALL = ("it falls by {p}%", "it drops by {p}%", "there is a decrease of {p}%", "it shrinks by {p}%")
_WHEN = ("In the first period", "After that", "Later", "In the period that follows", "Towards the end")
_IDEA = (
    "Per cent means out of a hundred, so a percentage of an amount is found by dividing by 100 and multiplying by the percentage.",
    "A percentage is a fraction whose denominator is 100. To take it of an amount, multiply the amount by that fraction.",
    "One per cent is a hundredth part. Once a hundredth is known, any percentage is a multiple of it.",
    "It helps to ask first what one hundredth of the amount is, because every percentage is built from hundredths.",
)


class Percentages(Generator):
    """A percentage of an amount (difficulty 1), or one to four changes in a row."""

    largest: ClassVar[int] = 1_000_000
    about: ClassVar[str] = "percentages: a share of an amount, and amounts that change by percentages"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an exercise whose numbers stay exact to two decimals."""
        say = Narrator(draw)
        title, opening, what, unit = say.one_of(*_SCENES)
        opening = opening.format(who=say.person(), n="{n}")
        return self._share(say, title, opening, unit) if difficulty == 1 else self._changes(say, title, opening, what, unit, difficulty)

    def _share(self, say: Narrator, title: str, opening: str, unit: str) -> Exercise:
        amount, percent = 20 * say.draw.randint(6, 90), 5 * say.draw.randint(1, 19)
        result = Fraction(amount * percent, 100)
        hundredth = written(Fraction(amount, 100))
        begun = opening.format(n=amount)
        problem = say.one_of(
            f"{begun[:1].upper()}{begun[1:]}. How much is {percent}% of that?",
            f"{begun[:1].upper()}{begun[1:]}. Work out {percent}% of this amount, in {unit}.",
            f"Suppose that {begun}. What is {percent}% of it?",
        )
        steps = (
            say.one_of(*_IDEA),
            say.first(
                f"one per cent of {amount} is {amount} / 100 = {hundredth}.",
                f"we cut the amount into a hundred equal parts, and each part is {amount} / 100 = {hundredth}.",
            ),
            say.last(
                f"{percent} such parts make {hundredth} × {percent} = {written(result)}.",
                f"we need {percent} of these hundredths: {percent} × {hundredth} = {written(result)} {unit}.",
            ),
        )
        return Exercise(title, problem, steps, f"{written(result)} {unit}", {"amount": amount, "share": percent})

    def _changes(self, say: Narrator, title: str, opening: str, what: str, unit: str, difficulty: int) -> Exercise:
        count = min(difficulty - 1, 3)
        amount = 10**count * say.draw.randint(4, 60) * (10 if count == 1 else 1)
        value = Fraction(amount)
        changes, told, steps = [], [], [say.one_of(*_IDEA)]
        for number in range(count):
            percent = say.draw.choice((10, 20, 30, 40, 50, 60) if count > 1 else tuple(range(5, 65, 5)))
            rises = say.draw.random() < 0.5
            changes.append(percent if rises else -percent)
            told.append(f"{_WHEN[number]} {say.one_of(*(_RISE if rises else _FALL)).format(p=percent)}.")
            part = value * percent / 100
            after = value + part if rises else value - part
            sign, word = ("+", "added to") if rises else ("-", "taken from")
            a, b, c = written(value), written(part), written(after)
            steps.append(
                say.led(
                    number,
                    max(count, 2),
                    f"{percent}% of {a} is {a} × {percent} / 100 = {b}, which is {word} the amount: {a} {sign} {b} = {c}.",
                    f"the change is measured against the {a} {unit} of that moment, so it is {a} × {percent} / 100 = {b}. "
                    f"This leads to {a} {sign} {b} = {c}.",
                    f"find the change before the new amount. It is {percent} / 100 × {a} = {b}, and {a} {sign} {b} = {c} {unit}.",
                )
            )
            value = after
        if count > 1:
            steps.append(
                say.one_of(
                    "Notice that percentages in a row may not simply be added, because each is taken of a different amount.",
                    "Every change refers to the amount just before it. This is why the percentages cannot be added up in advance.",
                    "A common mistake is to add the percentages. They refer to different wholes, so they must be applied one by one.",
                )
            )
        begun = opening.format(n=amount)
        ask = say.one_of(f"What is {what} now?", f"How large is {what} in the end?", f"Find {what} after this, in {unit}.")
        problem = f"{begun[:1].upper()}{begun[1:]}. {' '.join(told)} {ask}"
        return Exercise(title, problem, tuple(steps), f"{written(value)} {unit}", {"amount": amount, "changes": changes})

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Count in millionths of the unit, so that a hundredth is always a whole number."""
        millionths = int(facts["amount"]) * 10**6
        if "share" in facts:
            return written(Fraction(sum(millionths // 100 for _ in range(facts["share"])), 10**6))
        for change in facts["changes"]:
            kept_hundredths = 100 + change
            millionths = sum(millionths // 100 for _ in range(kept_hundredths))
        return written(Fraction(millionths, 10**6))
