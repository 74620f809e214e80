"""Journeys in parts, meetings and average speeds. The second way drives minute by minute."""

from fractions import Fraction

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, calc, div, mul, sub


class Speed(Family):
    """The mean speed of a journey in two parts, or two travellers who meet."""

    about = "speed, distance and time"
    knobs = by_level(hours=(2, 3, 3, 4, 5), meet=(0, 1, 1, 1, 1))
    slips = ("mean_of_speeds", "subtracts", "one_part")
    largest = 20_000

    def draw(self, chance: Chance) -> Values:
        """Draw a vehicle with plausible speeds."""
        while True:
            world = chance.of_world("journeys")
            facts = {"vehicle": world["vehicle"], "who": chance.person()}
            v, w = chance.within(world["speed"]), chance.within(world["speed"])
            s, t = chance.between(1, chance.knob.hours), chance.between(1, chance.knob.hours)
            if chance.knob.meet and chance.chances(0.5) and v != w:
                hours = chance.between(2, chance.knob.hours)
                return {**facts, "shape": "meet", "v": v, "w": w, "way": (v + w) * hours}
            if v != w and s != t and (v * s + w * t) % (s + t) == 0:
                return {**facts, "shape": "parts", "v": v, "w": w, "s": s, "t": t}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Add ways and times, or speeds that work together."""
        v, w = facts["v"], facts["w"]
        if facts["shape"] == "meet":
            what, unit = "the speed at which they approach each other", "kilometre per hour"
            both = sub(what, max(v, w), min(v, w), unit=unit) if slip == "subtracts" else add(what, v, w, unit=unit)
            if slip not in ("", "subtracts") or facts["way"] % both.value:
                return
            yield both
            yield div("the time until they meet", facts["way"], both.value, unit="hour")
            return
        s, t = facts["s"], facts["t"]
        if slip == "mean_of_speeds":
            yield calc("the average speed", f"({v} + {w}) ÷ 2", Fraction(v + w, 2), "kilometre per hour")
            return
        if slip == "subtracts":
            return
        first = mul("the length of the first part", v, s, unit="kilometre")
        second = mul("the length of the second part", w, t, unit="kilometre")
        yield from (first, second)
        yield (way := add("the total distance", first.value, second.value, unit="kilometre"))
        hours = add("the total time", s, t, unit="hour")
        if slip == "one_part":
            if way.value % t:
                return
            yield div("the average speed", way.value, t, unit="kilometre per hour")
            return
        yield hours
        yield div("the average speed", way.value, hours.value, unit="kilometre per hour")

    def recheck(self, facts: Facts) -> list[str]:
        """Drive hour by hour, in sixtieths of a kilometre for each minute."""
        v, w = facts["v"], facts["w"]
        if facts["shape"] == "meet":
            minutes, left = 0, facts["way"] * 60
            while left > 0:
                minutes, left = minutes + 1, left - v - w
            return [str(Fraction(minutes, 60))]
        way = sum(v for _ in range(facts["s"] * 60)) + sum(w for _ in range(facts["t"] * 60))
        return [str(Fraction(way, 60 * (facts["s"] + facts["t"])))]
