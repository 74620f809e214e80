"""Loose JSON: read the JSON object that a model wrote, with the tolerance that models need.

A reply may hold thoughts, an example, the answer and a remark, each with braces. What stands after the last end of thoughts (`</think>`) is
tried first. There, objects in fenced blocks come before others, later ones before earlier ones, and the first that fits the schema is the
answer; if none fits, the first object of all. Newlines inside strings are accepted, trailing commas are dropped, and backslashes of LaTeX
are restored (`synth.latex_escapes`). Nothing else is repaired: unreadable output is rejected, and the request can be improved.

Invariants
    - No control character but newline and tab, and no half of a surrogate pair, reaches a text.
    - The time is linear in the length of the reply: objects are looked for until MOST_PASSES times its length was read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from synth.instructions import declines
from synth.latex_escapes import repaired_latex
from synth.task import Rejected

MOST_PASSES = 16
_OPENING_WORDS = 400
"""The characters of an answer in which a model that declines says so."""
_THOUGHTS_END = re.compile(r"</(?:think|thinking|reasoning|thought|thoughts)>|<\|channel\|>final<\|message\|>", re.IGNORECASE)
_THOUGHTS_BEGIN = re.compile(r"\s*<(?:think|thinking|reasoning|thought|thoughts)>", re.IGNORECASE)
_FENCE = re.compile(r"```[A-Za-z0-9]*+[^\S\n]*+\n(.*?)(?:```|\Z)", re.DOTALL)
_OPENING = re.compile(r'\{(?=\s*["}])')
_STRING_OR_BRACE = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[{}]', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
FIELD_KINDS: Mapping[str, Mapping[str, Any]] = {"text": {"type": "string"}, "texts": {"type": "array", "items": {"type": "string"}}}
_TYPES: Mapping[str, type | tuple[type, ...]] = {"string": str, "array": list, "object": dict, "integer": int, "number": (int, float)}


def object_schema(**fields: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON Schema of an object with these fields, all of them and no others; a kind is "text", "texts" or a schema."""
    properties = {name: FIELD_KINDS[kind] if isinstance(kind, str) else kind for name, kind in fields.items()}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def read_object(text: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON object in a text that fits the schema best. Raises Rejected (`unparsable`; `refused` where a model declines)."""
    first: dict[str, Any] | None = None
    for place in _places(text):
        for found in _objects(place):
            if _fits(found, schema):
                return found
            first = found if first is None else first
    if first is None:
        ends = [found.end() for found in _THOUGHTS_END.finditer(text)]
        if (matched := declines(text[ends[-1] if ends else 0 :][:_OPENING_WORDS])) is not None:
            raise Rejected("refused", {"matched": matched, "begins": text[:200]})
        raise Rejected("unparsable", {"detail": "no JSON object", "begins": text[:200]})
    return first


def _places(text: str) -> Iterator[str]:
    """Yield the stretches of a reply in which an object is looked for, best first."""
    ends = [found.end() for found in _THOUGHTS_END.finditer(text)]
    answers = [text[ends[-1] :]] if ends else []
    if not _THOUGHTS_BEGIN.match(text) and (not ends or text.lstrip().startswith("{")):
        answers.append(text)
    for answer in answers:
        yield from reversed([found[1] for found in _FENCE.finditer(answer)])
        yield answer


def _objects(text: str) -> list[dict[str, Any]]:
    """Return the objects of a stretch that do not lie in one another, last first."""
    objects = []
    place, read = 0, 0
    while (opening := _OPENING.search(text, place)) is not None and read <= MOST_PASSES * len(text):
        end = _closing(text, opening.start())
        read += (end or len(text)) - opening.start()
        found = _decoded(text[opening.start() : end]) if end is not None else None
        place = end if found is not None and end is not None else opening.end()
        if found is not None:
            objects.append(found)
    return objects[::-1]


def _closing(text: str, begin: int) -> int | None:
    """Return where the object that begins there ends, or None if it does not."""
    depth = 0
    for found in _STRING_OR_BRACE.finditer(text, begin):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return None


def _decoded(candidate: str) -> dict[str, Any] | None:
    try:
        found = json.loads(repaired_latex(candidate), strict=False)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _fits(found: Mapping[str, Any], schema: Mapping[str, Any] | None) -> bool:
    """Return whether an object has the fields that a schema requires, each of its type."""
    if schema is None:
        return True
    kinds = {name: rule.get("type") for name, rule in schema.get("properties", {}).items()}
    return all(
        name in found and isinstance(found[name], _TYPES.get(str(kinds.get(name)), object)) for name in schema.get("required", kinds)
    )


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
    """Return text with plain line ends and without surrounding space.

    Raises Rejected (`unparsable`) if it contains control characters or half of a surrogate pair.
    """
    value = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    found = _CONTROL.search(value)
    if found is not None:
        raise Rejected("unparsable", {"detail": f"{name} holds a character that is no text: U+{ord(found[0]):04X}"})
    return value
