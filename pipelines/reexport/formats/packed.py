"""Packed sequences combine documents so that all sequences have the same length and few documents are cut.

Source: best-fit packing (Ding et al. 2024, "Fewer Truncations Improve Language Modeling"). A document longer than a sequence is cut into
pieces of that length. Pieces are then placed, longest first, into the sequence with the least room that still fits them.

    input_ids       the ids, padded to the length with the padding id
    document_mask   for each id the number of its document in the sequence, from 1; 0 for padding. Attention stays within a number
    tokens          the number of ids that are not padding

Sequences are in the order of their first document, so a shuffled order stays shuffled.

Invariant: every token of the shard is in exactly one sequence; pieces of one document keep their order.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Integers
from curation.engine.stage import Output
from curation.storage.location import Location
from pipelines.reexport.formats.tokens import ids_of
from pipelines.reexport.formats.writing import Written, WrittenFile

PACKED = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        pa.field("document_mask", pa.list_(pa.int32()), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)
_ROWS_AT_ONCE = 1 << 21
"""Ids of one row group."""


@dataclass(frozen=True)
class PackedSequences:
    """Parquet with sequences of `length` ids."""

    length: int
    padding: int = 0

    @property
    def endings(self) -> tuple[str, ...]:
        """The ending of a shard."""
        return (".parquet",)

    def write(self, target: Location, name: str, tables: Iterator[Any], conversations: Sequence[str]) -> Written:  # noqa: ARG002
        """Write one shard."""
        ids, lengths = [np.empty(0, np.uint32)], [np.empty(0, np.int64)]
        text_bytes = 0
        for table in tables:
            own, counts = ids_of(table)
            ids.append(own)
            lengths.append(counts)
            text_bytes += pc.sum(table["_bytes"]).as_py() or 0
        tokens, begins, sizes = np.concatenate(ids), *pieces_of(np.concatenate(lengths), self.length)
        sequences = packed(sizes, self.length)
        output = Output(target / "data")
        with output.shard(name, PACKED, level=3, cut_by_content=True) as writer:
            step = max(1, _ROWS_AT_ONCE // self.length)
            for start in range(0, len(sequences), step):
                writer.write(self._rows(sequences[start : start + step], tokens, begins, sizes))
        (shard,) = output.shards
        file = WrittenFile(f"data/{shard.location.name}", shard.bytes, shard.sha256)
        return Written((file,), len(sequences), len(tokens), text_bytes)

    def _rows(self, sequences: Sequence[Sequence[int]], tokens: Any, begins: Any, sizes: Any) -> Any:
        ids = np.full((len(sequences), self.length), self.padding, np.int32)
        mask = np.zeros((len(sequences), self.length), np.int32)
        used = np.zeros(len(sequences), np.int64)
        for row, pieces in enumerate(sequences):
            for number, piece in enumerate(pieces, start=1):
                here = slice(used[row], used[row] + sizes[piece])
                ids[row, here] = tokens[begins[piece] : begins[piece] + sizes[piece]]
                mask[row, here] = number
                used[row] += sizes[piece]
        offsets = pa.array(np.arange(len(sequences) + 1) * self.length, pa.int32())
        columns = [pa.ListArray.from_arrays(offsets, pa.array(values.ravel())) for values in (ids, mask)]
        return pa.table({"input_ids": columns[0], "document_mask": columns[1], "tokens": used}, schema=PACKED)


def pieces_of(lengths: Integers, length: int) -> tuple[Integers, Integers]:
    """Cut documents into pieces of at most `length`; return the start and the length of each piece, in order."""
    counts = np.maximum(-(-lengths // length), (lengths > 0).astype(np.int64))
    starts = np.cumsum(lengths) - lengths
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = np.repeat(starts, counts) + place * length
    return begins, np.minimum(length, np.repeat(starts + lengths, counts) - begins)


def packed(sizes: Integers, length: int) -> list[list[int]]:
    """Place pieces into sequences, best fit, longest first; return the pieces of each sequence, in order."""
    room: dict[int, list[int]] = {}
    rooms: list[int] = []
    sequences: list[list[int]] = []
    for piece in np.argsort(-sizes, kind="stable").tolist():
        size = int(sizes[piece])
        place = bisect_left(rooms, size)
        if place == len(rooms):
            number, left = len(sequences), length - size
            sequences.append([])
        else:
            held = rooms[place]
            number, left = room[held].pop(), held - size
            if not room[held]:
                del room[held]
                rooms.pop(place)
        sequences[number].append(piece)
        if left:
            if left not in room:
                room[left] = []
                insort(rooms, left)
            room[left].append(number)
    return sorted(sorted(pieces) for pieces in sequences)
