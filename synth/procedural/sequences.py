"""Number sequences: arithmetic, geometric and with growing differences; a distant term, or a sum.

`solve` writes the sequence out, term by term, from the first few.
"""

from collections.abc import Mapping
from itertools import pairwise
from random import Random
from typing import Any, ClassVar

from synth.procedural import Exercise, Generator
from synth.procedural.narrator import Narrator

_CONTEXTS = (
    "{who} arranges pebbles on the beach. The first rows hold {shown} pebbles, and the pattern goes on.",
    "A sequence begins {shown}, and its rule does not change.",
    "On successive days a gauge shows {shown} millimetres. The rule behind these numbers continues.",
    "{who} lays out tiles: {shown} in the first rows, and so on in the same manner.",
    "The rows of a theatre have {shown} seats, and further rows follow the pattern.",
    "{who} trains for a race and runs {shown} laps on the first days, always by the same rule.",
)


class Sequences(Generator):
    """Equal differences (difficulty 1 and 2), sums of them (3), equal quotients (4), growing differences (5)."""

    about: ClassVar[str] = "finding rules, terms and sums of number sequences"

    def make(self, draw: Random, difficulty: int) -> Exercise:
        """Return an exercise of the kind for this difficulty."""
        say = Narrator(draw)
        first, step = draw.randint(2, 20), draw.randint(2, 4 + 2 * difficulty)
        if difficulty <= 3:
            return self._arithmetic(say, first, step, difficulty == 3)
        return self._geometric(say) if difficulty == 4 else self._growing(say, first, step)

    def _problem(self, say: Narrator, terms: list[int], ask: str) -> str:
        return f"{say.one_of(*_CONTEXTS).format(who=say.person(), shown=', '.join(map(str, terms)))} {ask}"

    def _arithmetic(self, say: Narrator, first: int, step: int, total: bool) -> Exercise:
        n = say.draw.choice((8, 9, 10, 12, 15, 20))
        terms = [first + k * step for k in range(4)]
        far = first + (n - 1) * step
        steps = [
            say.one_of(
                "We look at the differences between neighbours first. If they are all the same, the rule is simple.",
                "The first question about a sequence is how one term becomes the next.",
                "To find the rule, compare each term with the one before it.",
            ),
            say.first(
                f"the differences are {terms[1]} - {terms[0]} = {step}, {terms[2]} - {terms[1]} = {step} and {terms[3]} - "
                f"{terms[2]} = {step}.",
                f"every term is larger by the same amount: {terms[1]} - {terms[0]} = {step} and {terms[3]} - {terms[2]} = {step}.",
            ),
            say.then(
                f"from the first term to term number {n} there are {n} - 1 = {n - 1} steps of {step}, so it is {first} + {n - 1} × "
                f"{step} = {far}.",
                f"we start at {first} and take {n} - 1 = {n - 1} steps: {first} + {n - 1} × {step} = {far}.",
            ),
        ]
        title = say.one_of("Equal steps", "A sequence with a rule", "Far down the row", "Continuing the pattern")
        facts = {"terms": terms, "number": n, "ask": "sum" if total else "term"}
        if not total:
            ask = say.one_of(f"What is term number {n}?", f"Find the term in place {n}.")
            return Exercise(title, self._problem(say, terms, ask), tuple(steps), str(far), facts)
        whole = n * (first + far) // 2
        steps.append(
            say.last(
                f"pair the first with the last. Each pair has the sum {first} + {far} = {first + far}, and {n} terms make {n} / 2 "
                f"pairs. The "
                f"total is {n} × {first + far} / 2 = {whole}.",
                f"the sum is the number of terms times the mean of the first and the last: {n} × ({first} + {far}) / 2 = {whole}.",
            )
        )
        ask = say.one_of(f"What is the sum of the first {n} terms?", f"Add up the first {n} numbers of this sequence.")
        return Exercise(title, self._problem(say, terms, ask), tuple(steps), str(whole), facts)

    def _geometric(self, say: Narrator) -> Exercise:
        first, factor, n = say.draw.randint(1, 7), say.draw.randint(2, 4), say.draw.randint(6, 9)
        terms = [first * factor**k for k in range(4)]
        steps = [
            say.one_of(
                "The differences grow quickly, which hints at multiplication. Compare neighbours by division.",
                "Each term seems to be a multiple of the one before. Quotients will show it.",
            ),
            say.first(
                f"the quotients agree: {terms[1]} / {terms[0]} = {factor}, {terms[2]} / {terms[1]} = {factor}, {terms[3]} / "
                f"{terms[2]} = {factor}."
            ),
        ]
        value = terms[3]
        for k in range(5, n + 1):
            steps.append(
                say.then(
                    f"term number {k} is {value} × {factor} = {value * factor}.",
                    f"multiply again: {value} × {factor} = {value * factor}, which is term number {k}.",
                )
            )
            value *= factor
        title = say.one_of("Multiplying onwards", "A rapidly growing sequence", "Equal quotients")
        problem = self._problem(say, terms, say.one_of(f"What is term number {n}?", f"Which number stands in place {n}?"))
        return Exercise(title, problem, tuple(steps), str(value), {"terms": terms, "number": n, "ask": "term"})

    def _growing(self, say: Narrator, first: int, step: int) -> Exercise:
        growth, n = say.draw.randint(1, 5), say.draw.randint(7, 10)
        terms = [first]
        for k in range(4):
            terms.append(terms[-1] + step + k * growth)
        gaps = [b - a for a, b in pairwise(terms)]
        steps = [
            say.one_of(
                "The differences are not equal here, so we study how they change.",
                "When differences vary, it often helps to look at the differences of the differences.",
            ),
            say.first(f"the differences are {', '.join(f'{b} - {a} = {b - a}' for a, b in pairwise(terms))}."),
            say.then(
                f"they grow by the same amount each time: {gaps[1]} - {gaps[0]} = {growth} and {gaps[3]} - {gaps[2]} = {growth}.",
                f"each difference exceeds the one before by {growth}, as {gaps[2]} - {gaps[1]} = {growth} shows.",
            ),
        ]
        value, gap = terms[-1], gaps[-1]
        for k in range(6, n + 1):
            steps.append(
                say.then(
                    f"the next difference is {gap} + {growth} = {gap + growth}, so term number {k} is {value} + {gap + growth} = "
                    f"{value + gap + growth}.",
                    f"add {gap} + {growth} = {gap + growth} to reach term number {k}: {value} + {gap + growth} = {value + gap + growth}.",
                )
            )
            gap += growth
            value += gap
        title = say.one_of("Differences of differences", "A sequence that speeds up", "Growing steps")
        problem = self._problem(say, terms, say.one_of(f"What is term number {n}?", f"Find the number in place {n}."))
        return Exercise(title, problem, tuple(steps), str(value), {"terms": terms, "number": n, "ask": "term"})

    def checkpoints(self, facts: Mapping[str, Any]) -> tuple[str, ...]:
        """Return a statement for every computed term."""
        gaps = {b - a for a, b in pairwise(facts["terms"])}
        return () if len(gaps) == 1 else tuple(f"term number {k}" for k in range(len(facts["terms"]) + 1, facts["number"] + 1))

    def solve(self, facts: Mapping[str, Any]) -> str:
        """Write the sequence out by a rule that fits all shown terms."""
        terms = list(facts["terms"])
        gaps = [b - a for a, b in pairwise(terms)]
        bends = [b - a for a, b in pairwise(gaps)]
        if len(set(bends)) == 1:
            while len(terms) < facts["number"]:
                gaps.append(gaps[-1] + bends[0])
                terms.append(terms[-1] + gaps[-1])
        else:
            factor = terms[1] // terms[0]
            if any(b != a * factor for a, b in pairwise(terms)):
                raise ValueError("no rule fits")
            while len(terms) < facts["number"]:
                terms.append(terms[-1] * factor)
        return str(sum(terms[: facts["number"]]) if facts["ask"] == "sum" else terms[facts["number"] - 1])
