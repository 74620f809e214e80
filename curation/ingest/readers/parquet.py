"""Parquet files: a row is a record; the recipe names its columns (`Fields`), and `curation.ingest.readers.rows` builds the record.

Columns of strings, numbers, booleans and times are read, and lists, structs and maps of these. Columns with binary data, other than the
text, are not read, nor are lists of floating-point numbers (`curation.ingest.readers.nested`). Arrow's extension types stay disabled: a
file must not choose the code that reads it.

Damage: a file with an unreadable footer, no text column, or a text column that is not a string is one Broken. A row group that is only
partly readable (page checksums are verified, counts compared) gives its readable rows, and a Broken for each run of rows without a text,
with their number (`curation.ingest.readers.parquet_groups`); the next row group is read as usual. Lost rows share one Broken, because their
number is only the footer's claim.

Invariants
    - `offset` is the row's number in the file, by the footer's counts.
    - Of columns with the same name, the last counts.
    - A batch holds about BATCH_BYTES by the footer's sizes. Dictionary pages stay dictionaries if Arrow supports it, so a text repeated a
      million times costs its bytes once. A column chunk that unpacks to more than MAX_UNPACKED_CHUNK, and more than MAX_EXPANSION times its
      size, is a bomb and is not opened.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types

from curation.arrays import JsonObject, Schema
from curation.ingest.readers.columns import is_binary, is_string
from curation.ingest.readers.decompression import Content, WatchedFile
from curation.ingest.readers.nested import is_readable
from curation.ingest.readers.outcomes import BOMB, MAX_EXPANSION, MAX_RECORD_BYTES, MAX_UNPACKED_BYTES, Broken, Outcome
from curation.ingest.readers.parquet_groups import ParquetRow, claimed_rows, group_rows, is_part
from curation.ingest.readers.parquet_pages import lies_about_levels
from curation.ingest.readers.repair import BadRow, Repairs, decoded
from curation.ingest.readers.rows import likely_text, no_text, row_record
from curation.storage.source_file import SourceFile

_MAX_FOOTER_STRING = 16 << 20
_MAX_FOOTER_ITEMS = 1 << 20
_BUFFER = 1 << 20
_IN_DICTIONARIES = {"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"}
MAX_UNPACKED_CHUNK = 256 << 20
"""Bytes that any column chunk may expand to, however small it is."""

LARGE_CHUNK = 128 << 20
"""A column chunk up to this size is read whole, a larger one page by page. Whole is safer: a damaged page header cannot ask for more
memory than the chunk has."""


class ParquetReader:
    """Reads one record per row."""

    def frames(self, content: Content, source: SourceFile) -> Iterator[ParquetRow | Broken]:
        """Yield the rows of all row groups."""
        if content.compression:
            yield Broken(0, "unknown_format", f"a Parquet file inside {content.compression}: decompress it first")
            return
        with source.location.open_random() as opened:
            file = WatchedFile(opened)
            try:
                parquet, columns = _open(file, source.fields.text)
            except BadRow as error:
                yield Broken(0, error.reason, str(error), records=error.rows)
                return
            except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
                file.raise_failure()
                yield Broken(0, "corrupt", f"the Parquet footer cannot be read: {error}")
                return
            yield from _within(max(MAX_UNPACKED_BYTES, MAX_EXPANSION * opened.size()), _groups(parquet, columns, source.fields.text, file))

    def parse(self, frame: ParquetRow, source: SourceFile) -> Outcome:
        """Return a row's outcome."""
        number, names, values, _, lost = frame
        text = values[names.index(source.fields.text)]
        repairs = Repairs()
        if lost:
            repairs["lost_field"] = len(lost)
        try:
            return row_record(row_strings(names, values, source.fields.text, repairs), number, source, repairs, raw=text)
        except BadRow as error:
            return Broken(number, error.reason, str(error), raw=text or b"")


def _open(file: WatchedFile, text: str) -> tuple[Any, list[str]]:
    """Return the open file and the columns to read."""
    python_file = pa.PythonFile(file, mode="r")
    limits = {"thrift_string_size_limit": _MAX_FOOTER_STRING, "thrift_container_size_limit": _MAX_FOOTER_ITEMS}
    footer = pq.ParquetFile(python_file, arrow_extensions_enabled=False, **limits)
    _require_sound_levels(footer, file)
    try:
        columns = _columns(footer.schema_arrow, text)
    except BadRow as error:
        rows = sum(claimed_rows(footer, group) for group in range(footer.metadata.num_row_groups))
        raise BadRow(error.reason, str(error), max(rows, 1)) from error
    parquet = pq.ParquetFile(
        python_file,
        metadata=footer.metadata,
        buffer_size=_BUFFER if _largest_chunk(footer.metadata, columns) > LARGE_CHUNK else 0,
        pre_buffer=False,
        page_checksum_verification=True,
        arrow_extensions_enabled=False,
        read_dictionary=[text] if _is_dictionary_safe(footer.metadata, text) else [],
        **limits,
    )
    return parquet, columns


