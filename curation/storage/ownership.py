"""Ownership decides which files in a folder belong to the project, so that no other file is overwritten or deleted.

A folder is ours when it is empty, or when its `run.json` says so (key `made_by`; older runs have `sessions` instead). The mark also holds
the name of the recipe that made the dataset there: another recipe may replace it only when the user asks for that.

A file with a fixed name (report, card, manifest) names this project in its text; a file of that name without it belongs to somebody else
and is not overwritten. The stages' own records say which files stages made (`curation.engine.leftovers`).

Invariant: `claim` runs before anything is written to a folder, and writes nothing itself.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path

from curation.arrays import JsonObject
from curation.errors import Refused, UsageError
from curation.storage.location import READ_ONLY, Location, telling_what_is_written

MADE_BY = "textbook-curation"
RUN = "run.json"
RULES_FILE = "rules.json"
LOCK = ".lock"
FIXED = frozenset(
    (LOCK, RUN, "recipe.toml", "rules.json", "contents.json", "run.log", "report.html", "dataset/README.md", "dataset/manifest.json")
)
"""Paths below OUT of the files that have the same name in every run."""
KEPT = ("replies/", "files/", "index/")
"""Folders below OUT whose files are never deleted: teachers' replies, files that a recipe names, and the stages' indexes."""
_INSIDE = frozenset(("dataset", "ledger", "stages", *(folder.rstrip("/") for folder in KEPT)))
"""Folders below OUT whose files belong to the run."""


def claim(out: Location, recipe: str | None = None, replace: bool = False) -> None:
    """Raise unless a run of `recipe` may write to OUT.

    Raises UsageError if OUT, or a place above it, is no folder, if OUT is inside another run's folders, or if OUT can only be read. Raises
    Refused if OUT holds files but no run of ours, if it holds a run of another recipe and `replace` is false, or if a link leads out of it.
    """
    if out.scheme in READ_ONLY:
        raise UsageError(f"{out} is for reading only; --out names a local folder, s3:// or gs://")
    there = next((path for path in (Path(out.path), *Path(out.path).parents) if os.path.lexists(path)), None) if out.is_local else None
    if out.facts() is not None or (there is not None and not there.is_dir()):
        raise UsageError(f"{there or out} is no folder (a file, a device, or a link to nothing); --out names a folder")
    if out.is_local:
        refuse_inside(out)
    refuse_links_out(out)
    mark = read_mark(out)
    if mark is None:
        stranger = _first_file(out)
        if stranger is not None:
            raise Refused(f"{out} holds files of others (such as {stranger}) and no run of ours; nothing was changed; choose another --out")
        return
    other = recipe_of(mark)
    if recipe is not None and other is not None and other != recipe and not replace:
        raise Refused(
            f"{out} holds a run of the recipe {other!r}, whose dataset {recipe!r} would replace; choose another --out, or add --replace"
        )


def refuse_inside(out: Location) -> None:
    """Raise UsageError if a folder is inside a dataset or a run's folder of shards: readers of that one would take its files for a part."""
    above = out.parent
    while above.path not in ("", "/", "."):
        if (above / "manifest.json").facts() is not None and (above / "data").is_folder():
            raise UsageError(f"--out {out} is inside the dataset {above}; choose a folder outside it")
        if above.name in _INSIDE and read_mark(above.parent) is not None:
            raise UsageError(f"--out {out} is inside the run {above.parent}; choose a folder outside it")
        above = above.parent


def refuse_links_out(out: Location) -> None:
    """Raise Refused when a link leads out of a folder: foreign files would be shown, written over or deleted as if they were a run's."""
    if not out.is_local or not out.is_folder():
        return
    waiting = [out.path]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    if not out.holds(Location.of(entry.path)):
                        where = f"out of {out}, to {os.path.realpath(entry.path)}"
                        raise Refused(f"{entry.path} is a link that leads {where}; put there what it stands for, or remove it")
                elif entry.is_dir():
                    waiting.append(entry.path)


