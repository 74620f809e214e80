"""The type of a page, from its declarations and the composition of its kept text: a signal for filters, not a verdict.

The rules apply in this order. A page that declares itself a product or a forum thread has that type (JSON-LD; for a product also
OpenGraph). If at least a tenth of the text is code, the page is documentation. If at least half of the text is links, it is a listing. A
page that declares itself an article is an article. If three texts or more are in elements that are called posts, messages or answers, the
page is a forum. A page that declares a list, or of which at least a quarter is links, is a listing. Otherwise it is an article if at least
half of its text is prose, else other.

Invariant: one pass over blocks and one over elements.
"""

from typing import Any

import numpy as np

from curation.ingest.extraction.page_blocks.block_text import CODED, IN_PRE, LETTERS_IN, LINKED, OWNER
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.features import is_prose
from curation.ingest.extraction.page_blocks.vocabulary import GROUPS
from curation.text.kernels import kernel

PAGE_TYPES = ("article", "documentation", "forum", "listing", "other", "product")

MUCH_CODE, MOSTLY_LINKS, MANY_LINKS, MOSTLY_PROSE, FEWEST_POSTS = 0.1, 0.5, 0.25, 0.5, 3
"""Shares of the kept letters, and the number of posts of a thread."""

_OG_ARTICLE, _OG_PRODUCT, _LD_ARTICLE, _LD_PRODUCT, _LD_FORUM, _LD_LIST = 0, 2, 4, 5, 6, 7
_THREAD = next(place for place, words in enumerate(GROUPS) if words.startswith("thread "))


def page_type(page: Cut, kept: Any, declared: Any) -> str:
    """Return one of `PAGE_TYPES`; `declared` has the counts of the page's declarations."""
    letters, linked, code, prose, posts = _shares(page.blocks, page.elements, page.groups, kept)
    total = max(1, letters)
    if declared[_LD_PRODUCT] or declared[_OG_PRODUCT]:
        return "product"
    if declared[_LD_FORUM]:
        return "forum"
    if code >= MUCH_CODE * total:
        return "documentation"
    if linked >= MOSTLY_LINKS * total:
        return "listing"
    if declared[_LD_ARTICLE] or declared[_OG_ARTICLE]:
        return "article"
    if posts >= FEWEST_POSTS:
        return "forum"
    if declared[_LD_LIST] or linked >= MANY_LINKS * total:
        return "listing"
    return "article" if prose >= MOSTLY_PROSE * total else "other"


@kernel
def _shares(blocks: Any, elements: Any, groups: Any, kept: Any) -> Any:
    """Return the letters of the kept blocks (all, linked, code, prose), and the number of elements called posts that have kept prose."""
    letters, linked, code, prose, posts = 0, 0, 0, 0, 0
    is_counted = np.zeros(len(elements), np.bool_)
    for k in range(len(blocks)):
        block = blocks[k]
        if not kept[k]:
            continue
        letters += block[LETTERS_IN]
        linked += block[LINKED]
        code += block[LETTERS_IN] if block[IN_PRE] else block[CODED]
        prose += block[LETTERS_IN] if is_prose(block) else 0
        owner = block[OWNER]
        if groups[owner] >> _THREAD & 1 and not is_counted[owner]:
            is_counted[owner] = True
            posts += 1
    return letters, linked, code, prose, posts
