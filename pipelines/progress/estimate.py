"""The share of a run that is done, and the time the rest will take.

Work is a number of bytes times a step's cost per byte, as in `curate plan`; the costs come from the table of steps. The work of reading
counts bytes of input; the work of every later step counts the bytes of text that reading yields, extrapolated while reading goes on. Speed
is the work that this run has done divided by the time it took, so the effect of the machine, the workers and the compression is measured,
not assumed. Units of an earlier run count as no work; the estimate assumes that later steps reuse the same share as the current step.

The time left is unknown until one second of work is measured, and while a teacher still has to answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.recipes.stage_words import READING_STEP, RunStep, step_of

_KNOWN_AFTER = 1.0
"""Seconds of work after which the speed is known."""

_TEXT_SHARE = 0.5
"""The assumed bytes of text per byte of input, until some input is read."""


@dataclass
class Estimate:
    """Follows a run's stages. `unit_bytes` holds the input bytes of each reading unit; times are seconds on a monotonic clock."""

    steps: Sequence[RunStep]
    unit_bytes: Mapping[str, int]
    done_work: float = 0.0
    worked_seconds: float = 0.0
    _text_bytes: int = 0
    _read_bytes: int = 0
    _fresh: float = 1.0
    _passed: set[RunStep] = field(default_factory=set)
    _step: RunStep | None = None
    _share: float = 0.0
    _reused: float = 0.0
    _now: float = 0.0

    def begin(self, stage: str, units: int, reused: int, now: float) -> None:
        """Record that a stage begins; an earlier run made `reused` of its units."""
        step = step_of(stage, self.steps)
        if step is not self._step:
            self._leave()
            self._step, self._share = step, 0.0
            if step in self.steps:
                self._passed.update(self.steps[: self.steps.index(step)])
            self._fresh = 1 - reused / units if units else self._fresh
        self._reused = reused / units if units else 0.0
        self._share = max(self._share, self._reused)
        self._now = now

    def advance(self, unit: str, done: int, units: int, text_bytes: int, now: float) -> None:
        """Record that a unit of the current stage is made; reading it yielded `text_bytes`."""
        before = self._work(self._step) * (self._share - self._reused)
        if self._step is READING_STEP:
            self._read_bytes += self.unit_bytes.get(unit, 0)
            self._text_bytes += text_bytes
            total = sum(self.unit_bytes.values())
            share = self._reused + self._read_bytes / total if total else done / units
        else:
            share = done / units
        self._share = min(1.0, max(self._share, share))
        self.done_work += max(0.0, self._work(self._step) * (self._share - self._reused) - before)
        self.worked_seconds += now - self._now
        self._now = now

    def leave_out(self, seconds: float) -> None:
        """Record that seconds of the current unit went into compiling kernels, which happens once and says nothing about speed."""
        self._now += seconds

    def end(self) -> None:
        """Record that the run is over."""
        self._leave()
        self._step = None

    def seconds_left(self, now: float) -> float | None:
        """Return how many seconds are left; None when too little is done to tell."""
        if self.worked_seconds < _KNOWN_AFTER or self.done_work <= 0:
            return None
        ahead = self._ahead()
        if any(step.seconds_per_mb is None for step in ([self._step] if self._step is not None else []) + list(ahead)):
            return None
        current = self._work(self._step) * (1 - self._share)
        later = sum(self._work(step) for step in ahead) * self._fresh
        speed = self.done_work / self.worked_seconds
        return max(0.0, (current + later) / speed - max(0.0, now - self._now))

    def share_done(self) -> float:
        """Return the share of the run's work that is done, from 0 to 1."""
        total = sum(self._work(step) for step in self.steps)
        done = sum(self._work(step) for step in self._passed if step in self.steps)
        if self._step is not None and self._step in self.steps and self._step not in self._passed:
            done += self._work(self._step) * self._share
        return min(1.0, done / total) if total else 0.0

    def _leave(self) -> None:
        """Mark the current step and the steps before it as passed."""
        if self._step in self.steps:
            place = self.steps.index(self._step)
            self._passed.update(self.steps[: place + 1])

    def _ahead(self) -> Sequence[RunStep]:
        return [step for step in self.steps if step not in self._passed and step is not self._step]

    def _work(self, step: RunStep | None) -> float:
        """Return the cost of a step in seconds of one core, on the machine where the table was measured."""
        if step is None or step.seconds_per_mb is None:
            return 0.0
        given = sum(self.unit_bytes.values())
        if step is READING_STEP:
            return given / 1e6 * step.seconds_per_mb
        text = given * (self._text_bytes / self._read_bytes if self._read_bytes else _TEXT_SHARE)
        return max(text, 1.0) / 1e6 * step.seconds_per_mb
