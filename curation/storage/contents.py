"""OUT/contents.json closes a run: it names every file that the run left, with its size and SHA-256.

It is the last thing that is written, and the first that goes when a run is taken up again and something is about to change. So a folder
with it holds a run that has ended, and whoever receives the folder can tell whether every byte is what was written.

    files   what does not change any more: shards and their sidecars, the dataset, rules, recipe, report
    logs    what only grows, and may go on growing: as many bytes as there were are compared (replies, run.log)
    live    what a later session that changes nothing still writes to: run.json, which carries its own digest (`curation.storage.records`)

Left out are the lock and this file, which carries its own digest too. Digests of shards are those of their sidecars, taken when their bytes
were on disk, so that closing costs a read of the small files alone.

Invariant: run.json says `closed` exactly while this file should be there; so one that is lost is told from one that is not there yet.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from curation.storage.digests import plain
from curation.storage.location import Location
from curation.storage.records import find_record, typed, write_record

CONTENTS = "contents.json"

_FIXED = (
    "recipe.toml",
    "rules.json",
    "report.html",
    "dataset/manifest.json",
    "dataset/README.md",
    "manifest.json",
    "README.md",
)
"""Files that are not of a stage, where there are such. The last two are an export's, which is a dataset and no more."""

_LOGS = ("replies/replies.jsonl", "run.log")

LIVE = ("run.json",)


@dataclass(frozen=True)
class Contents:
    """What a run left: path below OUT -> [size, SHA-256]."""

    files: Mapping[str, tuple[int, str]]
    logs: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    live: tuple[str, ...] = ()

    def names(self) -> set[str]:
        """All paths."""
        return {*self.files, *self.logs, *self.live}


def write_contents(out: Location, shards: Mapping[str, tuple[int, str]], sidecars: Iterable[str]) -> None:
    """Close a run. `shards` are known by size and digest, `sidecars` are read."""
    files = dict(shards)
    for path in (*sidecars, *_FIXED):
        found = digest_at(out / path)
        if found is not None:
            files[path] = found
    logs = {path: found for path in _LOGS if (found := digest_at(out / path)) is not None}
    live = tuple(path for path in LIVE if (out / path).facts() is not None)
    write_record(out / CONTENTS, plain(Contents(files, logs, live)))


def rewrite_entry(out: Location, path: str) -> None:
    """Say of one file of a closed run that it was written again; a run that is not closed stays so.

    Raises CorruptRecord where contents.json is damaged: it is no more believed than before.
    """
    contents, found = read_contents(out), digest_at(out / path)
    if contents is not None and found is not None:
        write_record(out / CONTENTS, plain(Contents({**contents.files, path: found}, contents.logs, contents.live)))


def read_contents(out: Location) -> Contents | None:
    """Return what a run left, or None where it has not ended. Raises CorruptRecord where the record is damaged."""
    content = find_record(out / CONTENTS)
    return typed(Contents, content, out / CONTENTS) if content is not None else None


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


def differences_from(out: Location, contents: Contents, faults: list[str]) -> int:
    """Hash everything that a run left, add a fault for every file that is not as it was, and return the bytes that were read."""
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
            there, expected = (f"{count:,} bytes with the sha256 {digest}" for count, digest in (found, (size, sha256)))
            faults.append(f"{place} is not what was written: it has {there}, recorded are {expected}")
    for path in contents.live:
        if path not in LIVE:
            faults.append(f"{out / CONTENTS}: {path!r} is not a file that goes on changing")
        elif (out / path).facts() is None:
            faults.append(f"{out / path} is missing")
    return read
