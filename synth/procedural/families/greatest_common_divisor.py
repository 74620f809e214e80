"""The greatest common divisor by Euclid's algorithm. The second way tries every divisor."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import with_noun
from synth.procedural.steps import Steps, WorkStep, remainder, state


class GreatestCommonDivisor(Family):
    """Two numbers with a common factor; the level decides how many divisions it takes."""

    about = "the greatest common divisor of two numbers"
    knobs = by_level(factor=(6, 9, 12, 15, 24), rest=(9, 14, 20, 30, 40), divisions=(2, 2, 3, 3, 4))
    slips = ("last_quotient", "stops_early")

    def draw(self, chance: Chance) -> Values:
        """Draw until Euclid's algorithm has enough to do."""
        while True:
            common = chance.between(2, chance.knob.factor)
            small = common * chance.between(3, chance.knob.rest)
            large = small + common * chance.between(1, chance.knob.rest)
            if len(_chain(large, small)) >= chance.knob.divisions and large <= self.largest:
                world = chance.of_world("cut_evenly")
                return {"large": large, "small": small, "who": chance.person(), **world}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Divide with remainder until nothing is left."""
        chain = _chain(facts["large"], facts["small"])
        for at, (a, b, *_) in enumerate(chain):
            yield remainder(f"the remainder when {a} is divided by {b}", a, b, f"divide {a} by {b}")
            if slip == "stops_early" and at == len(chain) - 2 and at:
                yield _found(b, facts["unit"])
                return
        if slip != "stops_early":
            yield _found(chain[-1][2] if slip == "last_quotient" else chain[-1][1], facts["unit"])

    def recheck(self, facts: Facts) -> list[str]:
        """Try every divisor."""
        return [str(max(d for d in range(1, facts["small"] + 1) if facts["small"] % d == 0 == facts["large"] % d))]


def _found(divisor: int, unit: str) -> WorkStep:
    what = "the greatest common divisor"
    return state(what, f"{what} is {divisor}", "found", value=with_noun(divisor, unit))


def _chain(a: int, b: int) -> list[tuple[int, int, int, int]]:
    chain = []
    while b:
        chain.append((a, b, *divmod(a, b)))
        a, b = b, a % b
    return chain
