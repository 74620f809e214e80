"""The index of a stage: what the sidecars of its finished units say, in one file, so that a rerun reads one and not a hundred thousand.

    OUT/index/stages/2-measure.jsonl     a line for each unit: the line's digest, then name, key, shards and counts

The driver appends to it as units end (to an object store, which cannot append, it writes it again every _PAUSE seconds and at the end).
Sidecars stay the truth: a line counts only where its sidecar is there and is older than the index; every other sidecar is read itself.
A closed run's contents name the index with its digest, and the run's command writes a damaged one again. Until then each line vouches for
itself (`damaged_lines`).

Invariant: without this file, with a part of it, or with a damaged one, a session comes to the same units.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from curation.engine.stage import Finished, Output, Stage, Workspace, read_sidecar, recorded
from curation.storage.digests import canonical
from curation.storage.location import FileFacts, Location

_PAUSE = 60.0
"""Seconds between two times that the index is written to an object store."""

_TOGETHER = 16
"""Sidecars that are read at once where the index does not tell of them: each is a request or two."""


INDEXES = "index"
"""The folder below OUT of all indexes."""


def index_path(folder: str) -> str:
    """Return the path below OUT of the index of the stage whose sidecars are in a folder (a path below OUT)."""
    return f"{INDEXES}/{folder}.jsonl"


def index_of(space: Workspace, stage: Stage) -> Location:
    """Return the place of a stage's index."""
    return space.out / index_path(f"{space.below}/{stage.name}")


def units_done(space: Workspace, stage: Stage, names: Sequence[str], listed: Sequence[FileFacts] | None = None) -> dict[str, Finished]:
    """Return what the sidecars of some units say, by unit; a missing or damaged one tells nothing. `listed` is the folder, where known."""
    place = index_of(space, stage)
    facts = place.facts()
    written = facts.changed if facts is not None else None
    listed = listed if listed is not None else space.sidecars(stage).files()
    sidecars = {found.location.name: found.changed for found in listed}
    indexed = _read(place, Output(space.shards(stage))) if written is not None else {}
    done, unsaid = {}, []
    for name in names:
        changed = sidecars.get(f"{name}.json", 0)
        if changed == 0:
            continue
        if name in indexed and written is not None and changed is not None and changed < written:
            done[name] = indexed[name]
        else:
            unsaid.append(name)
    with ThreadPoolExecutor(_TOGETHER) as pool:
        read = pool.map(lambda name: read_sidecar(space, stage, name), unsaid)
        done |= {finished.name: finished for finished in read if finished is not None}
    return done


class IndexWriter:
    """Writes the index of a stage while its units end; use it as a context manager."""

    def __init__(self, space: Workspace, stage: Stage, done: Iterable[Finished]) -> None:
        """Begin with the units that are done already."""
        self._place = index_of(space, stage)
        self._lines = {finished.name: _line(finished) for finished in done}
        self._written = time.monotonic()
        self._stream: BinaryIO | None = None

    def __enter__(self) -> "IndexWriter":
        """Write what is done already."""
        self._write()
        if self._place.is_local:
            self._stream = Path(self._place.path).open("ab")
        return self

    def add(self, finished: Finished) -> None:
        """Add a unit that has just ended."""
        line = self._lines[finished.name] = _line(finished)
        if self._stream is not None:
            self._stream.write(line)
            self._stream.flush()
        elif time.monotonic() - self._written > _PAUSE:
            self._write()

    def __exit__(self, *_: object) -> None:
        """Write all of it in the order of names, however the stage ended."""
        if self._stream is not None:
            self._stream.close()
        self._write()

    def _write(self) -> None:
        self._place.write_bytes(b"".join(self._lines[name] for name in sorted(self._lines)))
        self._written = time.monotonic()


def write_index(space: Workspace, stage: Stage, done: Iterable[Finished]) -> None:
    """Write the index of a stage as these units say."""
    with IndexWriter(space, stage, done):
        pass


def _line(finished: Finished) -> bytes:
    said = canonical([finished.name, finished.key, [recorded(shard) for shard in finished.shards], finished.counts])
    encoded = said.encode("utf-8", "surrogatepass")
    return hashlib.sha256(encoded).hexdigest()[:16].encode() + b" " + encoded + b"\n"


def damaged_lines(place: Location) -> int:
    """Return how many lines of an index are not what was written. A last line without its end is none: a killed run leaves it."""
    *whole, _ = place.read_bytes().split(b"\n")
    return sum(_said(line) is None for line in whole)


def _said(line: bytes) -> bytes | None:
    """Return what a line says, or None where its digest differs."""
    digest, _, encoded = line.partition(b" ")
    return encoded if hashlib.sha256(encoded).hexdigest()[:16].encode() == digest else None


def _read(place: Location, output: Output) -> dict[str, Finished]:
    """Return the units that the whole lines of an index tell of; the last line of a unit counts."""
    found = {}
    for encoded in filter(None, map(_said, place.read_bytes().split(b"\n"))):
        try:
            name, key, outputs, counts = json.loads(encoded)
            found[name] = Finished(name, key, tuple(output.known(*facts) for facts in outputs), counts)
        except (ValueError, TypeError):
            continue
    return found
