"""Merging: however many exchange files there are, a range is read from few of them (external merge sort; Knuth, volume 3, section 5.4).

A unit that takes a range reads at least one row group of every file, so n files and n ranges make n x n reads. Where a range lies in more
than FAN_IN files, FAN_IN at a time are merged, part of the range by part, into files that hold such a part alone; and so on, level after
level, until every range lies in at most FAN_IN files. Reading then grows with the rows, times the logarithm of the files to the base of
FAN_IN: a billion documents need one level, a hundred billion three.

Invariants
    - A range holds the same rows as before, and rows that are equal in all columns that they are sorted by stay in the order of the files.
    - With FAN_IN files or fewer, nothing is read or written here.
    - After a level there are about as many files as before it, each about as large.
    - Memory: the rows of one file twice, and a number for each; more where many rows have one value, which stay together.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile
from typing import Any, ClassVar

from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.shuffle.exchange import HASHES, Range, read_range, write_sorted
from curation.storage.shards import Shard, open_parquet

FAN_IN = 64
"""Files that are read side by side, at most."""


@dataclass(frozen=True)
class Merged:
    """Files sorted by one column, by the range of it that they lie in. The ranges rise and together are the whole."""

    files: Mapping[Range, tuple[Shard, ...]]

    @cached_property
    def _held(self) -> list[tuple[Range, tuple[Shard, ...]]]:
        return list(self.files.items())

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for files in self.files.values() for file in files)

    def meeting(self, wanted: Range) -> tuple[Shard, ...]:
        """Return the files that may have rows in a range."""
        first = bisect_right(self._held, wanted.low, key=lambda held: held[0].high)
        meeting = takewhile(lambda held: held[0].low < wanted.high, islice(self._held, first, None))
        return tuple(file for _, files in meeting for file in files)

    def units(self, role: str, ranges: Sequence[Range], **extra: Any) -> list[Unit]:
        """Return a unit for each range, which has the files of it in a role, and its bounds as `low` and `high`."""
        return [
            Unit(f"{place:06d}", {role: self.meeting(wanted)}, extra={"low": wanted.low, "high": wanted.high, **extra})
            for place, wanted in enumerate(ranges)
        ]


def range_of(unit: Unit) -> Range:
    """Return the range of a unit that `Merged.units` made."""
    return Range(unit.extra["low"], unit.extra["high"])


@dataclass(frozen=True)
class Merge(Stage):
    """Merges a batch of files that are sorted by the columns `by`, within a range of the first of them."""

    by: tuple[str, ...]
    name: ClassVar[str] = "merge"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> Mapping[str, Any]:
        """Write one file."""
        files = unit.inputs["files"]
        with open_parquet(files[0].location) as file:
            schema = file.schema_arrow.remove_metadata()
        written = write_sorted(output, unit.name, read_range(files, self.by[0], range_of(unit), schema), schema, self.by)
        return {"rows": written.rows}


def levels_for(files: int) -> int:
    """Return how many levels so many files take."""
    return 0 if files <= FAN_IN else 1 + levels_for(-(-files // FAN_IN))


def merge(session: Session, title: str, files: Sequence[Shard], by: Sequence[str], whole: Range = HASHES) -> Merged:
    """Merge files that are sorted by the columns `by`, until every range of the first of them lies in at most FAN_IN files.

    `title` names the folder of each level; `whole` is what the column's values lie in.
    """
    held = {whole: tuple(files)}
    level = 0
    while max(map(len, held.values())) > FAN_IN:
        level += 1
        units: dict[str, tuple[Range, Unit]] = {}
        for number, (wide, crowd) in enumerate(held.items()):
            parts = wide.cut(FAN_IN)
            for begin in range(0, len(crowd), FAN_IN):
                for place, part in enumerate(parts):
                    name = f"{number:06d}-{place:04d}-{begin:06d}"
                    inputs = {"files": crowd[begin : begin + FAN_IN]}
                    units[name] = part, Unit(name, inputs, extra={"low": part.low, "high": part.high})
        with session.within(f"{title}-level-{level}"):
            done = session.run(Merge(tuple(by)), [unit for _, unit in units.values()])
        merged: dict[Range, list[Shard]] = {}
        for finished in done.units:
            merged.setdefault(units[finished.name][0], []).append(finished.shard(finished.name))
        held = {part: tuple(shards) for part, shards in merged.items()}
    return Merged(held)
