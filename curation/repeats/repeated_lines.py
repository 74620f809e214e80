"""Repeated lines: of lines that are equal in many documents, the first few stay and the others are cut.

Menus, notices and licences occur on every page of a site, in documents that are not duplicates of each other. cc_net (Wenzek et al. 2020)
removes every paragraph that it has seen before. C4 (Raffel et al. 2020) removes spans of three sentences in the paper and single lines in
its code; one page keeps each of them. Here the unit is a line or a paragraph (`curation.repeats.passages`), and only documents that would
otherwise be kept are considered.

    GatherLines   writes, for a group of documents, a row (hash, order, document, place) for every passage. Within a run of passages
                  only the first `keep_first` equal ones go on; the others are known to be surplus.
    FindRepeats   receives equal hashes of all runs from the shuffle; again the first `keep_first` stay, and the others are surplus.
    FindCuts      writes, beside every documents shard, the spans to leave out (`curation.repeats.cuts`), from the surplus of all runs and
                  ranges.

"First" means by the documents' keys (their first 8 bytes), which are practically random and favour no site, and by place within a document:
a line that occurs twice in one document counts twice. C4's code chooses by a hash of the URL.

A document with nothing left is dropped (rule `only_repeated_lines`); if the recipe sets `max_share`, so is a document of which more than
that is cut (`mostly_repeated_lines`). Its duplicates are dropped with it (`copy_of_dropped`, by the ledger), because a duplicate must point
at a kept document. A document dropped as mostly repeated may take with it the first copy of a passage.

Invariants
    - Of equal passages in the considered documents, `keep_first` stay, or all if there are fewer.
    - Results do not depend on the number of workers, on how shards are grouped, or on the order in which they are given. They depend on the
      shards' names only if the keys of two documents agree in 8 bytes.
    - A passage that occurs in a million documents sends only `keep_first` rows for each run of RUN_ROWS passages.
    - Memory: GatherLines takes about 80 bytes for each passage of a run, FindRepeats 80 for each row of a range, FindCuts 40 for each cut
      passage of a group; each also holds one row group of text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Column, Flags, Floats, Hashes, Integers, JsonMapping, Table, Unsigned32
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.repeats.cuts import CUTS, Spans, spans_of
from curation.repeats.passages import Passages, PassageUnit, find_passages
from curation.schema import KEY
from curation.shuffle.exchange import Range, ranges_for, read_range, read_rows, write_sorted
from curation.shuffle.merging import merge, range_of
from curation.shuffle.numbering import Group, numbered_groups
from curation.storage.record_keys import halves_of
from curation.storage.shards import Shard, batches, check_aligned, read_shard
from curation.text.column import offsets_of
from curation.text.text import Text

RUN_ROWS = 1 << 21
"""Passages that are collected before they are sorted and written as one file."""

REPEATS_PER_UNIT = 1 << 20
"""Approximate number of rows that one unit of FindRepeats reads."""

SURPLUS, GONE = "-surplus", "-gone"

ROWS = pa.schema(
    [
        pa.field("hash", pa.uint64(), nullable=False),
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("place", pa.uint32(), nullable=False),
    ]
)
"""A passage that may stay: its hash, its document's order and number, and its index in the document."""

SURPLUS_ROWS = pa.schema([pa.field("number", pa.int64(), nullable=False), pa.field("place", pa.uint32(), nullable=False)])
"""A passage that is cut: its document's number, and its index in the document."""

GONE_KEYS = pa.schema([pa.field("key", KEY, nullable=False)])
"""Documents that are dropped here although others are duplicates of them."""

ONLY_REPEATED, MOSTLY_REPEATED = "only_repeated_lines", "mostly_repeated_lines"


