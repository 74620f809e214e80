"""Pages of tiny blocks: short ones that follow one another are judged as one, so that judging takes time by the page's size.

A block costs some microseconds to judge, so a page of one letter a paragraph would cost seconds a megabyte. Pages that people read have a
block for a hundred bytes at most; where a page has more than one for `DENSEST` of them, its blocks are joined for judging until each holds
`SHORT` letters or stands beside one that does. They are kept or dropped together, and written each by itself.

Invariant: of a page of n bytes no more than `FEW` + n / 32 blocks are judged.
"""

from typing import Any

import numpy as np

from curation.ingest.extraction.page_blocks.block_text import IN_PRE, LETTERS_IN, OWNER, TEXT_HASH
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.text.kernels import kernel

FEW = 1_000
DENSEST = 64
SHORT = 128


def joined(page: Cut) -> tuple[Cut, Any]:
    """Return the page with its blocks joined where it has too many, and for each of its blocks the one that is judged for it."""
    if len(page.blocks) <= FEW + len(page.page) // DENSEST:
        return page, slice(None)
    blocks, notices, places = _join(page.blocks, page.notices)
    return page._replace(blocks=blocks, notices=notices), places


@kernel
def _join(blocks: Any, notices: Any) -> Any:
    joint, seen = np.empty_like(blocks), np.empty_like(notices)
    places = np.empty(len(blocks), np.int64)
    last = -1
    for k in range(len(blocks)):
        alone = last < 0 or joint[last, LETTERS_IN] >= SHORT or blocks[k, LETTERS_IN] >= SHORT or joint[last, IN_PRE] != blocks[k, IN_PRE]
        if alone:
            last += 1
            joint[last], seen[last] = blocks[k], notices[k]
        else:
            for column in range(blocks.shape[1]):
                if column not in (OWNER, IN_PRE, TEXT_HASH):
                    joint[last, column] += blocks[k, column]
            for notice in range(notices.shape[1]):
                seen[last, notice] += notices[k, notice]
        places[k] = last
    return joint[: last + 1], seen[: last + 1], places
