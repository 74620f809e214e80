"""Survivors: of documents that are duplicates of each other, which one stays.

Documents are put in order, best first; a document can only be dropped for a better one. The order is

    1. priority, a whole number the pipeline gives to whole shards: lower first (web before synthetic)
    2. source, where the recipe lists some: the earlier in the list first, those that are not in it last
    3. preference, a number for each document, greater first and a missing one last: the value of the recipe's expression, for instance the
       signal "educational.score", or `-"c4.javascript_lines"`
    4. longer text
    5. earlier date, a missing one last
    6. smaller key, which is as good as chance, and the same in every run; records of one key by their number

The expression is SQL over a document's columns (`text_bytes`, `source`, ...) and its signals, as polars understands it.

Invariant: the order of two documents depends on the two alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.errors import RecipeError
from curation.schema import DOCUMENTS

RANKS = pa.schema([pa.field(f"rank_{name}", pa.uint64(), nullable=False) for name in ("source", "preference", "length", "date")])
"""What the order is made of, as numbers: the smaller is the better one. Key and number follow."""

BEST_FIRST = (*RANKS.names, "key", "number")
"""The columns by which documents are sorted, best first."""

PREFERABLE = [name for name in DOCUMENTS.names if name not in ("text", "metadata")]
"""The columns of documents that a preference may name."""

_SIGN, _LARGEST = np.uint64(1 << 63), np.uint64((1 << 64) - 1)


def preference(expression: str | None, table: Any) -> Any:
    """Return the preference for each row of a table of documents' columns and signals (float64, null where there is none).

    Raises RecipeError where the expression cannot be read, names a column that is not there, or gives no number.
    """
    if expression is None:
        return pa.nulls(table.num_rows, pa.float64())
    frame = pl.DataFrame(table)
    try:
        value = frame.with_columns(pl.sql_expr(expression).cast(pl.Float64).alias("_preference"))["_preference"].to_arrow()
    except pl.exceptions.PolarsError as error:
        raise RecipeError(
            f"deduplicate: prefer = {expression!r} cannot be worked out ({error}); columns: {', '.join(frame.columns)}"
        ) from None
    return pc.if_else(pc.is_finite(value), value, pa.scalar(None, pa.float64()))


def source_ranks(column: Any, sources: Sequence[str]) -> Any:
    """Return the place of each row's source in the list (int64), and the list's length for one that is not in it."""
    return pc.index_in(column, pa.array(sources, pa.string())).cast(pa.int64()).fill_null(len(sources))


def ranks(priority: int, source_rank: Any, preference: Any, text_bytes: Any, crawled_at: Any) -> dict[str, npt.NDArray[np.uint64]]:
    """Return the columns of RANKS for documents of one priority, whose columns are given."""
    source = np.uint64(priority + (1 << 31)) << np.uint64(32) | np.asarray(source_rank).astype(np.uint64)
    length = ~np.asarray(text_bytes).astype(np.uint64)
    date = crawled_at.cast(pa.int64())
    return {
        "rank_source": source,
        "rank_preference": _last(preference, ~_rising(np.asarray(preference.fill_null(0.0)))),
        "rank_length": length,
        "rank_date": _last(date, np.asarray(date.fill_null(0)).view(np.uint64) ^ _SIGN),
    }


def text_bytes_of(table: Any) -> npt.NDArray[np.int64]:
    """Return the bytes of the texts, told by their ranks."""
    lengths: npt.NDArray[np.uint64] = ~table["rank_length"].to_numpy()
    return lengths.astype(np.int64)


def _rising(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint64]:
    """Return numbers that are in the order of the values: their bits, of negative ones all turned round, of others the first."""
    bits = (values + 0.0).view(np.uint64)  # so that -0.0 is 0.0
    return np.where(bits >= _SIGN, ~bits, bits | _SIGN)


def _last(column: Any, values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Return the numbers, but for what is missing the largest there is."""
    return np.where(np.asarray(column.is_valid()), values, _LARGEST)
