"""From HTML to a page in blocks: trim, parse within limits, make explicit what only layout expresses, serialise, cut.

Most pages are parsed, serialised and cut once. A page with mathematics is parsed once more, untrimmed. The tree of a page with
mathematics, streamed content, or code that only styles make so is rewritten, and the page is cut again.
"""

from typing import Any, NamedTuple

from curation.ingest.extraction.declared import Declared, declared, head_of
from curation.ingest.extraction.dom import PageLimits, many_nodes, parse_source, source_of
from curation.ingest.extraction.page_blocks.cutting import Cut, cut
from curation.ingest.extraction.page_blocks.echoes import Echoes, echoes_of
from curation.ingest.extraction.page_blocks.formulas import rewrite_formulas
from curation.ingest.extraction.page_blocks.restyled import restyle
from curation.ingest.extraction.page_blocks.streams import place_streamed
from curation.ingest.extraction.page_blocks.trimming import trimmed


class Reading(NamedTuple):
    """A page in blocks, its declarations, and what its blocks share with them."""

    cut: Cut
    declared: Declared
    echoes: Echoes


def read_page(html: str, limits: PageLimits | None = None) -> Reading | None:
    """Cut a page into blocks; None if it is beyond a limit (see `curation.ingest.extraction.dom`)."""
    limits = limits or PageLimits()
    source = source_of(html, limits)
    if source is None:
        return None
    lean = trimmed(source)
    tree = parse_source(lean.source if lean else source, limits)
    if tree is None:
        return None
    said = declared(html, lean.head.decode() if lean else head_of(html), tree)
    page = cut(_body(tree))
    if page.is_streamed or page.is_formula or page.is_restyled:
        tree = parse_source(source, limits) if lean and page.is_formula else tree
        if tree is None:
            return None
        page = _rewritten(page, tree)
    return Reading(page, said, echoes_of(page, said.texts))


def _rewritten(page: Cut, tree: Any) -> Cut:
    """Return a page cut once more, with its tree rewritten."""
    with many_nodes():
        if page.is_streamed:
            place_streamed(tree.body)
        if page.is_formula:
            rewrite_formulas(tree)
        if page.is_restyled:
            restyle(tree)
    return cut(_body(tree))


def _body(tree: Any) -> bytes:
    return bytes(tree.body.html.encode("utf-8", "replace"))


def block_texts(page: Cut) -> list[str]:
    """Return the text of each block, with line ends and blanks as in the page."""
    parts: list[list[bytes]] = [[] for _ in page.blocks]
    data = page.page.tobytes()
    for begins, ends, block in page.runs.tolist():
        parts[block].append(data[begins:ends] if begins >= 0 else b"\n" if begins == -1 else b"")
    texts = (b"".join(part).decode("utf-8", "replace") for part in parts)
    return [text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for text in texts]
