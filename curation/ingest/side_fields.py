"""Side fields of a record: their form in documents and in a dataset.

Documents carry every side field as text, by its name. A string stays as it is, and any other value becomes its JSON. A string that would
itself parse as JSON ("1984", "null", "[1]") is carried as a JSON string, in quotes, so that it becomes a string again at the end. A
dataset has all side fields in one JSON object with sorted names.

Invariants
    - `value_of(text_of(string)) == string` for every string that is not a Json.
    - `json_object_of` depends only on names and values, not on their order.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

_BEGINNINGS = frozenset('"[{-0123456789tfn \t\n\r')
"""First characters of JSON; most strings begin differently and are not parsed."""


class JsonText(str):
    """The JSON text of a value that is not a string, as readers pass it among a record's side fields."""

    __slots__ = ()


def json_text(field: str) -> str:
    """Return a reader's side field in the form that documents carry."""
    return json.dumps(field, ensure_ascii=False) if _is_json(field) and not isinstance(field, JsonText) else field


def value_of(text: str) -> Any:
    """Return the value that a carried text represents."""
    if text[:1] not in _BEGINNINGS:
        return text
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return text


def string_of(text: str) -> str:
    """Return a carried text as a string: strings unchanged, other values as JSON."""
    value = value_of(text)
    return value if isinstance(value, str) else text


def json_object_of(fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Return carried side fields as one JSON object."""
    values = {name: value_of(text) for name, text in dict(fields).items()}
    written = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        written.encode()
    except UnicodeEncodeError:  # JSON can express half of a surrogate pair, UTF-8 cannot
        return json.dumps(values, sort_keys=True, separators=(",", ":"))
    return written


def _is_json(text: str) -> bool:
    if text[:1] not in _BEGINNINGS:
        return False
    try:
        _DECODER.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is not a number that JSON can represent")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
