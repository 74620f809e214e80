"""Texts from files, for what reads them more than once: as functions that each read one batch, the same each time.

    parquet_texts(paths)   a row group is a batch
    jsonl_texts(paths)     some MiB of lines are a batch; plain or compressed (gzip, Zstandard, bzip2, xz, LZ4), told by the first bytes

Parquet has an index of its own. Of JSON Lines one pass notes where each batch begins; each later pass reads the file from front to back
again, for a compressed file can be entered at no other place, but parses only the batches that are asked for.

Invariants
    - Rows come in the order of the files and, within one, of its rows or lines; blank lines are none.
    - Memory is one batch, and its last line where that is long. Of JSON Lines one file is open at a time.
    - A line that is no object with a string under the column's name is told by file and number; so is a row group that lacks rows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import json

from curation.errors import InputError
from curation.ingest.readers import MAX_RECORD_BYTES
from curation.ingest.readers.decompression import Content
from curation.storage.location import Location

ReadTexts = Callable[[], Any]
"""Reads one batch of texts: an Arrow array of strings, the same each time."""

FilePath = str | PathLike[str]

BATCH_BYTES = 16 << 20
"""Bytes of lines, after decompression, from which on a batch is full."""

_BLANK = b" \t\r\n"


def parquet_texts(paths: Sequence[FilePath], column: str = "text") -> list[ReadTexts]:
    """Return what reads the texts of Parquet files, a row group at a time, in the order of the files; one file is open."""
    groups = _RowGroups(column)

    def reader(path: FilePath, index: int) -> ReadTexts:
        return lambda: groups.take(path, index)

    return [reader(path, index) for path in paths for index in range(pq.read_metadata(path).num_row_groups)]


def jsonl_texts(paths: Sequence[FilePath], column: str = "text", batch_bytes: int = BATCH_BYTES) -> list[ReadTexts]:
    """Return what reads the texts of JSON Lines files, some bytes at a time, in the order of the files.

    Raises InputError, now or when a batch is read, for a line that is too long, broken, or without a string under the column's name, and
    for a file that breaks off.
    """

    def reader(span: _Span) -> ReadTexts:
        return lambda: _texts(lines.take(span), span, column)

    lines = _Lines()
    return [reader(span) for path in paths for span in _spans(Location.of(path), batch_bytes)]


class _RowGroups:
    """The row groups of files, one of which is open."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._path: FilePath | None = None
        self._file: Any = None

    def take(self, path: FilePath, index: int) -> Any:
        """Return the texts of a row group, read in the thread that asks for them."""
        if self._path != path:
            if self._file is not None:
                self._file.close()
            self._file, self._path = pq.ParquetFile(path), path
        texts = self._file.read_row_group(index, columns=[self._column], use_threads=False).column(0)
        promised = self._file.metadata.row_group(index).num_rows
        if len(texts) != promised:
            raise InputError(f"{path} is damaged: row group {index} gives {len(texts)} texts, its footer says {promised}")
        return texts


@dataclass(frozen=True)
class _Span:
    """Some lines of a file: the offset of the first one, how many bytes they take, and the number of the first one, from 1."""

    location: Location
    offset: int
    size: int
    first_line: int


def _spans(location: Location, batch_bytes: int) -> Iterator[_Span]:
    """Cut a file into spans of at least so many bytes. Raises InputError for a line that is too long, and a file that breaks off."""
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
    """The lines of files, one of which is open: spans that follow each other are read on, one before is read from the front again."""

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
            raise InputError(f"{span.location} has become shorter while it was read")
        return taken


def _texts(lines: bytes, span: _Span, column: str) -> Any:
    """Return the texts of some lines. Raises InputError that names the first line without one."""
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


def _parsed(lines: bytes, column: str, records: int) -> Any:
    """Return the strings under a name in so many JSON objects. Raises ArrowInvalid for anything else."""
    if not records:
        return pa.array([], pa.large_string())
    reading = json.ReadOptions(block_size=len(lines) + 1, use_threads=False)
    parsing = json.ParseOptions(explicit_schema=pa.schema([(column, pa.large_string())]), unexpected_field_behavior="ignore")
    texts = json.read_json(pa.BufferReader(lines), reading, parsing)[column].combine_chunks()
    if len(texts) != records:
        raise pa.ArrowInvalid("a line does not hold just one JSON object")
    if texts.null_count:
        raise pa.ArrowInvalid(f"there is no string {column!r}")
    texts.validate(full=True)
    return texts
