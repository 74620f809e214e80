"""Merging keeps the number of files that a range is read from small (external merge sort; Knuth, volume 3, section 5.4).

A unit that takes a range reads at least one row group of every file, so n files and n ranges cause n x n reads. Where a range lies in more
than FAN_IN files, batches of FAN_IN files are merged, one part of the range at a time, into files that hold only that part. This repeats,
level after level, until every range lies in at most FAN_IN files. The total reading is proportional to the rows times the logarithm of the
number of files to the base FAN_IN.

Invariants
    - A range holds the same rows as before; rows that are equal in all sort columns stay in the order of the files.
    - With FAN_IN files or fewer, this module reads and writes nothing.
    - A level produces about as many files as it reads, of about the same size.
    - Memory: the rows of one file twice, and a number for each; more where many rows share one value, because they stay together.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, takewhile
from typing import Any, ClassVar

from curation.arrays import JsonMapping
from curation.engine.session import Session
from curation.engine.stage import Output, Stage, Unit
from curation.shuffle.exchange import HASHES, Range, read_range, write_sorted
from curation.storage.shards import Shard, open_parquet

FAN_IN = 64
"""Largest number of files that are read side by side."""


@dataclass(frozen=True)
class Merged:
    """Files sorted by one column, grouped by their range of it. The ranges are in order and cover the whole."""

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
        """Return a unit for each range: it has the files of the range in `role`, and the bounds as `low` and `high`."""
        return [
            Unit(f"{place:06d}", {role: self.meeting(wanted)}, extra={"low": wanted.low, "high": wanted.high, **extra})
            for place, wanted in enumerate(ranges)
        ]


def range_of(unit: Unit) -> Range:
    """Return the range of a unit that `Merged.units` made."""
    return Range(unit.extra["low"], unit.extra["high"])


@dataclass(frozen=True)
class Merge(Stage):
    """Merges a batch of files that are sorted by the columns `by`, within a range of the first column."""

    by: tuple[str, ...]
    name: ClassVar[str] = "merge"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("pyarrow", "numpy")

    def make(self, unit: Unit, output: Output) -> JsonMapping:
        """Write one merged file."""
        files = unit.inputs["files"]
        with open_parquet(files[0].location) as file:
            schema = file.schema_arrow.remove_metadata()
        written = write_sorted(output, unit.name, read_range(files, self.by[0], range_of(unit), schema), schema, self.by)
        return {"rows": written.rows}


def levels_for(files: int) -> int:
    """Return the number of merge levels for a number of files."""
    return 0 if files <= FAN_IN else 1 + levels_for(-(-files // FAN_IN))


def merge(session: Session, title: str, files: Sequence[Shard], by: Sequence[str], whole: Range = HASHES) -> Merged:
    """Merge files that are sorted by the columns `by`, until every range of the first column lies in at most FAN_IN files.

    `title` names the folder of each level; `whole` is the range of the column's values.
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
