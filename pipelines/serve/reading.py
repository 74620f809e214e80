"""The text of a document, and the difference between two texts.

Invariant: a comparison without what is "new" is the first text, and without what is "gone" the second.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import polars as pl

from curation.errors import UsageError
from curation.storage.location import Location
from pipelines.inspect.run_folder import ShardPlace, iter_rows, matching_rows
from pipelines.serve.listing import all_places
from pipelines.serve.marks import LONGEST_SHOWN, Mark, Passage

_PARTS = 2000
"""The maximum number of lines or words to compare; the rest of longer texts is not compared."""

_AROUND = 200
"""Characters of an equal passage that are shown on each side of a change."""


@dataclass(frozen=True)
class StoredText:
    """A document's text as ingest wrote it, and the spans that export leaves out."""

    text: str
    cuts: Sequence[Mark]


def stored_text(out: Location, document_id: str, key: str | None = None) -> StoredText | None:
    """Return the text of a document by its id (and its key, if an id occurs twice); None if it was never extracted or is gone."""
    for place, row in _rows(out, document_id, key):
        if place.documents is None:
            return None
        (values,) = [values for _, values in iter_rows(place.documents, [row], ["text"])]
        return StoredText(values["text"], _cuts(place, row))
    return None


def _rows(out: Location, document_id: str, key: str | None) -> Iterator[tuple[ShardPlace, int]]:
    wanted = pl.col("id") == document_id
    if key is not None:
        wanted &= pl.col("key") == bytes.fromhex(key)
    return matching_rows(all_places(out), wanted)


def _cuts(place: ShardPlace, row: int) -> list[Mark]:
    if place.cuts is None:
        return []
    return [(span["start"], span["end"], "cut") for _, values in iter_rows(place.cuts, [row], ["spans"]) for span in values["spans"]]


def compared(out: Location, first: str, second: str) -> tuple[list[Passage], list[Passage]]:
    """Return two documents' texts side by side: what only the first has is "gone", what only the second has is "new".

    Raises UsageError where one of them has no text.
    """
    texts = []
    for name in (first, second):
        found = stored_text(out, name)
        if found is None:
            raise UsageError(f"the text of {name!r} is not there")
        texts.append(found.text[:LONGEST_SHOWN])
    return side_by_side(*texts)


def side_by_side(first: str, second: str) -> tuple[list[Passage], list[Passage]]:
    """Compare two texts; each side shows its own text."""
    changes = changes_between(first, second)
    return [one for one in changes if one.kind != "new"], [one for one in changes if one.kind != "gone"]


def changes_between(first: str, second: str) -> list[Passage]:
    """Compare two texts by line, and lines that differ by word; what differs stands where it differs, the old before the new."""
    found: list[Passage] = []
    lines = first.splitlines(keepends=True), second.splitlines(keepends=True)
    for kind, a, b, c, d in _changes(*lines):
        before, after = "".join(lines[0][a:b]), "".join(lines[1][c:d])
        if kind == "equal":
            found.append(Passage(before))
            continue
        words = _words(before), _words(after)
        for how, e, f, g, h in _changes(*words):
            if how == "equal":
                found.append(Passage("".join(words[0][e:f])))
                continue
            found += [Passage("".join(words[0][e:f]), "gone")] if f > e else []
            found += [Passage("".join(words[1][g:h]), "new")] if h > g else []
    return found


def shortened(changes: Sequence[Passage]) -> list[Passage]:
    """Leave out the middle of long passages that are equal; a passage of kind "skipped" counts what is left out."""
    found: list[Passage] = []
    for passage in changes:
        head, tail = passage.text[:_AROUND], passage.text[-_AROUND:]
        head, tail = head[: head.rfind(" ") + 1] or head, tail[tail.find(" ") + 1 :]
        left_out = len(passage.text) - len(head) - len(tail)
        if passage.kind or left_out < _AROUND:
            found.append(passage)
        else:
            found += [Passage(head), Passage(f"{left_out:,} characters are the same", "skipped"), Passage(tail)]
    return found


def _changes(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield the differences of two sequences; everything beyond _PARTS parts counts as one difference."""
    a, b = first[:_PARTS], second[:_PARTS]
    yield from SequenceMatcher(None, a, b, autojunk=len(a) + len(b) > _PARTS).get_opcodes()
    if len(first) > _PARTS or len(second) > _PARTS:
        yield "replace", len(a), len(first), len(b), len(second)


def _words(text: str) -> list[str]:
    """Split a text at spaces; each word keeps the space after it."""
    return [word if place == 0 else f" {word}" for place, word in enumerate(text.split(" "))]


def evidence_of(text: str | None) -> dict[str, Any]:
    """Return the evidence in the ledger, as names and values."""
    try:
        value = json.loads(text) if text else {}
    except ValueError:
        return {"evidence": text}
    return value if isinstance(value, dict) else {"evidence": value}
