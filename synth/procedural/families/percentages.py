"""Percentages: a share of an amount, and amounts that rise or fall in turn. The second way counts hundredths one by one."""

from fractions import Fraction

from synth.arithmetic import written
from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, calc, div, mul, sub


class Percentages(Family):
    """A share at the first level, then one to three changes in a row."""

    about = "percentages: a share of an amount, and amounts that change by percentages"
    knobs = by_level(changes=(0, 1, 2, 2, 3), grid=(20, 100, 100, 100, 1000))
    slips = ("of_the_first", "part_is_all", "one_hundredth")
    largest = 1_000_000

    def draw(self, chance: Chance) -> Values:
        """Draw an amount of a world, and percentages under which it stays exact."""
        world = chance.of_world("amounts")
        facts = {"amount": max(chance.within(world["range"], chance.knob.grid), chance.knob.grid), "who": chance.person()}
        facts |= {name: world[name] for name in ("opening", "what", "unit")}
        if not chance.knob.changes:
            return {**facts, "shape": "share", "share": chance.between(5, 95, 5)}
        grid = 10 if chance.knob.changes > 1 else 5
        moves = [[chance.choice(("rise", "fall")), chance.between(grid, 60, grid)] for _ in range(chance.knob.changes)]
        return {**facts, "shape": "changes", "moves": moves}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Go through one hundredth, or from change to change."""
        amount, unit, what = facts["amount"], facts["unit"], facts["what"]
        if facts["shape"] == "share":
            if slip == "of_the_first":
                return
            yield (hundredth := div(f"one per cent of {amount}", amount, 10 if slip == "one_hundredth" else 100, unit=unit))
            yield mul(f"{facts['share']}% of {amount}", hundredth.value, facts["share"], unit=unit)
            return
        value = Fraction(amount)
        names = ("the first change", "the second change", "the third change") if len(facts["moves"]) > 1 else ("the change",)
        for at, (kind, percent) in enumerate(facts["moves"]):
            base = Fraction(amount) if slip == "of_the_first" else value
            hundred = 10 if slip == "one_hundredth" and not at else 100
            part = calc(f"{percent}% of {written(base)}", f"{written(base)} × {percent} ÷ {hundred}", base * percent / hundred, unit)
            yield part
            if slip == "part_is_all" and at == len(facts["moves"]) - 1:
                return
            yield (moved := (add if kind == "rise" else sub)(f"{what} after {names[at]}", value, part.value, unit=unit))
            value = Fraction(moved.value)

    def recheck(self, facts: Facts) -> list[str]:
        """Count in millionths of the unit, so that a hundredth is a whole number."""
        millionths = int(facts["amount"]) * 10**6
        for percent in [facts["share"]] if "share" in facts else [100 + (p if kind == "rise" else -p) for kind, p in facts["moves"]]:
            millionths = sum(millionths // 100 for _ in range(percent))
        return [written(Fraction(millionths, 10**6))]
