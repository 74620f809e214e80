"""Dates: the weekday after a number of days, and the date after a number of days.

The steps use remainders and lengths of months; `solve` goes through the calendar day by day (`datetime`).
"""

from collections.abc import Mapping
from datetime import date, timedelta
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EVENTS = (
    "the kiln is fired", "the exhibition opens", "the seedlings are moved outdoors", "the library book is due", "the ship sails",
    "the next rehearsal takes place", "the cheese is ripe", "the inspector comes back", "the telescope is delivered", "the tenancy ends",
    "the second dose is given", "the market returns", "the clay model is dry", "the judges announce their decision",
)  # fmt: skip


class DateArithmetic(Generator):
    """Weekdays by remainders of seven (odd difficulties), dates by lengths of months (even difficulties)."""

    about: ClassVar[str] = "calendar arithmetic with weekdays, dates and lengths of months"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return a weekday or a date exercise."""
        say = Narrator(draw)
        return self._weekday(say, difficulty) if difficulty % 2 else self._date(say, difficulty)

    def _weekday(self, say: Narrator, difficulty: int) -> Exercise:
        start, days = say.draw.randrange(7), say.draw.randint(9, 30 + 60 * difficulty)
        weeks, rest = divmod(days, 7)
        end = _DAYS[(start + rest) % 7]
        event, who = say.one_of(*_EVENTS), say.person()
        problem = say.one_of(
            f"Today is {_DAYS[start]}. In {days} days {event}. {who} wonders which day of the week that will be.",
            f"{who} marks a {_DAYS[start]} in the calendar. Exactly {days} days later {event}. On which weekday does this fall?",
            f"It is {_DAYS[start]}, and {who} knows that {event} {days} days from now. What day of the week will it be?",
        )
        walked = [_DAYS[(start + n) % 7] for n in range(rest + 1)]
        steps = (
            say.one_of(
                "Weekdays repeat every seven days, so whole weeks change nothing. Only what is left after taking out the weeks matters.",
                "After seven days the weekday is the same again. We therefore divide by seven and look at the remainder.",
                "The calendar walks in circles of seven days. Complete circles can be ignored.",
            ),
            say.first(
                f"in {days} days there are {weeks} full weeks, and {days} - {weeks} × 7 = {rest} days are left over.",
                f"divide by seven: {weeks} × 7 + {rest} = {days}. There are {weeks} whole weeks and {rest} more days.",
            ),
            say.last(
                f"counting on from {_DAYS[start]} by {rest}: {' - '.join(walked)}. The day is {end}.",
                f"we go {rest} days past {_DAYS[start]}: {' - '.join(walked)}. So it will be {end}.",
            )
            if rest
            else say.last(f"nothing is left over, so the weekday does not change. It will be {end} again."),
        )
        title = say.one_of("Which weekday?", "Round and round the week", "Counting days by sevens")
        return Exercise(title, problem, steps, end, {"weekday": _DAYS[start], "days": days})

    def _date(self, say: Narrator, difficulty: int) -> Exercise:
        draw = say.draw
        month, day = draw.randrange(0, 12 - difficulty), 0
        day = draw.randint(1, _LENGTHS[month])
        last = date(2023, 12, 31)
        longest = (last - date(2023, month + 1, day)).days
        days = draw.randint(12, min(longest, 25 + 25 * difficulty))
        event, who = say.one_of(*_EVENTS), say.person()
        problem = say.one_of(
            f"It is {day} {_MONTHS[month]}, in a year that is no leap year. {who} is told that {event} in {days} days. Which date is that?",
            f"On {day} {_MONTHS[month]} {who} starts to count. After {days} days {event}. Give the date. (It is not a leap year.)",
            f"{who} writes a note dated {day} {_MONTHS[month]}: in {days} days {event}. What is the date of that day in an ordinary year?",
        )
        steps = [
            say.one_of(
                "Months differ in length, so we go forward one month at a time and keep account of the days still to go.",
                "To move across months, use up the days of the present month and carry the rest over to the next.",
                "The safe way is to walk from month to month, subtracting as many days as each month can give.",
            )
        ]
        left, current, here = days, month, day
        while here + left > _LENGTHS[current]:
            room = _LENGTHS[current] - here
            lead = say.first if current == month else say.then
            steps.append(lead(*self._month(_MONTHS[current], _MONTHS[current + 1], _LENGTHS[current], here, left)))
            left, here, current = left - room, 0, current + 1
        arrived = here + left
        goal = f"{arrived} {_MONTHS[current]}"
        closing = f"{here} + {left} = {arrived}, so we arrive at {goal}." if here else f"the count ends on {goal}."
        steps.append(say.last(closing) if len(steps) > 1 else say.first(closing))
        title = say.one_of("Counting forward in the calendar", "Which date will it be?", "From month to month")
        facts = {"day": day, "month": _MONTHS[month], "days": days}
        return Exercise(title, problem, tuple(steps), goal, facts)

    def _month(self, name: str, following: str, length: int, here: int, left: int) -> tuple[str, ...]:
        """Return sentences that say that the rest of a month is used up."""
        room = length - here
        if not here:
            return (
                f"{name} takes all of its {length} days, and {left} - {length} = {left - length} are left for {following}.",
                f"the whole of {name} passes. It has {length} days, so {left} - {length} = {left - length} remain when {following} begins.",
            )
        return (
            f"{name} has {length} days, so {length} - {here} = {room} of them can be used. That leaves {left} - {room} = "
            f"{left - room} days "
            f"to count from the beginning of {following}.",
            f"until the end of {name}, which has {length} days, it is {length} - {here} = {room} days. We carry {left} - {room} = "
            f"{left - room} days into {following}.",
        )

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Go through the calendar day by day."""
        if "weekday" in facts:
            day = next(date(2024, 1, n) for n in range(1, 8) if date(2024, 1, n).strftime("%A") == facts["weekday"])
            return (day + timedelta(days=facts["days"])).strftime("%A")
        day = date(2023, _MONTHS.index(facts["month"]) + 1, facts["day"])
        for _ in range(facts["days"]):
            day += timedelta(days=1)
        return f"{day.day} {_MONTHS[day.month - 1]}"
