"""A page's source without what extraction never reads: scripts, styles, long comments, drawings, and most attributes.

Two thirds of a page are such text, and each later step takes time for all that it meets. Cut out are the content of `<script>`, `<style>`
and long comments; the content of `<svg>` that holds nothing but shapes; and attributes that nothing reads. So the parser builds the same
elements with the same text as it would from the whole source.

Where that is not certain, nothing is cut out: pages with MathML, with drawings of other content, with scripts that mention scripts in a
comment. A page whose formulas are rewritten is parsed as it was (see `reading`).

Source: the tokenizer of the WHATWG HTML standard, 13.2.5.

Invariant: each byte is read a fixed number of times.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from curation.ingest.extraction.page_blocks.vocabulary import SEED, STEP, looked_up, slots_of, words_of
from curation.ingest.extraction.page_shape import END_OF_NAME, IS_BLANK, IS_LETTER, after_declaration, name_at
from curation.text.kernels import inline_kernel, kernel
from curation.text.simd import BLOCK, lowest_bit, mask_of

_EMPTIED, _RAW, _PLAIN, _SVG, _MATH, _WHOLE, _BODY = (1 << place for place in range(7))
_TAGS = {
    "script style": _EMPTIED,
    "title textarea xmp iframe noembed noframes": _RAW,
    "plaintext": _PLAIN,
    "svg": _SVG,
    "math": _MATH,
    "meta link": _WHOLE,
    "body": _BODY,
}
"""What is done with a tag: its content left out, or taken as it is up to its end tag or to the end of the page; or all attributes kept."""

KEPT_ATTRIBUTES = frozenset(
    words_of(
        "class id role itemprop hidden aria-hidden style start value colspan rowspan reversed type alt shadowrootmode data-math data-tex "
        "data-latex data-formula lang"
    )
)
"""Attributes that `attributes` and `declared` read, or that the parser does."""

_DRAWN, _SAID = 1, 2
_SHAPES = (
    "svg g path circle rect line polyline polygon ellipse use defs symbol clippath mask marker pattern lineargradient radialgradient stop "
    "style text tspan textpath filter fegaussianblur feoffset feblend feflood fecolormatrix fecomposite femerge femergenode "
    "animate animatetransform animatemotion set switch image metadata"
)
"""Elements of a drawing that do not end it."""

_WORDS = ("title", "desc")
"""Those whose content is read as HTML, where `</svg>` does not end the drawing; they may hold text alone."""


_SHORT = 16
"""Bytes of a comment that stays: React marks by short ones where streamed content belongs."""


class Trimmed(NamedTuple):
    """A page's source in UTF-8, and what of it stands before its `<body>`."""

    source: bytes
    head: bytes


@cache
def _tables() -> tuple[Any, Any, Any, Any, Any, Any]:
    tags = [(tag, kind) for tags, kind in _TAGS.items() for tag in tags.split()]
    names = [(name, 1) for name in sorted(KEPT_ATTRIBUTES)]
    shapes = [*((tag, _DRAWN) for tag in words_of(_SHAPES)), *((tag, _SAID) for tag in _WORDS)]
    return (*slots_of(tags, 64), *slots_of(names, 128), *slots_of(shapes, 256))


