"""How much of a run is done, and how long the rest will take.

Work is what `curate plan` scales too: the bytes of the input times each stage's cost for a byte, here from the table of steps. Reading is
counted by the input's bytes, every later step by the bytes of text that reading brought (while it goes on, by those so far, scaled up).
Speed is what this run has done of that work in the time it took, so a machine, a number of workers or a compression of any kind is
measured, not assumed. What an earlier run has done already is no work; later steps are expected to be as new as the latest one was.

Until a second of work is measured, the time left is not known, nor while a teacher has yet to be asked; then that is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.recipes.stage_words import READING, RunStep, step_of

_KNOWN_AFTER = 1.0
"""Seconds of work from which speed is known."""

_TEXT_SHARE = 0.5
"""Text in a byte of input, before any is read."""


@dataclass
class Estimate:
    """Follows a run's stages. `unit_bytes` are the input bytes of reading's units; times are seconds on any clock that only goes on."""

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
        """A stage begins, of whose units some are there from before."""
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
        """A unit of the stage under way is made; `text_bytes` is what reading brought of it."""
        before = self._work(self._step) * (self._share - self._reused)
        if self._step is READING:
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

    def end(self) -> None:
        """The run is over."""
        self._leave()
        self._step = None

    def seconds_left(self, now: float) -> float | None:
        """Return how long the rest will take; None where too little was done to tell."""
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
        """Return which part of the run's work is done, 0 to 1."""
        total = sum(self._work(step) for step in self.steps)
        done = sum(self._work(step) for step in self._passed if step in self.steps)
        if self._step is not None and self._step in self.steps and self._step not in self._passed:
            done += self._work(self._step) * self._share
        return min(1.0, done / total) if total else 0.0

    def _leave(self) -> None:
        """Count the step under way, and those before it, as passed."""
        if self._step in self.steps:
            place = self.steps.index(self._step)
            self._passed.update(self.steps[: place + 1])

    def _ahead(self) -> Sequence[RunStep]:
        return [step for step in self.steps if step not in self._passed and step is not self._step]

    def _work(self, step: RunStep | None) -> float:
        """Return what a step costs, in seconds of one core of the machine where the table was measured."""
        if step is None or step.seconds_per_mb is None:
            return 0.0
        given = sum(self.unit_bytes.values())
        if step is READING:
            return given / 1e6 * step.seconds_per_mb
        text = given * (self._text_bytes / self._read_bytes if self._read_bytes else _TEXT_SHARE)
        return max(text, 1.0) / 1e6 * step.seconds_per_mb
