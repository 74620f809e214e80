"""Errors of the operating system in words: "/x/y may not be read (permission denied: check its owner and mode)", without error numbers.

Python and Arrow word the same error differently ("[Errno 13] Failed to open local file '/x/y'. Detail: [errno 13] Permission denied"),
and neither says whether reading or writing failed; the place itself tells.
"""

import errno
import os
import re
from pathlib import Path

_ARROWS = re.compile(r"'(?P<path>[^']+)'.*Detail: \[errno \d+\]", re.DOTALL)


def error_in_words(error: BaseException) -> str:
    """Return an error's message; an error of the operating system names the place first, and has no number."""
    if not isinstance(error, OSError) or not error.errno:
        return str(error)
    arrows = _ARROWS.search(str(error))
    path = arrows["path"] if arrows else error.filename
    place = os.fsdecode(path) if isinstance(path, str | bytes) else ""
    if error.errno in (errno.EACCES, errno.EPERM) and place:
        return f"{place} may not be {_refused(place)} (permission denied: check its owner and mode)"
    said = os.strerror(error.errno) if arrows else error.strerror or os.strerror(error.errno)
    said = said[:1].lower() + said[1:]
    return f"{place}: {said}" if place else said


def unreadable(place: object, error: BaseException) -> str:
    """Say that a place cannot be read, and why; an error that begins with the place is enough."""
    said = error_in_words(error)
    return said if said.startswith(str(place)) else f"{place} cannot be read: {said}"


def _refused(place: str) -> str:
    """Say what this process may not do with a file or folder."""
    if os.path.lexists(place):
        return "written" if os.access(place, os.R_OK) else "read"
    return "written" if os.access(Path(place).parent, os.X_OK) else "reached"  # a file that would be new