def _require_sound_levels(footer: pq.FileMetaData, file: WatchedFile) -> None:
    """Raise BadRow for a footer that would crash the process."""
    described = (footer.schema.column(index) for index in range(footer.metadata.num_columns))
    levels = [(column.max_repetition_level, column.max_definition_level, column.physical_type == "BYTE_ARRAY") for column in described]
    end = file.seek(0, 2) - 8
    size = int.from_bytes(file.read_at(end, 4), "little")
    if lies_about_levels(file.read_at(end - size, size), levels):
        raise BadRow("corrupt", "the Parquet footer cannot be read: its size statistics do not fit its columns")


def _is_dictionary_safe(metadata: pq.FileMetaData, text: str) -> bool:
    """Return whether Arrow can read the text as a dictionary: it cannot if a page has one of the delta encodings."""
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    chunks = (group.column(index) for group in groups for index in range(group.num_columns))
    return all(_IN_DICTIONARIES.issuperset(chunk.encodings) for chunk in chunks if chunk.path_in_schema == text)


def _columns(schema: Schema, text: str) -> list[str]:
    """Return the columns to read, in file order."""
    if text not in schema.names:
        strings = {field.name: 0 for field in schema if is_string(_unpacked(field.type))}
        raise BadRow("missing_text", no_text(text, schema.names, likely_text(text, strings)))
    kind = schema.field(schema.get_all_field_indices(text)[-1]).type
    kind = _unpacked(kind)
    if not (is_string(kind) or is_binary(kind)):
        raise BadRow("text_not_string", f"column {text!r} is not a string but {kind}")
    return [field.name for field in schema if field.name == text or _is_metadata(field.type)]


def _unpacked(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if types.is_dictionary(kind) else kind


def _is_metadata(kind: pa.DataType) -> bool:
    return not types.is_null(kind) and is_readable(kind)


def _within(limit: int, rows: Iterator[ParquetRow | Broken]) -> Iterator[ParquetRow | Broken]:
    """Yield rows until their strings exceed `limit` bytes; then yield one Broken."""
    size = 0
    for row in rows:
        if not isinstance(row, Broken):
            number, _, _, row_size, _ = row
            size += row_size
            if size > limit:
                yield Broken(
                    number,
                    BOMB,
                    f"the rows hold more than {limit} bytes, too many for a file of its size; the rest is not read. If they are sound, "
                    "write them as JSON Lines",
                )
                return
        yield row


def _groups(parquet: pq.ParquetFile, columns: list[str], text: str, file: WatchedFile) -> Iterator[ParquetRow | Broken]:
    """Yield all rows, numbered by the footer's counts of earlier row groups, and a Broken for unreadable rows."""
    first = 0
    for group in range(parquet.num_row_groups):
        rows = claimed_rows(parquet, group)
        bomb = _bomb(parquet.metadata.row_group(group), columns)
        if bomb:
            yield Broken(
                first,
                BOMB,
                f"{bomb}; the {rows} rows of row group {group} are not read. If they are sound, write them as JSON Lines",
                records=rows,
            )
        else:
            yield from group_rows(parquet, group, first, columns, text, file)
        first += rows
    missing = parquet.metadata.num_rows - first
    if missing > 0:
        yield Broken(first, "corrupt", f"the footer says {parquet.metadata.num_rows} rows, its row groups hold {first}", records=missing)


def _largest_chunk(metadata: pq.FileMetaData, columns: list[str]) -> int:
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    chunks = (group.column(index) for group in groups for index in range(group.num_columns))
    return max((chunk.total_compressed_size for chunk in chunks if is_part(chunk.path_in_schema, columns)), default=0)


def _bomb(facts: Any, columns: list[str]) -> str:
    for index in range(facts.num_columns):
        chunk = facts.column(index)
        size = chunk.total_uncompressed_size
        if is_part(chunk.path_in_schema, columns) and size > max(MAX_UNPACKED_CHUNK, MAX_EXPANSION * chunk.total_compressed_size):
            return f"column {chunk.path_in_schema!r} unpacks to {size} bytes from {chunk.total_compressed_size}"
    return ""


def row_strings(names: tuple[str, ...], values: tuple[Any, ...], text: str, repairs: Repairs) -> JsonObject:
    """Return a row's values by name, with strings decoded. Raises BadRow for a text that cannot be decoded."""
    told = {}
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, bytes):
            told[name] = value
        elif len(value) <= MAX_RECORD_BYTES:
            told[name] = decoded(name, value, repairs, name == text)
        elif name == text:
            raise BadRow("too_large", f"{name!r} has {len(value)} bytes, more than {MAX_RECORD_BYTES}")
        else:
            repairs["too_large"] += 1
    return told
