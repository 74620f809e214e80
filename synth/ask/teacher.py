"""The interface between requests and the teachers that answer them.

A Request contains everything that an answer depends on; its key is the digest of all of it, including the teacher's identity, so two
requests share a key only if a teacher could not tell them apart. A Reply is the result: a text, or the class of the failure. A Teacher
turns requests into replies. A failure is a reply, not an exception, because every request must end with exactly one fate.

    task, brief       the question as data: rules read the brief, models read the messages rendered from it
    messages, schema  the question as a model sees it
    parameters        temperature, max_tokens, ...
    teacher, model    who answers: the endpoint, never a secret
    sample            0, 1, 2, ... for repetitions of the same question

Teachers are frozen dataclasses; the teacher `name` is the one class of the file `synth/<name>_teacher.py`.

Invariants
    - A request's key is the same on every machine and does not depend on where a run is written or on the permitted request rate.
    - Replies may be yielded in any order; later stages write them in the order of requests.
    - A reply that is not `final` (the endpoint failed, not the request) is requested again by the next run.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar

from curation.choices import build, nearest
from curation.errors import RecipeError
from curation.plugins import class_in
from curation.storage.digests import canonical, digest_of, json_of
from synth.ask.desk import Desk
from synth.ask.prices import with_prices

PASSING = frozenset({"rate", "server", "timeout", "bad_response"})
"""Failures that pass: retried, first by the teacher, then by the next run."""

SETUP = frozenset({"auth", "setup"})
"""Failures of the set-up: every other request would fail too, so the run stops, names the fix and stores nothing as an answer."""

FINAL = frozenset({"empty", "truncated", "refused", "context_too_long", "bad_request", "unsupported_task"})
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
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return sha256(json_of(said).encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def prompt_bytes(self) -> int:
        """The length of messages and schema as JSON, in bytes."""
        return len(canonical([self.messages, self.schema]).encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class Reply:
    """The result of a request. `error` is None or one of PASSING, SETUP, FINAL; `detail` describes it and names the fix.

    Tokens are None if the endpoint did not report them. Cost (USD) is None if prices are unknown, and an upper bound if a call may or may
    not be billed. `attempts` counts calls.
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
        """Return whether asking again would be useless."""
        return self.error is None or self.error in FINAL

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the values that rows depend on, without cost and number of attempts."""
        return digest_of([self.text, self.finish_reason, self.error, self.detail])


@dataclass(frozen=True)
class Teacher(ABC):
    """Base class of all teachers.

    `tasks` names the tasks that it can do; None means any. `proves` tells that its replies carry the facts from which they were made, so
    that a check can solve them again; what a model says about its own facts proves nothing.
    """

    tasks: ClassVar[frozenset[str] | None] = None
    proves: ClassVar[bool] = False

    @classmethod
    def name(cls) -> str:
        """The name of the defining file, without its suffix."""
        return cls.__module__.rsplit(".", 1)[-1].removesuffix("_teacher")

    @property
    @abstractmethod
    def asked_model(self) -> str:
        """The model's name at its endpoint."""

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return what its replies depend on besides request and model: no secret, no speed, no price."""

    @abstractmethod
    def ask(self, requests: Iterable[Request], desk: Desk) -> AsyncIterator[tuple[Request, Reply]]:
        """Yield a reply for every request, as they come. Once the desk's budget is stopped, send nothing new, yield pending replies."""

    def check(self) -> None:
        """Check whether this teacher could answer. Raises Refused if it is set up wrongly or cannot be reached."""
        return

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return the cost of these tokens in USD; None if prices are unknown."""
        del prompt_tokens, completion_tokens
        return 0.0

    def worst_cost(self, request: Request) -> float | None:
        """Return the most that an answer may cost, in USD; None if prices are unknown."""
        del request
        return 0.0

    def parameters(self) -> Mapping[str, Any]:
        """Return the parameters that it adds to those of a task."""
        return {}

    @property
    def label(self) -> str:
        """The name of this teacher in rows."""
        return f"{self.name()}:{self.asked_model}"


def teachers() -> list[str]:
    """Return the names of all teachers."""
    names = [info.name for info in pkgutil.iter_modules(importlib.import_module("synth").__path__)]
    return sorted(name.removesuffix("_teacher") for name in names if name.endswith("_teacher"))


def build_teacher(choice: Mapping[str, Any], prices: str | None = None) -> Teacher:
    """Make a teacher from a recipe's table: its name and parameters, and prices (`synth.ask.prices`). Raises RecipeError with the fault."""
    parameters = dict(with_prices(choice, prices))
    name = str(parameters.pop("name", None))
    return build(teacher_class(name), parameters, f"teacher {name}")


def teacher_class(name: str) -> type[Teacher]:
    """Return the class of a teacher. Raises RecipeError with the nearest name if it does not exist."""
    if name not in teachers():
        raise RecipeError(f"there is no teacher {name!r}{nearest(name, teachers())}")
    offered = class_in(importlib.import_module(f"synth.{name}_teacher"), Teacher)  # type: ignore[type-abstract]
    if offered is None:
        raise RecipeError(f"synth/{name}_teacher.py defines no teacher")
    return offered
