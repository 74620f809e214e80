"""One document as the page shows it: its whole text with what was cut from it marked, and the difference between two texts.

Texts are capped at LONGEST characters, so that a page of a giant document stays light.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import polars as pl

from curation.errors import UsageError
from curation.storage.location import Location
from pipelines.inspect.run_folder import ShardPlace, iter_rows, scan
from pipelines.serve.listing import all_places

LONGEST = 200_000
"""Characters of a text that are shown."""

_PARTS = 2000
"""Lines, or words, that are compared one by one; longer texts are compared as far as that."""


@dataclass(frozen=True)
class Passage:
    """A piece of a text: `kind` is "" for what stays, "cut" for what export leaves out, "gone" and "new" in a comparison."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class WholeText:
    """A document's text in passages; `more` counts the characters that are not shown."""

    passages: Sequence[Passage]
    more: int


def text_of(out: Location, document_id: str, key: str | None = None) -> WholeText | None:
    """Return the text of a document by its id (and key, where an id occurs twice); None where it was never extracted, or is gone."""
    for place, row in _rows(out, document_id, key):
        if place.documents is None:
            return None
        (values,) = [values for _, values in iter_rows(place.documents, [row], ["text"])]
        spans = _cuts(place, row)
        return _marked(values["text"], spans)
    return None


def _rows(out: Location, document_id: str, key: str | None) -> Iterator[tuple[ShardPlace, int]]:
    found = all_places(out)
    wanted = pl.col("id") == document_id
    if key is not None:
        wanted &= pl.col("key") == bytes.fromhex(key)
    queries = [scan([place.ledger]).with_row_index("row").filter(wanted).select("row") for place in found]
    for place, frame in zip(found, pl.collect_all(queries, engine="streaming"), strict=True):
        for row in frame["row"].to_list():
            yield place, int(row)


def _cuts(place: ShardPlace, row: int) -> list[tuple[int, int]]:
    if place.cuts is None:
        return []
    return [(span["start"], span["end"]) for _, values in iter_rows(place.cuts, [row], ["spans"]) for span in values["spans"]]


def _marked(text: str, spans: Sequence[tuple[int, int]]) -> WholeText:
    encoded = text.encode()
    passages, begin = [], 0
    for start, end in spans:
        passages += [Passage(encoded[begin:start].decode()), Passage(encoded[start:end].decode(), "cut")]
        begin = end
    passages.append(Passage(encoded[begin:].decode()))
    shown: list[Passage] = []
    room = LONGEST
    for passage in passages:
        if passage.text and room > 0:
            shown.append(Passage(passage.text[:room], passage.kind))
            room -= len(passage.text)
    return WholeText(shown, max(0, len(text) - LONGEST))


def compared(out: Location, first: str, second: str) -> tuple[list[Passage], list[Passage]]:
    """Return two documents' texts side by side: what only the first has is "gone", what only the second has is "new".

    Raises UsageError where one of them has no text.
    """
    texts = []
    for name in (first, second):
        found = text_of(out, name)
        if found is None:
            raise UsageError(f"the text of {name!r} is not there")
        texts.append("".join(passage.text for passage in found.passages))
    return side_by_side(*texts)


def side_by_side(first: str, second: str) -> tuple[list[Passage], list[Passage]]:
    """Compare two texts by line, and lines that differ by word."""
    left: list[Passage] = []
    right: list[Passage] = []
    lines = first.splitlines(keepends=True), second.splitlines(keepends=True)
    for kind, a, b, c, d in _changes(*lines):
        before, after = "".join(lines[0][a:b]), "".join(lines[1][c:d])
        if kind == "equal":
            left.append(Passage(before))
            right.append(Passage(after))
            continue
        words = _words(before), _words(after)
        for how, e, f, g, h in _changes(*words):
            left += [Passage("".join(words[0][e:f]), "" if how == "equal" else "gone")] if f > e else []
            right += [Passage("".join(words[1][g:h]), "" if how == "equal" else "new")] if h > g else []
    return left, right


def _changes(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield how two sequences differ; what is beyond _PARTS parts counts as one difference."""
    a, b = first[:_PARTS], second[:_PARTS]
    yield from SequenceMatcher(None, a, b, autojunk=len(a) + len(b) > _PARTS).get_opcodes()
    if len(first) > _PARTS or len(second) > _PARTS:
        yield "replace", len(a), len(first), len(b), len(second)


def _words(text: str) -> list[str]:
    """Split a text at blanks; each word keeps the blank after it."""
    return [word if place == 0 else f" {word}" for place, word in enumerate(text.split(" "))]


def evidence_of(text: str | None) -> dict[str, Any]:
    """Return what the ledger gives as evidence, as names and values."""
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return {"evidence": text}
    return value if isinstance(value, dict) else {"evidence": value}
