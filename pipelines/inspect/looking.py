"""Looking at a folder that may be damaged: whatever a parser says of it becomes one error, which names the file and what to do.

A bit that flips in a Parquet footer shows as any of twenty exceptions of three libraries, far from the file that holds it. So nobody
catches them one by one: when looking fails, the folder's records tell which of its files are not what was written, and that is said. What
looks sound by its records and cannot be read nevertheless was made by another version, or met a fault of ours, and that is said too.
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
"""What polars raises where its own code gave up; it is no Exception."""


class Unreadable(CurationError):
    """A folder cannot be looked at, because a file of it is damaged."""


def looks_at_runs(runs: int = 1) -> Callable[[Callable[_Given, _Result]], Callable[_Given, _Result]]:
    """Make a function that looks at run folders, its first arguments, tell damage in words."""

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
                raise Unreadable(_told(" or ".join(folders), faults, error)) from error

        return looked

    return made


@contextmanager
def panics_held_back() -> Iterator[None]:
    """Hold back what is written to standard error meanwhile, and let it through at the end but for the panics of polars.

    Its threads write theirs there themselves, with a stack of Rust, before anybody here hears of it; what they mean is told in words.
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
    """Return what is not as it was written in a run folder, by its records."""
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
