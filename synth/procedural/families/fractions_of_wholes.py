"""Fractions of a whole: a part, a part of what is left, and how much remains. The second way hands out things one after the other."""

from math import gcd
from typing import Any

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal, ordinal, plural
from synth.procedural.steps import Steps, div, mul, sub


class FractionsOfWholes(Family):
    """One to three fractions, each of what is left."""

    about = "fractions of a whole number of things"
    knobs = by_level(parts=(1, 1, 2, 2, 3), denominator=(5, 8, 6, 8, 6))
    slips = ("of_the_whole", "takes_one_part", "forgets_rest")

    def draw(self, chance: Chance) -> Values:
        """Draw a number that can be divided as often as needed."""
        world = chance.of_world("wholes")
        features = chance.sample(world["feature"], 4)
        moves: list[list[Any]] = []
        need = 1
        for _ in range(chance.knob.parts):
            below = chance.between(3, chance.knob.denominator)
            above = chance.choice([number for number in range(1, below) if gcd(number, below) == 1])
            moves.append(["later" if moves else "part", above, below, features[len(moves)]])
            need *= below
        least, most = world["range"]
        total = need * chance.between(max(1, least // need), max(2, min(most, 900) // need))
        return {"total": total, "moves": moves, "who": chance.person(), "whole": world["whole"], "place": world["place"]}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find one part, all parts, and the rest, for each fraction."""
        left, thing = facts["total"], facts["whole"]
        for at, (_, above, below, _) in enumerate(facts["moves"]):
            after = f" after the {ordinal(at + 1)} group" if len(facts["moves"]) > 1 else ""
            base = facts["total"] if slip == "of_the_whole" else left
            yield (one := div(f"one {_PARTS[below]} of {base}", base, below, unit=thing))
            taken = one
            if above > 1 and slip != "takes_one_part":
                yield (taken := mul(f"{cardinal(above)} {plural(_PARTS[below])} of {base}", one.value, above, unit=thing))
            if slip == "forgets_rest" and at == len(facts["moves"]) - 1:
                return
            yield (rest := sub(f"the number of {plural(thing)} left{after}", left, taken.value, unit=thing))
            left = rest.value

    def recheck(self, facts: Facts) -> list[str]:
        """Deal everything out in rounds of the denominator, of which the numerator goes away."""
        left = facts["total"]
        for _, above, below, _ in facts["moves"]:
            left = sum(1 for number in range(left) if number % below >= above)
        return [str(left)]


_PARTS = {3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth"}
