"""The desk: what all teachers of one command share, which is the budget, the record of calls, the pacers and the warnings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from synth.ask.budget import Budget
from synth.ask.pace import Pacer

_START = 32


def call_name(key: str, call: int) -> str:
    """Return the name under which call number `call` of a request goes to an endpoint."""
    return f"{key[:_START]}-{call}"


@dataclass
class Unfinished:
    """What an ended command left of a request without a reply: unread answers, and the worst case of calls with an unknown outcome.

    `bodies` are in the order of calls; `calls` counts all of them, `lost` counts those that were sent and of which nothing else is known.
    """

    calls: int = 0
    lost: set[int] = field(default_factory=set)
    pending: dict[int, float] = field(default_factory=dict)
    bodies: list[tuple[int, float, str]] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """Return the most that these calls can cost."""
        return sum(self.pending.values()) + sum(worst for _, worst, _ in self.bodies)


class CallRecord(Protocol):
    """Records calls before they are sent, and answers before they are read."""

    def sending(self, key: str, call: int, worst: float) -> None:
        """Record that call number `call` of a request is about to be sent, and its worst case."""

    def arrived(self, key: str, call: int, body: str) -> None:
        """Record the answer to a call, unread."""

    def failed(self, key: str, call: int, cost: float, lost: bool = False) -> None:
        """Record that a call brought no readable answer, its cost, and whether nothing came at all; even then it may be billed."""

    def unfinished(self, key: str) -> Unfinished | None:
        """Return and forget what an ended command left of a request."""

    def late(self, call: str, body: str | None) -> float:
        """Record the outcome of a call (`call_name`) of an ended command: an unread answer, or None. Return by how much its cost falls."""


class NoRecord:
    """Records nothing: for teachers that are asked without a log."""

    def sending(self, key: str, call: int, worst: float) -> None:
        """Record nothing."""

    def arrived(self, key: str, call: int, body: str) -> None:
        """Record nothing."""

    def failed(self, key: str, call: int, cost: float, lost: bool = False) -> None:
        """Record nothing."""

    def unfinished(self, key: str) -> Unfinished | None:
        """Nothing is left."""
        del key
        return None

    def late(self, call: str, body: str | None) -> float:
        """Nothing was asked."""
        del call, body
        return 0.0


def _silent(line: str) -> None:
    del line


@dataclass
class Desk:
    """Shared by all teachers of one command; `folder` is that of the log."""

    budget: Budget = field(default_factory=Budget)
    record: CallRecord = field(default_factory=NoRecord)
    tell: Callable[[str], None] = _silent
    folder: Path | None = None
    _pacers: dict[tuple[str, str], Pacer] = field(default_factory=dict)
    _warned: set[tuple[str, str]] = field(default_factory=set)

    def pacer(self, endpoint: str, model: str, new: Callable[[], Pacer]) -> Pacer:
        """Return the one pacer of an endpoint and model."""
        return self._pacers.setdefault((endpoint, model), new())

    def warn_once(self, endpoint: str, about: str, line: str) -> None:
        """Tell a user something about an endpoint, once."""
        if (endpoint, about) not in self._warned:
            self._warned.add((endpoint, about))
            self.tell(line)
