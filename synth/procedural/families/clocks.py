"""Hands of a clock and spans of time. The second way lets the clock tick minute by minute."""

from fractions import Fraction

from synth.arithmetic import written
from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, calc, state, sub


class Clocks(Family):
    """The angle between the hands, or the time some minutes later."""

    about = "clocks, their hands and spans of time"
    knobs = by_level(grid=(30, 10, 5, 2, 2), span=(90, 180, 400, 700, 900))
    slips = ("hour_hand_stands", "hundred_minutes")

    def draw(self, chance: Chance) -> Values:
        """Draw a time, and a span."""
        hour, minute = chance.between(1, 12), chance.between(10, 58, chance.knob.grid)
        facts = {"hour": hour, "minute": minute, "event": chance.of_world("events"), "who": chance.person()}
        if chance.chances(0.5):
            return {**facts, "shape": "angle"}
        hour = chance.between(1, 9)
        left = 24 * 60 - 1 - hour * 60 - minute
        return {**facts, "shape": "later", "hour": hour, "span": chance.between(45, min(chance.knob.span, left), 5)}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Place each hand by its angle, or turn everything into minutes."""
        hour, minute = facts["hour"], facts["minute"]
        if (facts["shape"] == "angle") != (slip != "hundred_minutes") and slip:
            return
        if facts["shape"] == "angle":
            yield (long := calc("the angle of the minute hand", f"{minute} × 6", minute * 6, "degree"))
            expression = f"{hour % 12} × 30" if slip else f"{hour % 12} × 30 + {minute} ÷ 2"
            yield (short := calc("the angle of the hour hand", expression, hour % 12 * 30 + (0 if slip else Fraction(minute, 2)), "degree"))
            high, low = max(long.value, short.value), min(long.value, short.value)
            yield (between := sub("the angle between them", high, low, unit="degree"))
            if between.value > 180:
                yield sub("the smaller angle", 360, between.value, unit="degree")
            return
        base = 100 if slip else 60
        yield (now := calc("the starting time in minutes", f"{hour} × {base} + {minute}", hour * base + minute, "minute"))
        yield (then := add("the later time in minutes", now.value, facts["span"], unit="minute"))
        hours, rest = divmod(then.value, base)
        yield calc("the later time in hours and minutes", f"{hours} × {base} + {rest}", then.value)
        told = f"{hours}:{rest:02d}"
        yield state("the time", f"the clock shows {told}", "shown", value=told)

    def recheck(self, facts: Facts) -> list[str]:
        """Let the clock tick."""
        hour, minute = facts["hour"], facts["minute"]
        if facts["shape"] == "later":
            for _ in range(facts["span"]):
                hour, minute = (hour + 1, 0) if minute == 59 else (hour, minute + 1)
            return [f"the clock shows {hour}:{minute:02d}", f"{hour}:{minute:02d}"]
        long = short = 0
        for _ in range(hour % 12 * 60 + minute):
            long, short = (long + 12) % 720, short + 1
        apart = abs(long - short)
        return [written(Fraction(min(apart, 720 - apart), 2))]
