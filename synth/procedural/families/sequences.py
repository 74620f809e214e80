"""Sequences by a rule: steps that are constant, grow, or multiply. The second way applies differences or quotients from the shown terms."""

from itertools import pairwise

from synth.procedural import Facts, Family, Values, by_level
from synth.procedural.chance import Chance
from synth.procedural.grammar import ordinal
from synth.procedural.steps import Steps, add, div, mul, sub

_AHEAD = ("", "one", "two", "three", "four", "five")


class Sequences(Family):
    """Constant differences, constant quotients (from the second level), growing differences (from the third)."""

    about = "sequences of numbers and their rules"
    knobs = by_level(kinds=(1, 2, 3, 3, 3), ahead=(1, 2, 2, 2, 3), most=(9, 12, 12, 20, 30))
    slips = ("one_further", "one_short")
    largest = 1_000_000

    def draw(self, chance: Chance) -> Values:
        """Draw a rule and show the first terms."""
        kind = ("adds", "multiplies", "grows")[chance.between(0, chance.knob.kinds - 1)]
        start, step = chance.between(1, chance.knob.most), chance.between(2, 4 if kind == "multiplies" else chance.knob.most)
        terms, move = [start], step
        while len(terms) < 5 - (kind == "multiplies"):
            terms.append(terms[-1] * step if kind == "multiplies" else terms[-1] + move)
            move += 2 if kind == "grows" else 0
        return {"shape": kind, "terms": terms, "ahead": _AHEAD[chance.knob.ahead], "who": chance.person()}

    def words(self, facts: Facts) -> Values:
        """Return the terms in a row, and which one is asked for."""
        return {"row": ", ".join(map(str, facts["terms"])), "place": ordinal(len(facts["terms"]) + _AHEAD.index(facts["ahead"]))}

    def work(self, facts: Facts, slip: str = "") -> Steps:
        """Find the rule from neighbours, then continue."""
        terms, kind = facts["terms"], facts["shape"]
        count = _AHEAD.index(facts["ahead"]) + {"one_further": 1, "one_short": -1}.get(slip, 0)
        if not count:
            return
        if kind == "multiplies":
            yield (rule := div("the factor from one term to the next", terms[1], terms[0]))
            yield div("the factor between the last two terms", terms[-1], terms[-2])
            step = rule.value
        else:
            pairs = list(pairwise(terms))
            steps = [
                sub(f"the difference between the {ordinal(at)} and {ordinal(at + 1)} terms", b, a) for at, (a, b) in enumerate(pairs, 1)
            ]
            yield from steps if kind == "grows" else steps[:2]
            step = terms[-1] - terms[-2]
        last = terms[-1]
        for at in range(len(terms) + 1, len(terms) + count + 1):
            if kind == "grows":
                yield (growth := add(f"the step that leads to the {ordinal(at)} term", step, 2))
                step = growth.value
            term = (mul if kind == "multiplies" else add)(f"the {ordinal(at)} term", last, step)
            last = term.value
            yield term

    def recheck(self, facts: Facts) -> list[str]:
        """Extend a table of differences, or multiply by the quotient that all neighbours share."""
        terms = list(facts["terms"])
        for _ in range(_AHEAD.index(facts["ahead"])):
            if all(b * terms[0] == a * terms[1] for a, b in pairwise(terms)):
                terms.append(terms[-1] * terms[1] // terms[0])
            else:
                terms.append(3 * terms[-1] - 3 * terms[-2] + terms[-3])
        return [str(terms[-1])]
