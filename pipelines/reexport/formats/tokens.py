"""Shards of token ids, for trainers that read tokens: the concatenated documents, and an index of their ends.

    megatron   X.bin, X.idx                   Megatron-LM's indexed dataset, version 1: one sequence for each document
    ds         X.ds, X.ds.index, X.ds.metadata   datatrove's and nanotron's: ids, ends of documents as uint64, name and width
    memmap     X.tokens.bin, X.offsets.npy    for numpy.memmap and numpy.load: document i is tokens[offsets[i] : offsets[i + 1]]

Ids take two bytes if the vocabulary fits and four otherwise (Megatron's own rule: signed, and two bytes below 65,500).

Invariant: the files of a shard are a function of its documents' ids.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from curation.arrays import Integers, Table
from curation.storage.location import Location
from pipelines.reexport.formats.writing import Files, Written

Kind = Literal["megatron", "ds", "memmap"]

_MEGATRON_CODES = {"uint16": 8, "int32": 4}
_MEGATRON_NARROW = 65_500


def type_of(kind: str, vocabulary: int) -> str:
    """Return the NumPy type of the ids of a format."""
    if kind == "megatron":
        return "uint16" if vocabulary < _MEGATRON_NARROW else "int32"
    return "uint16" if vocabulary <= 1 << 16 else "uint32"


def ids_of(table: Table) -> tuple[npt.NDArray[np.uint32], Integers]:
    """Return the concatenated ids of a table's documents, and the length of each document."""
    column = table["_ids"]
    lengths = pc.list_value_length(column).to_numpy().astype(np.int64)
    return pc.list_flatten(column).to_numpy(), lengths


@dataclass(frozen=True)
class TokenShards:
    """Writes the concatenated ids of documents, and the index of the format."""

    kind: Kind
    vocabulary: int
    tokenizer: str
    _endings: ClassVar[dict[str, tuple[str, ...]]] = {
        "megatron": (".bin", ".idx"),
        "ds": (".ds", ".ds.index", ".ds.metadata"),
        "memmap": (".tokens.bin", ".offsets.npy"),
    }

    @property
    def endings(self) -> tuple[str, ...]:
        """The endings of a shard's files."""
        return self._endings[self.kind]

    def write(self, target: Location, name: str, tables: Iterator[Any], conversations: Sequence[str]) -> Written:  # noqa: ARG002
        """Write one shard."""
        files = Files(target)
        kind = np.dtype(type_of(self.kind, self.vocabulary)).newbyteorder("<")
        lengths: list[Integers] = [np.empty(0, np.int64)]
        text_bytes = 0
        first, *beside = self.endings
        with files.writing(f"data/{name}{first}") as path, path.open("wb") as stream:
            for table in tables:
                ids, own = ids_of(table)
                stream.write(ids.astype(kind).tobytes())
                lengths.append(own)
                text_bytes += pc.sum(table["_bytes"]).as_py() or 0
        all_lengths = np.concatenate(lengths)
        with ExitStack() as stack:
            paths = [stack.enter_context(files.writing(f"data/{name}{ending}")) for ending in beside]
            self._write_index(paths, all_lengths, kind.itemsize)
        order = {f"data/{name}{ending}": place for place, ending in enumerate(self.endings)}
        ordered = tuple(sorted(files.written, key=lambda file: order[file.path]))
        return Written(ordered, len(all_lengths), int(all_lengths.sum()), text_bytes)

    def _write_index(self, paths: Sequence[Path], lengths: Integers, width: int) -> None:
        ends = np.cumsum(lengths)
        if self.kind == "megatron":
            paths[0].write_bytes(_megatron_index(lengths, type_of(self.kind, self.vocabulary), width))
        elif self.kind == "ds":
            paths[0].write_bytes(ends.astype("<u8").tobytes())
            total = int(lengths.sum())
            paths[1].write_text(f"{self.tokenizer}|{width}\n{total}\n{total} T", "utf-8")
        else:
            with paths[0].open("wb") as stream:
                np.save(stream, np.concatenate([np.zeros(1, np.int64), ends]))


def _megatron_index(lengths: Integers, kind: str, width: int) -> bytes:
    begins = np.cumsum(lengths) - lengths
    return b"".join(
        [
            b"MMIDIDX\x00\x00",
            struct.pack("<QBQQ", 1, _MEGATRON_CODES[kind], len(lengths), len(lengths) + 1),
            lengths.astype("<i4").tobytes(),
            (begins * width).astype("<i8").tobytes(),
            np.arange(len(lengths) + 1, dtype="<i8").tobytes(),
        ]
    )
