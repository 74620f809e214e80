"""Two groups that overlap: how many are in either, both or none? The second way seats everybody one by one."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import plural
from synth.procedural.steps import Steps, add, sub


class Sets(Family):
    """Inclusion and exclusion for two sets."""

    about = "sets that overlap"
    knobs = by_level(size=(20, 30, 60, 120, 200))
    slips = ("counts_twice", "forgets_none")

    def draw(self, chance: Chance) -> Values:
        """Draw the four parts, and what is asked for."""
        only_a, only_b, both, none = (chance.between(3, chance.knob.size // 4 + 3) for _ in "abcd")
        world = chance.of_world("wholes")
        one, other = chance.sample(world["feature"], 2)
        facts = {"first": one, "second": other, "thing": world["whole"], "a": only_a + both, "b": only_b + both, "who": chance.person()}
        shape = chance.choice(("either", "none", "both"))
        if shape == "either":
            return {**facts, "shape": shape, "both": both}
        if shape == "none":
            return {**facts, "shape": shape, "both": both, "total": only_a + only_b + both + none}
        return {**facts, "shape": shape, "none": none, "total": only_a + only_b + both + none}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Add the groups and take off what was counted twice."""
        thing, a, b = facts["thing"], facts["a"], facts["b"]
        if facts["shape"] == "both":
            if slip == "counts_twice":
                return
            some = sub(f"the number of {plural(thing)} in at least one group", facts["total"], facts["none"], unit=thing)
            held = facts["total"] if slip == "forgets_none" else some.value
            if a + b <= held:
                return
            if not slip:
                yield some
            yield (twice := add("the sum of the two groups", a, b, unit=thing))
            yield sub(f"the number of {plural(thing)} in both groups", twice.value, held, unit=thing)
            return
        twice = add("the sum of the two groups", a, b, unit=thing)
        if facts["shape"] == "none" and slip == "counts_twice" and twice.value >= facts["total"]:
            return
        yield twice
        some = sub(f"the number of {plural(thing)} in at least one group", twice.value, facts["both"], unit=thing)
        if slip != "counts_twice":
            yield some
        if facts["shape"] == "none" and slip != "forgets_none":
            yield sub(f"the number of {plural(thing)} in neither group", facts["total"], (twice if slip else some).value, unit=thing)

    def recheck(self, facts: Facts) -> list[str]:
        """Give marks to each in turn until the groups are full."""
        for both in [facts["both"]] if "both" in facts else range(min(facts["a"], facts["b"]) + 1):
            first = set(range(facts["a"]))
            second = set(range(facts["a"] - both, facts["a"] - both + facts["b"]))
            if facts["shape"] == "both" and facts["total"] - len(first | second) == facts["none"]:
                return [str(len(first & second))]
            if facts["shape"] == "none":
                return [str(facts["total"] - len(first | second))]
            if facts["shape"] == "either":
                return [str(len(first | second))]
        raise ValueError("no overlap fits")
