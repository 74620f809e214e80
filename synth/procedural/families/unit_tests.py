"""Which test reveals the fault? The second way runs the faulty program in a small evaluator."""

from collections.abc import Callable, Mapping

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, state
from synth.procedural.tiny_python import TinyPython

_Rule = Callable[[int, int], int]
_HEAD = "def {name}(n):\n    "
_FAULTS: Mapping[str, tuple[str, str, _Rule, _Rule]] = {
    "bound": (
        "`{name}(n)` is 1 for n of at least {k}, and 0 otherwise",
        _HEAD + "if n > {k}:\n        return 1\n    return 0",
        lambda n, k: int(n >= k),
        lambda n, k: int(n > k),
    ),
    "below": (
        "`{name}(n)` is n for n below {k}, and {k} otherwise",
        _HEAD + "if n < {k}:\n        return n\n    return n",
        min,
        lambda n, _: n,
    ),
    "double": (
        "`{name}(n)` is twice n up to n = {k}, and n above that",
        _HEAD + "if n < {k}:\n        return 2 * n\n    return n",
        lambda n, k: 2 * n if n <= k else n,
        lambda n, k: 2 * n if n < k else n,
    ),
    "gap": (
        "`{name}(n)` is the distance of n from {k}, never negative",
        _HEAD + "return n - {k}",
        lambda n, k: abs(n - k),
        lambda n, k: n - k,
    ),
    "even": (
        "`{name}(n)` is half of n for even n, and n + 1 for odd n",
        _HEAD + "if n % 2 == 0:\n        return n // 2\n    return n + 1 - n // 23",
        lambda n, _: n // 2 if n % 2 == 0 else n + 1,
        lambda n, _: n // 2 if n % 2 == 0 else n + 1 - n // 23,
    ),
    "rest": (
        "`{name}(n)` is the remainder of n after division by {k}",
        _HEAD + "if n >= {k}:\n        return n - {k}\n    return n",
        lambda n, k: n % k,
        lambda n, k: n - k if n >= k else n,
    ),
    "cap": (
        "`{name}(n)` is n plus {k}, but never more than 30",
        _HEAD + "return n + {k}",
        lambda n, k: min(n + k, 30),
        lambda n, k: n + k,
    ),
}
_SPECS = {
    "bound": "def spec(n):\n    if n < {k}:\n        return 0\n    return 1",
    "below": "def spec(n):\n    return min(n, {k})",
    "double": "def spec(n):\n    if n > {k}:\n        return n\n    return n + n",
    "gap": "def spec(n):\n    return max(n, {k}) - min(n, {k})",
    "even": "def spec(n):\n    if n % 2 == 1:\n        return n + 1\n    return n // 2",
    "rest": "def spec(n):\n    while n >= {k}:\n        n = n - {k}\n    return n",
    "cap": "def spec(n):\n    return min(n + {k}, 30)",
}


class UnitTests(Family):
    """A specification, a program with a fault, and inputs of which exactly one shows it."""

    about = "unit tests that reveal a fault"
    knobs = by_level(faults=(4, 5, 6, 7, 7), inputs=(3, 3, 4, 4, 5))
    slips = ("trusts_first",)

    def draw(self, chance: Chance) -> Values:
        """Draw a fault, and inputs until exactly one reveals it."""
        kind = list(_FAULTS)[chance.between(0, chance.knob.faults - 1)]
        spec, program, right, wrong = _FAULTS[kind]
        while True:
            k = chance.between(3, 12)
            inputs = chance.sample(range(1, 25), chance.knob.inputs)
            if sum(right(value, k) != wrong(value, k) for value in inputs) == 1:
                break
        name = chance.choice(("price", "score", "level", "fare", "rank", "share"))
        shown = {"k": k} if "{k}" in spec else {}
        facts = {
            "kind": kind,
            "spec": spec.format(k=k, name=name),
            "program": program.format(k=k, name=name),
            "name": name,
            "inputs": inputs,
        }
        return {**facts, **shown, "who": chance.person()}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Compare what should come out with what does, input by input."""
        _, _, right, wrong = _FAULTS[facts["kind"]]
        name, k, shown = facts["name"], facts.get("k", 0), ""
        if slip:
            yield state("the first test", f"`{name}({facts['inputs'][0]})` is tested first", "test")
            yield state("the fault", f"the input {facts['inputs'][0]} shows the fault", "found", value=str(facts["inputs"][0]))
            return
        for value in facts["inputs"]:
            should, does = right(value, k), wrong(value, k)
            if should != does:
                shown = str(value)
                yield state(f"the test with {value}", f"`{name}({value})` should be {should} but is {does}", "test")
            else:
                yield state(f"the test with {value}", f"`{name}({value})` should be {should} and is {does}", "test")
        yield state("the fault", f"the input {shown} shows the fault", "found", value=shown)

    def recheck(self, facts: Facts) -> list[str]:
        """Run the program, and the specification as a program of its own."""
        tiny, spec = TinyPython(facts["program"]), TinyPython(_SPECS[facts["kind"]].format(k=facts.get("k", 0)))
        told, shown = list[str](), list[int]()
        for value in facts["inputs"]:
            does = tiny.call(facts["name"], value)
            should = spec.call("spec", value)
            told.append(f"`{facts['name']}({value})` should be {should} {'and' if does == should else 'but'} is {does}")
            shown += [value] if does != should else []
        (only,) = shown
        return [*told, str(only)]
