"""Verify: is everything still what was written?

For a run: every shard's bytes are hashed and compared with its sidecar, the dataset's files with the manifest, and the books are added up
again. For a dataset alone (a folder with manifest.json, as a training engineer receives it): every file against the manifest. A shard
that the manifest does not name is a fault, for whoever loads the folder would train on it.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from curation.books import add_up
from curation.errors import InputError
from curation.location import Location
from curation.stage import SEAL, SHARD_ENDINGS
from pipelines.earlier_runs import ledger_of
from pipelines.run_folder import refuse_links_out


@dataclass(frozen=True)
class Verification:
    """What was looked at, what was wrong (empty: nothing), and what could not be looked at: earlier runs that are gone."""

    files: int
    bytes: int
    faults: Sequence[str]
    unchecked: Sequence[str] = ()


def verify(folder: Location) -> Verification:
    """Check a run or a dataset. Raises InputError where the folder is neither, Refused where a link in it leads out of it."""
    refuse_links_out(folder)
    if (folder / "manifest.json").facts() is not None:
        return _verify_dataset(folder)
    if not (folder / "stages").exists() and not (folder / "dataset" / "manifest.json").exists():
        raise InputError(f"{folder} is neither a run (it has no stages/) nor a dataset (it has no manifest.json)")
    faults: list[str] = []
    files, size = 0, 0
    for location, expected in _recorded(folder, faults):
        files, size = files + 1, size + _check(location, expected, faults)
    dataset = _verify_dataset(folder / "dataset")
    faults += dataset.faults
    books = add_up(folder, partial(ledger_of, folder))
    return Verification(files + dataset.files, size + dataset.bytes, sorted({*faults, *books.faults}), books.unchecked)


def _recorded(out: Location, faults: list[str]) -> Iterator[tuple[Location, str]]:
    """Yield every shard that a sidecar records, with its SHA-256."""
    for facts in (out / "stages").files(recursive=True):
        if not facts.location.name.endswith(".json") or facts.location.name == SEAL:
            continue
        try:
            content = json.loads(facts.location.read_bytes())
            recorded = [(out / content["folder"] / file, sha256) for file, _, _, sha256 in content["outputs"]]
        except (ValueError, KeyError, TypeError):
            faults.append(f"{facts.location} is not a sidecar that can be read; run the same command again")
            continue
        yield from recorded


def _verify_dataset(folder: Location) -> Verification:
    manifest = folder / "manifest.json"
    if manifest.facts() is None:
        return Verification(0, 0, [f"{manifest} is missing"])
    try:
        content: dict[str, Any] = json.loads(manifest.read_bytes())
        entries = {entry["file"]: entry["sha256"] for entry in content["shards"] + content["sft"]}
    except (ValueError, KeyError, TypeError) as error:
        return Verification(0, 0, [f"{manifest} cannot be read: {error!r}"])
    faults: list[str] = []
    size = 0
    for file, sha256 in entries.items():
        size += _check(folder / file, sha256, faults)
    there = [f"{part}/{facts.location.name}" for part in ("data", "sft") for facts in (folder / part).files()]
    faults += [f"{folder / file} is not in the manifest" for file in there if file.endswith(SHARD_ENDINGS) and file not in entries]
    return Verification(len(entries), size, faults)


def _check(location: Location, expected: str, faults: list[str]) -> int:
    """Hash a file; return its size, and add a fault where it is missing or differs."""
    facts = location.facts()
    if facts is None:
        faults.append(f"{location} is missing")
        return 0
    digest = hashlib.sha256()
    with location.open_stream() as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    if digest.hexdigest() != expected:
        faults.append(f"{location} is not what was written: its sha256 is {digest.hexdigest()}, recorded is {expected}")
    return facts.size
