"""Parses pages that stay within limits, and strips the tags from pages that do not.

Limits: resiliparse's main-content search takes time quadratic in the depth of nesting. Its parser takes time quadratic in the number of
attributes of one tag (80,000 of them: 20 s) and of elements left open (see `curation.ingest.extraction.page_shape`). A page that exceeds
`PageLimits` is not parsed; `without_tags` returns its text. The parser also takes time quadratic in the options of a `<select>` (20,000 of
them: 7 s). No extractor returns their text, so a page of very many is parsed without them.

Marks: extractors mark places in a tree with Unicode noncharacters, U+FDD0 to U+FDD3, which no text should contain; `source_of` first
removes those that a page contains.

Invariant: time is linear in the page, whatever it contains. The limits ensure it for the parser. Each pattern here searches for an end
that may be missing from one place only.
"""

import gc
import html as entities
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from resiliparse.parse.html import HTMLTree

from curation.ingest.extraction import Extracted
from curation.ingest.extraction.page_shape import page_shape

_OWN_MARKS = re.compile(b"\xef\xb7[\x90-\x93]")
_OPTION = re.compile(
    rb"""<option(?![^\s/>])(?:"[^"]{0,999}"|'[^']{0,999}'|[^<>])*+>?[^<]*+|</option(?![^\s/>])[^<>]*+>?""",
    re.IGNORECASE,
)
"""Matches an option with its text, or the end tag of an option. A quotation mark counts as a letter if no second one follows nearby. If
a "<" comes before any ">", the tag that it begins is not matched: it may end a script that writes options."""
_MOST_OPTIONS = 2_000
"""More than any list of countries or time zones; the parser takes .02 s for them."""
_NO_TEXT = re.compile(r"<(script|style|template|noscript)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^>]*+(?:>|\Z)")
"""A tag that is never closed extends to the end of the page, as in a browser."""
_BLOCKS = ("p", "div", "br", "li", "tr", *(f"h{n}" for n in range(1, 7)), "pre", "section", "article", "table", "ul", "ol", "blockquote")
_INLINE = (
    *("a", "b", "i", "u", "s", "q", "em", "tt", "del", "ins", "var", "kbd", "wbr", "bdi", "bdo", "dfn", "big", "code", "samp", "font"),
    *("abbr", "cite", "mark", "span", "small", "strong"),
)
_SAID_BY = {**dict.fromkeys(_BLOCKS, "\n\n"), **dict.fromkeys(_INLINE, ""), "sup": "^{", "sub": "_{", "/sup": "}", "/sub": "}"}
"""The text that replaces each of these tags; a space replaces every other tag."""
_TITLE = re.compile(r"<title\b[^>]*+>", re.IGNORECASE)
_TITLE_ENDS = re.compile(r"</title", re.IGNORECASE)
_LONG_REFERENCE = re.compile(r"&#(?=\d{8})0*+(\d*+);?")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class PageLimits:
    """The largest page that is parsed: characters, tags, attributes of one tag, elements open at once, and elements that a parser reopens.

    `steps` limits the number of open elements, summed over all tags, per byte of the page; up to `fewest_steps` are always allowed.
    The maximum over 1,231 real pages: 63 attributes, 44 open elements, 1,836 reopened ones, and fewer than 3 steps per byte.
    """

    characters: int = 16 << 20
    tags: int = 400_000
    attributes: int = 2_000
    depth: int = 1_000
    remade: int = 400_000
    steps: int = 20
    fewest_steps: int = 1_000_000
    small: int = 16 << 10
    """A page with at most this many characters, and at most a 32nd as many tags, is cheap to parse, so its shape is not measured."""


def parse(html: str, limits: PageLimits, prepare: Callable[[str], str] | None = None) -> HTMLTree | None:
    """Return the page's tree, free of our marks, or None if the page exceeds a limit; `prepare` changes the source before it is parsed."""
    source = source_of(html, limits)
    if source is None or not _is_cheap(source, limits):
        return None
    tree = HTMLTree.parse(prepare(source.decode()) if prepare else source.decode())
    return None if tree.body is None else tree


def source_of(html: str, limits: PageLimits) -> bytes | None:
    """Return a page as UTF-8 without our marks, or None if it is too large to be parsed."""
    if len(html) > limits.characters:
        return None
    source = html.encode("utf-8", "replace")
    data = np.frombuffer(source, np.uint8)
    tags = np.flatnonzero(data == ord("<"))
    if len(tags) > limits.tags:
        return None
    if np.count_nonzero(data[np.minimum(tags + 1, len(data) - 1)] | 0x20 == ord("o")) > _MOST_OPTIONS:
        source = _OPTION.sub(b"", source)
    return _OWN_MARKS.sub(b"", source) if b"\xef" in source else source


def parse_source(source: bytes, limits: PageLimits) -> HTMLTree | None:
    """Return the tree of a page from `source_of`, or of a part of one; None if it exceeds a limit."""
    if not _is_cheap(source, limits):
        return None
    tree = HTMLTree.parse(source.decode())  # bytes take longer
    return None if tree.body is None else tree


@contextmanager
def many_nodes() -> Iterator[None]:
    """Switch off Python's cycle collector, because nodes form no cycles: with it, a page of 200,000 cells took 1.5 times as long."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _is_cheap(source: bytes, limits: PageLimits) -> bool:
    """Return whether the page can be parsed in little time: it is small, or its shape is within the limits."""
    if len(source) <= limits.small and 32 * source.count(b"<") <= limits.small:
        return True
    shape = page_shape(source, limits.depth)
    return (
        shape.attributes <= limits.attributes
        and shape.depth <= limits.depth
        and shape.remade <= limits.remade
        and shape.steps <= max(limits.fewest_steps, limits.steps * len(source))
    )


def without_tags(html: str) -> Extracted:
    """Return the text between tags by pattern matching alone, in linear time, for pages that exceed the limits."""
    text = _TAG.sub(_said_by, _NO_TEXT.sub("", html))
    lines = (_BLANKS.sub(" ", _unescaped(line)).strip() for line in text.split("\n"))
    text = "\n\n".join(line for line in lines if line)
    begins = _TITLE.search(html)
    ends = _TITLE_ENDS.search(html, begins.end()) if begins else None
    return Extracted(text, _BLANKS.sub(" ", _unescaped(html[begins.end() : ends.start()])).strip() if begins and ends else "")


def _said_by(tag: re.Match[str]) -> str:
    """Return what replaces a tag."""
    name = tag[2].lower()
    return _SAID_BY.get(f"/{name}" if tag[1] and name in ("sup", "sub") else name, " ")


def _unescaped(text: str) -> str:
    """Return text with its character references resolved. A number too long to be a character is not parsed: that takes quadratic time."""
    return entities.unescape(_LONG_REFERENCE.sub(lambda match: f"&#{match[1]};" if len(match[1]) < 8 else "\ufffd", text))
