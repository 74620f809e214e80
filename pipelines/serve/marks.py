"""The marked passages of a document's text, each with the reason for its mark.

    cut         a line that other documents repeat, or a span that export leaves out for another reason
    benchmark   a passage that a benchmark item contains too
    mask        a word in place of masked personal data

Invariant: the passages of a text, joined in order, are the text.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_SHOWN = 200_000
"""Characters of a text that are shown."""

_MASK = "<{kind}>"
_MASKED = "edits.pii."
"""How the metadata that count masked personal data begin; the kind follows."""

_MOST_MASKS = 5000


@dataclass(frozen=True)
class Passage:
    """A piece of a text; `kind` is "" for a piece without a mark, "gone" and "new" mark the two sides of a comparison."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class WholeText:
    """A document's text in passages; `more` counts the characters that are not shown."""

    passages: Sequence[Passage]
    more: int

    @property
    def kinds(self) -> list[str]:
        """The kinds of marks that the shown text holds."""
        return sorted({passage.kind for passage in self.passages} - {""})


Mark = tuple[int, int, str]
"""A mark: its first byte, the byte after its last, and its kind."""


def marked_text(text: str, spans: Iterable[Mark]) -> WholeText:
    """Return a text in passages. Where two marks overlap, the earlier one of `spans` stays whole and the other is left out."""
    encoded = text.encode()
    passages, begin = [], 0
    for start, end, kind in _apart(spans, encoded):
        passages += [Passage(encoded[begin:start].decode()), Passage(encoded[start:end].decode(), kind)]
        begin = end
    passages.append(Passage(encoded[begin:].decode()))
    return capped(passages)


def capped(passages: Iterable[Passage]) -> WholeText:
    """Return passages that hold text, up to LONGEST_SHOWN characters."""
    shown: list[Passage] = []
    room, whole = LONGEST_SHOWN, 0
    for passage in passages:
        whole += len(passage.text)
        if passage.text and room > 0:
            shown.append(Passage(passage.text[:room], passage.kind))
            room -= len(passage.text)
    return WholeText(shown, max(0, whole - LONGEST_SHOWN))


def benchmark_spans(text: str, evidence: Mapping[str, Any]) -> list[Mark]:
    """Return the span of the passage that a benchmark item contains too; `evidence` comes from the ledger."""
    span = evidence.get("span")
    if not isinstance(span, str) or not span:
        return []
    encoded, passage = text.encode(), span.rstrip("\ufffd").encode()  # a passage that was cut off may end within a character
    start = encoded.find(passage)
    return [(start, start + len(passage), "benchmark")] if start >= 0 else []


def mask_spans(text: str, metadata: Mapping[str, str], recipe: Mapping[str, Any]) -> list[Mark]:
    """Return the spans of masks, of the kinds of personal data that ingest masked in this document."""
    kinds = [name.removeprefix(_MASKED) for name in metadata if name.startswith(_MASKED)]
    masks = {_mask_of(recipe).replace("{kind}", kind).encode() for kind in kinds}
    if not masks:
        return []
    pattern = re.compile(b"|".join(sorted(map(re.escape, masks))))
    found = (match.span() for match in pattern.finditer(text.encode()))
    return [(start, end, "mask") for (start, end), _ in zip(found, range(_MOST_MASKS), strict=False)]


def _mask_of(recipe: Mapping[str, Any]) -> str:
    edits = recipe.get("edit")
    tables = [table for table in edits if isinstance(table, dict) and table.get("name") == "pii"] if isinstance(edits, list) else []
    given = tables[0].get("mask") if tables else None
    return given if isinstance(given, str) and given else _MASK


def _apart(spans: Iterable[Mark], encoded: bytes) -> list[Mark]:
    """Return the marks that cover whole characters and do not overlap an earlier mark, in the order of the text."""
    taken: list[Mark] = []
    for span in spans:
        start, end, _ = span
        at = bisect_left(taken, span)
        is_free = (at == 0 or taken[at - 1][1] <= start) and (at == len(taken) or end <= taken[at][0])
        if is_free and 0 <= start < end <= len(encoded) and _begins_character(encoded, start) and _begins_character(encoded, end):
            taken.insert(at, span)
    return taken


def _begins_character(encoded: bytes, at: int) -> bool:
    return at == len(encoded) or encoded[at] & 0xC0 != 0x80
