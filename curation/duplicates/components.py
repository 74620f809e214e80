"""Components: what hangs together by edges, found in pieces, so that no process ever holds more than a share of the documents.

    Sharing      a share of the edges at a time becomes stars (curation.duplicates.union_find): an edge from the first document of each
    component to each
                 other. Where there is one share, these are the answer; else the stars of all shares are edges again, and go through rounds:
    SmallStar    every document keeps the least of the documents before it that it has an edge to, and these others it ties to that least.
    LargeStar    every edge to a document that has one before it goes to the least of those instead.
    Members      of the stars that remain: every document that has a candidate, with its component.

The two are the alternating algorithm of Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii ("Connected Components in MapReduce and
Beyond", 2014), whose rounds they bound by the square of the logarithm of the documents; as copies mostly hang from one first document, a
few suffice here. Neither step loses a connection or makes one. When neither changes an edge, every document has one edge, to one that has
none before it: the first of its component.

Invariants
    - Components depend on the edges alone, not on how they are cut into files, shares or ranges.
    - Memory: Sharing 130 bytes an edge of a share, whose largest file may be larger; the others 9 bytes for each number of a range of
      documents, and a run of edges. Edges of one document, however many, are streamed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.duplicates.union_find import Edges, Numbers, stars
from curation.engine.session import Sealed, Session
from curation.engine.stage import Output, Stage, Unit
from curation.shuffle.exchange import Range, Runs, ranges_for, tables_in, write_sorted
from curation.shuffle.merging import Merged, merge, range_of
from curation.storage.shards import Shard, batches

SHARE_ROWS = 1 << 20
"""Edges of one share, about; documents of one range; and edges of one run that is sorted and written."""

RUN_BYTES = 16 << 20
"""Bytes of COMPONENTS that are sorted and written at once."""

EDGES = pa.schema(
    [
        pa.field("left", pa.int64(), nullable=False),
        pa.field("right", pa.int64(), nullable=False),
        pa.field("of_text", pa.bool_(), nullable=False),
    ]
)
"""The columns of `curation.duplicates.union_find.Edges`, by document numbers."""

COMPONENTS = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        pa.field("component", pa.int64(), nullable=False),
        pa.field("leads", pa.bool_(), nullable=False),
        pa.field("varied", pa.bool_(), nullable=False),
    ]
)
"""Documents with a candidate, by number. `component`: the first of those that hang together; `leads`: the first of its text; `varied`: the
component holds more than one text."""

BY_LEFT, BY_RIGHT = "-by-left", "-by-right"


def edges_of(table: Any) -> Edges:
    """Return the edges in a table of EDGES."""
    return Edges(table["left"].to_numpy(), table["right"].to_numpy(), table["of_text"].to_numpy())


def write_edges(output: Output, name: str, edges: Edges, by: Sequence[str]) -> Shard:
    """Write edges as one exchange file, sorted by the columns `by`."""
    return write_sorted(output, name, pa.table(dict(zip(EDGES.names, edges, strict=True)), schema=EDGES), EDGES, by)


@dataclass(frozen=True)
class ShareEdges(Stage):
    """Makes stars of a share of the edges."""

    name: ClassVar[str] = "4d-stars"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write the stars of some files."""
        runs = _BothWays(unit.name, output)
        runs.add(stars(_joined([edges_of(batch) for shard in unit.inputs["edges"] for batch in batches(shard)])))
        return {"edges": runs.close()}


@dataclass(frozen=True)
class SmallStar(Stage):
    """Leaves every document of a range one edge to a document before it, the least, and ties the others that it had to that least."""

    name: ClassVar[str] = "small-star"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write the edges that become of those whose right end is in the range."""
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
    """Hands every edge whose left end is in a range on to the least document that this left end has an edge to, if it has any."""

    name: ClassVar[str] = "large-star"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write the edges that become of those whose left end is in the range."""
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

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write the rows of COMPONENTS, in runs."""
        wanted = range_of(unit)
        shared, varied = np.zeros(wanted.high - wanted.low, np.bool_), np.zeros(wanted.high - wanted.low, np.bool_)
        for edges in _edges_in(unit.inputs["by_left"], "left", wanted):
            shared[edges.left - wanted.low] = True
            varied[edges.left[~edges.of_text] - wanted.low] = True
        firsts = np.flatnonzero(shared)
        runs = Runs(output, unit.name, COMPONENTS, ("number",), RUN_BYTES)
        runs.add(_members(firsts + wanted.low, firsts + wanted.low, np.ones(len(firsts), np.bool_), varied[firsts]))
        for edges in _edges_in(unit.inputs["by_left"], "left", wanted):
            runs.add(_members(edges.right, edges.left, ~edges.of_text, varied[edges.left - wanted.low]))
        runs.close()
        return {"components": len(firsts), "documents": runs.rows}


def _members(numbers: Numbers, components: Numbers, leads: npt.NDArray[np.bool_], varied: npt.NDArray[np.bool_]) -> Any:
    return pa.table({"number": numbers, "component": components, "leads": leads, "varied": varied}, schema=COMPONENTS)


class _BothWays:
    """Gathers edges, and writes them once by left and once by right end whenever they are SHARE_ROWS."""

    def __init__(self, name: str, output: Output) -> None:
        self._name = name
        self._output = output
        self._edges: list[Edges] = []
        self._waiting = self._written = self._rows = 0

    def add(self, edges: Edges) -> None:
        """Add edges, of which some may have been added before."""
        self._edges.append(edges)
        self._waiting += len(edges.left)
        if self._waiting >= SHARE_ROWS:
            self._write()

    def close(self) -> int:
        """Write what waits and return how many edges were written."""
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


def _least_before(by_right: Sequence[Shard], wanted: Range) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Return, for each number of a range, the least before it that it has an edge to (itself: none), and whether it follows."""
    least, follows = np.arange(wanted.low, wanted.high), np.zeros(wanted.high - wanted.low, np.bool_)
    for edges in _edges_in(by_right, "right", wanted):
        np.minimum.at(least, edges.right - wanted.low, edges.left)
        follows[edges.right[edges.of_text] - wanted.low] = True
    return least, follows


def _joined(edges: Sequence[Edges]) -> Edges:
    none = Edges(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.bool_))
    return Edges(*(np.concatenate(columns) for columns in zip(none, *edges, strict=True)))


def _distinct(edges: Edges) -> Edges:
    """Return every pair once; it is `of_text` where any of its edges is."""
    order = np.lexsort((~edges.of_text, edges.right, edges.left))
    left, right = edges.left[order], edges.right[order]
    firsts = np.flatnonzero(np.concatenate([[True], (left[1:] != left[:-1]) | (right[1:] != right[:-1])])[: len(left)])
    return Edges(left[firsts], right[firsts], edges.of_text[order][firsts])


def find_components(session: Session, files: Sequence[Shard], documents: int, first_earlier: int) -> Merged:
    """Find what hangs together by the EDGES of all files; returns COMPONENTS by number.

    Documents are numbered below `documents`; from `first_earlier` up they are earlier runs', and what has none before these is left out.
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
    """Cut files into consecutive shares of about SHARE_ROWS."""
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
