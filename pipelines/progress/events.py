"""Progress as events for schedulers and dashboards: one JSON object per line on stderr (`--progress json`).

Every event has `event`, `time` (UTC, ISO 8601) and, within a stage, `stage` (its name) and `doing` (the same in words).

    begin    units, reused             a stage begins; an earlier run made `reused` of its units
    advance  done, units, rows_per_second, share, seconds_left   at most twice a second; `share` is of the run; rate and time may be null
    busy     doing                     an activity within the stage, such as compiling kernels
    end      made, reused, rows, seconds   the stage is sealed
    tell     message                   a note to the user
    error    kind, message, exit_code, log   the command fails, as with `--json`: {"kind": "recipe_error", ...}; always the last line
    done     seconds                   the run is done

The command's exit code says how it ended; its result is on stdout. A stage whose units all come from an earlier run begins and ends
without an `advance`.
"""

import json
import sys
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from pipelines.progress.displays import At

_SECONDS_BETWEEN = 0.5


class Events:
    """Writes each event when it happens."""

    def __init__(self) -> None:
        """Begin with no event written."""
        self._busy: str | None = None
        self._told = 0.0

    def __enter__(self) -> object:
        """Need no preparation."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave nothing behind."""
        return

    def begin(self, at: At) -> None:
        """Write that a stage begins."""
        self._told = 0.0
        write_event("begin", stage=at.stage, doing=at.words, units=at.units, reused=at.reused)

    def at(self, at: At) -> None:
        """Write the position of the run, at most twice a second."""
        now = time.monotonic()
        if now - self._told < _SECONDS_BETWEEN:
            return
        self._told = now
        seconds = at.left()
        facts = {"rows_per_second": None if at.rate is None else round(at.rate, 1), "share": round(at.share, 4)}
        facts["seconds_left"] = None if seconds is None else round(seconds, 1)
        write_event("advance", stage=at.stage, doing=at.words, done=at.done, units=at.units, **facts)

    def end(self, at: At) -> None:
        """Write that a stage is sealed."""
        facts = {"made": at.made, "reused": at.reused, "rows": at.rows, "seconds": round(at.seconds, 3)}
        write_event("end", stage=at.stage, doing=at.words, **facts)

    def tell(self, line: str) -> None:
        """Write a note to the user."""
        write_event("tell", message=line)

    def warn(self, line: str) -> None:
        """Write a note to the user."""
        self.tell(line)

    def busy_with(self, what: str | None) -> None:
        """Write that an activity within the stage begins."""
        if what is not None and what != self._busy:
            write_event("busy", doing=what)
        self._busy = what

    def failed(self) -> None:
        """Write nothing: the command itself writes its error as an event (`pipelines.ending`)."""

    def done(self, seconds: float) -> None:
        """Write that the run is done."""
        write_event("done", seconds=round(seconds, 3))


def write_event(event: str, **facts: Any) -> None:
    """Write one event."""
    line = json.dumps({"event": event, "time": datetime.now(UTC).isoformat(timespec="milliseconds"), **facts}, ensure_ascii=True)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
