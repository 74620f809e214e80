"""Scatter, the second pass, writes every drawn row to its range of the order.

A shuffle orders rows by a 64-bit hash of the document's key, the seed and the number of the copy, and divides the hashes into equal ranges
that fit into memory; `--order` keeps the order of the run. A unit reads some shards of documents and writes Arrow files with one record
batch for each range in which it has rows. The third pass (`pipelines.reexport.gather`) then reads the batches of one range from all files.

Invariants
    - A unit holds about UNIT_BYTES of text at a time, whatever the weights are.
    - The files depend on the unit alone.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Integers, Table
from curation.storage.location import Location
from curation.storage.record_keys import halves_of
from pipelines.export.export import Source, kept_rows, schema_with
from pipelines.inspect.flows import estimated_tokens
from pipelines.reexport.chance import drawn
from pipelines.reexport.conversations import CONVERSATIONS, conversations_in
from pipelines.reexport.drawing import Draw, draw
from pipelines.reexport.kept import KeptRows, kept_rows_of
from pipelines.reexport.tokenising import Tokenising

UNIT_BYTES = 64 << 20
"""Text of the shards of documents that one unit reads, and of the rows that it sorts at a time."""

RANGE_BYTES = 96 << 20
"""Text of one range of the order."""

ORDER = [pa.field("_order", pa.uint64()), pa.field("_key", pa.binary(16)), pa.field("_copy", pa.int32()), pa.field("_bytes", pa.int64())]
IDS = pa.field("_ids", pa.list_(pa.uint32()))


@dataclass(frozen=True)
class Spill:
    """The columns of scattered rows: the dataset's columns, or only token ids; `tokenising` also counts tokens."""

    with_text: bool = True
    with_ids: bool = False
    tokenising: Tokenising | None = None
    keep: tuple[str, ...] = ()

    def schema(self) -> Any:
        """Return the columns of the files."""
        own = [*schema_with(self.keep), *CONVERSATIONS] if self.with_text else []
        return pa.schema([*ORDER, *own, *([IDS] if self.with_ids else [])])


@dataclass(frozen=True)
class Scatter:
    """A unit: some shards of documents, and the index of the first one; `ranges` is the number of ranges of each split, 0 for --order."""

    number: int
    first: int
    sources: tuple[Source, ...]
    how: Draw
    ranges: tuple[int, ...]
    spill: Spill
    folder: Location


@dataclass(frozen=True)
class Piece:
    """A record batch: its file, split and range, and the rows, text bytes, tokens and conversations in it."""

    file: str
    batch: int
    split: int
    range: int
    rows: int
    text_bytes: int
    tokens: int
    conversations: tuple[int, ...] = ()


@dataclass
class Scattered:
    """The files of a unit; `left_out` counts documents, bytes and tokens by origin and source."""

    pieces: list[Piece] = field(default_factory=list)
    left_out: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    copies: Counter[str] = field(default_factory=Counter)


def scatter_units(sources: Sequence[Source], how: Draw, ranges: tuple[int, ...], spill: Spill, folder: Location) -> list[Scatter]:
    """Group shards of documents into units of about UNIT_BYTES."""
    groups: list[tuple[int, list[Source]]] = []
    held = 0
    for number, source in enumerate(sources):
        if not groups or held + source.kept_bytes > UNIT_BYTES:
            groups.append((number, []))
            held = 0
        groups[-1][1].append(source)
        held += source.kept_bytes
    return [Scatter(place, first, tuple(group), how, ranges, spill, folder) for place, (first, group) in enumerate(groups)]


def scatter(unit: Scatter) -> Scattered:
    """Write the drawn rows of a unit."""
    result = Scattered()
    waiting: list[Any] = []
    held = files = 0
    for table in _drawn_tables(unit, result):
        for piece in _rounds(table):
            waiting.append(piece)
            held += pc.sum(piece["_bytes"]).as_py() or 0
            if held >= UNIT_BYTES:
                _write(unit, files, pa.concat_tables(waiting), result)
                waiting, held, files = [], 0, files + 1
    if waiting:
        _write(unit, files, pa.concat_tables(waiting), result)
    return result


def _rounds(table: Table) -> Iterator[Any]:
    """Yield the rows that are written at least once, those that are written at least twice, and so on, with the number of the copy."""
    copies = table["_copy"].to_numpy()
    for number in range(int(copies.max())):
        rows = table.take(pa.array(np.flatnonzero(copies > number)))
        yield rows.set_column(rows.schema.get_field_index("_copy"), ORDER[2], pa.array(np.full(rows.num_rows, number, np.int32)))


