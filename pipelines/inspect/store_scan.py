"""Lazy scans of Parquet files on an object store: only the columns that a query needs are fetched, one batch after the other.

polars can scan Arrow datasets, but its scan returns no rows if a query needs no column (only row numbers). So this file offers the dataset
to polars as a source of its own, whose batches keep their height even without columns.
"""

from collections.abc import Iterator, Sequence

import polars as pl
from polars.io.plugins import register_io_source

from curation.storage.location import Location


def scan_on_store(files: Sequence[Location]) -> pl.LazyFrame:
    """Scan Parquet files of one store as one table, in the given order."""
    import pyarrow.dataset as ds  # this import takes as long as all others of this file together

    dataset = ds.dataset([file.path for file in files], filesystem=files[0].filesystem, format="parquet")
    empty = pl.DataFrame(dataset.schema.empty_table())

    def batches(columns: list[str] | None, predicate: pl.Expr | None, most: int | None, _size: int | None) -> Iterator[pl.DataFrame]:
        read = dataset.schema.names[:1] if columns == [] else columns
        left = most
        for batch in dataset.to_batches(columns=read):
            frame = pl.DataFrame(batch) if left is None else pl.DataFrame(batch).head(left)
            left = None if left is None else left - frame.height
            frame = frame if predicate is None else frame.filter(predicate)
            yield frame.drop(frame.columns) if columns == [] else frame
            if left == 0:
                return

    return register_io_source(batches, schema=empty.schema)
