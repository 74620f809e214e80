"""The manifest: the contents and digests of the dataset's files, so that anyone who receives them can check them.

Invariant: a manifest holds no times and no paths of the machine; the same run gives the same manifest.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from curation.engine.session import Sealed
from curation.engine.stage import Finished
from curation.storage.location import Location
from curation.storage.ownership import write_ours
from curation.storage.records import encode_record

_PACKAGES = ("textbook-curation", "pyarrow", "polars", "numpy", "numba", "datasketch")


def write_manifest(
    dataset: Location, recipe_key: str, files: Sealed, conversations: Mapping[str, Sealed], keep: Sequence[str] = ()
) -> None:
    """Write the manifest of a run's dataset."""
    shards = [_entry("data", unit) for unit in files.units]
    talks = {kind: [_entry(kind, unit) for unit in sealed.units] for kind, sealed in conversations.items()}
    write_ours(dataset / "manifest.json", manifest_of_files(recipe_key, shards, {"sft": [], **talks}, keep))


def manifest_of_files(
    recipe_key: str,
    shards: Sequence[Mapping[str, Any]],
    conversations: Mapping[str, Sequence[Mapping[str, Any]]],
    keep: Sequence[str] = (),
    **facts: Any,
) -> bytes:
    """Return a manifest: each entry has `file`, `rows`, `bytes` and `sha256`, and those of `shards` have `tokens` and `verdicts`."""
    content = {
        "rows": sum(entry["rows"] for entry in shards),
        "tokens": sum(entry["tokens"] for entry in shards),
        "recipe_key": recipe_key,
        "packages": {name: version(name) for name in _PACKAGES},
        "keep": list(keep),
        **facts,
        "shards": list(shards),
        **{kind: list(entries) for kind, entries in conversations.items()},
    }
    return encode_record(content)


def _entry(folder: str, unit: Finished) -> dict[str, Any]:
    (shard,) = unit.shards
    entry = {"file": f"{folder}/{shard.location.name}", "rows": shard.rows, "bytes": shard.bytes, "sha256": shard.sha256}
    for name in ("tokens", "verdicts", "documents"):
        if unit.counts.get(name) is not None:
            entry[name] = unit.counts[name]
    return entry
