"""A search of texts: some seconds at a time, and where it stopped it goes on.

The texts of a run of many millions of documents take longer to read than anyone waits for a page. A search therefore reads for `SECONDS`
and is held with what it found; the same search goes on from there. Each step reads a few row groups, in as many threads as there are cores.

Invariants
    - A search that has ended found what a reading of all texts finds, however often it stopped on the way.
    - Memory holds the texts of one row group for each thread, and the rows that the reader of the search holds.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import polars as pl

from curation.arrays import Integers
from curation.errors import UsageError
from curation.storage.location import Location
from curation.storage.shards import open_parquet
from pipelines.inspect.run_folder import iter_tables

SECONDS = 4.0
"""Seconds that a search reads before it shows what it found."""

_LONGEST_PATTERN = 500
_THREADS = min(4, os.cpu_count() or 1)
_AT_ONCE = 2 * _THREADS
"""Row groups of a step."""

_Step = tuple[pl.DataFrame, int]
"""The rows that match, and the number of documents that were searched or need no search."""


@dataclass
class TextSearch:
    """A search under way. `held` says which of the rows found so far are held; `matched` counts all of them."""

    steps: Iterator[_Step]
    of: int
    held: Callable[[pl.DataFrame], pl.DataFrame]
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    matched: int = 0
    searched: int = 0
    ended: bool = False

    def go_on(self, enough: int | None) -> None:
        """Search until `enough` rows match (None: all texts are read), or `SECONDS` are over."""
        end = time.monotonic() + SECONDS
        while not self.ended and (enough is None or self.matched < enough):
            step = next(self.steps, None)
            if step is None:
                self.ended = True
            else:
                rows, documents = step
                self.matched += rows.height
                self.searched += documents
                self.rows = self.held(pl.concat([self.rows, rows]) if self.rows.height else rows)
            if time.monotonic() >= end:
                break


def search_shards(shards: Iterable[tuple[Location | None, pl.DataFrame, int]], words: str) -> Iterator[_Step]:
    """Search some rows of shards of so many documents, a few row groups at a time."""
    for documents, rows, of in shards:
        yield from _search_shard(documents, rows, of, words)


def _search_shard(documents: Location | None, rows: pl.DataFrame, of: int, words: str) -> Iterator[_Step]:
    searched = 0
    if documents is not None:
        for groups in _steps(documents, rows["row"].to_numpy()):
            with ThreadPoolExecutor(_THREADS) as pool:
                hits = np.concatenate(list(pool.map(_matching, repeat(documents), groups, repeat(words))))
            now = int(groups[-1][-1]) + 1
            yield rows.filter(pl.col("row").is_in(pl.Series(hits).cast(pl.get_index_type()).implode())), now - searched
            searched = now
    if searched < of:
        yield rows[:0], of - searched


def _steps(documents: Location, rows: Integers) -> Iterator[list[Integers]]:
    """Divide rows by the row groups that hold them, and yield those of a step."""
    with open_parquet(documents) as file:
        ends = np.cumsum([file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)])
    groups = [wanted for wanted in np.split(rows, np.searchsorted(rows, ends)) if len(wanted)]
    for begin in range(0, len(groups), _AT_ONCE):
        yield groups[begin : begin + _AT_ONCE]


def _matching(documents: Location, rows: Integers, words: str) -> Integers:
    """Return those rows of a shard whose text matches."""
    found = [np.empty(0, np.int64)]
    for numbers, table in iter_tables(documents, rows, ["text"]):
        hits = pl.DataFrame(table).select(contains(pl.col("text"), words).fill_null(False))["text"]
        found.append(numbers[hits.to_numpy()])
    return np.concatenate(found)


def contains(column: pl.Expr, words: str) -> pl.Expr:
    """Return whether a text contains words, in any case, or matches a pattern between slashes."""
    if len(words) > 2 and words.startswith("/") and words.endswith("/"):
        return column.str.contains(words[1:-1])
    return column.str.contains(f"(?i){pl.escape_regex(words)}")


def check_pattern(words: str) -> None:
    """Raise UsageError for words that cannot be searched for."""
    if len(words) > _LONGEST_PATTERN:
        raise UsageError(f"a search may have {_LONGEST_PATTERN} characters")
    try:
        pl.DataFrame({"text": [""]}).select(contains(pl.col("text"), words))  # a linear engine: no pattern takes exponential time
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{words} is no regular expression: {str(error).splitlines()[0][:200]}") from error
