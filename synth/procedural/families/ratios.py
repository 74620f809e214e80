"""Sharing in a ratio, and finding one part from the other. The second way deals out the parts round by round."""

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.steps import Steps, add, div, mul


class Ratios(Family):
    """A blend of two things in a ratio: the amount of one is asked for."""

    about = "sharing and mixing in a ratio"
    knobs = by_level(most=(3, 5, 7, 9, 12), parts=(5, 10, 15, 20, 30))
    slips = ("by_one_number", "wrong_part")

    def draw(self, chance: Chance) -> Values:
        """Draw a ratio in lowest terms and how much one part is."""
        world = chance.of_world("blends")
        a = b = 1
        while a == b or any(a % d == 0 == b % d for d in range(2, 13)):
            a, b = chance.between(1, chance.knob.most), chance.between(2, chance.knob.most + 1)
        part = chance.between(2, max(2, min(chance.knob.parts, world["range"][1] // (a + b))))
        one, other = world["parts"]
        facts = {"a": a, "b": b, "one": one, "other": other, "blend": world["blend"], "unit": world["unit"], "who": chance.person()}
        if chance.chances(0.5):
            return {**facts, "shape": "total", "total": part * (a + b)}
        return {**facts, "shape": "known", "known": part * a}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find one part, then as many as are asked for."""
        a, b, unit = facts["a"], facts["b"], facts["unit"]
        if facts["shape"] == "total":
            if slip == "by_one_number":
                part = div(f"the amount of {facts['other']}", facts["total"], b, unit=unit)
                if part.value != int(part.value):
                    return
                yield part
                return
            yield (parts := add("the number of parts", a, b, unit="part"))
            part = div("the size of one part", facts["total"], parts.value, unit=unit)
        else:
            part = div("the size of one part", facts["known"], a, unit=unit)
        if slip == "by_one_number":
            return
        yield part
        yield mul(f"the amount of {facts['other']}", part.value, a if slip == "wrong_part" else b, unit=unit)

    def recheck(self, facts: Facts) -> list[str]:
        """Pour part by part until everything is used."""
        poured = {"one": 0, "other": 0}
        goal = facts.get("total", facts.get("known"))
        while (sum(poured.values()) if "total" in facts else poured["one"]) < goal:
            poured["one"] += facts["a"]
            poured["other"] += facts["b"]
        if (sum(poured.values()) if "total" in facts else poured["one"]) != goal:
            raise ValueError("the parts do not come out even")
        return [str(poured["other"])]
