"""Loose JSON: read the JSON object that a model wrote, with the minimum of tolerance that models need.

Candidates are tried in this order: the whole text; the inside of a fenced block; from the first brace to the last. Newlines inside strings
are accepted, and trailing commas are dropped. Nothing else is repaired: unreadable output is rejected, and the request can be improved.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from synth.task import Rejected

_FENCE = re.compile(r"```[A-Za-z]*+[^\S\n]*+\n(.*?)(?:```|\Z)", re.DOTALL)
_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?=\s*[}\]])', re.DOTALL)


def read_object(text: str) -> dict[str, Any]:
    """Return the JSON object in a text. Raises Rejected (`unparsable`)."""
    for candidate in _candidates(text):
        try:
            found = json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    raise Rejected("unparsable", {"detail": "no JSON object", "begins": text[:200]})


def _candidates(text: str) -> Iterator[str]:
    places = [text.strip(), *(found[1].strip() for found in _FENCE.finditer(text))]
    begin, end = text.find("{"), text.rfind("}")
    if 0 <= begin < end:
        places.append(text[begin : end + 1])
    for place in places:
        yield place
        yield _STRING_OR_COMMA.sub(lambda found: "" if found[0] == "," else found[0], place)


def text_field(found: dict[str, Any], name: str) -> str:
    """Return a field that must be non-empty text. Raises Rejected (`unparsable`)."""
    value = found.get(name)
    if not isinstance(value, str) or not value.strip():
        raise Rejected("unparsable", {"detail": f"{name} is not a text"})
    return clean(value, name)


def text_list(found: dict[str, Any], name: str) -> tuple[str, ...]:
    """Return a field that must be a non-empty list of texts. Raises Rejected (`unparsable`)."""
    values = found.get(name)
    if not isinstance(values, list) or not values or not all(isinstance(value, str) and value.strip() for value in values):
        raise Rejected("unparsable", {"detail": f"{name} is not a list of texts"})
    return tuple(clean(value, name) for value in values)


def clean(value: str, name: str) -> str:
    """Return text without surrounding space. Raises Rejected (`unparsable`) if it contains NUL or half of a surrogate pair."""
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise Rejected("unparsable", {"detail": f"{name} holds characters that are no text"})
    return value.strip()
