"""Survivor order: which one of several duplicates stays.

Documents are put in order, best first; a document can only be dropped for a better one. The order is

    1. priority, an integer that the pipeline gives to whole shards: lower first (web before synthetic)
    2. source, if the recipe lists some: in the order of the list, unlisted sources last
    3. preference, a number for each document, greater first, missing last: the value of the recipe's expression, for instance the signal
       "educational.score", or `-"c4.javascript_lines"`
    4. longer text
    5. earlier date, missing last
    6. smaller key, which is practically random and the same in every run; records with equal keys by their number

The expression is SQL, as polars understands it, over a document's columns (`text_bytes`, `source`, ...) and its signals.

Invariant: the order of two documents depends only on these two documents.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.arrays import Column, Floats, Hashes, Integers, Table
from curation.errors import RecipeError
from curation.schema import DOCUMENTS

RANKS = pa.schema([pa.field(f"rank_{name}", pa.uint64(), nullable=False) for name in ("source", "preference", "length", "date")])
"""The sort columns as numbers, smaller is better; key and number follow."""

BEST_FIRST = (*RANKS.names, "key", "number")
"""The columns by which documents are sorted, best first."""

PREFERABLE = [name for name in DOCUMENTS.names if name not in ("text", "metadata")]
"""The columns of documents that a preference may name."""

_SIGN, _LARGEST = np.uint64(1 << 63), np.uint64((1 << 64) - 1)


def preference(expression: str | None, table: Table) -> Column:
    """Return the preference of each row of a table of documents' columns and signals (float64, null if there is none).

    Raises RecipeError where the expression cannot be parsed, names an unknown column, or does not give a number.
    """
    if expression is None:
        return pa.nulls(table.num_rows, pa.float64())
    frame = pl.DataFrame(table)
    try:
        value = frame.with_columns(pl.sql_expr(expression).cast(pl.Float64).alias("_preference"))["_preference"].to_arrow()
    except pl.exceptions.PolarsError as error:
        raise RecipeError(
            f"deduplicate: prefer = {expression!r} cannot be evaluated ({error}); columns: {', '.join(frame.columns)}"
        ) from None
    return pc.if_else(pc.is_finite(value), value, pa.scalar(None, pa.float64()))


def source_ranks(column: Column, sources: Sequence[str]) -> Column:
    """Return the position of each row's source in the list (int64); a source outside the list gets the list's length."""
    return pc.index_in(column, pa.array(sources, pa.string())).cast(pa.int64()).fill_null(len(sources))


def ranks(priority: int, source_rank: Column, preference: Column, text_bytes: Column, crawled_at: Column) -> dict[str, Hashes]:
    """Return the columns of RANKS for documents of one priority, from the given columns."""
    source = np.uint64(priority + (1 << 31)) << np.uint64(32) | np.asarray(source_rank).astype(np.uint64)
    length = ~np.asarray(text_bytes).astype(np.uint64)
    date = crawled_at.cast(pa.int64())
    return {
        "rank_source": source,
        "rank_preference": _last(preference, ~_rising(np.asarray(preference.fill_null(0.0)))),
        "rank_length": length,
        "rank_date": _last(date, np.asarray(date.fill_null(0)).view(np.uint64) ^ _SIGN),
    }


def text_bytes_of(table: Table) -> Integers:
    """Return the byte lengths of the texts, from their ranks."""
    lengths: Hashes = ~table["rank_length"].to_numpy()
    return lengths.astype(np.int64)


def _rising(values: Floats) -> Hashes:
    """Return integers that sort like the values: flip all bits of negative values, and only the sign bit of the others."""
    bits = (values + 0.0).view(np.uint64)  # turns -0.0 into 0.0
    return np.where(bits >= _SIGN, ~bits, bits | _SIGN)


def _last(column: Column, values: Hashes) -> Hashes:
    """Return the ranks; missing values rank last."""
    return np.where(np.asarray(column.is_valid()), values, _LARGEST)
