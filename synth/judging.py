"""Asking a teacher how educational an excerpt is: the request, and the score in the reply.

The rubric (`prompts/educational_score.md`) adds up points as FineWeb-Edu's does (Penedo et al. 2024). An excerpt may hold anything, orders
to the reader included; whatever it says, a reply counts only where it is the object that was asked for.
"""

from typing import Any

from synth.ask.teacher import Request, Teacher
from synth.loose_json import object_schema, read_object
from synth.prompt import load_prompt
from synth.task import Rejected

TASK = "educational_score"
LOWEST, HIGHEST = 0, 5

_SCHEMA = object_schema(reason="text", score={"type": "integer", "minimum": LOWEST, "maximum": HIGHEST})
_PARAMETERS = {"temperature": 0.0, "max_tokens": 300}


def judging_request(excerpt: str, teacher: Teacher, repeat: int = 0) -> Request:
    """Return the request for the score of an excerpt; `repeat` counts the times that one teacher is asked."""
    return Request(
        task=TASK,
        brief={"excerpt": excerpt},
        messages=load_prompt(TASK).messages({"excerpt": excerpt}),
        parameters={**_PARAMETERS, **teacher.parameters()},
        model=teacher.asked_model,
        teacher=teacher.identity(),
        schema=_SCHEMA,
        sample=repeat,
    )


def score_in(text: str) -> int:
    """Return the score that a reply gives. Raises Rejected (`unparsable`)."""
    value: Any = read_object(text).get("score")
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not LOWEST <= value <= HIGHEST:
        raise Rejected("unparsable", {"detail": f"score is not a whole number from {LOWEST} to {HIGHEST}", "begins": text[:200]})
    return value
