"""Mean, median and range, and a missing value. The second way levels heaps."""

from fractions import Fraction

from synth.arithmetic import written
from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal, with_noun
from synth.procedural.steps import Steps, add, calc, div, mul, state, sub


class Means(Family):
    """The mean or the median of measured values; at higher levels the value that is missing for a mean."""

    about = "mean, median and missing values"
    knobs = by_level(count=(4, 5, 6, 7, 8), missing=(0, 0, 1, 1, 1))
    slips = ("unsorted", "wrong_count", "ignores_missing")
    largest = 10_000

    def draw(self, chance: Chance) -> Values:
        """Draw values in a world's range whose mean is whole."""
        world = chance.of_world("readings")
        while True:
            values = [chance.within(world["range"]) for _ in range(chance.knob.count)]
            if sum(values) % len(values) == 0 and sum(values) // len(values) not in values:
                break
        facts = {"what": world["what"], "unit": world["unit"], "who": chance.person()}
        shape = chance.choice(("mean", "median", "missing") if chance.knob.missing else ("mean", "median"))
        if shape == "missing":
            return {**facts, "shape": shape, "values": values[:-1], "count": len(values), "mean": sum(values) // len(values)}
        return {**facts, "shape": shape, "values": values}

    def words(self, facts: Facts) -> Values:
        """Return how many values there are, in words."""
        return {"many": cardinal(len(facts["values"]))}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Add and divide, or sort and take the middle."""
        values, unit, count = facts["values"], facts["unit"], len(facts["values"])
        if facts["shape"] == "median":
            row = values if slip == "unsorted" else sorted(values)
            if slip in ("wrong_count", "ignores_missing"):
                return
            if slip != "unsorted":
                yield state("the sorted list", f"the sorted list is {', '.join(map(str, row))}")
            middle = row[count // 2]
            if count % 2:
                yield state("the middle value", f"the middle value is {with_noun(middle, unit)}", value=with_noun(middle, unit))
            else:
                before = row[count // 2 - 1]
                yield calc("the mean of the two middle values", f"({before} + {middle}) ÷ 2", Fraction(before + middle, 2), unit)
            return
        if slip == "unsorted" or (slip == "ignores_missing" and facts["shape"] == "mean"):
            return
        total = add("the sum of the values" if facts["shape"] == "mean" else "the sum of the known values", *values, unit=unit)
        if facts["shape"] == "mean" and slip and total.value % (count - 1):
            return
        yield total
        if facts["shape"] == "mean":
            yield div("the mean", total.value, count - (slip == "wrong_count"), unit=unit)
            return
        yield (needed := mul("the sum of all the values", facts["mean"], facts["count"] - (slip == "wrong_count"), unit=unit))
        if slip != "ignores_missing" and needed.value > total.value:
            yield sub("the missing value", needed.value, total.value, unit=unit)

    def recheck(self, facts: Facts) -> list[str]:
        """Take from the highest heap and give to the lowest; strike out from both ends; or try values."""
        values = list(facts["values"])
        if facts["shape"] == "missing":
            return [str(next(v for v in range(10_000) if (sum(values) + v) == facts["mean"] * facts["count"]))]
        if facts["shape"] == "median":
            while len(values) > 2:
                values.remove(min(values))
                values.remove(max(values))
            return [written(Fraction(sum(values), len(values)))]
        while max(values) - min(values) > 1:
            give = (max(values) - min(values)) // 2
            high, low = values.index(max(values)), values.index(min(values))
            values[high], values[low] = values[high] - give, values[low] + give
        return [str(min(values))]
