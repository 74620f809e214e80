"""The costs and drops of a recipe's filters, measured on a sample; `pipelines.plan.gates` chooses gates and an order from them.

Every filter measures every document of the sample, regardless of gates, so that all verdicts of each document are known. Parts that
several filters share (words, lines, folded words) are found beforehand and timed separately, so that a filter's own cost is what it adds.

The cost of a filter is linear: a cost per document plus a cost per byte. Language detection reads only the beginning of a text, n-grams
read all of it; a single cost per byte would be wrong for texts of other lengths. The line goes through two points, the shorter and the
longer half of the documents, which are timed separately.

Times are processor times, the minimum of REPEATS runs, with kernels compiled and models loaded beforehand.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from curation.arrays import Flags, Integers, Table
from curation.text.slicing import already_found
from curation.text.text import Text
from filters.contract import Filter, FilterChoice, passing
from filters.measure import DESCRIBING, as_array

REPEATS = 3

TEXT = "text"
"""The name of the texts' bytes among the parts whose carrying cost is measured."""


@dataclass(frozen=True)
class CostLine:
    """A cost in seconds of one core, per document and per byte of its text."""

    per_document: float = 0.0
    per_byte: float = 0.0

    def of(self, documents: int, text_bytes: int) -> float:
        """Return the seconds for a number of documents with an amount of text."""
        return self.per_document * documents + self.per_byte * text_bytes


@dataclass(frozen=True)
class FilterCost:
    """The cost of a filter's signals, the cost of its rules (which a gate applies at once), and the shared parts it needs."""

    name: str
    signals: CostLine
    rules: CostLine
    needs: frozenset[str]


@dataclass(frozen=True)
class Trial:
    """The measurements of f filters on a sample of n documents."""

    filters: Sequence[FilterCost]
    parts: Mapping[str, CostLine]
    """The cost of finding each shared part; a part comes after the parts it is made from."""
    carrying: Mapping[str, float]
    """Seconds per byte of text to copy its bytes (TEXT) and each shared part to a column of fewer documents, as a gate does."""
    drops: Flags
    """Whether each filter drops each document (n by f)."""
    text_bytes: Integers
    """Bytes of each document's text (n)."""


class _Points:
    """Running sums of seconds, documents and bytes of the shorter and of the longer documents."""

    def __init__(self) -> None:
        self.sums = np.zeros((2, 3))

    def add(self, half: int, seconds: float, column: Text) -> None:
        self.sums[half] += (seconds, len(column), column.offsets[-1] - column.offsets[0])

    @property
    def line(self) -> CostLine:
        """The line through both points; a negative term is set to zero, and the other term takes the whole cost."""
        (short_seconds, short, short_bytes), (long_seconds, long, long_bytes) = self.sums
        seconds, documents, text_bytes = self.sums.sum(axis=0)
        determinant = short * long_bytes - long * short_bytes
        if determinant <= 0:
            return CostLine(0.0, seconds / max(text_bytes, 1))
        per_document = (short_seconds * long_bytes - long_seconds * short_bytes) / determinant
        per_byte = (short * long_seconds - long * short_seconds) / determinant
        if per_byte < 0:
            return CostLine(seconds / documents, 0.0)
        return CostLine(per_document, per_byte) if per_document >= 0 else CostLine(0.0, seconds / text_bytes)


def try_filters(choices: Sequence[FilterChoice], batches: Iterable[Any]) -> Trial:
    """Time filters on batches of DOCUMENTS rows."""
    made = [choice.build() for choice in choices]
    signals, rules = ([_Points() for _ in made] for _ in range(2))
    needs: list[set[str]] = [set() for _ in made]
    parts: dict[str, _Points] = {}
    carrying: dict[str, float] = {}
    carried_bytes = 0
    drops, sizes = [np.zeros((0, len(made)), np.bool_)], [np.zeros(0, np.int64)]
    for batch in batches:
        for half, rows in enumerate(_halves(batch)):
            column, narrow = _column(rows), rows.select(DESCRIBING)
            held = np.zeros((len(column), len(made)), np.bool_)
            for place, filter_ in enumerate(made):
                fresh = _column(rows)
                own = _signals(filter_, fresh, narrow)
                needs[place].update(_parts_of(fresh))
                held[:, place] = ~passing(filter_, own)
                rules[place].add(half, _least(partial(passing, filter_, own)), column)
            for part in dict.fromkeys([*parts, *(part for asked in needs for part in sorted(asked))]):
                holder = part.rpartition(".")[0]
                seconds = _least(partial(_find, part=part), partial(_prepared, rows, [holder]))
                parts.setdefault(part, _Points()).add(half, seconds, column)
            whole = _prepared(rows, parts)
            for place, filter_ in enumerate(made):
                signals[place].add(half, _least(partial(_signals, filter_, whole, narrow)), column)
            carried_bytes += _carry(rows, list(parts), carrying)
            drops.append(held)
            sizes.append(column.lengths)
    return Trial(
        filters=[
            FilterCost(filter_.name(), own.line, judged.line, frozenset(asked))
            for filter_, own, judged, asked in zip(made, signals, rules, needs, strict=True)
        ],
        parts={part: points.line for part, points in parts.items()},
        carrying={part: seconds / max(carried_bytes, 1) for part, seconds in carrying.items()},
        drops=np.concatenate(drops),
        text_bytes=np.concatenate(sizes),
    )


def _halves(batch: Table) -> Iterator[Any]:
    """Yield the shorter and the longer half of a batch, each in the batch's order."""
    lengths = _column(batch).lengths
    order = np.argsort(lengths, kind="stable")
    for rows in (order[: len(order) // 2], order[len(order) // 2 :]):
        yield batch.take(pa.array(np.sort(rows)))


def _column(rows: Any) -> Text:
    return Text.from_arrow(rows["text"])


def _signals(made: Filter, column: Text, narrow: Any) -> Any:
    found = made.signals(column, narrow)
    return pa.table({name: as_array(found[name], kind) for name, kind in made.signal_types.items()})


def _parts_of(holder: Any, prefix: str = "") -> Iterator[str]:
    """Yield the parts that were found in a column: "words", "words.folded", "lines"."""
    for name, value in already_found(holder):
        yield f"{prefix}{name}"
        if not prefix:
            yield from _parts_of(value, f"{name}.")


def _find(column: Text, part: str) -> None:
    holder: Any = column
    for name in filter(None, part.split(".")):
        holder = getattr(holder, name)


def _prepared(rows: Any, parts: Iterable[str]) -> Text:
    """Return a new column in which some parts are already found."""
    column = _column(rows)
    for part in parts:
        _find(column, part)
    return column


def _carry(rows: Any, parts: Sequence[str], carrying: dict[str, float]) -> int:
    """Add to `carrying` the seconds for carrying every second document with each part; return the bytes of their text."""
    stays = np.arange(rows.num_rows) % 2 == 1
    before = 0.0
    for count, name in enumerate((TEXT, *parts)):
        seconds = _least(partial(_prepared(rows, parts[:count]).where, stays))
        carrying[name] = carrying.get(name, 0.0) + max(0.0, seconds - before)
        before = seconds
    return int(_column(rows).lengths[stays].sum())


def _least(action: Callable[..., Any], prepare: Callable[[], Text] | None = None) -> float:
    """Return the minimum processor seconds of an action; `prepare` makes a fresh column for each run if the action needs one."""
    times = []
    for _ in range(REPEATS):
        prepared = () if prepare is None else (prepare(),)
        began = time.process_time()
        action(*prepared)
        times.append(time.process_time() - began)
    return min(times)
