"""The router chooses the teachers of a question: a ladder, by task and difficulty, that is climbed while checks fail.

A recipe names one teacher for everything and, optionally, routes before it: the first route that matches a question answers it. So easy
questions go to a small model or to rules, and only hard ones to a large model. A teacher may have others above it, cheapest first: a
question whose answer fails a check is put to the next one, and how many tried is measured difficulty (no router has to be trained for
that; compare RouteLLM, arXiv 2406.18665). The ladder depends on the question alone, never on load or price.

    [synthesize]           teacher = { name = "openai", model = "small" }  escalate = [{ name = "openai", model = "large" }]
    [[synthesize.routes]]  tasks = ["worked_problem"]  min_difficulty = 4  teacher = { name = "openai", model = "large" }
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curation.choices import build
from curation.errors import RecipeError
from curation.storage.digests import plain
from synth.ask.key_table import KeyTable
from synth.ask.teacher import Request, Teacher, build_teacher
from synth.offered import task_named
from synth.task import Draft, Task


@dataclass(frozen=True)
class RouteSettings:
    """A route: the first one that accepts a question answers it; all others go to [synthesize.teacher].

    teacher         the teacher's name and parameters
    tasks           names of the tasks it accepts; none: all
    min_difficulty  questions from this difficulty on, 1 to 5
    max_difficulty  questions up to this difficulty
    escalate        teachers above it, cheapest first: asked where an answer fails a check
    """

    teacher: Mapping[str, Any]
    tasks: tuple[str, ...] = ()
    min_difficulty: int = 1
    max_difficulty: int = 5
    escalate: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Route:
    """A ladder of teachers, and the questions that it answers."""

    ladder: tuple[Teacher, ...]
    tasks: frozenset[str]
    difficulties: range

    def takes(self, task: str, difficulty: int) -> bool:
        """Return whether a question takes this route."""
        return (not self.tasks or task in self.tasks) and difficulty in self.difficulties


@dataclass(frozen=True)
class Router:
    """Routes in order, and the ladder for all other questions."""

    routes: tuple[Route, ...]
    default: tuple[Teacher, ...]

    @classmethod
    def of(
        cls,
        teacher: Mapping[str, Any],
        routes: Sequence[Mapping[str, Any]],
        tasks: Sequence[Task],
        escalate: Sequence[Mapping[str, Any]] = (),
        prices: str | None = None,
    ) -> "Router":
        """Build every teacher. Raises RecipeError for a teacher that cannot do a task routed to it."""
        made = []
        for number, entry in enumerate(routes):
            settings = build(RouteSettings, entry, f"synthesize: routes[{number}]")
            for task in settings.tasks:
                task_named(task)
            difficulties = range(settings.min_difficulty, settings.max_difficulty + 1)
            ladder = tuple(build_teacher(choice, prices) for choice in (settings.teacher, *settings.escalate))
            made.append(Route(ladder, frozenset(settings.tasks), difficulties))
        router = cls(tuple(made), tuple(build_teacher(choice, prices) for choice in (teacher, *escalate)))
        router._check(tasks)
        return router

    def ladder_for(self, task: str, difficulty: int) -> tuple[Teacher, ...]:
        """Return the teachers of such a question, in the order in which they are asked."""
        return next((route.ladder for route in self.routes if route.takes(task, difficulty)), self.default)

    def teachers_for(self, tasks: Sequence[Task]) -> list[Teacher]:
        """Return every teacher that some question of these tasks may be put to."""
        ladders = [self.ladder_for(task.name(), difficulty) for task in tasks for difficulty in range(1, 6)]
        return list(dict.fromkeys(teacher for ladder in ladders for teacher in ladder))

    def _check(self, tasks: Sequence[Task]) -> None:
        for name in sorted({task.name() for task in tasks}):
            for teacher in dict.fromkeys(teacher for difficulty in range(1, 6) for teacher in self.ladder_for(name, difficulty)):
                if teacher.tasks is not None and name not in teacher.tasks:
                    can = ", ".join(sorted(teacher.tasks))
                    raise RecipeError(
                        f"teacher {teacher.name()!r} cannot do task {name!r}; it can do: {can}. Route that task to teacher 'openai'"
                    )


class Addressing:
    """Turns drafts into requests: adds teacher, model and parameters, and numbers repetitions of the same question."""

    def __init__(self, router: Router) -> None:
        """Begin with what a router knows."""
        self._router = router
        self._asked = KeyTable()

    def request(self, task: Task, draft: Draft, teacher: Teacher | None = None) -> tuple[Request, Teacher]:
        """Return the request for a draft, and its teacher: the first of its ladder, unless another is named."""
        teacher = teacher or self._router.ladder_for(task.name(), draft.difficulty)[0]
        request = Request(
            task=task.name(),
            brief=plain(draft.brief),
            messages=draft.messages,
            parameters=plain({**draft.parameters, **teacher.parameters()}),
            model=teacher.asked_model,
            teacher=plain(teacher.identity()),
            schema=draft.schema,
        )
        sample = self._asked.get(request.key) or 0
        self._asked.put(request.key, sample + 1)
        return (replace(request, sample=sample) if sample else request), teacher

    @staticmethod
    def above(first: Request, draft: Draft, teacher: Teacher) -> Request:
        """Return the request that puts the same question to another teacher."""
        parameters = plain({**draft.parameters, **teacher.parameters()})
        return replace(first, parameters=parameters, model=teacher.asked_model, teacher=plain(teacher.identity()))

    @staticmethod
    def following(first: Request, draft: Draft) -> Request:
        """Return the request for a draft that follows another request: it goes to the same teacher."""
        limits = {name: value for name, value in first.parameters.items() if name not in draft.parameters}
        return replace(
            first,
            brief=plain(draft.brief),
            messages=draft.messages,
            parameters=plain({**limits, **draft.parameters}),
            schema=draft.schema,
            sample=draft.sample,
        )
