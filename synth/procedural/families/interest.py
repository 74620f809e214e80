"""Simple and compound interest. The second way goes from year to year in millionths of a euro."""

from fractions import Fraction

from synth.arithmetic import written
from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import ordinal
from synth.procedural.steps import Steps, add, mul, percent_of


class Interest(Family):
    """Simple interest at the first two levels, compound at the others."""

    about = "simple and compound interest"
    knobs = by_level(years=(3, 6, 2, 2, 3), compound=(0, 0, 1, 1, 1), grid=(100, 50, 500, 100, 1000))
    slips = ("one_year", "simple", "interest_only")
    largest = 100_000

    def draw(self, chance: Chance) -> Values:
        """Draw a sum, a rate and some years."""
        rates = (2, 3, 4, 5, 6) if not chance.knob.compound else (2, 4, 5, 10) if chance.knob.years == 2 else (5, 10, 20)
        years = chance.between(2, chance.knob.years)
        sum_ = chance.between(max(200, chance.knob.grid), 8000, chance.knob.grid)
        facts = {"sum": sum_, "rate": chance.choice(rates), "years": years, "who": chance.person()}
        return {**facts, "shape": "compound" if chance.knob.compound else "simple"}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Compute one year's interest and multiply it, or compound it year by year."""
        value, rate, years = Fraction(facts["sum"]), facts["rate"], facts["years"]
        if facts["shape"] == "simple" and slip == "simple":
            return
        if facts["shape"] == "simple" or slip == "simple":
            yield (year := percent_of("the interest for one year", rate, value, "euro"))
            whole = mul(f"the interest for {years} years", year.value, years, unit="euro") if slip != "one_year" else year
            if slip != "one_year":
                yield whole
            if slip != "interest_only":
                yield add("the final amount", value, whole.value, unit="euro")
            return
        for at in range(1, (1 if slip == "one_year" else years) + 1):
            yield (year := percent_of(f"the interest for the {ordinal(at)} year", rate, value, "euro"))
            if slip == "interest_only" and at == years:
                return
            yield (after := add(f"the amount after the {ordinal(at)} year", value, year.value, unit="euro"))
            value = Fraction(after.value)

    def recheck(self, facts: Facts) -> list[str]:
        """Add interest year by year, in millionths."""
        held = first = facts["sum"] * 10**6
        for _ in range(facts["years"]):
            held += (held if facts["shape"] == "compound" else first) * facts["rate"] // 100
        return [written(Fraction(held, 10**6))]