def trimmed(html: bytes) -> Trimmed | None:
    """Return a page's source without what extraction does not read; None where that is not certain."""
    data = np.frombuffer(html, np.uint8)
    out = np.empty(len(data) + len(data) // 4 + 64, np.uint8)
    size, head = _trim(data, np.flatnonzero(data == 0x3C), *_tables(), out)
    return None if size < 0 else Trimmed(out[:size].tobytes(), out[:head].tobytes())


@inline_kernel
def _copied(data: Any, i: int, end: int, out: Any, at: int) -> int:
    """Copy a part of the page; return the position after it."""
    for k in range(end - i):
        out[at + k] = data[i + k]
    return at + max(0, end - i)


@inline_kernel
def _place_of(data: Any, i: int, byte: Any) -> int:
    """Return where a byte is next, from i on; the end of the page if nowhere."""
    while i + BLOCK <= len(data):
        found = mask_of(data, i, byte)
        if found:
            return int(i + lowest_bit(found))
        i += BLOCK
    while i < len(data) and data[i] != byte:
        i += 1
    return i


@inline_kernel
def _tag(data: Any, i: int, whole: bool, hashes: Any, kept: Any, out: Any, at: int) -> tuple[int, int, bool]:
    """Write the attributes of the tag whose name ends at i, those to be kept, and its end.

    Return where the tag ends, -1 if the page ends in it; the position after what is written; and whether the tag closes itself.
    """
    end = len(data)
    closes = False
    while i < end and data[i] != 0x3E:
        if data[i] == 0x2F or IS_BLANK[data[i]]:
            closes = data[i] == 0x2F or (closes and not IS_BLANK[data[i]])
            i += 1
            continue
        closes = False
        begins, name = i, SEED
        while i < end and (i == begins or data[i] != 0x3D) and not END_OF_NAME[data[i]]:
            name = (name ^ np.uint64(data[i] | 0x20 if 0x41 <= data[i] <= 0x5A else data[i])) * STEP
            i += 1
        ends = i
        while i < end and IS_BLANK[data[i]]:
            i += 1
        if i < end and data[i] == 0x3D:
            i += 1
            while i < end and IS_BLANK[data[i]]:
                i += 1
            if i < end and (data[i] == 0x22 or data[i] == 0x27):
                quote = data[i]
                i = min(_place_of(data, i + 1, quote) + 1, end)
            else:
                while i < end and data[i] != 0x3E and not IS_BLANK[data[i]]:
                    i += 1
            ends = i
        if whole or looked_up(hashes, kept, name):
            out[at] = 0x20
            at = _copied(data, begins, ends, out, at + 1)
    if i >= end:
        return -1, at, closes
    if closes:
        out[at], out[at + 1] = 0x20, 0x2F
        at += 2
    out[at] = 0x3E
    return i + 1, at + 1, closes


@inline_kernel
def _end_of_raw(data: Any, angles: Any, q: int, name: Any) -> int:
    """Return the place among the angle brackets of the end tag of raw text; their number if there is none; -1 if that is not certain."""
    in_comment = False
    end = len(data)
    while q < len(angles):
        i = angles[q]
        closes = i + 1 < end and data[i + 1] == 0x2F
        if _begins_comment(data, i):
            in_comment = True
        elif closes or in_comment:
            found, behind = name_at(data, i + 2 if closes else i + 1)
            if found == name and behind < end:
                return q if closes else -1
        q += 1
    return q


@inline_kernel
def _begins_comment(data: Any, i: int) -> bool:
    return bool(i + 3 < len(data) and data[i + 1] == 0x21 and data[i + 2] == 0x2D and data[i + 3] == 0x2D)


@inline_kernel
def _end_of_drawing(
    data: Any, angles: Any, q: int, hashes: Any, shapes: Any, svg: Any, name_hashes: Any, kept: Any, out: Any, at: int
) -> int:
    """Return the place among the angle brackets of the end tag of a drawing; -1 if it holds more than shapes, or does not end."""
    depth, end = 1, len(data)
    passed, said = 0, np.uint64(0)
    while q < len(angles):
        i = angles[q]
        q += 1
        if i < passed:
            continue
        if _begins_comment(data, i):
            passed = after_declaration(data, i)
            continue
        closes = i + 1 < end and data[i + 1] == 0x2F
        name, k = name_at(data, i + 2 if closes else i + 1)
        kind = looked_up(hashes, shapes, name)
        if not kind or (said and not (closes and name == said)):
            return -1
        passed, _, ended_itself = _tag(data, k, False, name_hashes, kept, out, at)  # what it writes is overwritten
        if passed < 0:
            return -1
        said = name if kind == _SAID and not closes and not ended_itself else np.uint64(0)
        if name == svg:
            depth += -1 if closes else 0 if ended_itself else 1
            if depth == 0:
                return q - 1
    return -1


@kernel
def _trim(
    data: Any, angles: Any, tag_hashes: Any, tag_kinds: Any, name_hashes: Any, kept: Any, shape_hashes: Any, shapes: Any, out: Any
) -> tuple[int, int]:
    """Write the page to `out`; return its size there, -1 if nothing may be cut out, and the size of what stands before `<body>`."""
    end = len(data)
    at, done, q, head = 0, 0, 0, -1
    while q < len(angles):
        i = angles[q]
        q += 1
        if i < done:
            continue
        at = _copied(data, done, i, out, at)
        following = data[i + 1] if i + 1 < end else 0x20
        closes = following == 0x2F and i + 2 < end and IS_LETTER[data[i + 2]]
        if not closes and not IS_LETTER[following]:
            done = after_declaration(data, i) if following in (0x21, 0x3F, 0x2F) else i + 1
            if done - i > _SHORT and _begins_comment(data, i):
                for byte in (0x3C, 0x21, 0x2D, 0x2D, 0x2D, 0x2D, 0x3E):
                    out[at] = byte
                    at += 1
            else:
                at = _copied(data, i, done, out, at)
            continue
        name, behind = name_at(data, i + 2 if closes else i + 1)
        kind = looked_up(tag_hashes, tag_kinds, name)
        begun = at
        at = _copied(data, i, behind, out, at)
        done, at, closes_itself = _tag(data, behind, kind & _WHOLE != 0, name_hashes, kept, out, at)
        if done < 0:
            at = _copied(data, i, end, out, begun)
            done = end
            break
        if closes or not kind:
            continue
        if kind & _BODY and head < 0:
            head = begun
        elif kind & _MATH:
            return -1, 0
        elif kind & _PLAIN:
            break
        elif kind & (_EMPTIED | _RAW):
            q = _end_of_raw(data, angles, _next(angles, q, done), name)
            if q < 0:
                return -1, 0
            ends = angles[q] if q < len(angles) else end
            at = at if kind & _EMPTIED else _copied(data, done, ends, out, at)
            done = ends
        elif kind & _SVG and not closes_itself:
            q = _end_of_drawing(data, angles, _next(angles, q, done), shape_hashes, shapes, name, name_hashes, kept, out, at)
            if q < 0:
                return -1, 0
            done = angles[q]
    at = _copied(data, done, end, out, at)
    return at, at if head < 0 else head


@inline_kernel
def _next(angles: Any, q: int, i: int) -> int:
    """Return the place of the first angle bracket at or after i."""
    while q < len(angles) and angles[q] < i:
        q += 1
    return q
