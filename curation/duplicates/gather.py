"""Gather collects, for every document that has a candidate, the facts that decide whether it is a duplicate.

Each document sends one row through the shuffle, by its component, so that a whole component arrives at one unit of `Compare`. The row holds
the ranks of the survivor order, the text hash and, if the document leads a text in a component of several texts, its buckets and distinct
shingles. Text is read again only for those leaders, and only in row groups that contain one. Documents of earlier runs have no preference:
the signals in this run's expression may not have been measured then, and they win in any case.

Disk: 8 bytes for each distinct shingle of those leaders, slightly more than their text. Memory: one run (RUN_BYTES) and one row group.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Hashes, JsonMapping
from curation.duplicates.components import COMPONENTS
from curation.duplicates.minhash import MinHashSettings, bucket_hashes
from curation.duplicates.parts import DuplicatesPart, extra_of, parts_of, unit_inputs
from curation.duplicates.shingles import distinct, shingle, spread_all
from curation.duplicates.sign import signatures_of
from curation.duplicates.survivors import BEST_FIRST, PREFERABLE, RANKS, preference, ranks, source_ranks
from curation.duplicates.urls import same_page_form
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.schema import KEY
from curation.shuffle.exchange import Range, Runs, read_range, read_rows
from curation.shuffle.merging import Merged, merge
from curation.shuffle.numbering import Group
from curation.storage.shards import Shard, check_aligned
from curation.text.column import Offsets
from curation.text.text import Text

GATHERED_RUN_BYTES = 32 << 20
"""Bytes of rows that are collected before they are sorted and written as one file."""

COMPARED = pa.schema(
    [
        pa.field("place", pa.uint64(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("key", KEY, nullable=False),
        pa.field("id", pa.string(), nullable=False),
        *RANKS,
        pa.field("text_hash", pa.binary(16), nullable=False),
        pa.field("url", pa.string()),
        pa.field("buckets", pa.large_list(pa.uint64()), nullable=False),
        pa.field("shingles", pa.large_list(pa.uint64()), nullable=False),
    ]
)
"""A document with a candidate. `place` is the hashed component; `shingles` ascend; buckets and shingles are empty for all but leaders.

`url` is the normalised URL, null if URLs are not compared.
"""

COMPARED_BY = ("place", *BEST_FIRST)
"""The sort columns of COMPARED: component by component, best first."""

_NO_TEXT = pa.array([], pa.large_string())


@dataclass(frozen=True)
class GatherShingles(Stage):
    """Collects the rows of a group's documents."""

    settings: MinHashSettings
    prefer: str | None = None
    by_url: bool = False
    sources: tuple[str, ...] = ()
    name: ClassVar[str] = "4e-gather"
    version: ClassVar[int] = 4
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "polars", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the rows of one group, in runs."""
        base, rows = unit.extra["base"], unit.extra["rows"]
        members = read_range(unit.inputs["components"], "number", Range(base, base + rows), COMPONENTS).sort_by("number")
        runs = Runs(output, unit.name, COMPARED, COMPARED_BY, GATHERED_RUN_BYTES)
        begin, shingled = base, 0
        for part in parts_of(unit):
            numbers = members["number"].to_numpy()
            own = slice(*np.searchsorted(numbers, [begin, begin + part.documents.rows]))
            for table in _rows_of(part, members.slice(own.start, own.stop - own.start), begin, self):
                runs.add(table)
                shingled += int(pc.sum(pc.greater(pc.list_value_length(table["shingles"]), 0)).as_py() or 0)
            begin += part.documents.rows
        runs.close()
        return {"documents": members.num_rows, "shingled": shingled, "bytes": runs.bytes}


def _rows_of(part: DuplicatesPart, members: Any, base: int, chosen_by: GatherShingles) -> Iterator[Any]:
    """Yield the COMPARED rows of one part's members, one row group of documents at a time."""
    rows = members["number"].to_numpy() - base
    if not len(rows):
        return
    settings, prefer = chosen_by.settings, chosen_by.prefer
    check_aligned([shard for shard in (part.documents, part.signatures, part.signals, part.ids) if shard is not None])
    whole = members["leads"].to_numpy() & members["varied"].to_numpy()
    signed = _some_rows(part.signatures, ["text_hash", "signature"], rows)
    ids = _some_rows(part.ids, ["id"], rows) if part.ids is not None else None
    signals = _some_rows(part.signals, None, rows) if part.signals is not None else None
    texts = read_rows(part.documents, ["text"], rows[whole])
    done = 0
    for chosen, documents in read_rows(part.documents, PREFERABLE, rows):
        here = slice(done, done + len(chosen))
        sends = whole[here]
        mine = signed.slice(done, len(chosen))
        described = documents.select(PREFERABLE)
        if signals is not None:
            for name in signals.column_names[2:]:
                described = described.append_column(name, signals[name].slice(done, len(chosen)))
        text = Text.from_arrow(next(texts)[1]["text"] if sends.any() else _NO_TEXT)
        shingles = distinct(shingle(text, settings.ngram, settings.characters))
        buckets = bucket_hashes(signatures_of(mine)[sends], settings)
        yield pa.table(
            {
                "place": spread_all(members["component"].to_numpy()[here]),
                "number": chosen + base,
                "key": documents["key"],
                "id": documents["id"] if ids is None else ids["id"].slice(done, len(chosen)),
                **ranks(
                    part.priority,
                    source_ranks(documents["source"], chosen_by.sources),
                    preference(prefer if part.run is None else None, described),
                    documents["text_bytes"],
                    documents["crawled_at"],
                ),
                "text_hash": mine["text_hash"],
                "url": same_page_form(documents["url"]) if chosen_by.by_url else pa.nulls(len(chosen), pa.string()),
                "buckets": _lists_of(sends, buckets.T.ravel(), np.full(len(text), settings.bands)),
                "shingles": _lists_of(sends, shingles.hashes, np.diff(shingles.offsets)),
            },
            schema=COMPARED,
        )
        done += len(chosen)


def _some_rows(shard: Shard, columns: Sequence[str] | None, rows: Any) -> Any:
    return pa.concat_tables([table for _, table in read_rows(shard, columns, rows)])


def _lists_of(sends: Any, values: Hashes, lengths: Offsets) -> Any:
    """Return a list for each row: its share of the values if the row sends any, otherwise an empty list."""
    counts = np.zeros(len(sends), np.int64)
    counts[sends] = lengths
    return pa.LargeListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(counts)])), pa.array(values))


class Gathered(NamedTuple):
    """COMPARED by place, and the uncompressed size of its rows in bytes."""

    files: Merged
    bytes: int


def gather_documents(session: Session, groups: Sequence[Group[DuplicatesPart]], components: Merged, how: GatherShingles) -> Gathered:
    """Collect what is needed to compare the documents of COMPONENTS, which are given by number."""
    roles = ("documents", "signatures", "ids", *(() if how.prefer is None else ("signals",)))
    units = []
    for group in groups:
        inputs = {**unit_inputs(group, roles), "components": components.meeting(Range(group.base, group.base + group.rows))}
        extra = {**extra_of(group), "base": group.base, "rows": group.rows}
        units.append(Unit(group.name, inputs, extra=extra))
    sealed = session.run(how, units)
    return Gathered(merge(session, how.name, sealed.shards, COMPARED_BY), sealed.total("bytes"))
