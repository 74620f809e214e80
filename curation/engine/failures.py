"""A failure is one line for people; its traceback is kept beside it, for the log.

The line gives the error's class and message, the notes that were added to it (such as the filter's name), and, if code from a user's own
file was running, that file and line. Units that fail in the same way share one line that lists their names.

Invariant: a failure is exactly one line, whatever its message contains.
"""

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from curation.counting import counted
from curation.plugins import USERS
from curation.storage.carried import own_name
from curation.system_errors import error_in_words

_GROUPS = 10
"""Kinds of failure that are shown; the log has all of them."""

_NAMES = 5
"""Names of units, and of input files, that are shown for each kind."""

_LONGEST = 600
"""Characters of one error message that are shown."""


@dataclass(frozen=True)
class Failure:
    """Why a unit failed: `line` for people, `details` with the traceback, the unit's name and its input files."""

    line: str
    details: str
    unit: str
    files: Sequence[str]


def in_one_line(error: BaseException) -> str:
    """Return an error as one line: class, message, notes, and the line of the user's file that raised it."""
    said = " ".join(error_in_words(error).split())
    told = type(error).__name__ + (f": {said if len(said) <= _LONGEST else said[:_LONGEST] + '…'}" if said else "")
    about = [" ".join(note.split()) for note in getattr(error, "__notes__", ())]
    place = line_of_user(error)
    return f"{told} ({'; '.join([*about, *([place] if place else [])])})" if about or place else told


def line_of_user(error: BaseException) -> str | None:
    """Return `file, line 12` for the innermost line of a user's own file in the traceback; None if there is none."""
    found = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").startswith(f"{USERS}."):
            found = f"{own_name(frame.f_code.co_filename)}, line {line}"
    return found


def traceback_of(error: BaseException) -> str:
    """Return the whole traceback, including notes."""
    return "".join(traceback.format_exception(error))


def told_of(what: str, units: int, failures: Sequence[Failure]) -> tuple[str, str]:
    """Return the summary of a stage's failed units (one line per kind of failure) and the details for the log."""
    failed = f"{len(failures)} of {counted(units, 'unit')} of {what} failed"
    lines = [f"{failed}; everything else is done; fix the cause, then run the same command to finish them"]
    kinds: dict[str, list[Failure]] = {}
    for failure in sorted(failures, key=lambda failure: failure.unit):
        kinds.setdefault(failure.line, []).append(failure)
    largest_first = sorted(kinds.items(), key=lambda kind: -len(kind[1]))
    for line, alike in largest_first[:_GROUPS]:
        files = dict.fromkeys(file for failure in alike for file in failure.files)
        inputs = f"; input {_some(files)}" if files else ""
        units_told = counted(len(alike), "unit")
        lines.append(f"  {units_told}: {line} [{_some(failure.unit for failure in alike)}{inputs}]")
    if len(kinds) > _GROUPS:
        lines.append(f"  and {counted(len(kinds) - _GROUPS, 'other kind', 'other kinds')} of failure")
    return "\n".join(lines), "\n".join(f"--- {failure.unit}\n{failure.details.rstrip()}" for failure in failures)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    others = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {others} others" if others > 1 else f", {names[-1]}" if others == 1 else "")
