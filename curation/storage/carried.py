"""Carried files: what a recipe names lies in OUT under its SHA-256, so that a worker on another machine opens the same bytes.

    OUT/files/<sha256>/shouting.py       a filter of the user's own
    OUT/files/<sha256>/edu.safetensors   a model, and beside it its card: the folder's name is then the digest of both

The driver puts a file there at the start of a run (`take_along`) and names it by that address. A worker asks for its local path
(`at_hand`): the file itself where OUT is a local folder, else a copy that each machine fetches once, with credentials of its own.

Invariants
    - The bytes that a worker opens have the digest in their address; each process checks that once.
    - Only a run opens these files as code or as models, by the recipe that its user gave; verbs that look at a run never do.
"""

import fcntl
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from curation.errors import CorruptShard, InputError
from curation.storage.digests import digest_of, digest_of_file
from curation.storage.location import Location

_FOLDER = "files"
"""The folder below OUT."""

_ADDRESS = re.compile(rf"(?P<folder>.*/{_FOLDER}/(?P<digest>[0-9a-f]{{64}}))/(?P<name>[^/]+)")


def take_along(path: Path, beside: Sequence[Path], out: Location) -> str:
    """Put a local file into OUT, with the files beside it that are read with it, and return its address."""
    files = [path, *beside]
    digest = _digest_of_set(files)
    folder = out / _FOLDER / digest
    there = {facts.location.name: facts.size for facts in folder.files()}
    for file in files:
        is_there = there.get(file.name) == file.stat().st_size
        if not is_there or (out.is_local and digest_of_file(Path(folder.path, file.name)) != digest_of_file(file)):
            with (folder / file.name).writing() as target:
                shutil.copyfile(file, target)
    if _digest_of_set(files) != digest:
        raise InputError(f"{path} has changed while it was copied to {out}; give the same command again")
    return str(folder / path.name)


def at_hand(address: str) -> str:
    """Return the local path of a carried file; any other path is returned unchanged."""
    match = _ADDRESS.fullmatch(address)
    return address if match is None else str(_checked(match["folder"], match["digest"]) / match["name"])


def own_name(path: str) -> str:
    """Return a path as its owner knows it: a carried file by its name alone."""
    match = _ADDRESS.fullmatch(path)
    return path if match is None else match["name"]


def damaged_carried(out: Location) -> list[str]:
    """Return the folders of carried files in OUT whose files are not what was put there."""
    found: dict[str, list[Location]] = {}
    for facts in (out / _FOLDER).files(recursive=True):
        found.setdefault(facts.location.parent.path, []).append(facts.location)
    damaged = []
    with tempfile.TemporaryDirectory() as scratch:
        for folder, places in sorted(found.items()):
            digest = folder.rpartition("/")[2]
            if not re.fullmatch("[0-9a-f]{64}", digest):
                continue
            local = Path(folder) if out.is_local else _fetch(places, Path(scratch, digest))
            if _digest_of_folder(local) != digest:
                damaged.append(str(Location(out.scheme, folder)))
    return damaged


@lru_cache(maxsize=256)
def _checked(folder: str, digest: str) -> Path:
    """Return a local folder with carried files, once its bytes are known to be right. Raises CorruptShard where they are not."""
    place = Location.of(folder)
    if place.is_local:
        local = Path(place.path)
    else:
        local = _cache() / digest
        with _alone(local):
            if not local.is_dir() or _digest_of_folder(local) != digest:
                fetched = _fetch([facts.location for facts in place.files()], local.with_name(f"{digest}-{uuid.uuid4().hex}"))
                shutil.rmtree(local, ignore_errors=True)
                fetched.rename(local)
    if not local.is_dir() or _digest_of_folder(local) != digest:
        raise CorruptShard(f"{place} is not what the run put there; delete that folder, then give the run's command again")
    return local


def _fetch(places: Iterable[Location], folder: Path) -> Path:
    folder.mkdir(parents=True)
    for place in places:
        with place.open_stream() as source, (folder / place.name).open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 22)
    return folder


def _digest_of_folder(folder: Path) -> str:
    return _digest_of_set(path for path in folder.iterdir() if path.is_file())


def _digest_of_set(files: Iterable[Path]) -> str:
    """Return a file's SHA-256; of several, the digest of their names and digests."""
    found = sorted([path.name, digest_of_file(path)] for path in files)
    return found[0][1] if len(found) == 1 else digest_of(found)


def _cache() -> Path:
    """Return this machine's folder of carried files, which only its user may read."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textbook-curation" / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes of this machine from fetching the same files meanwhile."""
    with path.with_name(f"{path.name}.lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
