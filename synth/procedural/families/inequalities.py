"""Linear inequalities over whole numbers: the largest or smallest solution. The second way tries numbers one after the other."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import plural, with_noun
from synth.procedural.steps import Steps, state, sub


class Inequalities(Family):
    """A budget that must not be passed, or a sum to be reached."""

    about = "inequalities and whole solutions"
    knobs = by_level(most=(6, 9, 12, 20, 30), budget=(60, 100, 200, 400, 900))
    slips = ("rounds_wrong", "ignores_fixed")

    def draw(self, chance: Chance) -> Values:
        """Draw a fixed part, a part for each, and a bound that is not met exactly."""
        each, fixed = chance.between(3, chance.knob.most), chance.between(2, 30)
        bound = fixed + each * chance.between(3, chance.knob.budget // each) + chance.between(1, each - 1)
        shape = chance.choice(("most", "least"))
        return {"shape": shape, "each": each, "fixed": fixed, "bound": bound, **chance.of_world("fees"), "who": chance.person()}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Take the fixed part away, divide, and round to the side that is allowed."""
        each, fixed, bound, item, unit = facts["each"], facts["fixed"], facts["bound"], facts["item"], facts["unit"]
        left = bound if slip == "ignores_fixed" else bound - fixed
        if slip != "ignores_fixed":
            yield sub(f"the amount {'available' if facts['shape'] == 'most' else 'still needed'}", bound, fixed, unit=unit)
        whole, rest = divmod(left, each)
        if not rest:
            return
        fits = f"dividing {left} by {each} gives {whole} with a remainder of {rest}, because {whole} × {each} + {rest} = {left}"
        yield state("the quotient and the remainder", fits)
        up = (facts["shape"] == "least") != (slip == "rounds_wrong")
        count = whole + up
        told, kind = with_noun(count, item), "rounded_up" if up else "rounded_down"
        yield state(f"the number of {plural(item)}", f"the number of {plural(item)} is {count}", kind, value=told)

    def recheck(self, facts: Facts) -> list[str]:
        """Go up one by one."""
        count = 0
        while facts["fixed"] + facts["each"] * (count + 1) <= facts["bound"]:
            count += 1
        return [str(count + (facts["shape"] == "least"))]
