"""Shards are hashed before they are looked at: one flipped bit can change a number without a parser's error, or end the whole process.

A finished run records the SHA-256 of every shard. Hashing reads whole files where a view may need one column, so views check only folders
of up to `SMALL_FOLDER_BYTES`, which takes a tenth of a second; `curate verify` checks a run of any size, and an export all that it reads.
What was checked once is checked again when its size or time changes, so a served run is not hashed for every page.

Invariant: what lies on an object store is not hashed here; a store checks its own bytes.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from curation.engine.leftovers import path_below
from curation.errors import CorruptShard
from curation.storage.contents import CONTENTS, digest_at, files_left
from curation.storage.location import FileFacts, Location
from curation.storage.records import REMEDY
from curation.storage.shards import Shard

SMALL_FOLDER_BYTES = 64 << 20


def require_unchanged(out: Location, shards: Sequence[FileFacts]) -> None:
    """Raise CorruptShard if a shard of a small folder is not what the finished run OUT recorded."""
    if not out.is_local or sum(facts.size for facts in shards) > SMALL_FOLDER_BYTES:
        return
    contents = (out / CONTENTS).facts()
    recorded = _recorded(out, contents.size, contents.changed) if contents is not None else {}
    for facts in shards:
        expected = recorded.get(path_below(out, facts.location))
        if expected is not None and _digest(facts.location, facts.size, facts.changed) != expected:
            raise _damaged(facts.location)


def require_written(shards: Iterable[Shard | None]) -> None:
    """Raise CorruptShard if one of these shards is not what its sidecar recorded."""
    for shard in shards:
        if shard is not None and shard.location.is_local and digest_at(shard.location) != (shard.bytes, shard.sha256):
            raise _damaged(shard.location)


def _damaged(shard: Location) -> CorruptShard:
    return CorruptShard(f"{shard} is damaged (it is not what was written); {REMEDY}")


@lru_cache(maxsize=8)
def _recorded(out: Location, _size: int, _changed: int | None) -> Mapping[str, tuple[int, str]]:
    return files_left(out)


@lru_cache(maxsize=1 << 14)
def _digest(shard: Location, _size: int, _changed: int | None) -> tuple[int, str] | None:
    return digest_at(shard)
