"""Side fields of a record, as documents carry them and as a dataset has them.

Documents carry every side field as text, by its name. A string is carried as it is, any other value as its JSON; a string that would itself
be read as JSON ("1984", "null", "[1]") is carried as a JSON string, between quotes, so that what was a string is one again at the end. The
dataset has them all as one JSON object, its names sorted.

Invariants
    - `value_of(text_of(string)) == string` for every string that is no Json.
    - `json_object_of` depends on names and values alone, not on their order.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

_BEGINNINGS = frozenset('"[{-0123456789tfn \t\n\r')
"""What JSON can begin with; most strings begin otherwise and are not tried."""


class Json(str):
    """The JSON of a value that is no string, as readers give it among a record's side fields."""

    __slots__ = ()


def text_of(field: str) -> str:
    """Return a side field, as a reader gives it, as documents carry it."""
    return json.dumps(field, ensure_ascii=False) if _is_json(field) and not isinstance(field, Json) else field


def value_of(text: str) -> Any:
    """Return the value that a text stands for."""
    if text[:1] not in _BEGINNINGS:
        return text
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError):
        return text


def string_of(text: str) -> str:
    """Return what a text stands for as a string: strings as they were, other values as JSON."""
    value = value_of(text)
    return value if isinstance(value, str) else text


def json_object_of(fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> str:
    """Return side fields, as documents carry them, as one JSON object."""
    values = {name: value_of(text) for name, text in dict(fields).items()}
    written = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        written.encode()
    except UnicodeEncodeError:  # JSON can spell half of a surrogate pair, UTF-8 cannot
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
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is no number that JSON can give back")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
