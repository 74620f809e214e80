"""From HTML to a page in blocks: parse within limits, make explicit what only layout expresses, serialise, cut.

Most pages are serialised and cut once. The tree of a page with mathematics, streamed content, or code that only styles make so is
rewritten, and the page is cut again.
"""

from typing import Any, NamedTuple

from curation.ingest.extraction.declared import Declared, declared
from curation.ingest.extraction.dom import Limits, parse
from curation.ingest.extraction.page_blocks.cutting import Cut, cut
from curation.ingest.extraction.page_blocks.echoes import Echoes, echoes_of
from curation.ingest.extraction.page_blocks.formulas import rewrite_formulas
from curation.ingest.extraction.page_blocks.restyled import restyle
from curation.ingest.extraction.page_blocks.streams import place_streamed


class Reading(NamedTuple):
    """A page in blocks, its declarations, and what its blocks share with them."""

    cut: Cut
    declared: Declared
    echoes: Echoes


def read_page(html: str, limits: Limits | None = None) -> Reading | None:
    """Cut a page into blocks; None if it is beyond a limit (see `curation.ingest.extraction.dom`)."""
    tree = parse(html, limits or Limits())
    if tree is None:
        return None
    said = declared(html, tree)
    body: Any = tree.body
    page = cut(body.html.encode("utf-8", "replace"))
    if page.is_streamed:
        place_streamed(body)
    if page.is_formula:
        rewrite_formulas(tree)
    if page.is_restyled:
        restyle(tree)
    if page.is_streamed or page.is_formula or page.is_restyled:
        page = cut(body.html.encode("utf-8", "replace"))
    return Reading(page, said, echoes_of(page, said.texts))


def block_texts(page: Cut) -> list[str]:
    """Return the text of each block, with line ends and blanks as in the page."""
    parts: list[list[bytes]] = [[] for _ in page.blocks]
    data = page.page.tobytes()
    for begins, ends, block in page.runs.tolist():
        parts[block].append(data[begins:ends] if begins >= 0 else b"\n" if begins == -1 else b"")
    texts = (b"".join(part).decode("utf-8", "replace") for part in parts)
    return [text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for text in texts]
