"""Rows of named fields become records: the common part of JSONL lines and Parquet rows.

The recipe's `Fields` names the fields. The text is taken unchanged and is not trimmed; characters that later stages could not carry (NUL,
halves of surrogate pairs) are repaired and counted, in the text and in side fields (`curation.ingest.readers.repair`). An empty text is a
record. All fields other than id, text, url and date become metadata: strings unchanged, others as JSON; so do an unrecognised date, and an
id or URL that is neither a string nor a number. Null fields count as missing, but a null text is reported differently from a missing one.
"""

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime

from curation.arrays import JsonMapping, JsonValue
from curation.ingest.readers.dates import parse_date
from curation.ingest.readers.outcomes import Record
from curation.ingest.readers.repair import BadRow, Repairs, Unreadable, as_text, mended_string
from curation.storage.source_file import SourceFile

_USUAL = ("text", "content", "body", "raw_content", "document", "page_content", "article", "passage", "markdown", "html")
"""Common names of text fields, in small letters."""

_OTHERS = {"id", "url", "date"}
"""Names of fields that have other meanings, in small letters."""


def row_record(fields: JsonMapping, offset: int, source: SourceFile, repairs: Repairs, raw: bytes | None = None) -> Record:
    """Return the record made of named fields (JSONL and Parquet), counting repairs in `repairs`. Raises BadRow.

    `raw` is the text as it is in the file, if the format provides it.
    """
    names = source.fields
    text = _text(fields, names.text)
    own_id, url = _own_id(fields.get(names.id), repairs), _url(fields.get(names.url), repairs)
    date = _date(fields.get(names.date))
    taken = {names.text: True, names.id: own_id is not None, names.url: url is not None, names.date: date is not None}
    metadata = {}
    for name, value in fields.items():
        if value is None or taken.get(name):
            continue
        told = as_text(value, repairs)
        if told is not None and (told or name not in taken):
            metadata[name if name.isascii() and "\0" not in name else mended_string(name, repairs)] = told
    try:
        raw = text.encode() if raw is None else raw
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogatepass")
        text = mended_string(text, repairs)
    if "\0" in text:
        text = mended_string(text, repairs)
    return Record(offset, own_id, url, date, text, raw, None, None, metadata, repairs)


def no_text(name: str, present: Iterable[str], likely: str | None) -> str:
    """Return a message that the text field is missing, which fields exist, and which of them the recipe should name."""
    has = ", ".join(map(repr, present)) or "no fields"
    remedy = f": [[input]] text = {json.dumps(likely)}" if likely else ""
    return f"{name!r} is not there; it has {has[:900]}{remedy}"


def likely_text(wanted: str, strings: Mapping[str, int]) -> str | None:
    """Return which of the string fields (each with a length) may be the text that is `wanted`; never one that has another meaning."""
    left = {name: length for name, length in strings.items() if name.lower() not in _OTHERS}
    by_lower = {name.lower(): name for name in left}
    usual = next((by_lower[name] for name in (wanted.lower(), *_USUAL) if name in by_lower), None)
    return usual or max(left, key=lambda name: left[name], default=None)


def _text(fields: JsonMapping, name: str) -> str:
    text = fields.get(name)
    if isinstance(text, str):
        return text
    if name not in fields:
        strings = {field: len(value) for field, value in fields.items() if isinstance(value, str)}
        raise BadRow("missing_text", no_text(name, fields, likely_text(name, strings)))
    if text is None:
        raise BadRow("missing_text", f"{name!r} is null")
    if isinstance(text, Unreadable):
        raise BadRow("broken_json", f"{name!r} is no JSON value")
    raise BadRow("text_not_string", f"{name!r} is not a string but {type(text).__name__}")


_LARGEST_ID = 10**40
"""Numbers from here on are no ids: a random one of 128 bits has 39 digits."""


def _own_id(value: JsonValue, repairs: Repairs) -> str | None:
    if isinstance(value, str):
        return mended_string(value, repairs) or None
    if value is None or isinstance(value, Unreadable):
        return None
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ID
    if not is_number and not (isinstance(value, float) and math.isfinite(value)):
        repairs["bad_id"] += 1
        return None
    return str(value)


def _url(value: JsonValue, repairs: Repairs) -> str | None:
    if isinstance(value, str):
        return mended_string(value, repairs) or None
    if value is not None and not isinstance(value, Unreadable):
        repairs["bad_url"] += 1
    return None


def _date(value: JsonValue) -> datetime | None:
    return parse_date(value) if isinstance(value, str) else None
