"""The least common multiple: when do two rhythms meet? The second way lists multiples."""

from math import gcd

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal, listed, with_noun
from synth.procedural.steps import Steps, add, calc, state


class LeastCommonMultiple(Family):
    """Two rhythms at the first levels, three from the fourth."""

    about = "the least common multiple"
    knobs = by_level(most=(10, 15, 20, 12, 15), rhythms=(2, 2, 2, 3, 3))
    slips = ("product", "adds")
    largest = 5000

    def draw(self, chance: Chance) -> Values:
        """Draw rhythms of which the first two share a factor."""
        common = chance.between(2, 4)
        a = common * chance.between(2, max(3, chance.knob.most // common))
        b = a
        while b == a:
            b = common * chance.between(2, max(3, chance.knob.most // common))
        periods = [a, b] if chance.knob.rhythms == 2 else [a, b, chance.choice([c for c in range(2, 13) if c not in (a, b)])]
        world = chance.of_world("rhythms")
        return {"periods": periods, "thing": world["thing"], "does": world["does"], "unit": world["unit"], "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return how many rhythms there are, and each of them."""
        told = zip(("one", "another", "a third"), facts["periods"], strict=False)
        each = listed(f"{which} every {with_noun(period, facts['unit'])}" for which, period in told)
        both = "both" if len(facts["periods"]) == 2 else "all"
        return {"number": cardinal(len(facts["periods"])), "each": each, "both": both}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Join two rhythms at a time by way of their greatest common divisor."""
        first, *others = facts["periods"]
        for other in others:
            if slip == "adds":
                joint = add(f"the least common multiple of {first} and {other}", first, other, unit=facts["unit"])
            else:
                common, expression = 1 if slip else gcd(first, other), f"{first} × {other}"
                if not slip:
                    claim = f"the largest number that divides both {first} and {other} is {common}"
                    yield state(f"the greatest common divisor of {first} and {other}", claim, "divisor")
                expression += f" ÷ {common}" if common > 1 else ""
                joint = calc(f"the least common multiple of {first} and {other}", expression, first * other // common, facts["unit"])
            yield joint
            first = joint.value

    def recheck(self, facts: Facts) -> list[str]:
        """Go through the multiples of the first until all divide one, noting common divisors on the way."""
        told, first = [], facts["periods"][0]
        for other in facts["periods"][1:]:
            told.append(f"divides both {first} and {other} is {max(d for d in range(1, other + 1) if first % d == 0 == other % d)}")
            first = next(m for m in range(first, first * other + 1, first) if m % other == 0)
        return [*told, str(first)]
