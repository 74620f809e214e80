"""Listing a local folder: names that lead to no file are reported, and links cannot make the listing endless.

A broken link, or a name that is not UTF-8 (Arrow accepts no other paths), would lose a file silently, so the code that lists inputs reports
them (`why_lost`). Names that start with a dot are never data: an editor's lock, for example, is a broken link.

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
    """Return why a path is not a readable file."""
    if not is_text(path):
        return f"{path!a} cannot be opened: {NO_TEXT}"
    return f"{path} is a link to {Path(path).readlink()}, where nothing is; remove it, or put back what it stands for"


def _facts(entry: "os.DirEntry[str]") -> os.stat_result | None:
    """Return the facts of the file at a path; None if it does not exist."""
    try:
        return entry.stat()
    except OSError as error:
        if not isinstance(error, FileNotFoundError) and not entry.is_symlink():
            raise
        return None
