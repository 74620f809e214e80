"""Counting choices: independent choices multiply, and so do the places of a row. The second way lists every case."""

from itertools import permutations, product

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import cardinal, listed, with_noun
from synth.procedural.steps import Steps, WorkStep, mul


class Counting(Family):
    """Combinations of one thing of each kind, or orders in a row."""

    about = "counting possibilities"
    knobs = by_level(kinds=(2, 2, 3, 3, 4), most=(5, 7, 6, 8, 7), row=(3, 4, 5, 6, 6))
    slips = ("adds", "repeats")

    def draw(self, chance: Chance) -> Values:
        """Draw the sizes of the kinds of a menu, or the length of a row."""
        if chance.chances(0.6):
            world = chance.of_world("menus")
            sizes = [chance.between(2, chance.knob.most) for _ in range(chance.knob.kinds)]
            return {"shape": "menu", "sizes": sizes, "kinds": world["kinds"], "whole": world["whole"], "who": chance.person()}
        return {"shape": "row", "row": chance.knob.row, "thing": chance.of_world("rows"), "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the list of choices."""
        pairs = zip(facts.get("sizes", ()), facts.get("kinds", ()), strict=False)
        return {"choices": listed(with_noun(size, kind) for size, kind in pairs)}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Multiply choice by choice; a slip adds, or lets every place have all things."""
        menu = facts["shape"] == "menu"
        if slip == ("repeats" if menu else "adds"):
            return
        sizes = facts["sizes"] if menu else [facts["row"] - (0 if slip == "repeats" else at) for at in range(facts["row"])]
        total, unit = sizes[0], "combination" if menu else "way"
        for at, size in enumerate(sizes[1:], 2):
            those = "both" if at == len(sizes) == 2 else f"{'all' if at == len(sizes) else 'the first'} {cardinal(at)}"
            what = f"the number of {'combinations for' if menu else 'ways to fill'} {those} {'choices' if menu else 'places'}"
            if slip == "adds":
                total += size
                yield WorkStep(
                    what, f"{total - size} + {size} = {with_noun(total, unit)}", "add", f"add {size}", total, with_noun(total, unit)
                )
            else:
                step = mul(what, total, size, unit=unit)
                total = step.value
                yield step

    def recheck(self, facts: Facts) -> list[str]:
        """List all cases."""
        if facts["shape"] == "menu":
            return [str(sum(1 for _ in product(*map(range, facts["sizes"]))))]
        return [str(sum(1 for _ in permutations(range(facts["row"]))))]
