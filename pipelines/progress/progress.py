"""Progress on stderr: one line for the whole run, with the current step in words and the time left.

    auto    a bar on a terminal, plain lines anywhere else
    bar     one live line: comparing near-duplicates ━━━━━──── 43 %  12 of 64 units  about 2 min left
    plain   a line when a step ends, and a line every ten seconds
    json    one JSON line per event, for schedulers (`pipelines.progress.events`)
    none    no progress; notes are still shown unless -q is given, which leaves warnings and errors

Results go to stdout, never here. The run's log records steps and notes too.
"""

import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Literal, get_args

from curation.counting import counted
from curation.engine.stage import Finished
from curation.errors import UsageError
from curation.text.kernels import while_compiling
from pipelines.progress.displays import At, Bar, Display, Nothing, PlainDisplay
from pipelines.progress.estimate import Estimate
from pipelines.progress.events import Events
from pipelines.progress.logs import LOG
from pipelines.recipes.stage_words import RunStep, in_words

DisplayKind = Literal["auto", "bar", "plain", "json", "none"]
DISPLAY_KINDS: tuple[str, ...] = get_args(DisplayKind)

COMPILING = "compiling kernels, once"


def display_for(kind: str, quiet: bool = False) -> Display:
    """Return the display of a kind. Raises UsageError for an unknown kind."""
    if kind not in DISPLAY_KINDS:
        raise UsageError(f"--progress must be one of {', '.join(DISPLAY_KINDS)}, not {kind!r}")
    if quiet or kind == "none":
        return Nothing(notes=not quiet)
    if kind == "json":
        return Events()
    return Bar() if kind == "bar" or (kind == "auto" and sys.stderr.isatty()) else PlainDisplay()


class ProgressWatcher:
    """Passes the events of a session to the display, the estimate and the log; use as a context manager."""

    def __init__(self, display: Display, steps: Sequence[RunStep] = (), unit_bytes: Mapping[str, int] | None = None) -> None:
        """Show on a display how the steps of a run come on; `unit_bytes` are the sizes of ingest's units."""
        self._display = display
        self._estimate = Estimate(steps, unit_bytes or {})
        self._done = self._units = self._rows = self._reused = self._compiling = 0
        self._began = self._stage_began = time.monotonic()
        self._compiling_since = 0.0
        self._told_of_compiling = False
        self._open = ExitStack()

    def __enter__(self) -> "ProgressWatcher":
        """Begin to show."""
        self._open.enter_context(self._display)
        self._open.enter_context(while_compiling(self._compile))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """End showing, and say whether the run is done."""
        self._estimate.end()
        if error is None:
            self._display.done(time.monotonic() - self._began)
        else:
            self._display.failed()
        self._open.close()

    def begin(self, stage: str, units: int, reused: int) -> None:
        """Show that a stage begins."""
        self._stage_began = time.monotonic()
        self._estimate.begin(stage, units, reused, self._stage_began)
        self._done, self._units, self._rows, self._reused = reused, units, 0, reused
        self._display.begin(self._at(stage))

    def advance(self, stage: str, finished: Finished) -> None:
        """Show that one more unit is done."""
        rows = max((shard.rows for shard in finished.shards), default=0)
        self._done += 1
        self._rows += rows
        text_bytes = int(finished.counts.get("text_bytes", 0))
        self._estimate.advance(finished.name, self._done, self._units, text_bytes, time.monotonic())
        LOG.debug("%s: %s, %d rows", in_words(stage), finished.name, rows)
        self._display.at(self._at(stage))

    def end(self, stage: str) -> None:
        """Show that the stage is sealed."""
        at = self._at(stage)
        before = f", {at.reused:,} reused" if at.reused else ""
        level = logging.INFO if at.made else logging.DEBUG
        LOG.log(level, "%s: %d of %s made%s, in %.1f s (%s)", at.words, at.made, counted(at.units, "unit"), before, at.seconds, stage)
        self._display.end(at)

    def tell(self, line: str) -> None:
        """Show a note to the user and log it."""
        LOG.info("%s", line)
        self._display.tell(line)

    def warn(self, line: str) -> None:
        """Show a note that -q does not silence, and log it."""
        LOG.warning("%s", line)
        self._display.warn(line)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show an activity that takes time but is no stage."""
        self._display.busy_with(what)
        try:
            yield
        finally:
            self._display.busy_with(None)

    def _at(self, stage: str) -> At:
        return At(
            stage,
            in_words(stage),
            self._units,
            self._reused,
            self._done,
            self._rows,
            time.monotonic() - self._stage_began,
            self._estimate.share_done(),
            lambda: self._estimate.seconds_left(time.monotonic()),
        )

    def _compile(self, begins: bool) -> None:
        """Show that compiling begins or ends; the compilation of one kernel may contain that of another."""
        if begins and not self._compiling:
            self._compiling_since = time.monotonic()
        self._compiling += 1 if begins else -1
        if not self._compiling:
            self._estimate.leave_out(time.monotonic() - self._compiling_since)
        if begins and not self._told_of_compiling:
            self._told_of_compiling = True
            LOG.info("%s", COMPILING)
        self._display.busy_with(COMPILING if self._compiling else None)
