"""A worked solution from a teacher, and the check that accepts it or names the fault.

Everything that can be recomputed is recomputed:

    equations    every equation of pure numbers in problem and steps is evaluated exactly (`wrong_step`)
    answer       an equation of the steps ends in the answer, or the steps contain it word for word (`unsupported_answer`)
    expression   if the reply gives the expression whose value is the answer, it is evaluated (`wrong_answer`)

A solution without anything to recompute is rejected (`unchecked`): no row without a check.
"""

import re
from collections.abc import Set
from dataclasses import dataclass

from synth.arithmetic import Exact, equations, numbers, value_of_expression
from synth.loose_json import object_schema, read_object, text_field, text_list
from synth.task import Rejected

SOLUTION_VERSION = 5
FORM = object_schema(title="text", problem="text", steps="texts", answer="text")
"""The fields that a solution must have."""

_QUANTITY = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:\s*/\s*\d+)?")


@dataclass(frozen=True)
class Solution:
    """A problem, its worked steps and its answer; `expression` if the reply gives it."""

    title: str
    problem: str
    steps: tuple[str, ...]
    answer: str
    expression: str | None = None


def read_solution(text: str) -> Solution:
    """Read a solution from a reply. Raises Rejected (`unparsable`)."""
    found = read_object(text, FORM)
    expression = found.get("expression")
    return Solution(
        text_field(found, "title"),
        text_field(found, "problem"),
        text_list(found, "steps"),
        text_field(found, "answer"),
        expression if isinstance(expression, str) and expression.strip() else None,
    )


def check(solution: Solution) -> str:
    """Return the names of the checks a solution passed. Raises Rejected with the rule it broke."""
    passed = []
    steps = "\n".join(solution.steps)
    if _equations_hold(solution.problem, steps):
        passed.append("equations")
    if solution.expression is not None:
        _check_expression(solution)
        passed.append("expression")
    if not passed:
        raise Rejected("unchecked", {"detail": "no equation or expression to recompute"})
    if not supported(solution.answer, steps):
        raise Rejected("unsupported_answer", {"answer": solution.answer})
    return "+".join(passed)


def require_computed(problem: str, steps: str, answer: str) -> None:
    """Raise Rejected unless there are equations, all hold, and the steps reach the answer."""
    if not _equations_hold(problem, steps):
        raise Rejected("unchecked", {"detail": "no equation to recompute"})
    if not supported(answer, steps):
        raise Rejected("unsupported_answer", {"answer": answer})


def _equations_hold(problem: str, steps: str) -> bool:
    """Return whether there are equations. Raises Rejected (`wrong_step`) for one that does not hold."""
    stated = [*equations(problem), *equations(steps)]
    for equation in stated:
        if not equation.holds:
            raise Rejected("wrong_step", {"equation": str(equation)})
    return bool(stated)


def same_answer(stated: str, true: str) -> bool:
    """Return whether two answers are the same: the same number (whatever the unit), or the same words."""
    try:
        if not numbers(true):
            return _words(stated) == _words(true)
        value = value_of_expression(true)
        quantities = _QUANTITY.findall(stated)
        return len(quantities) == 1 and value_of_expression(quantities[0]) == value
    except ValueError:
        return _words(stated) == _words(true)


def agree(one: str, other: str) -> bool:
    """Return whether two stated answers agree: both state one number, and it is the same; or they are the same words."""
    numbers_ = [single_number(stated) for stated in (one, other)]
    return numbers_[0] == numbers_[1] if None not in numbers_ else _words(one) == _words(other)


def single_number(stated: str) -> Exact | None:
    """Return the number that an answer states; None if it states none, or several."""
    quantities = _QUANTITY.findall(stated)
    try:
        return value_of_expression(quantities[0]) if len(quantities) == 1 else None
    except ValueError:
        return None


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+|[-+=<>]", text.casefold())


def _check_expression(solution: Solution) -> None:
    assert solution.expression is not None
    try:
        value = value_of_expression(solution.expression)
        stated = [value_of_expression(quantity) for quantity in _QUANTITY.findall(solution.answer)]
    except ValueError as error:
        raise Rejected("unparsable", {"detail": str(error)}) from None
    if value not in stated:
        raise Rejected("wrong_answer", {"expression": solution.expression, "answer": solution.answer})


def supported(answer: str, steps: str, figures: Set[str] | None = None) -> bool:
    """Return whether the steps, with these figures, arrive at the answer: they contain its numbers or, if it has none, its words."""
    wanted = numbers(answer)
    if not wanted:
        return set(_words(answer)) <= set(_words(steps))
    return set(wanted) <= (set(numbers(steps)) if figures is None else figures)
