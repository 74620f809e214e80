"""OUT/contents.json closes a run: it names every file that the run left, with its size and SHA-256.

It is written last, and it is deleted first when a later session is about to change something. So a folder with this file holds a finished
run, and whoever receives the folder can check every byte.

    files   files that no longer change: shards, their sidecars and indexes, the dataset, rules, recipe, report
    logs    files that only grow (replies, run.log): a check compares only the bytes that were there when the run closed
    live    files that a later session rewrites even if nothing else changes: run.json, which carries its own digest
            (`curation.storage.records`)

The lock is left out, and so is this file, which carries its own digest too. The digests of shards come from their sidecars, so closing a
run reads only the small files.

A person may edit the report and the card. A later session writes them again, but first moves aside what it finds there.

Invariant: run.json says `closed` exactly while this file should exist, so a lost file is distinguished from one that is not written yet.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from curation.storage.digests import plain
from curation.storage.location import Location
from curation.storage.ownership import keep_aside
from curation.storage.records import CorruptRecord, find_record, typed, write_record

CONTENTS = "contents.json"

_FIXED = (
    "recipe.toml",
    "rules.json",
    "report.html",
    "dataset/manifest.json",
    "dataset/README.md",
    "manifest.json",
    "README.md",
    "croissant.json",
)
"""Files that belong to no stage; a run may lack some. The last three belong to an export, which is only a dataset."""

_LOGS = ("replies/replies.jsonl", "run.log")

LIVE = ("run.json",)


@dataclass(frozen=True)
class Contents:
    """What a run left: each path below OUT with [size, SHA-256]."""

    files: Mapping[str, tuple[int, str]]
    logs: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    live: tuple[str, ...] = ()

    def names(self) -> set[str]:
        """All paths."""
        return {*self.files, *self.logs, *self.live}


def write_contents(
    out: Location,
    shards: Mapping[str, tuple[int, str]],
    records: Iterable[str],
    known: Mapping[str, tuple[int, str]] = MappingProxyType({}),
) -> None:
    """Close a run: take the sizes and digests of `shards` as given, and read the files in `records` that are not `known`."""
    files = dict(shards)
    told = {path: known[path] for path in records if path in known}
    for path in (*records, *_FIXED):
        found = told.get(path) or digest_at(out / path)
        if found is not None:
            files[path] = found
    logs = {path: found for path in _LOGS if (found := digest_at(out / path)) is not None}
    live = tuple(path for path in LIVE if (out / path).facts() is not None)
    write_record(out / CONTENTS, plain(Contents(files, logs, live)))


EDITED = ("report.html", "dataset/README.md", "README.md", "croissant.json")
"""Files that a person may edit, and that a later session writes again."""


def keep_edited(out: Location, paths: Iterable[str], tell: Callable[[str], None]) -> None:
    """Move aside each of these files that somebody edited since the run closed, so that no edit is lost."""
    try:
        contents = read_contents(out)
    except CorruptRecord:
        return
    for path in paths:
        if contents is not None and path in contents.files and digest_at(out / path) not in (None, contents.files[path]):
            keep_aside(out / path, tell)


def reopen(out: Location, tell: Callable[[str], None]) -> None:
    """Delete contents.json, before anything in a closed run changes."""
    keep_edited(out, EDITED, tell)
    (out / CONTENTS).delete()


def rewrite_entry(out: Location, path: str) -> None:
    """Record the new size and digest of one file of a closed run; do nothing where the run is not closed.

    Raises CorruptRecord where contents.json is damaged: a rewrite must not make it look trustworthy again.
    """
    contents, found = read_contents(out), digest_at(out / path)
    if contents is not None and found is not None:
        write_record(out / CONTENTS, plain(Contents({**contents.files, path: found}, contents.logs, contents.live)))


def read_contents(out: Location) -> Contents | None:
    """Return what a run left, or None where it has not ended. Raises CorruptRecord where contents.json is damaged."""
    content = find_record(out / CONTENTS)
    return typed(Contents, content, out / CONTENTS) if content is not None else None


def files_left(out: Location) -> Mapping[str, tuple[int, str]]:
    """Return the files that a run left, with size and digest; none where it has not ended, or contents.json is damaged."""
    try:
        contents = read_contents(out)
    except CorruptRecord:
        return {}
    return contents.files if contents is not None else {}


def digest_at(location: Location, most: int | None = None) -> tuple[int, str] | None:
    """Return the size and the SHA-256 of a file (or of its first `most` bytes), or None where there is none."""
    if location.facts() is None:
        return None
    digest, size = hashlib.sha256(), 0
    with location.open_stream() as stream:
        while block := stream.read(min(1 << 22, (1 << 22) if most is None else most - size)):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _difference(found: tuple[int, str], recorded: tuple[int, str]) -> str:
    if found[0] != recorded[0]:
        return f"it has {found[0]:,} bytes, and {recorded[0]:,} were recorded"
    return f"its {found[0]:,} bytes have the sha256 {found[1]}, and {recorded[1]} was recorded"


def differences_from(out: Location, contents: Contents, faults: list[str]) -> int:
    """Hash every file that a run left, add a fault for each one that changed, and return the number of bytes read."""
    read = 0
    for path, (size, sha256) in sorted({**contents.files, **contents.logs}.items()):
        try:
            place = out.within(path)
        except ValueError as error:
            faults.append(f"{out / CONTENTS}: {error}")
            continue
        found = digest_at(place, size if path in contents.logs else None)
        read += found[0] if found is not None else 0
        if found is None:
            faults.append(f"{place} is missing")
        elif found != (size, sha256):
            faults.append(f"{place} is not what was written: {_difference(found, (size, sha256))}")
    for path in contents.live:
        if path not in LIVE:
            faults.append(f"{out / CONTENTS}: {path!r} is listed as a file that may change, but no such file exists in a run")
        elif (out / path).facts() is None:
            faults.append(f"{out / path} is missing")
    return read
