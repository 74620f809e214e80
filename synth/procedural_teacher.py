"""The procedural teacher answers requests for worked problems by rule, without network, key or model.

Its answer is an exercise as a JSON object, with the facts of the problem, from which the check solves it again by an independent method.
All randomness comes from the request's key.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from curation.errors import RecipeError
from synth.ask.desk import Desk
from synth.ask.teacher import Reply, Request, Teacher
from synth.procedural import family
from synth.procedural.realise import exercise

_ENCODER = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True)
class ProceduralTeacher(Teacher):
    """Answers `worked_problem` from the families in `synth/procedural`; free, offline and the same everywhere."""

    tasks: ClassVar[frozenset[str] | None] = frozenset({"worked_problem"})
    proves: ClassVar[bool] = True
    version: ClassVar[int] = 5

    @property
    def asked_model(self) -> str:
        """The rules and their version."""
        return f"rules-{self.version}"

    @property
    def label(self) -> str:
        """The name of this teacher in rows."""
        return self.name()

    def identity(self) -> Mapping[str, Any]:
        """Return its name: its version is its model."""
        return {"name": self.name()}

    async def ask(self, requests: Iterable[Request], desk: Desk) -> AsyncIterator[tuple[Request, Reply]]:
        """Yield the replies in the order of requests; nothing is spent."""
        for request in requests:
            if desk.budget.stopped:
                return
            yield request, self.answer(request)

    def answer(self, request: Request) -> Reply:
        """Return the reply to one request."""
        if request.task not in (self.tasks or ()):
            return Reply(error="unsupported_task", detail=f"the procedural teacher cannot do {request.task}; choose a teacher with a model")
        brief = request.brief
        try:
            topic = family(brief["topic"])
        except (KeyError, RecipeError) as error:
            return Reply(error="unsupported_task", detail=str(error))
        made = exercise(topic, int(brief["difficulty"]), request.key, brief.get("knobs", {}))
        told = {**vars(made), "slip": made.slip and vars(made.slip)}
        return Reply(_ENCODER.encode(told), "stop", cost=0.0)
