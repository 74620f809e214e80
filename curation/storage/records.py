"""Records: the JSON files of a run folder, each of which carries the digest of its own bytes.

    {
     "sha256": "...",        the SHA-256 of this file's bytes without this line
     "a": 1,
     ...

A record is written whole and read by one function. A flipped bit, a missing end, or a file that is no record at all gives one error, which
names the file and the remedy. So a caller either trusts the content or learns that the record is unreadable.

A digest finds accidents, not forgery: the sender of a run folder may have written all of it. So a record is treated as data only: its
values have the expected types, its names are printable, and its paths stay inside the folder (`Location.within`).

Invariants
    - The same content gives the same bytes.
    - No parser error leaves this module: every fault in a record is a CorruptRecord.
"""

import hashlib
import json
import re
from typing import Any, TypeVar

from curation.arrays import JsonObject
from curation.errors import CurationError
from curation.storage.location import Location

DIGEST = "sha256"

REMEDY = "give the command again that made this folder, which writes it anew"

_LARGEST = 1 << 28
"""Largest record that is read, in bytes; real records are far smaller."""

_HEAD = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",(?=\n)')

_Kind = TypeVar("_Kind")


class CorruptRecord(CurationError):
    """A JSON file of a run folder is not what was written."""


def encode_record(content: JsonObject) -> bytes:
    """Return the bytes of a record. Raises ValueError where it is empty: the digest of nothing proves nothing."""
    if not content or DIGEST in content:
        raise ValueError(f"a record must not be empty, and its key {DIGEST!r} is reserved for the digest")
    body = json.dumps(content, sort_keys=True, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
    return b'{\n "sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'",' + body[1:]


def decode_record(content: bytes) -> JsonObject:
    """Return the content of a record's bytes. Raises ValueError with the reason where they are no record."""
    head = _HEAD.match(content)
    if head is None:
        raise ValueError("it does not begin with its digest")
    body = b"{" + content[head.end() :]
    if hashlib.sha256(body).hexdigest() != head[1].decode():
        raise ValueError("its bytes have changed since it was written")
    try:
        return dict(json.loads(body))
    except (RecursionError, TypeError) as error:
        raise ValueError(f"it is not a record: {error}") from error


def write_record(location: Location, content: JsonObject) -> None:
    """Write a record atomically; leave the file alone where it already has this content."""
    written = encode_record(content)
    facts = location.facts()
    if facts is None or facts.size != len(written) or location.read_bytes() != written:
        location.write_bytes(written)


def read_record(location: Location, remedy: str = REMEDY) -> JsonObject:
    """Return a record's content. Raises CorruptRecord with file and remedy where it is missing or not what was written."""
    found = find_record(location, remedy)
    if found is None:
        raise CorruptRecord(f"{location} is missing; {remedy}")
    return found


def find_record(location: Location, remedy: str = REMEDY) -> JsonObject | None:
    """Return a record's content, or None where the file does not exist. Raises CorruptRecord as `read_record` does."""
    facts = location.facts()
    if facts is None:
        return None
    try:
        if facts.size > _LARGEST:
            raise ValueError(f"it has {facts.size:,} bytes, more than any record")
        return decode_record(location.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptRecord(f"{location} is damaged: {error}; {remedy}") from error


def typed(kind: type[_Kind], content: Any, location: Location, remedy: str = REMEDY) -> _Kind:
    """Return JSON values as a dataclass. Raises CorruptRecord where a value is missing or has another type."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise CorruptRecord(f"{location} is not what this version writes: {where}: {first['msg']}; {remedy}") from None
