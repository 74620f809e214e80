"""The log of a run: plain lines with UTC time and level, for whoever looks at it after the terminal is gone.

    2026-11-28T09:30:12Z INFO    measuring: 4 units made in 14.9 s
    2026-11-28T09:30:40Z ERROR   2 of 4 units of 3-judge failed; ...

It is `OUT/run.log`, or the file that `--log` names; every command that runs into OUT appends to it. It holds what the terminal shows and
what is too long for it, such as tracebacks. An object store cannot append: there the log is kept in a temporary file and put at
`OUT/run.log`, after what was there, when the command ends; a command that is killed there leaves its log only where `--log` says.

Invariants
    - An entry begins with its time; further lines of it are set in.
    - Control characters, which a message may have from a crawl, are written as escapes.
"""

import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from curation.engine.failures import in_one_line, traceback_of
from curation.errors import CurationError, InternalError, UsageError
from curation.storage.location import Location
from pipelines.terminal.wording import printable

LOG = logging.getLogger("curate")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False

NAME = "run.log"


class _Plain(logging.Formatter):
    """One entry: time, level, message; further lines of a message set in."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return an entry's lines."""
        first, *others = record.getMessage().splitlines() or [""]
        begin = f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%SZ')} {record.levelname:<7} {printable(first)}"
        return "\n".join([begin, *(f"    {printable(line)}" for line in others)])


class _File(logging.FileHandler):
    """A log file that may not be writable any more, on a full disk: that is told once, and ends nothing."""

    broken = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002
        """Tell once that entries are lost."""
        if not self.broken:
            self.broken = True
            error = sys.exc_info()[1]
            print(f"the log {self.baseFilename} cannot be written any more: {error}", file=sys.stderr)

    def close(self) -> None:
        """Close the file, whatever could not be written to it."""
        with suppress(OSError):
            super().close()


@contextmanager
def run_log(out: Location, given: str | None, verbose: bool = False) -> Iterator[str]:
    """Keep the log while a run goes on, and yield where it is. What ends the run is logged, with its traceback, and names the log.

    An error that nobody foresaw is raised as InternalError. Raises UsageError where `given` cannot be written.
    """
    with _place(out, given) as (path, told):
        handler = _File(path, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(_Plain())
        LOG.setLevel(logging.DEBUG if verbose else logging.INFO)
        LOG.addHandler(handler)
        try:
            yield told
        except CurationError as error:
            LOG.error("%s", "\n".join(filter(None, [str(error), error.details])))
            error.log = told
            raise
        except OSError as error:
            LOG.error("%s", traceback_of(error))
            raise
        except Exception as error:
            LOG.error("%s", traceback_of(error))
            raise InternalError(f"internal error {in_one_line(error)}", traceback_of(error), told) from error
        except BaseException as error:
            LOG.error("ended by %s", in_one_line(error))
            raise
        finally:
            LOG.removeHandler(handler)
            handler.close()


@contextmanager
def _place(out: Location, given: str | None) -> Iterator[tuple[Path, str]]:
    """Yield the local file to append to, and how it is told."""
    if given is not None or out.is_local:
        path = Path(given) if given is not None else Path(out.path) / NAME
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.open("a").close()
        except OSError as error:
            raise UsageError(f"the log {path} cannot be written: {error.strerror}; name another file with --log") from error
        yield path, str(path)
        return
    place = out / NAME
    with tempfile.TemporaryDirectory(prefix="curate-log-") as folder:
        path = Path(folder) / NAME
        try:
            yield path, str(place)
        finally:
            before = place.read_bytes() if place.facts() is not None else b""
            place.write_bytes(before + path.read_bytes())
