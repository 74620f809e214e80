"""Components are sets of documents connected by edges; they are found in pieces, so no process holds more than a share of the documents.

    ShareEdges       turns a share of the edges at a time into stars (`curation.duplicates.union_find`): edges from the first document of
                     each component to every other. If there is only one share, these are the answer; otherwise the stars of all shares
                     become edges again and go through rounds of the next two stages:
    SmallStar        every document keeps its edge to the least earlier neighbour, and connects its other earlier neighbours to that one.
    LargeStar        every edge to a document that has an earlier neighbour moves to the least of those.
    WriteComponents  lists, from the final stars, every document that has a candidate, with its component.

SmallStar and LargeStar are the alternating algorithm of Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii ("Connected Components in
MapReduce and Beyond", 2014). They bound the rounds by the square of the logarithm of the number of documents; a few suffice here, because
most copies share one first document. Neither step loses or adds a connection. When neither changes an edge, every document has one edge,
to a document without an earlier neighbour: the first of its component.

Invariants
    - Components depend only on the edges, not on how they are split into files, shares or ranges.
    - Memory: ShareEdges takes 130 bytes for each edge of a share, whose largest file may be larger; the others take 9 bytes for each number
      of a range of documents, and a run of edges. The edges of one document, however many, are streamed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Flags, Integers, JsonMapping, Table
from curation.duplicates.union_find import Edges, stars
from curation.engine.session import Sealed, Session
from curation.engine.stage import Output, Stage, Unit
from curation.shuffle.exchange import Range, Runs, ranges_for, tables_in, write_sorted
from curation.shuffle.merging import Merged, merge, range_of
from curation.storage.shards import Shard, batches

SHARE_ROWS = 1 << 20
"""Approximate number of edges in a share, documents in a range, and edges in a run that is sorted and written."""

COMPONENT_RUN_BYTES = 16 << 20
"""Bytes of COMPONENTS that are sorted and written at once."""

EDGES = pa.schema(
    [
        pa.field("left", pa.int64(), nullable=False),
        pa.field("right", pa.int64(), nullable=False),
        pa.field("of_text", pa.bool_(), nullable=False),
    ]
)
"""The columns of `curation.duplicates.union_find.Edges`, with document numbers."""

COMPONENTS = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("component", pa.int64(), nullable=False),
        pa.field("leads", pa.bool_(), nullable=False),
        pa.field("varied", pa.bool_(), nullable=False),
    ]
)
"""Documents with a candidate, by number. `component`: the first document of the component; `leads`: whether this document is the first with
its text; `varied`: whether the component holds more than one text."""

BY_LEFT, BY_RIGHT = "-by-left", "-by-right"


def edges_of(table: Table) -> Edges:
    """Return the edges of an EDGES table."""
    return Edges(table["left"].to_numpy(), table["right"].to_numpy(), table["of_text"].to_numpy())


def write_edges(output: Output, name: str, edges: Edges, by: Sequence[str]) -> Shard:
    """Write edges as one exchange file, sorted by the columns `by`."""
    return write_sorted(output, name, pa.table(dict(zip(EDGES.names, edges, strict=True)), schema=EDGES), EDGES, by)


@dataclass(frozen=True)
class ShareEdges(Stage):
    """Turns a share of the edges into stars."""

    name: ClassVar[str] = "4d-stars"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the stars of some files."""
        runs = _BothWays(unit.name, output)
        runs.add(stars(_joined([edges_of(batch) for shard in unit.inputs["edges"] for batch in batches(shard)])))
        return {"edges": runs.close()}


@dataclass(frozen=True)
class SmallStar(Stage):
    """Keeps every document's edge to its least earlier neighbour, and connects its other earlier neighbours to that one."""

    name: ClassVar[str] = "small-star"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the new edges for those whose right end is in the range."""
        wanted = range_of(unit)
        least, follows = _least_before(unit.inputs["by_right"], wanted)
        runs = _BothWays(unit.name, output)
        tied = np.flatnonzero(least != np.arange(wanted.low, wanted.high))
        runs.add(Edges(least[tied], tied + wanted.low, follows[tied]))
        changed = 0
        for edges in _edges_in(unit.inputs["by_right"], "right", wanted):
            firsts = least[edges.right - wanted.low]
            others = firsts != edges.left
            runs.add(Edges(firsts, edges.left, np.zeros(len(firsts), np.bool_)).chosen(others))
            changed += int(others.sum())
        return {"edges": runs.close(), "changed": changed}


@dataclass(frozen=True)
class LargeStar(Stage):
    """Moves every edge whose left end is in a range to the least earlier neighbour of that end, if there is one."""

    name: ClassVar[str] = "large-star"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the new edges for those whose left end is in the range."""
        wanted = range_of(unit)
        least, _ = _least_before(unit.inputs["by_right"], wanted)
        runs = _BothWays(unit.name, output)
        changed = 0
        for edges in _edges_in(unit.inputs["by_left"], "left", wanted):
            firsts = least[edges.left - wanted.low]
            changed += int((firsts != edges.left).sum())
            runs.add(Edges(firsts, edges.right, edges.of_text))
        return {"edges": runs.close(), "changed": changed}


