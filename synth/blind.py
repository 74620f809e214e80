"""Blind solving: a problem that a model wrote counts only if solvers who see the problem alone reach its answer.

A writer's own equations show that its arithmetic is right, not that it answers its question: "120 km in 3 hours" may be solved, in true
equations, as 120 x 3. So the model solves the problem `solves` times without seeing a solution or an answer. An answer agrees if it is the
same number (or the same words); compare self-consistency, arXiv 2203.11171. The number of solves and the share that agrees are stored.
"""

from collections.abc import Sequence

from synth.loose_json import object_schema, read_object, text_field
from synth.prompt import load_prompt
from synth.solution import agree
from synth.task import Draft, Rejected

BLIND_VERSION = 1
LEAST_SHARE = 2 / 3
"""The least share of solves that must agree."""

_SCHEMA = object_schema(steps="texts", answer="text")


def solve_drafts(problem: str, solves: int) -> list[Draft]:
    """Return the requests to solve a problem blind."""
    prompt = load_prompt("solve_blind")
    messages = prompt.messages({"problem": problem})
    parameters = {"temperature": 0.7}
    return [Draft({"problem": problem}, messages, _SCHEMA, prompt.name, parameters, sample=number) for number in range(solves)]


def require_agreement(answer: str, replies: Sequence[str | None]) -> str:
    """Return the share that agrees, as "2/3". Raises Rejected (`disagreed`) if it is too small."""
    answers = [_answer(reply) for reply in replies]
    agreeing = sum(solved is not None and agree(solved, answer) for solved in answers)
    share = f"{agreeing}/{len(replies)}"
    if agreeing < LEAST_SHARE * len(replies):
        raise Rejected("disagreed", {"answer": answer, "solved": answers, "share": share})
    return share


def _answer(reply: str | None) -> str | None:
    """Return the answer of a solve, or None if it has none."""
    try:
        return None if reply is None else text_field(read_object(reply, _SCHEMA), "answer")
    except Rejected:
        return None
