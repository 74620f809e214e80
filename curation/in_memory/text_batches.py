"""Text batches: functions that each read one batch of texts from a file, for callers that read texts more than once.

    parquet_texts(paths)   a row group is a batch
    jsonl_texts(paths)     some MiB of lines are a batch; plain or compressed (gzip, Zstandard, bzip2, xz, LZ4), detected by the first bytes

Parquet has its own index. For JSON Lines a first pass notes where each batch begins. Each later pass reads the file from the start again,
because a compressed file can be entered only there, but parses only the requested batches.

Invariants
    - Rows come in the order of the files and, within a file, of its rows or lines; blank lines do not count.
    - Memory is one batch, and its last line if that is long. One JSON Lines file is open at a time.
    - An error names file and line for a line that is not an object with a string in the column; a row group with missing rows is an error
      too.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import json

from curation.arrays import Column
from curation.errors import InputError
from curation.ingest.readers import MAX_RECORD_BYTES
from curation.ingest.readers.decompression import Content
from curation.storage.location import Location

ReadTexts = Callable[[], Column]
"""Reads one batch of texts, the same every time: an Arrow array of strings."""

FilePath = str | PathLike[str]

TEXT_BATCH_BYTES = 16 << 20
"""Bytes of decompressed lines at which a batch is full."""

_BLANK = b" \t\r\n"


def parquet_texts(paths: Sequence[FilePath], column: str = "text") -> list[ReadTexts]:
    """Return readers for the texts of Parquet files, one row group each, in the order of the files; one file is open."""
    groups = _RowGroups(column)

    def reader(path: FilePath, index: int) -> ReadTexts:
        return lambda: groups.take(path, index)

    return [reader(path, index) for path in paths for index in range(pq.read_metadata(path).num_row_groups)]


def jsonl_texts(paths: Sequence[FilePath], column: str = "text", batch_bytes: int = TEXT_BATCH_BYTES) -> list[ReadTexts]:
    """Return readers for the texts of JSON Lines files, `batch_bytes` each, in the order of the files.

    Raises InputError, now or when a batch is read, for a line that is too long, malformed, or without a string in the column, and for a
    truncated file.
    """

    def reader(span: _Span) -> ReadTexts:
        return lambda: _texts(lines.take(span), span, column)

    lines = _Lines()
    return [reader(span) for path in paths for span in _spans(Location.of(path), batch_bytes)]


class _RowGroups:
    """The row groups of some files, of which one is open at a time."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._path: FilePath | None = None
        self._file: Any = None

    def take(self, path: FilePath, index: int) -> Column:
        """Return the texts of a row group, read in the caller's thread."""
        if self._path != path:
            if self._file is not None:
                self._file.close()
            self._file, self._path = pq.ParquetFile(path), path
        texts = self._file.read_row_group(index, columns=[self._column], use_threads=False).column(0)
        promised = self._file.metadata.row_group(index).num_rows
        if len(texts) != promised:
            raise InputError(f"{path} is damaged: row group {index} has {len(texts)} texts, but its footer says {promised}")
        return texts


@dataclass(frozen=True)
class _Span:
    """Some lines of a file: the offset of the first line, their total bytes, and the number of the first line, from 1."""

    location: Location
    offset: int
    size: int
    first_line: int


def _spans(location: Location, batch_bytes: int) -> Iterator[_Span]:
    """Split a file into spans of at least `batch_bytes`. Raises InputError for a line that is too long, and for a truncated file."""
    with location.open_stream() as stream:
        content = Content(stream)
        begin, first_line, number = 0, 1, 0
        while line := content.take_line(MAX_RECORD_BYTES):
            number += 1
            if content.offset - begin >= batch_bytes:
                yield _Span(location, begin, content.offset - begin, first_line)
                begin, first_line = content.offset, number + 1
    if line is None:
        raise InputError(f"{location}, line {number + 1} has more than {MAX_RECORD_BYTES} bytes")
    if content.damage is not None:
        raise InputError(f"{location} breaks off at line {max(number, 1)}: {content.damage.detail}")
    if content.offset > begin:
        yield _Span(location, begin, content.offset - begin, first_line)


class _Lines:
    """The lines of some files, of which one is open: the next span continues reading, an earlier one restarts the file."""

    def __init__(self) -> None:
        self._location: Location | None = None
        self._stream: BinaryIO = BytesIO()
        self._content = Content(self._stream)

    def take(self, span: _Span) -> bytes:
        """Return the bytes of some lines."""
        if self._location != span.location or self._content.offset > span.offset:
            self._stream.close()
            self._stream = span.location.open_stream()
            self._location, self._content = span.location, Content(self._stream)
        self._content.skip(span.offset - self._content.offset)
        taken = self._content.take(span.size)
        if len(taken) != span.size:
            raise InputError(f"{span.location} became shorter while it was read")
        return taken


def _texts(lines: bytes, span: _Span, column: str) -> Column:
    """Return the texts of some lines. Raises InputError naming the first line without a text."""
    records = [(number, line) for number, line in enumerate(lines.split(b"\n"), span.first_line) if line.strip(_BLANK)]
    try:
        return _parsed(lines, column, len(records))
    except pa.ArrowInvalid:
        for number, line in records:
            try:
                _parsed(line, column, 1)
            except pa.ArrowInvalid as error:
                raise InputError(f"{span.location}, line {number}: {str(error).removesuffix(' in row 0')}") from None
        raise


def _parsed(lines: bytes, column: str, records: int) -> Column:
    """Return the strings in a column of `records` JSON objects. Raises ArrowInvalid for anything else."""
    if not records:
        return pa.array([], pa.large_string())
    reading = json.ReadOptions(block_size=len(lines) + 1, use_threads=False)
    parsing = json.ParseOptions(explicit_schema=pa.schema([(column, pa.large_string())]), unexpected_field_behavior="ignore")
    texts = json.read_json(pa.BufferReader(lines), reading, parsing)[column].combine_chunks()
    if len(texts) != records:
        raise pa.ArrowInvalid("a line is not exactly one JSON object")
    if texts.null_count:
        raise pa.ArrowInvalid(f"there is no string {column!r}")
    texts.validate(full=True)
    return texts
