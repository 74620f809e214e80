"""Records: the JSON files of a run folder, each of which carries the digest of its own bytes.

    {
     "sha256": "...",        the SHA-256 of this file's bytes without this line
     "a": 1,
     ...

A record is written whole, and read in one way: a bit that flipped anywhere in it, an end that is gone, a file that is no record at all are
told in one error that names the file and what to do. So whoever reads one may believe what it says, or hears that it cannot be read.

A digest finds accidents, not forgery: whoever sends a run folder may have written all of it. What is read is therefore data and nothing
else: it has the types that are asked for, names in it are printable, and paths in it stay in the folder (`Location.within`).

Invariants
    - The same content gives the same bytes.
    - No error of a parser leaves this module: what is wrong with a record is a CorruptRecord.
"""

import hashlib
import json
import re
from typing import Any, TypeVar

from curation.errors import CurationError
from curation.storage.location import Location

DIGEST = "sha256"

REMEDY = "run the same command again, which makes it anew"

_LARGEST = 1 << 28
"""Bytes of a record that are read at most: a thousand times the largest we have seen."""

_HEAD = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",(?=\n)')

_Kind = TypeVar("_Kind")


class CorruptRecord(CurationError):
    """A JSON file of a run folder is not as it was written."""


def encode_record(content: dict[str, Any]) -> bytes:
    """Return the bytes of a record. Raises ValueError where it is empty, for a digest of nothing says nothing."""
    if not content or DIGEST in content:
        raise ValueError(f"a record holds something, and leaves {DIGEST!r} to its digest")
    body = json.dumps(content, sort_keys=True, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
    return b'{\n "sha256": "' + hashlib.sha256(body).hexdigest().encode() + b'",' + body[1:]


def decode_record(content: bytes) -> dict[str, Any]:
    """Return what the bytes of a record say. Raises ValueError, saying what is wrong."""
    head = _HEAD.match(content)
    if head is None:
        raise ValueError("it does not begin with its digest")
    body = b"{" + content[head.end() :]
    if hashlib.sha256(body).hexdigest() != head[1].decode():
        raise ValueError("its bytes are not those that it was written with")
    try:
        return dict(json.loads(body))
    except (RecursionError, TypeError) as error:
        raise ValueError(f"it is not a record: {error}") from error


def write_record(location: Location, content: dict[str, Any]) -> None:
    """Write a record, atomically; one that says the same already is left alone."""
    written = encode_record(content)
    facts = location.facts()
    if facts is None or facts.size != len(written) or location.read_bytes() != written:
        location.write_bytes(written)


def read_record(location: Location, remedy: str = REMEDY) -> dict[str, Any]:
    """Return what a record says. Raises CorruptRecord, naming the file and the remedy, where it is missing or not as it was written."""
    found = find_record(location, remedy)
    if found is None:
        raise CorruptRecord(f"{location} is missing; {remedy}")
    return found


def find_record(location: Location, remedy: str = REMEDY) -> dict[str, Any] | None:
    """Return what a record says, or None where there is no such file. Raises CorruptRecord as `read_record` does."""
    facts = location.facts()
    if facts is None:
        return None
    try:
        if facts.size > _LARGEST:
            raise ValueError(f"it has {facts.size:,} bytes, which no record has")
        return decode_record(location.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise CorruptRecord(f"{location} is damaged: {error}; {remedy}") from error


def typed(kind: type[_Kind], content: Any, location: Location, remedy: str = REMEDY) -> _Kind:
    """Return JSON values as a dataclass of ours. Raises CorruptRecord where a value is missing or of another type."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise CorruptRecord(f"{location} is not what this version writes: {where}: {first['msg']}; {remedy}") from None
