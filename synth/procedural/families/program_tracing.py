"""What does a short Python function return? The second way runs the printed program in a small evaluator."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from synth.procedural import Facts, Family
from synth.procedural.chance import Chance
from synth.procedural.grammar import ordinal
from synth.procedural.steps import WorkStep, state
from synth.procedural.tiny_python import TinyPython

_Rule = Callable[[int, int, int], int]
_BODIES: Mapping[str, tuple[str, str, _Rule]] = {
    "adds": ("r = 0", "r += v", lambda r, v, _: r + v),
    "adds_twice": ("r = {k}", "r += 2 * v", lambda r, v, _: r + 2 * v),
    "takes": ("r = 100", "r -= v", lambda r, v, _: r - v),
    "counts": ("r = 0", "if v > {k}:\n    r += 1", lambda r, v, k: r + (v > k)),
    "largest": ("r = 0", "if v > r:\n    r = v", lambda r, v, _: max(r, v)),
    "multiples": ("r = 0", "if v % {k} == 0:\n    r += v", lambda r, v, k: r + (0 if v % k else v)),
    "even": ("r = 0", "if v % 2 == 0:\n    r += v\nelse:\n    r -= 1", lambda r, v, _: r - 1 if v % 2 else r + v),
    "mixes": ("r = 1", "r = (r * {k} + v) % 100", lambda r, v, k: (r * k + v) % 100),
    "doubles": ("r = 0", "if v > {k}:\n    r += v\nelse:\n    r = r * 2", lambda r, v, k: r + v if v > k else r * 2),
    "differs": ("r = 50", "if r > v:\n    r -= v\nelse:\n    r = v - r", lambda r, v, _: abs(r - v)),
    "spread": ("r = 0", "r = max(r, v) - min(r, v)", lambda r, v, _: abs(r - v)),
}
_STARTS = {"takes": 100, "mixes": 1, "differs": 50}


class ProgramTracing(Family):
    """A loop over a list with one variable that changes."""

    about = "tracing what a short Python function returns"
    knobs: ClassVar = {"bodies": (5, 5, 8, 10, 11), "length": (3, 4, 5, 6, 7), "most": (12, 15, 18, 21, 24)}
    slips: ClassVar = ("skips_last", "skips_first")

    def draw(self, chance: Chance) -> dict[str, Any]:
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

    def words(self, facts: Facts) -> dict[str, Any]:
        """Return the call."""
        return {"call": f"{facts['function']}([{', '.join(map(str, facts['values']))}])"}

    def work(self, facts: Facts, slip: str = "") -> Iterator[WorkStep]:
        """Follow the variable with the rule that the body was made from."""
        rule, k, values = _BODIES[facts["rule"]][2], facts.get("k", 0), facts["values"]
        held = k if facts["rule"] == "adds_twice" else _STARTS.get(facts["rule"], 0)
        for at, value in enumerate(values[1:] if slip == "skips_first" else values[:-1] if slip == "skips_last" else values, 1):
            before, held = held, rule(held, value, k)
            claim = f"`{facts['watched']}` is now {held}"
            yield state(f"the {ordinal(at)} turn, with `{facts['each']}` = {value}", claim, "turn", element=value, before=before)
        yield state("the result", f"the function returns {held}", "returned", value=str(held))

    def recheck(self, facts: Facts) -> list[str]:
        """Run the program in the evaluator."""
        tiny = TinyPython(facts["program"], facts["watched"])
        result = tiny.call(facts["function"], list(facts["values"]))
        return [*(f"`{facts['watched']}` is now {value}" for value in tiny.seen), str(result)]


def _renamed(program: str, result: str, each: str) -> str:
    """Give the two variables their names."""
    return "".join({"r": result, "v": each}.get(token, token) for token in re.split(r"(\b\w+\b)", program))