@dataclass(frozen=True)
class WriteComponents(Stage):
    """Lists the members of the stars whose first document is in a range."""

    name: ClassVar[str] = "4d-components"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the rows of COMPONENTS, in runs."""
        wanted = range_of(unit)
        shared, varied = np.zeros(wanted.high - wanted.low, np.bool_), np.zeros(wanted.high - wanted.low, np.bool_)
        for edges in _edges_in(unit.inputs["by_left"], "left", wanted):
            shared[edges.left - wanted.low] = True
            varied[edges.left[~edges.of_text] - wanted.low] = True
        firsts = np.flatnonzero(shared)
        runs = Runs(output, unit.name, COMPONENTS, ("number",), COMPONENT_RUN_BYTES)
        runs.add(_members(firsts + wanted.low, firsts + wanted.low, np.ones(len(firsts), np.bool_), varied[firsts]))
        for edges in _edges_in(unit.inputs["by_left"], "left", wanted):
            runs.add(_members(edges.right, edges.left, ~edges.of_text, varied[edges.left - wanted.low]))
        runs.close()
        return {"components": len(firsts), "documents": runs.rows}


def _members(numbers: Integers, components: Integers, leads: Flags, varied: Flags) -> Table:
    return pa.table({"number": numbers, "component": components, "leads": leads, "varied": varied}, schema=COMPONENTS)


class _BothWays:
    """Collects edges and, at every SHARE_ROWS of them, writes them twice: sorted by left end and by right end."""

    def __init__(self, name: str, output: Output) -> None:
        self._name = name
        self._output = output
        self._edges: list[Edges] = []
        self._waiting = self._written = self._rows = 0

    def add(self, edges: Edges) -> None:
        """Add edges; repetitions are allowed."""
        self._edges.append(edges)
        self._waiting += len(edges.left)
        if self._waiting >= SHARE_ROWS:
            self._write()

    def close(self) -> int:
        """Write the remaining edges; return how many were written in total."""
        if self._edges or not self._written:
            self._write()
        return self._rows

    def _write(self) -> None:
        edges = _distinct(_joined(self._edges))
        self._edges, self._waiting = [], 0
        name = f"{self._name}-{self._written:04d}"
        write_edges(self._output, name + BY_LEFT, edges, ("left", "right"))
        write_edges(self._output, name + BY_RIGHT, edges, ("right", "left"))
        self._written += 1
        self._rows += len(edges.left)


def _edges_in(shards: Sequence[Shard], end: str, wanted: Range) -> Iterator[Edges]:
    return (edges_of(table) for table in tables_in(shards, end, wanted, EDGES))


def _least_before(by_right: Sequence[Shard], wanted: Range) -> tuple[Integers, Flags]:
    """Return, for each number of a range, its least earlier neighbour (itself if there is none), and whether it has the same text."""
    least, follows = np.arange(wanted.low, wanted.high), np.zeros(wanted.high - wanted.low, np.bool_)
    for edges in _edges_in(by_right, "right", wanted):
        np.minimum.at(least, edges.right - wanted.low, edges.left)
        follows[edges.right[edges.of_text] - wanted.low] = True
    return least, follows


def _joined(edges: Sequence[Edges]) -> Edges:
    none = Edges(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))
    return Edges(*(np.concatenate(columns) for columns in zip(none, *edges, strict=True)))


def _distinct(edges: Edges) -> Edges:
    """Return every pair once; it is `of_text` if any of its edges is."""
    order = np.lexsort((~edges.of_text, edges.right, edges.left))
    left, right = edges.left[order], edges.right[order]
    firsts = np.flatnonzero(np.concatenate([[True], (left[1:] != left[:-1]) | (right[1:] != right[:-1])])[: len(left)])
    return Edges(left[firsts], right[firsts], edges.of_text[order][firsts])


def find_components(session: Session, files: Sequence[Shard], documents: int, first_earlier: int) -> Merged:
    """Find the components of the EDGES in all files; return COMPONENTS, by number.

    Documents have numbers below `documents`; numbers from `first_earlier` up belong to earlier runs. A component without a document of this
    run is left out.
    """
    everything = Range(0, documents)
    shares = [Unit(f"{place:06d}", {"edges": share}) for place, share in enumerate(_shares(files))]
    found = session.run(ShareEdges(), shares)
    by_left, by_right = _both_ways(session, found, "4d-stars", everything)
    turn, settled = 0, len(shares) == 1
    while not settled:
        turn += 1
        ranges = ranges_for(max(documents, by_right.rows), SHARE_ROWS, everything)
        with session.within(f"4d-round-{turn:02d}"):
            small = session.run(SmallStar(), by_right.units("by_right", ranges))
            by_left, by_right = _both_ways(session, small, "small-star", everything)
            units = [
                Unit(unit.name, {"by_left": by_left.meeting(range_of(unit)), **unit.inputs}, extra=unit.extra)
                for unit in by_right.units("by_right", ranges)
            ]
            large = session.run(LargeStar(), units)
            by_left, by_right = _both_ways(session, large, "large-star", everything)
        settled = small.total("changed") == large.total("changed") == 0
    ranges = ranges_for(max(documents, by_left.rows), SHARE_ROWS, Range(0, first_earlier))
    members = session.run(WriteComponents(), by_left.units("by_left", ranges))
    return merge(session, "4d-components", members.shards, ("number",), everything)


def _shares(files: Sequence[Shard]) -> list[tuple[Shard, ...]]:
    """Split files into consecutive shares of about SHARE_ROWS."""
    shares: list[list[Shard]] = [[]]
    rows = 0
    for file in files:
        if shares[-1] and rows + file.rows > SHARE_ROWS:
            shares.append([])
            rows = 0
        shares[-1].append(file)
        rows += file.rows
    return [tuple(share) for share in shares]


def _both_ways(session: Session, found: Sealed, title: str, everything: Range) -> tuple[Merged, Merged]:
    """Return the edges that a stage wrote, by left and by right end."""
    by_left = [shard for shard in found.shards if shard.name.endswith(BY_LEFT)]
    by_right = [shard for shard in found.shards if shard.name.endswith(BY_RIGHT)]
    return (
        merge(session, title + BY_LEFT, by_left, ("left", "right"), everything),
        merge(session, title + BY_RIGHT, by_right, ("right", "left"), everything),
    )
