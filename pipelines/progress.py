"""Progress on stderr: one line for the whole run, with what it is doing in words and how long the rest will take.

    auto    a bar on a terminal, plain lines anywhere else
    bar     one live line: comparing near-duplicates ━━━━━──── 43 %  12 of 64 units  about 2 min left
    plain   a line when a step ends, and one every ten seconds
    json    one JSON line an event, for schedulers (`pipelines.events`)
    none    nothing; with -q notes are not shown either

Results never go here: stdout is for them. Everything also goes to the run's log.
"""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Literal

from curation.errors import UsageError
from curation.jit import while_compiling
from curation.stage import Finished
from pipelines.displays import Bar, Display, Nothing, Plain
from pipelines.estimate import Estimate
from pipelines.events import Events
from pipelines.logs import LOG
from pipelines.stage_words import Step, in_words

Kind = Literal["auto", "bar", "plain", "json", "none"]
KINDS = ("auto", "bar", "plain", "json", "none")

COMPILING = "compiling kernels, once"


def display_for(kind: str, quiet: bool) -> Display:
    """Return what shows progress. Raises UsageError for a kind that there is not."""
    if kind not in KINDS:
        raise UsageError(f"--progress is one of {', '.join(KINDS)}, not {kind!r}")
    if quiet or kind == "none":
        return Nothing(notes=not quiet)
    if kind == "json":
        return Events()
    return Bar() if kind == "bar" or (kind == "auto" and sys.stderr.isatty()) else Plain()


class ProgressWatcher:
    """Shows how a session goes; use as a context manager."""

    def __init__(self, display: Display, steps: Sequence[Step] = (), unit_bytes: Mapping[str, int] | None = None) -> None:
        self._display = display
        self._estimate = Estimate(steps, unit_bytes or {})
        self._done = self._units = self._rows = self._compiling = 0
        self._began = time.monotonic()
        self._told_of_compiling = False
        self._open = ExitStack()

    def __enter__(self) -> "ProgressWatcher":
        self._open.enter_context(self._display)
        self._open.enter_context(while_compiling(self._compile))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._estimate.end()
        if error is None:
            self._display.done(time.monotonic() - self._began)
        else:
            self._display.failed(error)
        self._open.close()

    def begin(self, stage: str, units: int, reused: int) -> None:
        """A stage begins."""
        now = time.monotonic()
        self._estimate.begin(stage, units, reused, now)
        self._done, self._units, self._rows, self._reused, self._stage_began = reused, units, 0, reused, now
        self._display.begin(stage, in_words(stage), units, reused)
        self._show(stage, now)

    def advance(self, stage: str, finished: Finished) -> None:
        """One more unit is done."""
        now = time.monotonic()
        rows = max((shard.rows for shard in finished.shards), default=0)
        self._done += 1
        self._rows += rows
        self._estimate.advance(finished.name, self._done, self._units, int(finished.counts.get("text_bytes", 0)), now)
        LOG.debug("%s: %s, %d rows", in_words(stage), finished.name, rows)
        self._show(stage, now)

    def end(self, stage: str) -> None:
        """The stage is sealed."""
        seconds = time.monotonic() - self._stage_began
        words, made = in_words(stage), self._units - self._reused
        told = f"{words}: {made:,} of {self._units:,} units made" + (f", {self._reused:,} as before" if self._reused else "")
        LOG.log(logging.INFO if made else logging.DEBUG, "%s, in %.1f s (%s)", told, seconds, stage)
        self._display.end(stage, words, made, self._reused, self._rows, seconds)

    def tell(self, line: str) -> None:
        """Tell something the user should read."""
        LOG.info("%s", line)
        self._display.tell(line)

    def _show(self, stage: str, now: float) -> None:
        spent = now - self._stage_began
        rate = self._rows / spent if self._rows and spent > 0.2 else None
        self._display.at(stage, self._done, self._units, rate, self._estimate.share_done(), lambda: self._estimate.seconds_left(time.monotonic()))

    def _compile(self, begins: bool) -> None:
        """A kernel is being compiled, or is now compiled; kernels may be compiled within others."""
        self._compiling += 1 if begins else -1
        if begins and not self._told_of_compiling:
            self._told_of_compiling = True
            LOG.info("%s; later runs find them in the cache", COMPILING)
        self._display.busy_with(COMPILING if self._compiling else None)
