"""Attributes of one start tag in serialised HTML: words of its class, id and role, whether it is hidden, numbers of lists and cells.

In serialised HTML, every value is between double quotes and contains none, so one loop finds the values. Names are in lower case.

Invariant: `read_attributes` reads each byte of the tag a fixed number of times.
"""

from typing import Any

import numpy as np

from curation.ingest.extraction.page_blocks.vocabulary import (
    CODE_LINE,
    FORMULA,
    RESTYLED,
    SEED,
    STEP,
    UNSELECTABLE,
    hash_of,
    looked_up,
    words_of,
)
from curation.text.kernels import inline_kernel

(
    GROUPS_OF, HIDDEN, SIGNATURE, START, COLUMNS, ROWS, REVERSED, LETTERS, SHADOW, END,
) = range(10)  # fmt: skip
"""Places in `facts`: groups of words, hidden or not, a hash of the class, start or value, colspan, rowspan, reversed, type=a or i, whether
a template is shown, where the tag ends."""
FACTS = 10
NO_NUMBER = -(1 << 31)
MOST = 1_000_000
_CLASS, _ID, _ROLE, _ITEMPROP, _HIDDEN, _ARIA_HIDDEN, _STYLE, _START, _VALUE, _COLSPAN, _ROWSPAN, _REVERSED, _TYPE, _ALT = (
    np.uint64(hash_of(name))
    for name in words_of("class id role itemprop hidden aria-hidden style start value colspan rowspan reversed type alt")
)
_SHADOW_ROOT = np.uint64(hash_of("shadowrootmode"))
_MATH, _TEX, _LATEX, _FORMULA = (np.uint64(hash_of(name)) for name in words_of("data-math data-tex data-latex data-formula"))


@inline_kernel
def read_attributes(page: Any, i: int, hashes: Any, groups: Any, facts: Any) -> None:
    """Fill `facts` from the attributes of the tag whose name ends at i."""
    end = len(page)
    for place in range(FACTS):
        facts[place] = 0
    facts[START] = NO_NUMBER
    facts[COLUMNS] = facts[ROWS] = 1
    while i < end and page[i] != 0x3E:
        if page[i] <= 0x20 or page[i] == 0x2F:
            i += 1
            continue
        name = SEED
        while i < end and page[i] != 0x3D and page[i] != 0x3E and page[i] > 0x20:
            name = (name ^ np.uint64(page[i])) * STEP
            i += 1
        begins = ends = i
        if i + 1 < end and page[i] == 0x3D and page[i + 1] == 0x22:
            begins = ends = i + 2
            while ends < end and page[ends] != 0x22:
                ends += 1
            i = min(ends + 1, end)
        elif i < end and page[i] == 0x3D:
            i += 1
        if name == _CLASS:
            _read_words(page, begins, ends, hashes, groups, facts, True)
        elif name in (_ID, _ROLE, _ITEMPROP):
            _read_words(page, begins, ends, hashes, groups, facts, False)
        elif name == _HIDDEN or (name == _ARIA_HIDDEN and ends - begins == 4):
            facts[HIDDEN] = 1
        elif name == _STYLE:
            _read_style(page, begins, ends, facts)
        elif name in (_START, _VALUE):
            facts[START] = _number(page, begins, ends)
        elif name == _COLSPAN:
            facts[COLUMNS] = max(1, _number(page, begins, ends))
        elif name == _ROWSPAN:
            facts[ROWS] = max(1, _number(page, begins, ends))
        elif name == _REVERSED:
            facts[REVERSED] = 1
        elif name == _TYPE:
            if ends - begins == 1 and page[begins] in (0x61, 0x41, 0x69, 0x49):
                facts[LETTERS] = page[begins]
            elif ends - begins >= 8 and (page[begins] == 0x6D and page[begins + 1] == 0x61 and page[begins + 4] == 0x2F):
                facts[GROUPS_OF] |= FORMULA
        elif name == _ALT:
            if _is_like_tex(page, begins, ends):
                facts[GROUPS_OF] |= FORMULA
        elif name == _SHADOW_ROOT:
            facts[SHADOW] = 1
        elif name in (_MATH, _TEX, _LATEX, _FORMULA):
            facts[GROUPS_OF] |= FORMULA
    facts[END] = min(i + 1, end)


