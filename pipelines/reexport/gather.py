"""Gather, the third pass, reads ranges of the order from all scattered files and writes the shards.

A split is a sequence of documents. A shard holds the documents that begin in its window of text bytes, and a window is `shard_mib` long;
so a shard's size differs from the requested size by less than one document. If windows would leave a small remainder, and stretching them
by at most one percent avoids it, they are stretched.

Invariant: windows depend on the sizes of the ranges alone, so shards have the same bytes for any number of workers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from curation.errors import CorruptShard
from curation.storage.location import Location
from curation.storage.record_keys import halves_of
from curation.system_errors import error_in_words
from pipelines.reexport.formats.writing import ShardFormat, Written
from pipelines.reexport.scatter import Piece

_STRETCH = 0.01


@dataclass(frozen=True)
class Stretch:
    """A range of the order: its start and end in the split, in text bytes, and the record batches that contain it."""

    begins: int
    ends: int
    pieces: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Gather:
    """A unit: one shard, its window of text bytes, the ranges that may contain its documents, and its kinds of conversations."""

    name: str
    split: str
    low: int
    high: int
    ranges: tuple[Stretch, ...]
    format: ShardFormat
    scratch: Location
    target: Location
    conversations: tuple[str, ...]


def windows(total: int, wanted: int) -> list[tuple[int, int]]:
    """Divide a split into windows of about `wanted` bytes; the last one has no end."""
    even = max(1, round(total / wanted))
    size = total / even if abs(total / even - wanted) <= _STRETCH * wanted else float(wanted)
    count = max(1, even if size != wanted else -(-total // wanted))
    bounds = [round(size * place) for place in range(count)]
    return list(zip(bounds, [*bounds[1:], total + 1], strict=True))


def gather_units(
    pieces: Sequence[Piece],
    splits: Sequence[str],
    shard_bytes: int,
    how: ShardFormat,
    scratch: Location,
    target: Location,
    kinds: Sequence[str],
) -> list[Gather]:
    """Return the shards of all splits; a split without rows has one empty shard."""
    units = []
    for number, split in enumerate(splits):
        own = [piece for piece in pieces if piece.split == number]
        stretches, total = _stretches(own)
        found = windows(total, shard_bytes)
        talks = tuple(kind for at, kind in enumerate(kinds) if any(piece.conversations and piece.conversations[at] for piece in own))
        for place, (low, high) in enumerate(found):
            met = tuple(stretch for stretch in stretches if stretch.begins < high and stretch.ends > low)
            units.append(Gather(f"{split}-{place:05d}-of-{len(found):05d}", split, low, high, met, how, scratch, target, talks))
    return units


def _stretches(pieces: Sequence[Piece]) -> tuple[list[Stretch], int]:
    """Return the ranges of a split in order, and the bytes of its text."""
    by_range: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_range.setdefault(piece.range, []).append(piece)
    begins, stretches = 0, []
    for place in sorted(by_range):
        held = sorted(by_range[place], key=lambda piece: (piece.file, piece.batch))
        ends = begins + sum(piece.text_bytes for piece in held)
        stretches.append(Stretch(begins, ends, tuple((piece.file, piece.batch) for piece in held)))
        begins = ends
    return stretches, begins


def gather(unit: Gather) -> Written:
    """Write one shard."""
    return unit.format.write(unit.target, unit.name, _tables(unit), unit.conversations)


def _tables(unit: Gather) -> Iterator[Any]:
    """Yield the rows of a shard in order."""
    for stretch in unit.ranges:
        table = _in_order(unit.scratch, stretch)
        starts = stretch.begins + np.concatenate([np.zeros(1, np.int64), np.cumsum(table["_bytes"].to_numpy())[:-1]])
        first, last = (int(np.searchsorted(starts, bound)) for bound in (unit.low, unit.high))
        if first < last:
            yield table.slice(first, last - first)


def _in_order(scratch: Location, stretch: Stretch) -> Any:
    """Return all rows of a range, sorted."""
    batches = []
    for file, number in stretch.pieces:
        try:
            with (scratch / file).open_random() as stream, pa.ipc.open_file(stream) as reader:
                batches.append(reader.get_batch(number))
        except (pa.ArrowInvalid, OSError) as error:
            raise CorruptShard(f"{scratch / file}, just written, cannot be read ({error_in_words(error)}); export again") from error
    table = pa.Table.from_batches(batches).combine_chunks()
    keys = halves_of(table["_key"])
    by = np.lexsort((table["_copy"].to_numpy(), keys[:, 1], keys[:, 0], table["_order"].to_numpy()))
    return table.take(pa.array(by))
