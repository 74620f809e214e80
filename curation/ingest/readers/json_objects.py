"""JSON objects: parse a line so that one bad side value does not cost the others.

Nearly every line is valid JSON, and the standard library's decoder reads it. A rejected line is parsed here: the object is walked field by
field, and a value that is not JSON (NaN, a number of thousands of digits, `undefined`, too deep nesting) is set aside and counted. Bytes
that are not UTF-8 become U+FFFD, unless the text contains many. The line is broken only if the walk itself fails, because then the end of a
field is unknown.

Invariant: time is linear in the line; every character is visited a fixed number of times.
"""

import codecs
import json
import re
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NoReturn

from curation.arrays import JsonObject, JsonValue
from curation.ingest.readers.repair import CHARACTERS_PER_DAMAGE, UNREADABLE, BadRow, Repairs

_BLANK = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"[^\s,{}\[\]\":]+")
_BRACKET = re.compile(r'["\[\]{}]')
_MAX_DIGITS = 4300
"""Python's own limit on the digits of a number, which a user may change; parsing here does not depend on that setting."""


_MARK = "\udcff"
"""Replaces bytes that are not UTF-8 while a line is parsed: no decoded text contains it."""

_MARKING = "curation.ingest.readers.json_objects.mark"
codecs.register_error(_MARKING, lambda error: (_MARK, error.end if isinstance(error, UnicodeDecodeError) else 0))


def object_of(line: bytes, text: str, repairs: Repairs) -> JsonObject:
    """Return the fields of a line; an unreadable value is UNREAD. `text` is the field that must not be damaged. Raises BadRow."""
    try:
        fields = _STRICT.decode(line.decode())
    except UnicodeDecodeError:
        marked = line.decode("utf-8", _MARKING)
        return {_without_marks(name, repairs): _unmarked(value, name == text, repairs) for name, value in _walked(marked, repairs).items()}
    except (ValueError, RecursionError):
        return _walked(line.decode(), repairs)
    if not isinstance(fields, dict):
        raise BadRow("not_an_object", f"the line holds no JSON object but {type(fields).__name__}")
    return fields


def _unmarked(value: JsonValue, is_text: bool, repairs: Repairs) -> JsonValue:
    if not isinstance(value, str):
        return value
    damaged = value.count(_MARK)
    if is_text and damaged * CHARACTERS_PER_DAMAGE > len(value):
        raise BadRow("undecodable", f"the text is not UTF-8: {damaged} of its {len(value)} characters are bytes that are none")
    return _without_marks(value, repairs)


def _without_marks(marked: str, repairs: Repairs) -> str:
    if _MARK in marked:
        repairs["undecodable"] += marked.count(_MARK)
    return marked.replace(_MARK, "\ufffd")


def _walked(written: str, repairs: Repairs) -> JsonObject:
    at = _blank(written, 1 if written.startswith("\ufeff") else 0)
    if written[at : at + 1] != "{":
        kind = {"[": "list", '"': "str"}.get(written[at : at + 1])
        if kind:
            raise BadRow("not_an_object", f"the line holds no JSON object but {kind}")
        raise BadRow("broken_json", "the line is not JSON")
    fields: JsonObject = {}
    at = _blank(written, at + 1)
    try:
        while written[at] != "}" or fields:
            name, at = scanstring(written, _past(written, at, '"'), False)
            at = _blank(written, _past(written, _blank(written, at), ":"))
            fields[name], at = _value(written, at, repairs)
            at = _blank(written, at)
            if written[at] == "}":
                break
            at = _blank(written, _past(written, at, ","))
    except (IndexError, json.JSONDecodeError):
        # The library's own messages differ between Python versions; the ledger must not.
        raise BadRow("broken_json", "the line is not JSON") from None
    if _blank(written, at + 1) != len(written):
        raise BadRow("broken_json", "the line is not JSON: more follows the object")
    return fields


def _blank(written: str, at: int) -> int:
    """Return the next position that is not blank."""
    blank = _BLANK.match(written, at)
    return blank.end() if blank else at


def _past(written: str, at: int, character: str) -> int:
    if written[at] != character:
        raise IndexError
    return at + 1


def _value(written: str, at: int, repairs: Repairs) -> tuple[JsonValue, int]:
    """Return the value at a position, and the position after it."""
    if written[at] == '"':
        string: tuple[str, int] = scanstring(written, at + 1, False)
        return string
    end = _end_of_container(written, at) if written[at] in "[{" else _end_of_scalar(written, at)
    piece = _without_marks(written[at:end], repairs)
    try:
        value = _lenient(repairs).decode(piece)
        return (UNREADABLE if value is None and piece != "null" else value), end
    except RecursionError:
        repairs["too_deep"] += 1
    except ValueError:
        repairs["bad_value"] += 1
    return UNREADABLE, end


def _end_of_scalar(written: str, at: int) -> int:
    scalar = _SCALAR.match(written, at)
    if not scalar:
        raise IndexError
    return scalar.end()


def _end_of_container(written: str, at: int) -> int:
    depth = 0
    while bracket := _BRACKET.search(written, at):
        at = bracket.end()
        if bracket[0] == '"':
            _, at = scanstring(written, at, False)
            continue
        depth += 1 if bracket[0] in "[{" else -1
        if depth == 0:
            return at
    raise IndexError


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number of too many digits")
    return int(digits)


def _lenient(repairs: Repairs) -> json.JSONDecoder:
    """Return a decoder that replaces NaN and overlong numbers by null, and counts them."""

    def constant(_: str) -> None:
        repairs["not_finite"] += 1

    def number(digits: str) -> int | None:
        try:
            return _number(digits)
        except ValueError:
            repairs["bad_value"] += 1
            return None

    return json.JSONDecoder(parse_constant=constant, parse_int=number, strict=False)


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant)
"""One decoder for all lines: `json.loads` would make a new one for each line when constants are refused."""
