"""Rows of named fields as records: what a JSONL line and a Parquet row have in common.

The recipe's `Fields` says which field is what. The text is taken as it is: nothing is trimmed or repaired, and what later stages could not
carry (lone surrogates, NUL) makes the row bad, with a reason. An empty text is a record. What is none of id, text, url and date becomes
metadata, strings as they are, others as JSON; so does a date that cannot be told. Nulls are as if they were not there.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from curation.readers.contract import Record, SourceFile
from curation.readers.dates import parse_date


class BadRow(Exception):
    """A row that is no record; `reason` is a rule's name."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def row_record(fields: Mapping[str, Any], offset: int, source: SourceFile, raw: bytes | None = None) -> Record:
    """Return the record that named fields make (JSONL and Parquet alike). Raises BadRow.

    `raw` is the text's UTF-8, where the format has it at hand.
    """
    names = source.fields
    text = fields.get(names.text)
    if text is None:
        raise BadRow("missing_text", f"the record has no {names.text!r}; its fields are {', '.join(map(repr, fields)) or 'none'}"[:1000])
    if not isinstance(text, str):
        raise BadRow("text_not_string", f"{names.text!r} is not a string but {type(text).__name__}")
    raw = _encodable(names.text, text) if raw is None else raw
    if b"\0" in raw:
        raise BadRow("nul", f"{names.text!r} holds a NUL character")
    date = _date(fields.get(names.date))
    taken = (names.id, names.text, names.url, names.date) if date else (names.id, names.text, names.url)
    metadata = {name: _as_text(value) for name, value in fields.items() if name not in taken and value is not None}
    for name, value in metadata.items():
        _encodable("a field's name", name)
        _encodable(name, value)
    return Record(
        offset=offset,
        own_id=_own_id(names.id, fields.get(names.id)),
        url=_url(names.url, fields.get(names.url)),
        crawled_at=date,
        payload=text,
        raw=raw,
        metadata=metadata,
    )


def _encodable(name: str, value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise BadRow("lone_surrogate", f"{name!r} holds half of a surrogate pair at character {error.start}") from None


def _own_id(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str):
        _encodable(name, value)
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRow("bad_id", f"{name!r} is neither a string nor a number but {type(value).__name__}")
    return str(value)


def _url(name: str, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadRow("bad_url", f"{name!r} is not a string but {type(value).__name__}")
    _encodable(name, value)
    return value


def _date(value: Any) -> datetime | None:
    return parse_date(value) if isinstance(value, str) else None


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
