"""The extractive teacher answers requests for exercises on a document by rule: everything that it says stands in the document."""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar

from synth.ask.teacher import Reply, Request
from synth.extractive import item_of
from synth.procedural.chance import Chance
from synth.procedural_teacher import ProceduralTeacher


@dataclass(frozen=True)
class ExtractiveTeacher(ProceduralTeacher):
    """Answers `document_exercise` from the user's own kept documents; free, offline and the same everywhere."""

    tasks: ClassVar[frozenset[str] | None] = frozenset({"document_exercise"})
    version: ClassVar[int] = 2

    def answer(self, request: Request) -> Reply:
        """Return the reply to one request; it is empty if the passage allows no exercise."""
        if request.task not in (self.tasks or ()):
            return Reply(error="unsupported_task", detail=f"the extractive teacher cannot do {request.task}; choose a teacher with a model")
        found = item_of(request.brief["passage"], request.brief["kind"], Chance(request.key))
        return Reply(json.dumps(asdict(found) if found is not None else {}, ensure_ascii=False), "stop", cost=0.0)
