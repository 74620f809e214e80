"""Listing a local folder: a name that leads to no file is told apart, and the listing does not go round in circles.

A link that leads nowhere, and a name that is not UTF-8 (Arrow has no other paths), would lose a file unseen: whoever lists inputs tells
them (`why_lost`). Names that start with a dot are nobody's data; an editor's lock is a link to nowhere.

Invariants
    - A link to a folder that the path already goes through is not followed: two such links would make a listing of 2^40 paths.
    - A file that vanishes during the listing is not there.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

NO_TEXT = "its name is not UTF-8, or holds U+0000; rename it"


def is_text(name: str) -> bool:
    """Return whether a name as the operating system gives it is UTF-8; Python marks other bytes by lone surrogates."""
    return name == name.encode("utf-8", "ignore").decode()


def list_local(folder: str, recursive: bool) -> Iterator[tuple[str, os.stat_result | None]]:
    """Yield path and facts of the files in a folder, in no order; the facts of a lost one are None. An absent folder is empty."""
    waiting = [(folder, frozenset[tuple[int, int]]())]
    while waiting:
        place, above = waiting.pop()
        try:
            here = os.stat(place)  # noqa: PTH116  (a Path for each folder takes longer)
            entries = os.scandir(place)
        except FileNotFoundError:
            continue
        through = above | {(here.st_dev, here.st_ino)} if recursive else above
        with entries:
            for entry in entries:
                path = f"{place.rstrip('/')}/{entry.name}"
                facts = _facts(entry)
                if facts is None or not is_text(entry.name):
                    if not entry.name.startswith(".") and (facts is not None or entry.is_symlink()):
                        yield path, None
                elif stat.S_ISREG(facts.st_mode):
                    yield path, facts
                elif recursive and stat.S_ISDIR(facts.st_mode) and not (entry.is_symlink() and (facts.st_dev, facts.st_ino) in through):
                    waiting.append((path, through))


def why_lost(path: str) -> str:
    """Say why a path is no file that can be read."""
    if not is_text(path):
        return f"{path!a} cannot be opened: {NO_TEXT}"
    return f"{path} is a link to {Path(path).readlink()}, where nothing is; remove it, or put back what it stands for"


def _facts(entry: "os.DirEntry[str]") -> os.stat_result | None:
    """Return what a name stands for; None where there is nothing."""
    try:
        return entry.stat()
    except OSError as error:
        if not isinstance(error, FileNotFoundError) and not entry.is_symlink():
            raise
        return None
