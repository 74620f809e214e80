"""Inspection of a folder that may be damaged: every parser error becomes one error that names the file and the remedy.

A flipped bit in a Parquet footer can raise any of twenty exceptions of three libraries, far from the damaged file. This module therefore
does not catch them one by one: when inspection fails, it checks the folder's files against its records and names the files that differ. A
file that matches its record but cannot be read comes from another version or reveals a bug of ours, and the message says so.
"""

import functools
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from curation.errors import CurationError
from curation.storage.location import Location
from curation.storage.records import CorruptRecord

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

_PANICKED = re.compile(rb"\n*thread '[^']*' (\(\d+\) )?panicked at ")

_PANIC = "PanicException"
"""The exception that polars raises when its Rust code panics; it does not extend Exception."""


class UnreadableRun(CurationError):
    """A folder cannot be inspected because one of its files is damaged."""


def looks_at_runs(runs: int = 1) -> Callable[[Callable[_Given, _Result]], Callable[_Given, _Result]]:
    """Decorate a function whose first arguments are run folders, so that it reports damage as an `UnreadableRun` error."""

    def made(look: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
        @functools.wraps(look)
        def looked(*given: _Given.args, **named: _Given.kwargs) -> _Result:
            try:
                with panics_held_back():
                    return look(*given, **named)
            except CurationError:
                raise
            except BaseException as error:
                if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
                    raise
                folders = [str(folder) for folder in given[:runs]]
                faults = [fault for folder in folders for fault in damages(Location.of(folder))]
                if not faults and isinstance(error, OSError):
                    raise
                raise UnreadableRun(_told(" or ".join(folders), faults, error)) from error

        return looked

    return made


@contextmanager
def panics_held_back() -> Iterator[None]:
    """Buffer standard error and pass it on at the end without the panics of polars.

    The threads of polars print a panic with its Rust stack before Python can catch it; the `UnreadableRun` error explains it instead.
    """
    try:
        sys.stderr.flush()
        real = os.dup(2)
    except (OSError, ValueError):  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            held.seek(0)
            written = held.read()
            panic = _PANICKED.search(written)
            with suppress(OSError), os.fdopen(real, "wb") as stream:
                stream.write(written if panic is None else written[: panic.start()])


def damages(out: Location) -> list[str]:
    """Return the files of a run folder that differ from its records."""
    from pipelines.inspect.verify import damaged_files

    try:
        return list(damaged_files(out))
    except CorruptRecord as error:
        return [str(error)]


def _told(folder: str, faults: list[str], error: BaseException) -> str:
    said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    if faults:
        more = f" ({len(faults) - 1} more: curate verify {folder})" if len(faults) > 1 else ""
        return f"{faults[0]}{more}; give the command again that made this run, or delete the file first; reading it said {said}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"{folder} cannot be read ({said}, at {where}) though its files are as recorded: another version made it, or this is our fault"
