"""Lazy scans of Parquet files on an object store: only the columns that a query needs are fetched, one batch after the other.

polars has a scan of Arrow datasets, but a query that needs no column of it (row numbers alone) finds no rows there. So this file offers the
dataset to polars as a source of its own, which yields batches without columns, but with their height.
"""

from collections.abc import Iterator, Sequence

import polars as pl
from polars.io.plugins import register_io_source

from curation.storage.location import Location


def scan_on_store(files: Sequence[Location]) -> pl.LazyFrame:
    """Scan Parquet files of one store as one table, in the given order."""
    import pyarrow.dataset as ds  # takes as long to import as all else here together

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
