"""Functions that call themselves. The second way runs the printed program in a small evaluator."""

from collections.abc import Callable, Mapping

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, n, state
from synth.procedural.tiny_python import TinyPython

_Rule = Callable[[int, int, int], int]
_RULES: Mapping[str, tuple[str, str, int, _Rule]] = {
    "adds": ("n + {f}(n - 1)", "{n} + {value}", 1, lambda value, n, _: n + value),
    "adds_fixed": ("{f}(n - 1) + {k}", "{value} + {k}", 1, lambda value, _, k: value + k),
    "doubles": ("2 * {f}(n - 1)", "2 × {value}", 1, lambda value, _, __: 2 * value),
    "twos": ("{f}(n - 2) + n", "{value} + {n}", 2, lambda value, n, _: value + n),
    "mixes": ("2 * {f}(n - 1) + {k}", "2 × {value} + {k}", 1, lambda value, _, k: 2 * value + k),
    "minus": ("n * {k} - {f}(n - 1)", "{n} × {k} - {value}", 1, lambda value, n, k: n * k - value),
}


class Recursion(Family):
    """A recursive function of one whole number; its calls are followed down and up."""

    about = "recursive functions"
    knobs = by_level(rules=(3, 4, 5, 6, 6), depth=(3, 4, 4, 5, 6))
    slips = ("stops_early", "wrong_base")
    largest = 10_000

    def draw(self, chance: Chance) -> Values:
        """Draw a rule, its start and the call."""
        rule = list(_RULES)[chance.between(0, chance.knob.rules - 1)]
        body, _, step, _ = _RULES[rule]
        base, k, name = chance.between(1, 5), chance.between(2, 5), chance.choice(("f", "g", "climb", "count", "build", "fold"))
        last = chance.between(0, 2)
        argument = last + chance.knob.depth * step
        shown = {"k": k} if "{k}" in body else {}
        call = body.format(f=name, k=k, s=step)
        program = f"def {name}(n):\n    if n <= {last}:\n        return {base}\n    return {call}"
        facts = {"program": program, "rule": rule, "name": name, "base": base, "last": last, "argument": argument}
        return {**facts, **shown, "who": chance.person()}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Start at the end of the chain and climb up."""
        _, sum_, step, rule = _RULES[facts["rule"]]
        name, k = facts["name"], facts.get("k", 0)
        chain = list(range(facts["argument"], facts["last"], -step))
        value = facts["base"] + (1 if slip == "wrong_base" else 0)
        yield state("the smallest call", f"`{name}({facts['argument'] - step * len(chain)})` is {value}", "base")
        for argument in chain[:0:-1] if slip == "stops_early" else chain[::-1]:
            worked = sum_.format(n=argument, value=n(value), k=k)
            value = rule(value, argument, k)
            claim = f"{worked} = {value}, so `{name}({argument})` is {value}"
            yield state(f"the value of `{name}({argument})`", claim, "climb")
        yield state("the return value", f"the function returns {value}", "returned", value=str(value))

    def recheck(self, facts: Facts) -> list[str]:
        """Run the program in the evaluator, and read off its calls."""
        tiny = TinyPython(facts["program"])
        result = tiny.call(facts["name"], facts["argument"])
        return [*(f"`{facts['name']}({values[0]})` is {value}" for values, value in tiny.calls), str(result)]
