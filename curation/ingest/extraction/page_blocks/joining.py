"""Pages of tiny blocks: consecutive short blocks are scored together, so that the time depends on the page's size.

Scoring a block takes some microseconds, so a page with one letter a paragraph would take seconds per megabyte. Pages for people have at
most one block for every hundred bytes. If a page has more than one for every `DENSEST` bytes, its blocks are joined for scoring until each
has `SHORT` letters or is next to one that has. Joined blocks are kept or dropped together, and each is written by itself.

Invariant: at most `FEW` + n / 32 blocks of a page of n bytes are scored.
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
    """Return the page with its blocks joined if there are too many, and for each of its blocks the one that is scored in its place."""
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
