"""Repairs: fix what a record can do without, so that no side field costs a text; every repair is counted.

The names of the repairs are the same in all formats:

        nul               a NUL was dropped (from the text or a side field)
        lone_surrogate    half of a surrogate pair, which JSON can spell, became U+FFFD
        undecodable       bytes that are not UTF-8 became U+FFFD
        control           control characters were dropped from a page
        not_finite        a side field contained NaN or an infinity, which JSON lacks: null
        bad_value         a side field's value was not JSON, or a number of thousands of digits: null
        too_deep          a side field was nested deeper than MAX_DEPTH: null
        too_large         a side field was larger than a record may be: null
        bad_id, bad_url   the id or URL was a list, a boolean, ...: it is not used as such, but kept as metadata
        lost_field        damage in the file destroyed a side field of this row: null
"""

import json
import math

from curation.arrays import JsonValue
from curation.ingest.side_fields import JsonText

MAX_DEPTH = 100
CHARACTERS_PER_DAMAGE = 50
"""A text with more than one damaged byte for this many characters is in another encoding, or not text."""


class Repairs(dict[str, int]):
    """Counts of each repair. Not a Counter: making one for every record would slow down reading."""

    def __missing__(self, name: str) -> int:
        """Return 0 for a repair that was not made."""
        return 0


class Unreadable:
    """Replaces a value that could not be read; the repair was counted."""


UNREADABLE = Unreadable()


class BadRow(Exception):
    """A row, or `rows` of them, that is not a record; `reason` is the name of a rule."""

    def __init__(self, reason: str, detail: str, rows: int = 1) -> None:
        """Take the rule's name, what was found, and how many rows are lost with it."""
        super().__init__(detail)
        self.reason = reason
        self.rows = rows


def mended_string(text: str, repairs: Repairs) -> str:
    """Return a string without NUL and without halves of surrogate pairs."""
    if "\0" in text:
        repairs["nul"] += text.count("\0")
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if halves := whole.count("\ufffd") - text.count("\ufffd"):
            repairs["lone_surrogate"] += halves
        return whole
    return text


def decoded(name: str, raw: bytes, repairs: Repairs, is_text: bool = True) -> str:
    """Return bytes that should be UTF-8 as a string. Raises BadRow for a text with too much invalid UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        text = raw.decode("utf-8", "replace")
        damaged = text.count("\ufffd") - raw.count(b"\xef\xbf\xbd")
        if is_text and damaged * CHARACTERS_PER_DAMAGE > len(text):
            raise BadRow("undecodable", f"{name!r} is not UTF-8: {error.reason} at byte {error.start}") from None
        repairs["undecodable"] += damaged
        return text


def as_text(value: JsonValue, repairs: Repairs) -> str | None:
    """Return a side field's value as text: strings unchanged, other values as JSON; None for a value without such a form."""
    if isinstance(value, str):
        return mended_string(value, repairs)
    if isinstance(value, Unreadable) or value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        repairs["not_finite"] += 1
        return None
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        written = None
    except ValueError:
        written = json.dumps(_finite(value, repairs), ensure_ascii=False)
    if written is None or _nests_too_deeply(value, written):
        repairs["too_deep"] += 1
        return None
    return JsonText(mended_string(written, repairs))


def _finite(value: JsonValue, repairs: Repairs) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        repairs["not_finite"] += 1
        return None
    if isinstance(value, dict):
        return {name: _finite(inner, repairs) for name, inner in value.items()}
    return [_finite(inner, repairs) for inner in value] if isinstance(value, list) else value


def _nests_too_deeply(value: JsonValue, written: str) -> bool:
    """Return whether a value is nested deeper than MAX_DEPTH; the parser's own limit differs between versions of Python."""
    if written.count("[") + written.count("{") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(value: JsonValue) -> list[JsonValue]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [item for item in inner if isinstance(item, dict | list)]
