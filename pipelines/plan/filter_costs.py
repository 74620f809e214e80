"""What a recipe's filters cost and drop, tried on a sample: the figures from which gates and an order are chosen (`pipelines.plan.gates`).

Every filter measures every document of the sample, gates or not, so that the verdicts of all are known for each document. What several
filters share (words, lines, folded words) is found beforehand and timed apart, so a filter's own cost is what it adds.

The cost of a filter is a line: so much a document and so much a byte. A language is told from a text's beginning, n-grams are counted to
its end; one figure a byte would misjudge the former among texts of another length. The line goes through two points: the shorter and the
longer half of the documents, tried apart.

Times are of the processor, the least of REPEATS, with kernels compiled and models read before.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.text.slicing import already_found
from curation.text.text import Text
from filters.contract import Filter, FilterChoice
from filters.judge import passing
from filters.measure import DESCRIBING, as_array

REPEATS = 3

TEXT = "text"
"""The name, beside those of shared parts, under which the cost of carrying the bytes of texts is told."""


@dataclass(frozen=True)
class CostLine:
    """A cost in seconds of one core, for each document and for each byte of its text."""

    per_document: float = 0.0
    per_byte: float = 0.0

    def of(self, documents: int, text_bytes: int) -> float:
        """Return the seconds that so many documents with so much text take."""
        return self.per_document * documents + self.per_byte * text_bytes


@dataclass(frozen=True)
class FilterCost:
    """What a filter takes: for its signals, for its rules (which a gate judges at once), and which shared parts it asks for."""

    name: str
    signals: CostLine
    rules: CostLine
    needs: frozenset[str]


@dataclass(frozen=True)
class Trial:
    """A sample of n documents, tried by f filters."""

    filters: Sequence[FilterCost]
    parts: Mapping[str, CostLine]
    """What finding each shared part takes; a part comes after those that it is made from."""
    carrying: Mapping[str, float]
    """Seconds a byte of text to copy its bytes (TEXT) and each shared part to a column of fewer documents, as a gate does."""
    drops: npt.NDArray[np.bool_]
    """Whether each filter drops each document (n by f)."""
    text_bytes: npt.NDArray[np.int64]
    """Bytes of each document's text (n)."""


class _Points:
    """Seconds, documents and bytes of the shorter documents and of the longer ones, summed as they are tried."""

    def __init__(self) -> None:
        self.sums = np.zeros((2, 3))

    def add(self, half: int, seconds: float, column: Text) -> None:
        self.sums[half] += (seconds, len(column), column.offsets[-1] - column.offsets[0])

    @property
    def line(self) -> CostLine:
        """The line through both points; a term that would be negative is left out, and the other takes it all."""
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
    """Try filters on batches of DOCUMENTS rows."""
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


def _halves(batch: Any) -> Iterator[Any]:
    """Yield the shorter and the longer half of a batch, each in the order of the batch."""
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
    """Yield what was asked of a column: "words", "words.folded", "lines"."""
    for name, value in already_found(holder):
        yield f"{prefix}{name}"
        if not prefix:
            yield from _parts_of(value, f"{name}.")


def _find(column: Text, part: str) -> None:
    holder: Any = column
    for name in filter(None, part.split(".")):
        holder = getattr(holder, name)


def _prepared(rows: Any, parts: Iterable[str]) -> Text:
    """Return a new column with some parts found."""
    column = _column(rows)
    for part in parts:
        _find(column, part)
    return column


def _carry(rows: Any, parts: Sequence[str], carrying: dict[str, float]) -> int:
    """Add to `carrying` what it takes to carry every second document with each part; return the bytes of their text."""
    stays = np.arange(rows.num_rows) % 2 == 1
    before = 0.0
    for count, name in enumerate((TEXT, *parts)):
        seconds = _least(partial(_prepared(rows, parts[:count]).where, stays))
        carrying[name] = carrying.get(name, 0.0) + max(0.0, seconds - before)
        before = seconds
    return int(_column(rows).lengths[stays].sum())


def _least(action: Callable[..., Any], prepare: Callable[[], Text] | None = None) -> float:
    """Return the least processor seconds that an action takes; if it is one on a column, `prepare` makes that anew each time."""
    times = []
    for _ in range(REPEATS):
        prepared = () if prepare is None else (prepare(),)
        began = time.process_time()
        action(*prepared)
        times.append(time.process_time() - began)
    return min(times)
