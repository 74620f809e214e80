"""Columns of a block, with counts of its text: letters, words and their shapes, signs, and words that pages use about themselves.

Letters are bytes other than blanks; a word is a run of bytes between blanks. No text is kept.
"""

from typing import Any

import numpy as np

from curation.ingest.extraction.page_blocks.vocabulary import SEED, STEP, looked_up
from curation.text.kernels import inline_kernel

(
    OWNER, LETTERS_IN, WORDS, LINKED, LINKED_WORDS, LINKS, DIGITS, CAPITALS, SENTENCE_ENDS, COMMAS, BEYOND_ASCII, CAPITAL_WORDS,
    SHORT_WORDS, LONG_WORDS, BREAKS, IN_PRE, TAGS_BEFORE, SIGNS, IMAGES_BEFORE, CODED, TEXT_HASH,
) = range(21)  # fmt: skip
"""Columns of a block: the element it stands in, counts of its text, tags and images since the block before, a hash of its words."""
BLOCK_COLUMNS = 21


@inline_kernel
def note_text(page: Any, i: int, end: int, block: Any, notice: Any, hashes: Any, groups: Any) -> Any:
    """Add the counts of a run to its block; return its number of characters, without blanks, and its number of words."""
    letters, words, length, capital_first = 0, 0, 0, False
    word = SEED
    text_hash = np.uint64(block[TEXT_HASH])
    while i <= end:
        byte = page[i] if i < end else 0x20
        if byte <= 0x20:
            if length:
                words += 1
                block[SHORT_WORDS] += length <= 3
                block[LONG_WORDS] += length >= 9
                block[CAPITAL_WORDS] += capital_first
                found = looked_up(hashes, groups, word)
                for group in range(len(notice) if found else 0):
                    notice[group] += found >> group & 1
                text_hash = (text_hash ^ word) * STEP
            word, length, capital_first = SEED, 0, False
        else:
            letters += 1
            if 0x61 <= byte <= 0x7A:
                word = (word ^ np.uint64(byte)) * STEP
            elif 0x41 <= byte <= 0x5A:
                block[CAPITALS] += 1
                capital_first = capital_first or length == 0
                word = (word ^ np.uint64(byte | 0x20)) * STEP
            elif 0x30 <= byte <= 0x39:
                block[DIGITS] += 1
            elif byte in (0x2E, 0x21, 0x3F):
                block[SENTENCE_ENDS] += 1
            elif byte in (0x2C, 0x3B):
                block[COMMAS] += 1
            elif byte == 0x2D:
                word = (word ^ np.uint64(byte)) * STEP
            elif byte >= 0x80:
                block[BEYOND_ASCII] += 1
                if byte == 0xE3 and i + 2 < end and page[i + 1] == 0x80 and page[i + 2] == 0x82:
                    block[SENTENCE_ENDS] += 1
                elif byte == 0xEF and i + 2 < end and page[i + 1] == 0xBC and page[i + 2] == 0x8C:
                    block[COMMAS] += 1
            elif byte in (0x7C, 0x3E, 0x2F):
                block[SIGNS] += 1
            length += 1
        i += 1
    block[TEXT_HASH] = np.int32((text_hash ^ (text_hash >> np.uint64(33))) & np.uint64(0x7FFFFFFF))
    block[LETTERS_IN] += letters
    block[WORDS] += words
    return letters, words


@inline_kernel
def is_number(page: Any, i: int, end: int) -> bool:
    """Return whether a run consists of digits and blanks only."""
    while i < end:
        if page[i] > 0x20 and not 0x30 <= page[i] <= 0x39:
            return False
        i += 1
    return True


@inline_kernel
def is_markup(page: Any, i: int, end: int) -> bool:
    """Return whether a run begins like a tag or a comment whose angle bracket was made text, `&lt;img`."""
    if i + 5 > end or page[i] != 0x26 or page[i + 1] != 0x6C or page[i + 2] != 0x74 or page[i + 3] != 0x3B:
        return False
    return bool(page[i + 4] == 0x21 or 0x61 <= page[i + 4] | 0x20 <= 0x7A)


@inline_kernel
def after_blanks(page: Any, i: int, end: int) -> int:
    """Return where the blanks that begin at i end; no-break blanks count too."""
    while i < end:
        if page[i] <= 0x20:
            i += 1
        elif (
            page[i] == 0x26 and i + 5 < end and page[i + 1] == 0x6E and page[i + 2] == 0x62 and page[i + 3] == 0x73 and page[i + 4] == 0x70
        ):
            i += 6
        else:
            return i
    return end