def _drawn_tables(unit: Scatter, result: Scattered) -> Iterator[Any]:
    """Yield the rows that are written at least once, batch by batch, with `_copy` as their number of copies and `_split`."""
    for place, source in enumerate(unit.sources):
        if source.kept_bytes == 0 and source.ledger.rows == 0:
            continue
        kept = kept_rows_of(source, unit.how.signals)
        if not len(kept):
            continue
        found = draw(source, kept, unit.how)
        _count(kept, found.copies, found.sides, result)
        beside = source.signals, source.cuts
        begin = 0
        for table, batch in kept_rows(source.documents, source.ledger, *beside, None, unit.spill.keep, source.generated):
            rows = slice(begin, begin + table.num_rows)
            begin += table.num_rows
            here = np.flatnonzero(found.copies[rows])
            if len(here):
                chosen = pa.array(here)
                order = (np.uint64(unit.first + place) << np.uint64(32)) + (np.uint64(rows.start) + here.astype(np.uint64))
                yield _spilled(unit, table.take(chosen), batch.take(chosen), found.copies[rows][here], found.sides[rows][here], order)


def _spilled(unit: Scatter, table: Table, batch: Table, copies: Any, sides: Any, order: Any) -> Any:
    spill = unit.spill
    columns: dict[str, Any] = {
        "_order": pa.array(order, pa.uint64()),
        "_key": batch["key"],
        "_copy": pa.array(copies, pa.int32()),
        "_bytes": pc.cast(pc.binary_length(table["text"]), pa.int64()),
        "_split": pa.array(sides, pa.int8()),
    }
    if spill.tokenising is not None:
        ids, offsets = spill.tokenising.encode(table["text"].to_pylist())
        counts = pa.array(np.diff(offsets), pa.int64())
        table = table.set_column(table.schema.get_field_index("token_count"), schema_with(()).field("token_count"), counts)
        if spill.with_ids:
            columns["_ids"] = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(ids, pa.uint32()))
    if spill.with_text:
        columns |= {name: table[name] for name in table.column_names}
        columns |= conversations_in(batch["metadata"].to_pylist(), table["origin"][0].as_py() == "synthetic")
    schema = pa.schema([*spill.schema(), pa.field("_split", pa.int8())])
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _count(kept: KeptRows, copies: Integers, sides: npt.NDArray[np.int8], result: Scattered) -> None:
    """Count the documents that are not written, by origin and source, and the rows that are further copies."""
    gone = copies == 0
    rows = pl.DataFrame({"source": kept.rows["source"], "size": kept.text_bytes}).filter(pl.Series(gone))
    size = pl.col("size")
    sums = pl.len(), size.sum(), estimated_tokens(size).sum().alias("tokens")
    for name, *counts in rows.group_by("source").agg(sums).sort("source").iter_rows():
        counted = result.left_out.setdefault(kept.origin, {}).setdefault(name, [0, 0, 0])
        counted[:] = map(add, counted, counts)
    result.copies["documents"] += int((~gone).sum())
    result.copies["repeated"] += int(np.maximum(copies - 1, 0).sum())
    result.copies["mixed_seeds"] += int((sides < 0).sum())


def _write(unit: Scatter, number: int, table: Table, result: Scattered) -> None:
    """Write rows as one file: a record batch for each split and range."""
    table = table.combine_chunks()
    order, copy, split = (table[name].to_numpy() for name in ("_order", "_copy", "_split"))
    ranges = (order >> np.uint64(32)).astype(np.int64)
    if unit.ranges[0]:
        halves = halves_of(table["_key"])
        order = np.empty(len(copy), np.uint64)
        for each in np.unique(copy):
            order[copy == each] = drawn(halves[copy == each], "shuffle", unit.how.seed, int(each))
        counts = np.array(unit.ranges, np.uint64)[split.astype(np.int64)]
        ranges = (((order >> np.uint64(32)) * counts) >> np.uint64(32)).astype(np.int64)
        table = table.set_column(0, ORDER[0], pa.array(order, pa.uint64()))
    by = np.lexsort((order, ranges, split))
    schema = unit.spill.schema()
    table = table.take(pa.array(by)).drop_columns(["_split"]).combine_chunks()
    bounds = np.flatnonzero(np.diff(split[by].astype(np.int64)) | np.diff(ranges[by])) + 1
    name = f"{unit.number:06d}-{number:04d}.arrow"
    with (unit.folder / name).writing() as path:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.OSFile(str(path), "wb") as stream, pa.ipc.new_file(stream, schema, options=options) as writer:
            for batch, (begin, end) in enumerate(zip([0, *bounds], [*bounds, len(by)], strict=True)):
                rows = table.slice(begin, end - begin)
                writer.write_table(rows.combine_chunks())
                first = by[begin]
                result.pieces.append(_piece(name, batch, int(split[first]), int(ranges[first]), rows))


def _piece(file: str, batch: int, split: int, place: int, rows: Any) -> Piece:
    if "_ids" in rows.column_names:
        tokens = pc.sum(pc.list_value_length(rows["_ids"])).as_py() or 0
    else:
        tokens = pc.sum(rows["token_count"]).as_py() or 0
    talks = tuple(len(rows) - rows[column.name].null_count for column in CONVERSATIONS if column.name in rows.column_names)
    return Piece(file, batch, split, place, rows.num_rows, pc.sum(rows["_bytes"]).as_py() or 0, tokens, talks)
