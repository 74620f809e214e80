"""The share of a test's alarms that are correct. The second way sorts all people one by one."""

from fractions import Fraction

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import plural
from synth.procedural.steps import Steps, add, percent_of, quotient, sub


class Bayes(Family):
    """In a group some have a property; a test is correct for known shares of those who have it and of the others."""

    about = "conditional probabilities and tests that err"
    knobs = by_level(total=(200, 400, 1000, 1000, 2000), grid=(10, 10, 5, 5, 5))
    slips = ("ignores_base", "of_all")
    largest = 10_000

    def draw(self, chance: Chance) -> Values:
        """Draw shares under which all numbers are whole."""
        while True:
            total, have = chance.knob.total, chance.between(5, 40, 5)
            hit, false = chance.between(60, 95, chance.knob.grid), chance.between(5, 30, chance.knob.grid)
            part = total * have // 100
            if part * hit % 100 == 0 and (total - part) * false % 100 == 0:
                return {"total": total, "have": have, "hit": hit, "false": false, **chance.of_world("tests"), "who": chance.person()}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Count the true and the false alarms, and compare."""
        total, thing, tested = facts["total"], facts["thing"], facts["property"]
        yield (part := percent_of(f"the number of {plural(thing)} that {tested}", facts["have"], total, thing))
        yield (rest := sub(f"the number of other {plural(thing)}", total, part.value, unit=thing))
        yield (true := percent_of("the number of correct alarms", facts["hit"], part.value, thing))
        if slip:
            yield quotient("the fraction of alarms that are correct", true.value, part.value if slip == "ignores_base" else total)
            return
        yield (false := percent_of("the number of false alarms", facts["false"], rest.value, thing))
        yield (whole := add("the total number of alarms", true.value, false.value, unit=thing))
        yield quotient("the fraction of alarms that are correct", true.value, whole.value)

    def recheck(self, facts: Facts) -> list[str]:
        """Sort all, one by one, in the order of a list."""
        part = sum(number % 100 < facts["have"] for number in range(facts["total"]))
        right = sum(number * 100 < facts["hit"] * part for number in range(part))
        wrong = sum(number * 100 < facts["false"] * (facts["total"] - part) for number in range(facts["total"] - part))
        return [str(Fraction(right, right + wrong))]
