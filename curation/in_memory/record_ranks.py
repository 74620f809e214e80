"""Record ranks order equally long texts as a run does: by the dates and keys that the run's readers would give to rows of files.

    parquet_ranks(paths)   for Parquet files
    jsonl_ranks(paths)     for JSON Lines files, plain or compressed

Both return a function from rows to their Ranks. Integers ascend and are numbered through all files, as `curation.in_memory.text_batches`
numbers texts. Few rows of a corpus are ever requested, so only their ranks are made; this reads the files again from the start.

Invariant: a key equals that of the record in a run over the same files (`curation.storage.record_keys`); a row that a run would not accept
as a record is an error.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.arrays import Integers, JsonMapping
from curation.errors import InputError
from curation.in_memory.text_batches import FilePath
from curation.ingest.readers import Broken, Record
from curation.ingest.readers.columns import as_binary, python_rows
from curation.ingest.readers.decompression import Content
from curation.ingest.readers.jsonl import JsonlReader
from curation.ingest.readers.parquet import row_strings
from curation.ingest.readers.repair import BadRow, Repairs
from curation.ingest.readers.rows import row_record
from curation.storage.location import Location
from curation.storage.record_keys import record_key
from curation.storage.source_file import Fields, SourceFile

NO_DATE = np.iinfo(np.int64).max
"""Later than any date."""


class Ranks(NamedTuple):
    """The seconds since 1970 (NO_DATE if there is no date) and the key of each of some records."""

    dates: Integers
    keys: Sequence[bytes]


def parquet_ranks(paths: Sequence[FilePath], fields: Fields | None = None) -> Callable[[Integers], Ranks]:
    """Return a function that ranks rows of Parquet files; `fields` names the columns, as a recipe's [[input]] does."""
    return lambda rows: _ranks(_parquet_records(paths, fields or Fields(), rows))


def jsonl_ranks(paths: Sequence[FilePath], fields: Fields | None = None) -> Callable[[Integers], Ranks]:
    """Return a function that ranks lines of JSON Lines files; blank lines are skipped."""
    return lambda rows: _ranks(_jsonl_records(paths, fields or Fields(), rows))


def _ranks(records: Iterator[Record]) -> Ranks:
    dates, keys = [], []
    for record in records:
        dates.append(NO_DATE if record.crawled_at is None else int(record.crawled_at.timestamp()))
        keys.append(record_key(record.own_id, record.url, record.raw))
    return Ranks(np.array(dates, np.int64), keys)


def _parquet_records(paths: Sequence[FilePath], fields: Fields, rows: Integers) -> Iterator[Record]:
    first = 0
    for path in paths:
        source = _source(path, fields)
        with pq.ParquetFile(path, arrow_extensions_enabled=False) as file:
            columns = [name for name in (fields.id, fields.text, fields.url, fields.date) if name in file.schema_arrow.names]
            for index in range(file.num_row_groups):
                end = first + file.metadata.row_group(index).num_rows
                wanted = rows[np.searchsorted(rows, first) : np.searchsorted(rows, end)] - first
                if len(wanted):
                    table = file.read_row_group(index, columns=columns, use_threads=False).take(pa.array(wanted)).combine_chunks()
                    named = {name: table[name].chunk(0) for name in columns}
                    named[fields.text] = as_binary(named[fields.text])
                    for row, (_, values) in zip(wanted.tolist(), python_rows(list(named.values())), strict=True):
                        yield _record(dict(zip(named, values, strict=True)), first + row, source)
                first = end


def _record(named: JsonMapping, row: int, source: SourceFile) -> Record:
    text = named[source.fields.text]
    repairs = Repairs()
    try:
        return row_record(row_strings(tuple(named), tuple(named.values()), source.fields.text, repairs), row, source, repairs, raw=text)
    except BadRow as error:
        raise InputError(f"{source.location}, row {row} of the texts is not a record: {error}") from None


def _jsonl_records(paths: Sequence[FilePath], fields: Fields, rows: Integers) -> Iterator[Record]:
    reader, number, wanted = JsonlReader(), 0, set(rows.tolist())
    for path in paths:
        source = _source(path, fields)
        with source.location.open_stream() as stream:
            for frame in reader.frames(Content(stream), source):
                if number in wanted:
                    outcome = frame if isinstance(frame, Broken) else reader.parse(frame, source)
                    if not isinstance(outcome, Record):
                        raise InputError(f"{path}, line {number} of the texts is not a record: {getattr(outcome, 'detail', '')}")
                    yield outcome
                number += 1


def _source(path: FilePath, fields: Fields) -> SourceFile:
    location = Location.of(path)
    return SourceFile(location, location.name, location.name, 0, None, fields)
