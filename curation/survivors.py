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

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from curation.errors import RecipeError
from curation.schema import DOCUMENTS, KEY, TIMESTAMP

ORDER = pa.schema(
    [
        pa.field("priority", pa.int64(), nullable=False),
        pa.field("source_rank", pa.int64(), nullable=False),
        pa.field("preference", pa.float64()),
        pa.field("text_bytes", pa.int64(), nullable=False),
        pa.field("crawled_at", TIMESTAMP),
        pa.field("key", KEY, nullable=False),
        pa.field("number", pa.int64(), nullable=False),
    ]
)
"""What the order is made of."""

NARROW = [name for name in DOCUMENTS.names if name not in ("text", "metadata")]
"""The columns of documents that a preference may name."""


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


def best_first(table: Any) -> Any:
    """Return the row numbers of an ORDER table, best document first."""
    frame = pl.DataFrame(table.select(ORDER.names)).with_row_index("_row")
    ordered = frame.sort(
        ["priority", "source_rank", "preference", "text_bytes", "crawled_at", "key", "number"],
        descending=[False, False, True, True, False, False, False],
        nulls_last=True,
    )
    return ordered["_row"].to_numpy()