@dataclass(frozen=True)
class RepeatedLinesSettings:
    """The recipe's [repeated_lines]: what is compared, how many equal ones stay, and which documents are dropped afterwards.

    unit            line or paragraph
    keep_first      number of equal ones that stay
    min_characters  shorter ones are left alone: they are equal by chance, such as a closing bracket or "Example 1"
    fold            compare only words, ignoring case, accents, punctuation and spacing
    max_share       drop a document if more than this share of its text, in bytes, repeats; none: only if nothing is left
    """

    unit: PassageUnit = "line"
    keep_first: int = 1
    min_characters: int = 20
    fold: bool = False
    max_share: float | None = None

    def __post_init__(self) -> None:
        """Refuse settings that cannot work."""
        for name in ("keep_first", "min_characters"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.max_share is not None and not 0 < self.max_share < 1:
            raise ValueError(f"max_share must be above 0 and below 1, not {self.max_share}")


@dataclass(frozen=True)
class LinesPart:
    """A documents shard and its side shards: `judged` ones have a column `rule` (null: considered), `copies` are its duplicates."""

    documents: Shard
    judged: tuple[Shard, ...] = ()
    copies: Shard | None = None

    @property
    def counted(self) -> Shard:
        """The shard whose rows are counted."""
        return self.documents

    def looked_at(self) -> Flags:
        """Return, for each document, whether it is considered. Raises CorruptShard where side shards do not have the same rows."""
        beside = (*self.judged, *((self.copies,) if self.copies is not None else ()))
        check_aligned([self.documents, *beside])
        chosen = np.ones(self.documents.rows, np.bool_)
        for shard in beside:
            chosen &= read_shard(shard, ["rule"])["rule"].is_null().to_numpy()
        return chosen


def _inputs_of(group: Group[LinesPart]) -> dict[str, tuple[Shard, ...]]:
    inputs: dict[str, tuple[Shard, ...]] = {}
    for place, member in enumerate(group.members):
        inputs[f"{place}.documents"] = (member.documents,)
        inputs[f"{place}.judged"] = member.judged
        inputs[f"{place}.copies"] = () if member.copies is None else (member.copies,)
    return inputs


def _members_of(unit: Unit) -> Iterator[LinesPart]:
    for place in range(unit.extra["members"]):
        copies = next(iter(unit.inputs[f"{place}.copies"]), None)
        yield LinesPart(unit.shard(f"{place}.documents"), unit.inputs[f"{place}.judged"], copies)


@dataclass(frozen=True)
class GatherLines(Stage):
    """Collects the passages of a group's documents."""

    unit: PassageUnit
    keep_first: int
    min_characters: int
    fold: bool
    name: ClassVar[str] = "4g-lines"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the passages of one group, in runs."""
        runs = _Runs(unit.name, output, self.keep_first)
        base, text_bytes = unit.extra["base"], 0
        for member in _members_of(unit):
            chosen = member.looked_at()
            begin = 0
            for batch in batches(member.documents, ["key", "text"]) if chosen.any() else ():
                here = np.flatnonzero(chosen[begin : begin + batch.num_rows])
                text = Text.from_arrow(batch["text"].take(pa.array(here)))
                passages = find_passages(text, self.unit, self.fold)
                text_bytes += int(text.lengths.sum())
                runs.add(passages, taking_part(passages, self.min_characters), halves_of(batch["key"])[here, 0], here + begin + base)
                begin += batch.num_rows
            base += member.documents.rows
        runs.write()
        return {"passages": runs.passages, "surplus": runs.surplus, "text_bytes": text_bytes}


def taking_part(passages: Passages, min_characters: int) -> Flags:
    """Return which passages are compared."""
    long_enough: Flags = passages.comparable & (passages.characters >= min_characters)
    return long_enough


class _Runs:
    """Collects rows of passages, and at every RUN_ROWS writes two sorted files: passages that may stay, and the surplus."""

    def __init__(self, name: str, output: Output, keep_first: int) -> None:
        self.passages = self.surplus = 0
        self._name = name
        self._output = output
        self._keep_first = keep_first
        self._written = 0
        self._start()

    def _start(self) -> None:
        self._waiting = 0
        self._hashes, self._places = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
        self._counts, self._orders, self._numbers = [np.empty(0, np.int64)], [np.empty(0, np.uint64)], [np.empty(0, np.int64)]

    def add(self, passages: Passages, chosen: Flags, orders: Hashes, numbers: Integers) -> None:
        """Add the chosen passages of some documents with these orders and numbers."""
        self._hashes.append(passages.hashes[chosen])
        self._places.append((np.arange(len(chosen)) - np.repeat(passages.offsets[:-1], passages.counts))[chosen].astype(np.uint32))
        self._counts.append(passages.sums(chosen))
        self._orders.append(orders)
        self._numbers.append(numbers)
        self._waiting += len(self._hashes[-1])
        self.passages += len(self._hashes[-1])
        if self._waiting >= RUN_ROWS:
            self.write()

    def write(self) -> None:
        """Write the remaining rows."""
        if not self._waiting and self._written:
            return
        counts, orders, numbers = np.concatenate(self._counts), np.concatenate(self._orders), np.concatenate(self._numbers)
        by_order = np.argsort(orders, kind="stable")
        taken = _laid_out(counts, by_order)
        hashes, places = np.concatenate(self._hashes)[taken], np.concatenate(self._places)[taken]
        document = np.repeat(by_order, counts[by_order])
        self._start()
        by_hash = np.argsort(hashes, kind="stable")
        stays = by_hash[rank_among_equal(hashes[by_hash]) < self._keep_first]
        surplus = np.ones(len(hashes), np.bool_)
        surplus[stays] = False
        name = f"{self._name}-{self._written:04d}"
        columns = {"hash": hashes[stays], "order": orders[document[stays]], "number": numbers[document[stays]], "place": places[stays]}
        write_sorted(self._output, name, pa.table(columns, schema=ROWS), ROWS, ("hash",))
        columns = {"number": numbers[document[surplus]], "place": places[surplus]}
        write_sorted(self._output, name + SURPLUS, pa.table(columns, schema=SURPLUS_ROWS), SURPLUS_ROWS, ("number",))
        self.surplus += int(surplus.sum())
        self._written += 1


def _laid_out(counts: Integers, order: Integers) -> Integers:
    """Return the positions of values in pieces with these counts, after the pieces are put in another order."""
    starts = np.cumsum(counts) - counts
    ordered = counts[order]
    places: Integers = np.repeat(starts[order] - (np.cumsum(ordered) - ordered), ordered) + np.arange(ordered.sum())
    return places


def rank_among_equal(values: Hashes) -> Integers:
    """Return, for each of some ascending values, how many equal ones come before it."""
    begins = np.flatnonzero(np.concatenate([np.ones(min(1, len(values)), np.bool_), values[1:] != values[:-1]]))
    ranks: Integers = np.arange(len(values)) - np.repeat(begins, np.diff(np.append(begins, len(values))))
    return ranks


@dataclass(frozen=True)
class FindRepeats(Stage):
    """Chooses which of the equal passages of all runs stay."""

    keep_first: int
    name: ClassVar[str] = "4h-repeats"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write the surplus of one range of hashes, by document."""
        table = read_range(unit.inputs["runs"], "hash", range_of(unit), ROWS)
        hashes = table["hash"].to_numpy()
        order = np.lexsort((table["order"].to_numpy(), hashes))
        surplus = order[rank_among_equal(hashes[order]) >= self.keep_first]
        columns = {"number": table["number"].to_numpy()[surplus], "place": table["place"].to_numpy()[surplus]}
        write_sorted(output, unit.name, pa.table(columns, schema=SURPLUS_ROWS), SURPLUS_ROWS, ("number",))
        return {"passages": len(hashes), "surplus": len(surplus)}


@dataclass(frozen=True)
class FindCuts(Stage):
    """Writes, beside each documents shard of a group, what is cut from its documents."""

    unit: PassageUnit
    fold: bool
    max_share: float | None
    name: ClassVar[str] = "4i-cuts"
    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy", "numba")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write a side shard for each documents shard of the group, and the keys of dropped documents that have duplicates."""
        base, rows = unit.extra["base"], unit.extra["rows"]
        surplus = read_range([*unit.inputs["chosen"], *unit.inputs["surplus"]], "number", Range(base, base + rows), SURPLUS_ROWS)
        numbers, places = surplus["number"].to_numpy() - base, surplus["place"].to_numpy()
        order = np.lexsort((places, numbers))
        numbers, places = numbers[order], places[order]
        gone = [pa.array([], KEY)]
        counts = {"documents": 0, "passages": 0, "cut_bytes": 0, ONLY_REPEATED: 0, MOSTLY_REPEATED: 0}
        begin = 0
        for member in _members_of(unit):
            mine = slice(*np.searchsorted(numbers, [begin, begin + member.documents.rows]))
            table = self._cuts(member, numbers[mine] - begin, places[mine])
            output.write(member.documents.name, table)
            kept = table.filter(table["rule"].is_null())
            counts["documents"] += pc.sum(pc.greater(kept["passages"], 0)).as_py() or 0
            for name in ("passages", "cut_bytes"):
                counts[name] += pc.sum(kept[name]).as_py() or 0
            for rule in (ONLY_REPEATED, MOSTLY_REPEATED):
                counts[rule] += pc.sum(pc.equal(table["rule"], rule)).as_py() or 0
            if member.copies is not None:
                survived_others = pc.greater(read_shard(member.copies, ["cluster_size"])["cluster_size"], 1)
                gone += table["key"].filter(pc.and_(table["rule"].is_valid(), survived_others)).chunks
            begin += member.documents.rows
        output.write(unit.name + GONE, pa.table({"key": pa.chunked_array(gone, KEY)}, schema=GONE_KEYS))
        return counts

    def _cuts(self, member: LinesPart, rows: Integers, places: Unsigned32) -> Table:
        """Return the CUTS of one documents shard; `rows` ascend and pair with the `places` of the passages to cut."""
        keys = read_shard(member.documents, ["key"])["key"]
        shares, counts = np.zeros(len(keys)), np.bincount(rows, minlength=len(keys))
        starts, ends, spans = [np.empty(0, np.uint32)], [np.empty(0, np.uint32)], np.zeros(len(keys), np.int64)
        for numbers, table in read_rows(member.documents, ["text"], np.flatnonzero(counts)):
            text = Text.from_arrow(table["text"])
            passages = find_passages(text, self.unit, self.fold)
            here = slice(*np.searchsorted(rows, [numbers[0], numbers[-1] + 1]))
            goes = np.zeros(len(passages.starts), np.bool_)
            goes[passages.offsets[np.searchsorted(numbers, rows[here])] + places[here]] = True
            found = spans_of(text, passages, goes)
            starts.append(found.starts)
            ends.append(found.ends)
            spans[numbers] = np.diff(found.offsets)
            shares[numbers] = passages.sums(np.where(goes, passages.sizes, 0)) / passages.sums(passages.sizes)
        laid = Spans(offsets_of(spans), np.concatenate(starts), np.concatenate(ends))
        return _table(keys, counts, shares, laid, self.max_share)


def _table(keys: Column, counts: Integers, shares: Floats, spans: Spans, max_share: float | None) -> Table:
    mostly = shares > (1.0 if max_share is None else max_share)
    rules = pa.array(np.where(shares == 1.0, ONLY_REPEATED, MOSTLY_REPEATED), mask=~(mostly | (shares == 1.0)))
    return pa.table(
        {
            "key": keys,
            "rule": rules,
            "value": pa.array(shares, mask=counts == 0),
            "threshold": pa.array(np.full(len(shares), max_share or 0.0), mask=~mostly | (shares == 1.0)),
            "passages": counts,
            "cut_bytes": spans.bytes,
            "spans": spans.to_arrow(),
        },
        schema=CUTS,
    )


@dataclass(frozen=True)
class Repeated:
    """The result: shards of CUTS, named like the documents shards, and shards of GONE_KEYS."""

    cuts: tuple[Shard, ...] = ()
    gone: tuple[Shard, ...] = ()


def cut_repeated_lines(session: Session, candidates: Sequence[LinesPart], settings: RepeatedLinesSettings) -> Repeated:
    """Find the lines or paragraphs that repeat among all considered documents, and what to cut from each document."""
    if not candidates:
        return Repeated()
    groups = numbered_groups(candidates)
    gathering = GatherLines(settings.unit, settings.keep_first, settings.min_characters, settings.fold)
    units = [Unit(group.name, _inputs_of(group), extra={"members": len(group.members), "base": group.base}) for group in groups]
    gathered = session.run(gathering, units)
    runs = merge(session, gathering.name, [shard for shard in gathered.shards if not _is_surplus(shard)], ("hash",))
    found = session.run(FindRepeats(settings.keep_first), runs.units("runs", ranges_for(runs.rows, REPEATS_PER_UNIT)))
    everything = Range(0, sum(group.rows for group in groups))
    chosen = merge(session, FindRepeats.name, found.shards, ("number",), everything)
    units = []
    for unit, group in zip(gathered.units, groups, strict=True):
        own = {"chosen": chosen.meeting(Range(group.base, group.base + group.rows)), "surplus": tuple(filter(_is_surplus, unit.shards))}
        extra = {"members": len(group.members), "base": group.base, "rows": group.rows}
        units.append(Unit(group.name, {**_inputs_of(group), **own}, extra=extra))
    shards = session.run(FindCuts(settings.unit, settings.fold, settings.max_share), units).shards
    gone = tuple(shard for shard in shards if shard.name.endswith(GONE))
    return Repeated(tuple(shard for shard in shards if shard not in gone), gone)


def _is_surplus(shard: Shard) -> bool:
    return shard.name.endswith(SURPLUS)
