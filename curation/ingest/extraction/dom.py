"""Pages parsed within limits, and the text of those that are past them.

Limits: resiliparse's main-content search takes time quadratic in the depth of nesting, and its parser in the number of attributes of one
tag (80,000 of them: 20 s) and of elements left open (see `curation.ingest.extraction.page_shape`). Past `Limits` a page's text is what
remains when its tags are cut out (`without_tags`).

Marks: extractors mark places in a tree by Unicode noncharacters, U+FDD0 to U+FDD3, which no text may hold; `source_of` drops them first.

Invariant: time is linear in the page, whatever it holds: what the limits let through, and what the patterns here do. No pattern begins to
look for an end that may not be there from more than one place.
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
_NO_TEXT = re.compile(r"<(script|style|template|noscript)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^>]*+(?:>|\Z)")
"""A tag without an end goes on to the end of the page, as it does for a browser."""
_BLOCKS = ("p", "div", "br", "li", "tr", *(f"h{n}" for n in range(1, 7)), "pre", "section", "article", "table", "ul", "ol", "blockquote")
_INLINE = (
    *("a", "b", "i", "u", "s", "q", "em", "tt", "del", "ins", "var", "kbd", "wbr", "bdi", "bdo", "dfn", "big", "code", "samp", "font"),
    *("abbr", "cite", "mark", "span", "small", "strong"),
)
_SAID_BY = {**dict.fromkeys(_BLOCKS, "\n\n"), **dict.fromkeys(_INLINE, ""), "sup": "^{", "sub": "_{", "/sup": "}", "/sub": "}"}
"""What stands for a tag where tags are cut out; a blank for all others."""
_TITLE = re.compile(r"<title\b[^>]*+>", re.IGNORECASE)
_TITLE_ENDS = re.compile(r"</title", re.IGNORECASE)
_LONG_REFERENCE = re.compile(r"&#(?=\d{8})0*+(\d*+);?")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Limits:
    """Sizes past which a page is not parsed: characters, tags, attributes of one tag, elements open at once and those made again, and
    the open elements added up over all tags, for each byte of the source but no less than `fewest_steps`.

    Real pages: of 1,231, one tag has 63 attributes at most, 44 elements are open, 1,836 made again, and steps are fewer than 3 a byte.
    """

    characters: int = 16 << 20
    tags: int = 400_000
    attributes: int = 2_000
    depth: int = 1_000
    remade: int = 400_000
    steps: int = 20
    fewest_steps: int = 1_000_000
    small: int = 16 << 10
    """A page of no more characters, and no more tags than a 32nd of these, cannot cost much and is not measured."""


def parse(html: str, limits: Limits, prepare: Callable[[str], str] | None = None) -> HTMLTree | None:
    """Return the page's tree without text marks of our own, or None where it is past a limit; `prepare` changes the source before."""
    source = source_of(html, limits)
    if source is None or not _is_cheap(source, limits):
        return None
    tree = HTMLTree.parse(prepare(source.decode()) if prepare else source.decode())
    return None if tree.body is None else tree


def source_of(html: str, limits: Limits) -> bytes | None:
    """Return a page in UTF-8 without marks of our own, or None where it is larger than what is parsed."""
    if len(html) > limits.characters:
        return None
    source = html.encode("utf-8", "replace")
    if np.count_nonzero(np.frombuffer(source, np.uint8) == ord("<")) > limits.tags:
        return None
    return _OWN_MARKS.sub(b"", source) if b"\xef" in source else source


def parse_source(source: bytes, limits: Limits) -> HTMLTree | None:
    """Return the tree of a page that `source_of` has given, or of a part of it; None where it is past a limit."""
    if not _is_cheap(source, limits):
        return None
    tree = HTMLTree.parse(source.decode())  # bytes take longer
    return None if tree.body is None else tree


@contextmanager
def many_nodes() -> Iterator[None]:
    """Spare the nodes of a tree Python's search for cycles, of which they make none: a page of 200,000 cells took half as long again."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _is_cheap(source: bytes, limits: Limits) -> bool:
    """Return whether a page's tree takes little time. Small ones do."""
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
    """Return the text between tags by pattern matching alone, in time linear in the page: for pages past the limits."""
    text = _TAG.sub(_said_by, _NO_TEXT.sub("", html))
    lines = (_BLANKS.sub(" ", _unescaped(line)).strip() for line in text.split("\n"))
    text = "\n\n".join(line for line in lines if line)
    begins = _TITLE.search(html)
    ends = _TITLE_ENDS.search(html, begins.end()) if begins else None
    return Extracted(text, _BLANKS.sub(" ", _unescaped(html[begins.end() : ends.start()])).strip() if begins and ends else "")


def _said_by(tag: re.Match[str]) -> str:
    """Return what stands for a tag."""
    name = tag[2].lower()
    return _SAID_BY.get(f"/{name}" if tag[1] and name in ("sup", "sub") else name, " ")


def _unescaped(text: str) -> str:
    """Return text with its character references resolved; numbers that name no character are not read, for long ones cost the square."""
    return entities.unescape(_LONG_REFERENCE.sub(lambda match: f"&#{match[1]};" if len(match[1]) < 8 else "\ufffd", text))
