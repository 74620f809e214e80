"""Ownership: what in a folder is ours, so that nothing else is ever written over or deleted.

A folder is ours when it is empty, or when its `run.json` says so (`made_by`; before that mark existed, `sessions`). The mark also holds the
name of the recipe whose dataset lies there: another recipe would replace it, and has to be told to.

A file that is written under a fixed name (report, card, manifest) names this project in its text; one that does not is somebody else's and
is not written over. What stages made is known by their own records (`curation.leftovers`).

Invariant: `claim` is asked before anything is written to a folder; it writes nothing itself.
"""

import json
import os
from pathlib import Path
from typing import Any

from curation.errors import Refused, UsageError
from curation.location import Location

MADE_BY = "textbook-curation"
RUN = "run.json"
LOCK = ".lock"


def claim(out: Location, recipe: str | None = None, replace: bool = False) -> None:
    """Raise unless a run of `recipe` may write to OUT.

    Raises UsageError where OUT is a file, Refused where it holds something and no run of ours, or another recipe's run and not `replace`.
    """
    if out.facts() is not None:
        raise UsageError(f"{out} is a file; --out names a folder")
    mark = read_mark(out)
    if mark is None:
        stranger = _first_file(out)
        if stranger is not None:
            raise Refused(f"{out} holds files and no run of ours ({stranger} for one); nothing was touched, name another folder with --out")
        return
    other = recipe_of(mark)
    if recipe is not None and other is not None and other != recipe and not replace:
        raise Refused(
            f"{out} holds a run of the recipe {other!r}, whose dataset {recipe!r} would replace; choose another --out, or say --replace"
        )


def read_mark(out: Location) -> dict[str, Any] | None:
    """Return what run.json says, or None where the folder holds none of ours."""
    try:
        content = json.loads((out / RUN).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    ours = isinstance(content, dict) and (content.get("made_by") == MADE_BY or isinstance(content.get("sessions"), list))
    return content if ours else None


def recipe_of(mark: dict[str, Any]) -> str | None:
    """Return the name of the recipe that a folder was made with; None where that was not written down."""
    if "made_by" in mark:
        name = mark.get("recipe")
    else:
        last = mark["sessions"][-1] if mark["sessions"] else {}
        name = last.get("recipe") if isinstance(last, dict) else None
    return name if isinstance(name, str) else None


def write_ours(place: Location, content: bytes) -> None:
    """Write a file that names this project in its text. Raises Refused where one lies there that does not: we did not write that."""
    if MADE_BY.encode() not in content:
        raise ValueError(f"{place.name} would not be known as ours again")
    if place.facts() is not None and MADE_BY.encode() not in place.read_bytes():
        raise Refused(f"{place} was not written by this program, or is damaged; move or delete it, then give the same command again")
    place.write_bytes(content)


def _first_file(out: Location) -> str | None:
    """Return the path below OUT of some file in it; an empty lock, which a run leaves that was killed as it began, is none."""
    if not out.is_local:
        return next((_below(out, facts.location.path) for facts in out.files(recursive=True)), None)
    for folder, _, names in os.walk(out.path, onerror=_raise):
        for name in sorted(names):
            path = Path(folder, name)
            if not (name == LOCK and folder == out.path and path.stat().st_size == 0):
                return _below(out, str(path))
    return None


def _below(out: Location, path: str) -> str:
    return path.removeprefix(out.path.rstrip("/") + "/")


def _raise(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