def read_mark(out: Location) -> JsonObject | None:
    """Return what run.json says, or what the lock says where run.json is missing or damaged; None for a folder without a run of ours."""
    try:
        content = json.loads((out / RUN).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        content = None
    if isinstance(content, dict) and (content.get("made_by") == MADE_BY or isinstance(content.get("sessions"), list)):
        return content
    return _read_lock(out)


def _read_lock(out: Location) -> JsonObject | None:
    if not out.is_local:
        return None
    try:
        head, _, recipe = (out / LOCK).read_bytes().decode("utf-8", "replace").rstrip("\n").partition("\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    return {"made_by": MADE_BY, "recipe": recipe or None, "sessions": []} if head == MADE_BY else None


@contextmanager
def locked(
    out: Location, recipe: str | None, replace: bool, take_over: bool = False, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Callable[[], None]]:
    """Claim OUT and lock it for this process; yield a function that raises Refused once another run has taken the lock over.

    On a local disk the operating system releases the lock when the process dies; on an object store the user has to take it over
    (`curation.storage.store_lock`). The lock also names its owner, so that a folder with a damaged run.json still counts as ours.
    """
    claim(out, recipe, replace)
    out.make_folder()
    if not out.is_local:
        from curation.storage.store_lock import store_lock

        with store_lock(out, take_over, tell) as require:
            claim(out, recipe, replace)
            yield require
        return
    (out / LOCK).require_writable()
    with telling_what_is_written(out / LOCK):
        Path(out.path, LOCK).open("a").close()
    with Path(out.path, LOCK).open("a+") as stream:
        if not _taken(stream.fileno()):
            raise Refused(f"another run is live on {out}; wait for it or choose another --out")
        claim(out, recipe, replace)
        with telling_what_is_written(out / LOCK):
            stream.truncate(0)
            stream.write(f"{MADE_BY}\n{recipe or ''}\n")
            stream.flush()
        yield lambda: None


def _taken(lock: int) -> bool:
    """Take a lock, and return whether that succeeded. It waits up to a second, because `is_live` holds the lock for a moment."""
    for pause in (0.0, 0.01, 0.1, 0.9):
        time.sleep(pause)
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def is_live(out: Location) -> bool | None:
    """Return whether a run holds the lock of OUT, or None if that cannot be known. This writes nothing."""
    if not out.is_local:
        from curation.storage.store_lock import is_live_on_store

        return is_live_on_store(out)
    try:
        lock = os.open(Path(out.path, LOCK), os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(lock)
    return False


def recipe_of(mark: JsonObject) -> str | None:
    """Return the name of the recipe that made a folder; None where it was not recorded."""
    if "made_by" in mark:
        name = mark.get("recipe")
    else:
        last = mark["sessions"][-1] if mark["sessions"] else {}
        name = last.get("recipe") if isinstance(last, dict) else None
    return name if isinstance(name, str) else None


def write_ours(place: Location, content: bytes) -> None:
    """Write a file that names this project in its text. Raises Refused where a file without that mark already exists."""
    if MADE_BY.encode() not in content:
        raise ValueError(f"{place.name} would not name this project, so we could not recognise it later")
    if place.facts() is not None and MADE_BY.encode() not in place.read_bytes():
        raise Refused(f"{place} was not written by this program, or is damaged; move or delete it, then give the same command again")
    place.write_bytes(content)


def keep_aside(place: Location, tell: Callable[[str], None]) -> None:
    """Move a file that is about to be written again to a free name beside it (`NAME.yours`), and say so."""
    content = place.read_bytes()
    for ending in chain([".yours"], (f".yours-{number}" for number in count(2))):
        aside = place.parent / f"{place.name}{ending}"
        if aside.facts() is None and not aside.is_folder():
            aside.write_bytes(content)
        elif aside.facts() is None or aside.read_bytes() != content:
            continue
        place.delete()
        tell(f"{place} is not what this program wrote there: it is written again, and what it held is kept in {aside}")
        return


def _first_file(out: Location) -> str | None:
    """Return the path below OUT of some file in it; an empty lock, which a run leaves when killed at its start, does not count."""
    if not out.is_local:
        below = (_below(out, facts.location.path) for facts in out.files(recursive=True))
        return next((path for path in below if path != LOCK), None)
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
