"""The proof of an exercise made by rule: the reply is read again, and its numbers and statements are computed anew.

equations   every equation of pure numbers in problem and steps is evaluated exactly (`wrong_step`)
facts       the problem states all their numbers (`unstated_fact`); the family's second way reaches the answer (`wrong_answer`) and
            the statements that the steps must make, in order; every number in a step is accounted for (`wrong_step`)
answer      the steps arrive at it (`unsupported_answer`)
slip        the rejected answer of a pair differs from the right one (`no_contrast`)
"""

import json
from typing import Any

from synth.arithmetic import equations, numbers
from synth.procedural import Exercise, Family, Slip, are_small
from synth.solution import same_answer, supported
from synth.task import Rejected

PROOF_VERSION = 2
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def read_exercise(text: str) -> Exercise:
    """Read an exercise from a reply. Raises Rejected (`unparsable`)."""
    try:
        found: dict[str, Any] = json.loads(text)
        if not found.get("facts"):
            raise Rejected("unchecked", {"detail": "no facts from which the answer could be proved"})
        slip = found.pop("slip", None)
        slip = slip and Slip(slip["name"], tuple(slip["steps"]), slip["answer"])
        return Exercise(**{**found, "steps": tuple(found["steps"]), "slip": slip})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Rejected("unparsable", {"detail": f"{type(error).__name__}: {error}"}) from None


def prove(exercise: Exercise, family: Family) -> str:
    """Return the name of the proof. Raises Rejected with the rule that the exercise breaks."""
    steps = "\n".join(exercise.steps)
    stated = [*equations(exercise.problem), *equations(steps)]
    for equation in stated:
        if not equation.holds:
            raise Rejected("wrong_step", {"equation": str(equation)})
    asked = set(numbers(exercise.problem))
    shown = f"{exercise.attempt}\n{steps}"
    missing = set(numbers(_ENCODER.encode(exercise.facts))) - asked
    if missing:
        raise Rejected("unstated_fact", {"numbers": sorted(missing)})
    if not are_small(exercise.facts, family.largest):
        raise Rejected("unsolvable", {"detail": "the facts are too large to be solved by counting"})
    try:
        *reached, true = family.recheck(exercise.facts)
    except Exception as error:  # facts from a damaged log can break the method in any way
        raise Rejected("unsolvable", {"detail": f"{type(error).__name__}: {error}"}) from None
    if not same_answer(exercise.answer, true):
        raise Rejected("wrong_answer", {"answer": exercise.answer, "second_road": true})
    rest = shown.casefold()
    for statement in reached:
        _, found, rest = rest.partition(statement.casefold())
        if not found:
            raise Rejected("wrong_step", {"not_reached": statement})
    known = asked.union(numbers(exercise.attempt), numbers("\n".join([true, *reached])), numbers("\n".join(map(str, stated))))
    figures = set(numbers(steps))
    strange = figures - known
    if strange:
        raise Rejected("wrong_step", {"unaccounted_numbers": sorted(strange)})
    if not supported(exercise.answer, steps, figures):
        raise Rejected("unsupported_answer", {"answer": exercise.answer})
    if exercise.slip is not None and same_answer(exercise.slip.answer, true):
        raise Rejected("no_contrast", {"slip": exercise.slip.name, "answer": exercise.slip.answer})
    return f"facts.{family.name()}@{family.version}"
