"""The router: which teacher is asked, by task and difficulty.

A recipe names one teacher for everything and, where wanted, routes before it: the first route that matches a question answers it. So easy
questions go to a small model or to rules, and only the hard ones to a large model. A route is decided before anything is asked, from the
question alone; it is part of what is asked, and never depends on replies, load or price.

    [[synthesize.routes]]  tasks = ["worked_problem"]  min_difficulty = 4  teacher = { name = "openai", model = "large" }
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from curation.choices import build
from curation.errors import RecipeError
from curation.storage.digests import plain
from synth.task import Draft, Task, task_class
from synth.teacher import Request, Teacher, build_teacher


@dataclass(frozen=True)
class RouteSettings:
    """A route: the first one that takes a question says who answers it; the others go to [synthesize.teacher].

    teacher         the teacher's name and parameters
    tasks           names of the tasks it takes; none: all
    min_difficulty  questions from this difficulty on, 1 to 5
    max_difficulty  questions up to this difficulty
    """

    teacher: Mapping[str, Any]
    tasks: tuple[str, ...] = ()
    min_difficulty: int = 1
    max_difficulty: int = 5


@dataclass(frozen=True)
class Route:
    """A teacher, and the questions it answers."""

    teacher: Teacher
    tasks: frozenset[str]
    difficulties: range

    def takes(self, task: str, difficulty: int) -> bool:
        """Whether a question goes this way."""
        return (not self.tasks or task in self.tasks) and difficulty in self.difficulties


@dataclass(frozen=True)
class Router:
    """Routes in order, and the teacher for what none of them takes."""

    routes: tuple[Route, ...]
    default: Teacher

    @classmethod
    def of(cls, teacher: Mapping[str, Any], routes: Sequence[Mapping[str, Any]], tasks: Sequence[Task]) -> "Router":
        """Build every teacher. Raises RecipeError for a teacher that a recipe gives a task it cannot do."""
        made = []
        for number, entry in enumerate(routes):
            settings = build(RouteSettings, entry, f"synthesize: routes[{number}]")
            for task in settings.tasks:
                task_class(task)
            difficulties = range(settings.min_difficulty, settings.max_difficulty + 1)
            made.append(Route(build_teacher(settings.teacher), frozenset(settings.tasks), difficulties))
        router = cls(tuple(made), build_teacher(teacher))
        router._check(tasks)
        return router

    def teacher_for(self, task: str, difficulty: int) -> Teacher:
        """Return who answers such a question."""
        return next((route.teacher for route in self.routes if route.takes(task, difficulty)), self.default)

    def _check(self, tasks: Sequence[Task]) -> None:
        for name in sorted({task.name() for task in tasks}):
            for difficulty in range(1, 6):
                teacher = self.teacher_for(name, difficulty)
                if teacher.tasks is not None and name not in teacher.tasks:
                    can = ", ".join(sorted(teacher.tasks))
                    raise RecipeError(
                        f"teacher {teacher.name()!r} cannot do task {name!r}; it does: {can}. Route that task to teacher 'openai'"
                    )


class Addressing:
    """Turns drafts into requests: adds teacher, model and parameters, and counts how often the very same is asked."""

    def __init__(self, router: Router) -> None:
        """Begin with what a router knows."""
        self._router = router
        self._asked: Counter[str] = Counter()

    def request(self, task: Task, draft: Draft) -> tuple[Request, Teacher]:
        """Return the request of a draft and who answers it."""
        teacher = self._router.teacher_for(task.name(), draft.difficulty)
        request = Request(
            task=task.name(),
            brief=plain(draft.brief),
            messages=draft.messages,
            parameters=plain({**draft.parameters, **teacher.parameters()}),
            model=teacher.asked_model,
            teacher=plain(teacher.identity()),
            schema=draft.schema,
        )
        sample = self._asked[request.key]
        self._asked[request.key] += 1
        return (replace(request, sample=sample) if sample else request), teacher
