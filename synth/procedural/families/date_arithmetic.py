"""Days and dates: weekdays repeat every seven days, and months are used up one by one. The second way turns the calendar day by day."""

from datetime import date, timedelta

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import with_noun
from synth.procedural.steps import Steps, add, state, sub

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class DateArithmetic(Family):
    """A weekday at the first levels, a date at the later ones."""

    about = "weekdays and dates some days ahead"
    knobs = by_level(days=(40, 120, 45, 80, 130), dates=(0, 0, 1, 1, 1))
    slips = ("counts_start", "thirty_days", "takes_weeks")

    def draw(self, chance: Chance) -> Values:
        """Draw a start and a number of days; dates stay in a year of 365 days."""
        facts = {"event": chance.of_world("events"), "who": chance.person()}
        if not chance.knob.dates:
            return {**facts, "shape": "weekday", "weekday": chance.choice(_DAYS), "days": chance.between(9, chance.knob.days)}
        month = chance.between(0, 7)
        day = chance.between(1, _LENGTHS[month] - 1)
        return {**facts, "shape": "date", "day": day, "month": _MONTHS[month], "days": chance.between(12, chance.knob.days - 7)}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Take out whole weeks, or use up months."""
        days = facts["days"] + (slip == "counts_start")
        if facts["shape"] == "weekday":
            start, (weeks, rest) = _DAYS.index(facts["weekday"]), divmod(days, 7)
            told = f"{with_noun(weeks, 'week')} and {with_noun(rest, 'day')}" if rest else f"exactly {with_noun(weeks, 'week')}"
            yield state("the number of whole weeks", f"{days} days are {told}, because {weeks} × 7{f' + {rest}' if rest else ''} = {days}")
            moved = weeks % 7 if slip == "takes_weeks" else rest
            end = _DAYS[(start + moved) % 7]
            walk = ", ".join(_DAYS[(start + at) % 7] for at in range(1, moved + 1))
            told = f"counting on from {_DAYS[start]} gives {walk}" if moved else f"no days are left over, so it is {end} again"
            yield state("the day of the week", told, value=end)
            return
        if slip == "takes_weeks":
            return
        left, here, month = days, facts["day"], _MONTHS.index(facts["month"])
        while here + left > (length := 30 if slip == "thirty_days" else _LENGTHS[month]):
            room = length
            if here:
                yield (rest_of := sub(f"the number of days left in {_MONTHS[month]} (which has {length} days)", length, here, unit="day"))
                room = rest_of.value
            yield (still := sub(f"the number of days still to go after the end of {_MONTHS[month]}", left, room, unit="day"))
            left, here, month = still.value, 0, month + 1
        if here:
            yield add(f"the day in {_MONTHS[month]}", here, left)
        yield state("the date", f"the date is {here + left} {_MONTHS[month]}", value=f"{here + left} {_MONTHS[month]}")

    def recheck(self, facts: Facts) -> list[str]:
        """Go through the calendar day by day."""
        if facts["shape"] == "weekday":
            day = next(date(2024, 1, number) for number in range(1, 8) if f"{date(2024, 1, number):%A}" == facts["weekday"])
            return [f"{day + timedelta(facts['days']):%A}"]
        day = date(2023, _MONTHS.index(facts["month"]) + 1, facts["day"])
        for _ in range(facts["days"]):
            day += timedelta(days=1)
        return [f"{day.day} {_MONTHS[day.month - 1]}"]
