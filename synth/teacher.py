"""The seam between what is asked and who answers.

A Request is everything an answer depends on; its key is the digest of all of it, the teacher's identity included, so that two requests
share a key only if a teacher could not tell them apart. A Reply is what came back: a text, or the class of the failure. A Teacher turns the
first into the second. A failure is a reply, not a raise, because every request must end with exactly one fate.

    task, brief       what is asked, as data: rules read the brief, models read the messages rendered from it
    messages, schema  what is asked, as a model sees it
    parameters        temperature, max_tokens, ...
    teacher, model    who is asked: the endpoint, never a secret
    sample            0, 1, 2, ... for the same question asked again

Teachers are frozen dataclasses; the teacher `name` is the one class of the file `synth/<name>_teacher.py`.

Invariants
    - A request's key is the same on every machine and does not depend on where a run is written or how fast it may ask.
    - Yielded replies may come in any order; what is written later is in the order of requests.
    - A reply that is not `final` (the endpoint failed, not the request) is asked again by the next run.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from curation.choices import build, nearest
from curation.errors import RecipeError
from curation.plugins import class_in
from curation.storage.digests import digest_of
from synth.budget import Budget

PASSING = frozenset({"rate", "overload", "timeout", "connection", "bad_response"})
"""Failures of the moment: asked again, first by the teacher, then by the next run."""

SETUP = frozenset({"auth", "quota", "not_found", "schema_rejected"})
"""Failures of the set-up: every other request would fail alike, so the run stops and names the fix."""

FINAL = frozenset({"context_too_long", "bad_request", "truncated", "content_filter", "unsupported_task"})
"""Failures of the request itself: the same request would fail again."""


@dataclass(frozen=True)
class Request:
    """One question to one teacher; see the module's docstring for its fields."""

    task: str
    brief: Mapping[str, Any]
    messages: tuple[Mapping[str, str], ...]
    parameters: Mapping[str, Any]
    model: str
    teacher: Mapping[str, Any]
    schema: Mapping[str, Any] | None = None
    sample: int = 0

    @cached_property
    def key(self) -> str:
        """The SHA-256 of the whole request, in hex."""
        return digest_of(self)


@dataclass(frozen=True)
class Reply:
    """What came back. `error` is None or one of PASSING, SETUP, FINAL; `detail` says it in words and names the fix.

    Tokens are None where the endpoint did not say; cost (USD) is None where prices are not known, and an upper bound where a call may or
    may not be billed. `attempts` counts calls.
    """

    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str | None = None
    detail: str | None = None
    attempts: int = 1
    cost: float | None = None

    @property
    def final(self) -> bool:
        """Whether asking again would be of no use."""
        return self.error is None or self.error in FINAL

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of what rows depend on: not of what it cost or how often it was tried."""
        return digest_of([self.text, self.finish_reason, self.error, self.detail])


@dataclass(frozen=True)
class Teacher(ABC):
    """Base of all teachers. `tasks` names the tasks it can do; None means any."""

    tasks: ClassVar[frozenset[str] | None] = None

    @classmethod
    def name(cls) -> str:
        """The name of the file that defines it, without its ending."""
        return cls.__module__.rsplit(".", 1)[-1].removesuffix("_teacher")

    @property
    @abstractmethod
    def asked_model(self) -> str:
        """The model that answers, as its endpoint calls it."""

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return what its replies depend on beside request and model: no secret, no speed, no price."""

    @abstractmethod
    def ask(self, requests: Sequence[Request], budget: Budget) -> AsyncIterator[tuple[Request, Reply]]:
        """Yield a reply for every request, as they come. Once `budget` is stopped, nothing new is sent and what is under way is yielded."""

    def check(self) -> None:
        """Find out whether this teacher could answer. Raises UsageError for a wrong set-up, Refused where it cannot be reached."""
        return

    def worst_cost(self, request: Request) -> float | None:
        """Return the most that answering may cost, in USD; None where prices are not known."""
        del request
        return 0.0

    def parameters(self) -> Mapping[str, Any]:
        """Return the parameters it adds to those of a task."""
        return {}

    @property
    def label(self) -> str:
        """How rows name their teacher."""
        return f"{self.name()}:{self.asked_model}"


def teachers() -> list[str]:
    """Return the names of the teachers that exist."""
    names = [info.name for info in pkgutil.iter_modules(importlib.import_module("synth").__path__)]
    return sorted(name.removesuffix("_teacher") for name in names if name.endswith("_teacher"))


def build_teacher(choice: Mapping[str, Any]) -> Teacher:
    """Make a teacher from a recipe's table: its name and parameters. Raises RecipeError naming what is wrong."""
    parameters = dict(choice)
    name = str(parameters.pop("name", None))
    return build(teacher_class(name), parameters, f"teacher {name}")


def teacher_class(name: str) -> type[Teacher]:
    """Return the class of a teacher. Raises RecipeError with the nearest name where there is none."""
    if name not in teachers():
        raise RecipeError(f"there is no teacher {name!r}{nearest(name, teachers())}")
    offered = class_in(importlib.import_module(f"synth.{name}_teacher"), Teacher)  # type: ignore[type-abstract]
    if offered is None:
        raise RecipeError(f"synth/{name}_teacher.py defines no teacher")
    return offered
