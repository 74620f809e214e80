"""Linear equations, as number puzzles or as text. The second way tries every whole number."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, confirm, state


class LinearEquations(Family):
    """a·x + b = c, and from the third level on a·x + b = d·x + e."""

    about = "linear equations with one unknown"
    knobs = by_level(most=(6, 9, 9, 12, 15), both_sides=(0, 0, 1, 1, 1))
    slips = ("same_sign", "subtracts_factor")
    largest = 5000

    def draw(self, chance: Chance) -> Values:
        """Draw the solution first, and an equation that it solves."""
        x, d = chance.between(2, chance.knob.most * 2), 0
        a, b = chance.between(4 if chance.knob.both_sides else 2, chance.knob.most), chance.between(2, 40)
        facts = {"who": chance.person(), "letter": chance.choice("xynmtk"), "shape": "puzzle" if chance.chances(0.5) else "plain"}
        if chance.knob.both_sides:
            d = chance.between(2, a - 2)
            b = min(b, (a - d) * x - 1) if (a - d) * x > 3 else 2
            return {**facts, "shape": f"{facts['shape']}_both", "a": a, "b": b, "d": d, "e": (a - d) * x + b}
        return {**facts, "a": a, "b": b, "c": a * x + b}

    def words(self, facts: Facts) -> Values:
        """Return the equation."""
        right = f"{_times(facts['d'], facts['letter'])} + {facts['e']}" if "d" in facts else facts["c"]
        return {"equation": f"{_times(facts['a'], facts['letter'])} + {facts['b']} = {right}"}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Bring numbers and unknowns to their own sides, and divide."""
        x, a, right = facts["letter"], facts["a"] - facts.get("d", 0), facts.get("c", facts.get("e"))
        sign, after = ("+", right + facts["b"]) if slip == "same_sign" else ("-", right - facts["b"])
        if slip and (after % a or after == a):
            return
        yield state("the equation", str(self.words(facts)["equation"]), "set_up")
        if "d" in facts:
            yield state(
                f"the equation with {x} on one side only", f"{_times(a, x)} + {facts['b']} = {right}", "collect", term=_times(facts["d"], x)
            )
        yield state(f"the value of {_times(a, x)}", f"{_times(a, x)} = {right} {sign} {facts['b']} = {after}", "move", b=facts["b"])
        result = after - a if slip == "subtracts_factor" else after // a
        if a > 1:
            how = "-" if slip == "subtracts_factor" else "÷"
            yield state(f"the value of {x}", f"{x} = {after} {how} {a} = {result}", "divide", factor=a)
        yield state("the solution", f"{x} = {result}", "solved", value=f"{x} = {result}")
        left = confirm("the value of the left side", f"{facts['a']} × {result} + {facts['b']}", facts["a"] * result + facts["b"])
        if "d" in facts:
            right = f"{facts['d']} × {result} + {facts['e']} = {facts['d'] * result + facts['e']}"
            left = left._replace(what="the value of both sides", claim=f"{left.claim} on the left, and {right} on the right as well")
        yield left

    def recheck(self, facts: Facts) -> list[str]:
        """Try whole numbers."""
        for x in range(1, 1000):
            if facts["a"] * x + facts["b"] == (facts["d"] * x + facts["e"] if "d" in facts else facts["c"]):
                return [f"{facts['letter']} = {x}"]
        raise ValueError("no whole number solves it")


def _times(factor: int, letter: str) -> str:
    return letter if factor == 1 else f"{factor}{letter}"