@inline_kernel
def _number(page: Any, i: int, end: int) -> int:
    """Return a whole number: `NO_NUMBER` if there is none, at most `MOST`."""
    sign = 1
    value = 0
    digits = 0
    while i < end and page[i] <= 0x20:
        i += 1
    if i < end and page[i] == 0x2D:
        sign = -1
        i += 1
    while i < end and 0x30 <= page[i] <= 0x39:
        value = min(value * 10 + page[i] - 0x30, MOST)
        digits += 1
        i += 1
    return sign * value if digits else NO_NUMBER


@inline_kernel
def _is_like_tex(page: Any, i: int, end: int) -> bool:
    """Return whether an image's text contains a sign of TeX: a command, "^", "=", or "_{"."""
    while i < end:
        if page[i] in (0x5E, 0x3D) or (page[i] in (0x5C, 0x5F) and i + 1 < end and 0x41 <= page[i + 1] <= 0x7B):
            return True
        i += 1
    return False


@inline_kernel
def _read_style(page: Any, i: int, end: int, facts: Any) -> None:
    """Note of a style: `display: none` and `visibility: hidden` hide, `display: block` begins a line of code, `vertical-align: super` or
    `sub` raises or lowers, `user-select: none` is for what nobody copies."""
    while i + 9 <= end:
        is_display = page[i] == 0x64 and page[i + 1] == 0x69 and page[i + 2] == 0x73 and page[i + 3] == 0x70
        if is_display or (page[i] == 0x6C and page[i + 1] == 0x2D and page[i + 2] == 0x61 and page[i + 3] == 0x6C):
            k = i + 7
            while k < end and (page[k] == 0x3A or page[k] == 0x20):
                k += 1
            if k + 3 <= end and is_display and page[k] == 0x6E and page[k + 1] == 0x6F:
                facts[HIDDEN] = 1
            elif k + 3 <= end and is_display and page[k] == 0x62:
                facts[GROUPS_OF] |= CODE_LINE
            elif k + 3 <= end and not is_display and page[k] == 0x73 and page[k + 1] == 0x75:
                facts[GROUPS_OF] |= RESTYLED
            i = k
        elif page[i] == 0x73 and page[i + 1] == 0x69 and page[i + 2] == 0x62 and page[i + 3] == 0x69 and page[i + 6] == 0x74:
            k = i + 8
            while k < end and (page[k] == 0x3A or page[k] == 0x20):
                k += 1
            if k + 2 <= end and page[k] == 0x68 and page[k + 1] == 0x69:
                facts[HIDDEN] = 1
            i = k
        elif page[i] == 0x2D and page[i + 1] == 0x73 and page[i + 2] == 0x65 and page[i + 3] == 0x6C and page[i + 6] == 0x74:
            k = i + 7
            while k < end and (page[k] == 0x3A or page[k] == 0x20):
                k += 1
            if k + 2 <= end and page[k] == 0x6E and page[k + 1] == 0x6F:
                facts[GROUPS_OF] |= UNSELECTABLE
            i = k
        else:
            i += 1


@inline_kernel
def _read_words(page: Any, i: int, end: int, hashes: Any, groups: Any, facts: Any, of_class: bool) -> None:
    """Look up the words of a name, and the name without its hyphens: "entryContent" has two words and "entry-content" three, the last of
    which is "entrycontent".

    Letters of the class go into the signature.
    """
    found = 0
    word, whole = SEED, SEED
    length, words = 0, 0
    signature = np.uint64(facts[SIGNATURE])
    small_before = False
    while i <= end:
        byte = page[i] if i < end else 0x20
        capital = 0x41 <= byte <= 0x5A
        small = 0x61 <= byte <= 0x7A
        if length and (not (capital or small) or (capital and small_before)):
            found |= looked_up(hashes, groups, word)
            words += 1
            word = SEED
            length = 0
        if byte <= 0x20:
            if words > 1:
                found |= looked_up(hashes, groups, whole)
            whole = SEED
            words = 0
        elif capital or small:
            letter = np.uint64(byte | 0x20)
            word = (word ^ letter) * STEP
            whole = (whole ^ letter) * STEP
            length += 1
            if of_class:
                signature = (signature ^ letter) * STEP
        small_before = small
        i += 1
    facts[GROUPS_OF] |= found
    facts[SIGNATURE] = np.int64(signature)
