"""What does a short Python function return? The second way runs the printed program in a small evaluator."""

import re
from collections.abc import Callable, Mapping

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import ordinal
from synth.procedural.steps import Steps, n, state
from synth.procedural.tiny_python import TinyPython

_Rule = Callable[[int, int, int], tuple[str, int]]


def _adds(r: int, v: int, _: int) -> tuple[str, int]:
    return f"{n(r)} + {v} = {r + v}", r + v


def _adds_twice(r: int, v: int, _: int) -> tuple[str, int]:
    return f"{r} + 2 × {v} = {r + 2 * v}", r + 2 * v


def _takes(r: int, v: int, _: int) -> tuple[str, int]:
    return f"{n(r)} - {v} = {r - v}", r - v


def _counts(r: int, v: int, k: int) -> tuple[str, int]:
    return _greater(v, k), r + (v > k)


def _largest(r: int, v: int, _: int) -> tuple[str, int]:
    return _greater(v, r), max(r, v)


def _multiples(r: int, v: int, k: int) -> tuple[str, int]:
    return (f"{v} is not a multiple of {k}", r) if v % k else (f"{v} is a multiple of {k} and {r} + {v} = {r + v}", r + v)


def _even(r: int, v: int, _: int) -> tuple[str, int]:
    return (f"{v} is odd and {n(r)} - 1 = {r - 1}", r - 1) if v % 2 else (f"{v} is even and {n(r)} + {v} = {r + v}", r + v)


def _mixes(r: int, v: int, k: int) -> tuple[str, int]:
    made = r * k + v
    return f"{r} × {k} + {v} = {made} and the last two digits are kept", made % 100


def _doubles(r: int, v: int, k: int) -> tuple[str, int]:
    return f"{_greater(v, k)} and " + (f"{r} + {v} = {r + v}" if v > k else f"{r} × 2 = {2 * r}"), r + v if v > k else r * 2


def _differs(r: int, v: int, _: int) -> tuple[str, int]:
    return f"{_greater(r, v)} and {_distance(r, v)}", abs(r - v)


def _spread(r: int, v: int, _: int) -> tuple[str, int]:
    return _distance(r, v), abs(r - v)


def _greater(one: int, other: int) -> str:
    return f"{one} is {'greater' if one > other else 'not greater'} than {other}"


def _distance(one: int, other: int) -> str:
    return f"{max(one, other)} - {min(one, other)} = {abs(one - other)}"


_BODIES: Mapping[str, tuple[str, str, _Rule]] = {
    "adds": ("r = 0", "r += v", _adds),
    "adds_twice": ("r = {k}", "r += 2 * v", _adds_twice),
    "takes": ("r = 100", "r -= v", _takes),
    "counts": ("r = 0", "if v > {k}:\n    r += 1", _counts),
    "largest": ("r = 0", "if v > r:\n    r = v", _largest),
    "multiples": ("r = 0", "if v % {k} == 0:\n    r += v", _multiples),
    "even": ("r = 0", "if v % 2 == 0:\n    r += v\nelse:\n    r -= 1", _even),
    "mixes": ("r = 1", "r = (r * {k} + v) % 100", _mixes),
    "doubles": ("r = 0", "if v > {k}:\n    r += v\nelse:\n    r = r * 2", _doubles),
    "differs": ("r = 50", "if r > v:\n    r -= v\nelse:\n    r = v - r", _differs),
    "spread": ("r = 0", "r = max(r, v) - min(r, v)", _spread),
}
"""The first line, the body of the loop, and its rule, which returns a reason and the next value."""

_STARTS = {"takes": 100, "mixes": 1, "differs": 50}


class ProgramTracing(Family):
    """A loop over a list with one variable that changes."""

    about = "tracing what a short Python function returns"
    knobs = by_level(bodies=(5, 5, 8, 10, 11), length=(3, 4, 5, 6, 7), most=(12, 15, 18, 21, 24))
    slips = ("skips_last", "skips_first")

    def draw(self, chance: Chance) -> Values:
        """Draw a loop and its list."""
        rule = list(_BODIES)[chance.between(max(0, chance.knob.bodies - 6), chance.knob.bodies - 1)]
        k = chance.between(3, 9)
        values = [chance.between(1, chance.knob.most) for _ in range(chance.knob.length)]
        result, each = chance.choice(("total", "result", "state", "count", "mark")), chance.choice(("value", "item", "n", "entry"))
        function, over = (
            chance.choice(("mystery", "combine", "measure", "walk", "digest", "gather")),
            chance.choice(("values", "numbers", "items")),
        )
        start, lines, _ = _BODIES[rule]
        text = "\n".join(f"        {line}" for line in lines.format(k=k).split("\n"))
        program = f"def {function}({over}):\n    {start.format(k=k)}\n    for v in {over}:\n{text}\n    return r"
        program = _renamed(program, result, each)
        known = {"k": k} if "{k}" in start + lines else {}
        return {
            "program": program,
            "rule": rule,
            **known,
            "values": values,
            "function": function,
            "watched": result,
            "each": each,
            "who": chance.person(),
        }

    def words(self, facts: Facts) -> Values:
        """Return the call."""
        return {"call": f"{facts['function']}([{', '.join(map(str, facts['values']))}])"}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Compute the variable after each pass by the rule of the body."""
        rule, k, values = _BODIES[facts["rule"]][2], facts.get("k", 0), facts["values"]
        held = k if facts["rule"] == "adds_twice" else _STARTS.get(facts["rule"], 0)
        for at, value in enumerate(values[1:] if slip == "skips_first" else values[:-1] if slip == "skips_last" else values, 1):
            before, (why, held) = held, rule(held, value, k)
            claim = f"{why}, so `{facts['watched']}` is now {held}"
            yield state(f"the {ordinal(at)} pass, with `{facts['each']}` = {value}", claim, "turn", element=value, before=before)
        yield state("the return value", f"the function returns {held}", "returned", value=str(held))

    def recheck(self, facts: Facts) -> list[str]:
        """Run the program in the evaluator."""
        tiny = TinyPython(facts["program"], facts["watched"])
        result = tiny.call(facts["function"], list(facts["values"]))
        return [*(f"`{facts['watched']}` is now {value}" for value in tiny.seen), str(result)]


def _renamed(program: str, result: str, each: str) -> str:
    """Give the two variables their names."""
    return "".join({"r": result, "v": each}.get(token, token) for token in re.split(r"(\b\w+\b)", program))
