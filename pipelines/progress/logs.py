"""The log of a run: plain lines with UTC time and level, for readers who did not see the terminal.

    2026-11-28T09:30:12Z INFO    measuring: 4 units made in 14.9 s
    2026-11-28T09:30:40Z ERROR   2 of 4 units of 3-judge failed; ...

The log is `OUT/run.log` or the file that `--log` names; every `curate run` into OUT appends to it. It holds what the terminal shows, and
also what is too long for a terminal, such as tracebacks. An object store cannot append, so there the log grows in a temporary file, and the
end of the command appends that file to `OUT/run.log`; a command that is killed leaves a log only if `--log` named a local file.

Invariants
    - An entry begins with its time; its further lines are indented.
    - Control characters, which a message may quote from a crawl, are written as escapes.
"""

import logging
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from curation.engine.failures import in_one_line, traceback_of
from curation.engine.signals import ended_told
from curation.errors import CurationError, InternalError, UsageError
from curation.storage.location import Location
from pipelines.terminal.wording import printable

LOG = logging.getLogger("curate")
LOG.addHandler(logging.NullHandler())
LOG.propagate = False

NAME = "run.log"

_ENTRY = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [A-Z]")


class _Plain(logging.Formatter):
    """Formats an entry as time, level and message; further lines of the message are indented."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return an entry's lines."""
        first, *others = record.getMessage().splitlines() or [""]
        begin = f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%SZ')} {record.levelname:<7} {printable(first)}"
        return "\n".join([begin, *(f"    {printable(line)}" for line in others)])


class _File(logging.FileHandler):
    """A log file that reports a failed write, for example on a full disk, only once and lets the run continue."""

    broken = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002
        """Report once that entries are lost."""
        if not self.broken:
            self.broken = True
            error = sys.exc_info()[1]
            print(f"cannot write to the log {self.baseFilename} any more: {error}", file=sys.stderr)

    def readable(self, place: str) -> str | None:
        """Return the place that messages name; None when entries were lost, so that nobody looks for them there."""
        return None if self.broken else place

    def close(self) -> None:
        """Close the file, even when the last entries could not be written."""
        with suppress(OSError):
            super().close()


@contextmanager
def run_log(out: Location, given: str | None, verbose: bool = False) -> Iterator[str]:
    """Keep the log during a run and yield its place. Log the error that ends the run, with its traceback, and name the log in the error.

    Raises an unexpected error as InternalError, and UsageError when `given` cannot be written or is no log.
    """
    with _place(out, given) as (path, told):
        handler = _File(path, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(_Plain())
        LOG.setLevel(logging.DEBUG if verbose else logging.INFO)
        LOG.addHandler(handler)
        try:
            with ended_told():
                yield told
        except CurationError as error:
            LOG.error("%s", "\n".join(filter(None, [str(error), error.details])))
            error.log = handler.readable(told)
            raise
        except OSError as error:
            LOG.error("%s", traceback_of(error))
            raise
        except Exception as error:
            LOG.error("%s", traceback_of(error))
            raise InternalError(f"internal error {in_one_line(error)}", traceback_of(error), handler.readable(told)) from error
        except BaseException as error:
            LOG.error("ended by %s", in_one_line(error))
            raise
        finally:
            LOG.removeHandler(handler)
            handler.close()


def _is_log(path: Path) -> bool:
    """Return whether a path may be appended to: nothing is there, or a log, or something that is no file, such as a terminal."""
    if not path.is_file() or not path.stat().st_size:
        return True
    with path.open("rb") as stream:
        return _ENTRY.match(stream.read(64)) is not None


@contextmanager
def _place(out: Location, given: str | None) -> Iterator[tuple[Path, str]]:
    """Yield the local file to append to, and the place that messages name."""
    if given is not None and "://" in given:
        raise UsageError(f"--log {given} is not a local file, and only those can be appended to; without --log the log is {out / NAME}")
    if given is not None or out.is_local:
        path = Path(given) if given is not None else Path(out.path) / NAME
        if given is None:
            (out / NAME).require_writable()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if given is not None and not _is_log(path):  # a damaged run.log is appended to: it must not hold up the rerun
                raise UsageError(f"--log {path} holds something else than a log; nothing was changed; name another file")
            path.open("a").close()
        except OSError as error:
            raise UsageError(f"cannot write the log {path}: {error.strerror}; name another file with --log") from error
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
