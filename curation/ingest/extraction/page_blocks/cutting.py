"""A page cut into blocks: one pass over the serialised tree that keeps the stack of open elements and counts features of the text.

A block is the text between two tags that begin a line in a browser; two `<br>` also end one. Its text is a list of runs (positions in the
page), with marks for what is between them: a line end, raised or lowered text. Each element gets the elements around it from its parent:
list item, row, cell, quotation. So neither features nor writing climb the tree for them.

Code is one block, with a line end where an element inside begins or ends a line. Line numbers beside code are left out: elements with only
digits, below an element of class gutter, lineno, lnt or similar.

Invariants
    - Time and memory are linear in the page.
    - Every byte of text below `<body>` is in exactly one run, except blanks between blocks, line numbers, and text that no reader sees
      (scripts, styles, templates, graphics, form fields, markup that a browser saved as the text of `<noscript>`) or that `formulas` has
      rewritten.
"""

from typing import Any, NamedTuple

import numpy as np

from curation.ingest.extraction.page_blocks.attributes import END, FACTS, GROUPS_OF, SHADOW, SIGNATURE, read_attributes
from curation.ingest.extraction.page_blocks.block_text import (
    BLOCK_COLUMNS,
    BREAKS,
    CODED,
    IMAGES_BEFORE,
    IN_PRE,
    LINKED,
    LINKED_WORDS,
    LINKS,
    OWNER,
    TAGS_BEFORE,
    after_blanks,
    is_markup,
    is_number,
    note_text,
)
from curation.ingest.extraction.page_blocks.elements import ELEMENT_COLUMNS, HOLDS_TABLE, LAYOUT, MOST_COLUMNS, SPANNING, TABLE, TAG, enter
from curation.ingest.extraction.page_blocks.vocabulary import (
    CODE_LINE,
    FORMULA,
    GUTTER,
    INLINE,
    N_GROUPS,
    N_NOTICES,
    PREFORMATTED,
    RESTYLED,
    SEED,
    SKIPPED,
    STEP,
    UNSELECTABLE,
    VOID,
    is_one_of,
    looked_up,
    tag_number,
    vocabulary,
    words_of,
)
from curation.text.kernels import inline_kernel, kernel

LINE, RAISED, RAISED_END, LOWERED, LOWERED_END = -1, -2, -3, -4, -5
PLAIN, IN_LINK, RUBY = range(3)
"""The kinds of raised and lowered text, which stand in the place of a run's end: plain, a link as a whole, or the reading of a ruby."""
_A, _BR, _TABLE, _CODE, _IMG, _SUP, _SUB, _BODY, _SCRIPT, _MATH, _TEMPLATE, _STYLE, _RT, _RP, _MATH_JAX, _BUTTON, _NOSCRIPT = (
    tag_number(tag) for tag in words_of("a br table code img sup sub body script math template style rt rp mjx-container button noscript")
)
_GUTTERS = np.array([tag_number(tag) for tag in words_of("span td th a div i em b")])


class Cut(NamedTuple):
    """A page in blocks: its bytes; runs (beginning, end, block); blocks, the notices in them, elements, the word groups and the path
    signatures of elements; and whether there is mathematics, streamed content, or layout by style that the tree must be rewritten for."""

    page: Any
    runs: Any
    blocks: Any
    notices: Any
    elements: Any
    groups: Any
    paths: Any
    is_formula: bool
    is_streamed: bool
    is_restyled: bool


def cut(page: bytes) -> Cut:
    """Cut a serialised body."""
    data = np.frombuffer(page, np.uint8)
    angles = data[:-1] == 0x3C
    tags = int(np.count_nonzero(angles))  # every run follows a tag, and every block and mark a tag or run
    starts = tags - int(np.count_nonzero(angles & (data[1:] == 0x2F)))
    made = Cut(
        data,
        runs=np.empty((3 * tags + 8, 3), np.int32),
        blocks=np.zeros((tags + 8, BLOCK_COLUMNS), np.int32),
        notices=np.zeros((tags + 8, N_NOTICES), np.int32),
        elements=np.zeros((starts + 8, ELEMENT_COLUMNS), np.int32),
        groups=np.zeros(starts + 8, np.int64),
        paths=np.zeros(starts + 8, np.uint64),
        is_formula=False,
        is_streamed=False,
        is_restyled=False,
    )
    stack, gutters = np.zeros(starts + 8, np.int32), np.zeros(starts + 8, np.bool_)
    taken, facts = np.zeros((SPANNING, MOST_COLUMNS), np.int32), np.zeros(FACTS, np.int64)
    n_runs, n_blocks, n_elements, found = _cut(*made[:7], *vocabulary()[:7], stack, gutters, taken, facts)
    return Cut(
        data,
        made.runs[:n_runs],
        made.blocks[:n_blocks],
        made.notices[:n_blocks],
        made.elements[:n_elements],
        made.groups[:n_elements],
        made.paths[:n_elements],
        bool(found & 1),
        bool(found & 2),
        bool(found & 4),
    )


@inline_kernel
def _add_run(runs: Any, n_runs: int, begin: int, end: int, block: int) -> int:
    """Write a run and return how many there are now. (To assign a tuple to a row, numba would compile the text of an error message.)"""
    runs[n_runs, 0], runs[n_runs, 1], runs[n_runs, 2] = begin, end, block
    return n_runs + 1


@inline_kernel
def _after_comment(page: Any, i: int) -> int:
    """Return where the comment, doctype or instruction that begins at i ends."""
    end = len(page)
    if i + 3 < end and page[i + 2] == 0x2D and page[i + 3] == 0x2D:
        i += 4
        while i + 2 < end and not (page[i] == 0x2D and page[i + 1] == 0x2D and page[i + 2] == 0x3E):
            i += 1
        return min(i + 3, end)
    while i < end and page[i] != 0x3E:
        i += 1
    return min(i + 1, end)


@inline_kernel
def _after_skipped(page: Any, i: int, tag: int, hashes: Any, numbers: Any) -> int:
    """Return where the element whose content begins at i ends; it may contain elements of the same name, unless it is a script."""
    end = len(page)
    depth = 1
    while i + 1 < end:
        if page[i] != 0x3C:
            i += 1
            continue
        closes = page[i + 1] == 0x2F
        k = i + 2 if closes else i + 1
        name = SEED
        while k < end and page[k] != 0x3E and page[k] != 0x2F and page[k] > 0x20:
            name = (name ^ np.uint64(page[k])) * STEP
            k += 1
        if looked_up(hashes, numbers, name) == tag:
            if closes:
                depth -= 1
            elif tag not in (_SCRIPT, _STYLE):
                depth += 1
            if depth == 0:
                while k < end and page[k] != 0x3E:
                    k += 1
                return min(k + 1, end)
        i = max(k, i + 1)
    return end


@inline_kernel
def _is_streamed(page: Any, i: int, end: int) -> bool:
    """Return whether a tag may have the id of a place for streamed content, `id="B:0"` or `id="P:0"`, with or without a prefix."""
    while i + 1 < end and page[i] != 0x3E:
        if page[i] in (0x42, 0x50) and page[i + 1] == 0x3A:
            return True
        i += 1
    return False


@kernel
def _cut(
    page: Any, runs: Any, blocks: Any, notices: Any, elements: Any, groups: Any, paths: Any,
    tag_hashes: Any, tag_numbers: Any, hashes: Any, class_groups: Any, notice_hashes: Any, notice_groups: Any, kinds: Any,
    stack: Any, gutters: Any, taken: Any, facts: Any,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Fill the parts of a `Cut`; return the numbers of runs, blocks and elements, and bits for special content.

    The bits are mathematics, streamed content, and layout by style. The other arrays come from the vocabulary, or are zeroed working space.
    """
    end = len(page)
    elements[0, TAG] = _BODY
    n_runs, n_blocks, n_elements, top, current, found = 0, 0, 1, 0, -1, 0
    links, pres, codes, tables, breaks, between, images, opened = 0, 0, 0, 0, 0, 0, 0, -1
    raised, before, waiting, waiting_role = -1, 0, 0, PLAIN
    in_ruby = fresh_link = False
    i = 0
    while i < end:
        if page[i] != 0x3C:
            ends = i
            while ends < end and page[ends] != 0x3C:
                ends += 1
            seen = after_blanks(page, i, ends)
            begins = i
            if seen == ends and pres and current < 0:  # code keeps the indentation of its first line
                for k in range(i, ends):
                    begins = k + 1 if page[k] == 0x0A else begins
            if pres and gutters[stack[top]] and is_number(page, i, ends) and seen < ends:
                opened = -1
            elif begins == ends or (seen == ends and not pres):
                if current >= 0:
                    n_runs = _add_run(runs, n_runs, i, ends, current)
            elif elements[stack[top], TAG] == _NOSCRIPT and is_markup(page, seen, ends):
                i = ends
                continue
            elif not (tables and gutters[stack[top]] and is_number(page, i, ends)):
                if current < 0:
                    current = n_blocks
                    n_blocks += 1
                    owner = top
                    while owner > 0 and kinds[elements[stack[owner], TAG]] & INLINE:
                        owner -= 1
                    blocks[current, OWNER] = stack[owner]
                    blocks[current, TAGS_BEFORE], blocks[current, IMAGES_BEFORE] = between, images
                    blocks[current, IN_PRE] = pres > 0
                    between = images = 0
                    if waiting:
                        n_runs = _add_run(runs, n_runs, waiting, waiting_role, current)
                        waiting = 0
                breaks = 0
                n_runs = _add_run(runs, n_runs, begins, ends, current)
                letters, words = note_text(page, begins, ends, blocks[current], notices[current], notice_hashes, notice_groups)
                if links:
                    blocks[current, LINKS] += fresh_link
                    fresh_link = False
                    blocks[current, LINKED] += letters
                    blocks[current, LINKED_WORDS] += words
                if codes:
                    blocks[current, CODED] += letters
            i = ends
            continue
        if i + 1 < end and page[i + 1] in (0x21, 0x3F):
            i = _after_comment(page, i)
            continue
        closes = i + 1 < end and page[i + 1] == 0x2F
        i += 2 if closes else 1
        name = SEED
        hyphen = False
        while i < end and page[i] != 0x3E and page[i] != 0x2F and page[i] > 0x20:
            hyphen = hyphen or page[i] == 0x2D or page[i] == 0x3A
            name = (name ^ np.uint64(page[i])) * STEP
            i += 1
        tag = looked_up(tag_hashes, tag_numbers, name)
        is_inline = kinds[tag] & INLINE or (tag == 0 and not hyphen)
        between += 1
        if closes:
            while i < end and page[i] != 0x3E:
                i += 1
            i = min(i + 1, end)
            place = top
            while place > 0 and elements[stack[place], TAG] != tag:
                place -= 1
            if place > 0 and (place == top or tag):
                while top >= place:
                    closed = elements[stack[top], TAG]
                    links -= closed == _A
                    codes -= closed == _CODE
                    tables -= closed == _TABLE
                    if kinds[closed] & PREFORMATTED:
                        pres -= 1
                        current = -1
                    top -= 1
            if tag in (_SUP, _SUB):
                waiting = 0
            if tag in (_SUP, _SUB) and current >= 0:
                n_runs = _add_run(runs, n_runs, RAISED_END if tag == _SUP else LOWERED_END, 0, current)
                raised = -1
            elif tag == _RT and in_ruby:
                if current >= 0:
                    n_runs = _add_run(runs, n_runs, RAISED_END, 0, current)
                in_ruby = False
            before = tag
        else:
            facts[END] = 0
            read_attributes(page, i, hashes, class_groups, facts)
            if tag == _TEMPLATE and _is_streamed(page, i, facts[END]):
                found |= 2
            i = facts[END]
            if facts[GROUPS_OF] & FORMULA or tag in (_MATH, _MATH_JAX):
                found |= 1
            if facts[GROUPS_OF] & RESTYLED:
                found |= 4
            if pres and facts[GROUPS_OF] & CODE_LINE:
                is_inline = False
            if (kinds[tag] & SKIPPED and not facts[SHADOW]) or (pres and tag == _BUTTON):
                i = _after_skipped(page, i, tag, tag_hashes, tag_numbers)
                continue
            if tag == _BR:
                breaks += 1
                if current >= 0 and (pres or breaks < 2):
                    n_runs = _add_run(runs, n_runs, LINE, 0, current)
                    blocks[current, BREAKS] += 1
                elif not pres:
                    current = -1
                continue
            images += tag == _IMG
            if not kinds[tag] & VOID:
                parent = stack[top]
                enter(elements, n_elements, parent, tag, facts, taken, tables)
                groups[n_elements] = facts[GROUPS_OF] & ((1 << N_GROUPS) - 1)
                numbers = GUTTER | UNSELECTABLE if pres else GUTTER
                gutters[n_elements] = gutters[parent] or (facts[GROUPS_OF] & numbers != 0 and is_one_of(tag, _GUTTERS))
                if gutters[n_elements]:
                    elements[elements[n_elements, TABLE], LAYOUT] |= HOLDS_TABLE
                paths[n_elements] = (paths[parent] * STEP) ^ (np.uint64(facts[SIGNATURE]) + np.uint64(tag) * np.uint64(7919))
                top += 1
                stack[top] = n_elements
                n_elements += 1
                codes += tag == _CODE
                tables += tag == _TABLE
                if tag == _A:
                    links += 1
                    fresh_link = True
                    if raised >= 0:
                        runs[raised, 1] = IN_LINK
                    waiting_role = IN_LINK
                elif tag in (_SUP, _SUB):
                    mark, role = RAISED if tag == _SUP else LOWERED, IN_LINK if links and fresh_link else PLAIN
                    if current >= 0:
                        raised = n_runs
                        n_runs = _add_run(runs, n_runs, mark, role, current)
                    else:  # the raised or lowered text begins a block
                        waiting, waiting_role = mark, role
                elif tag == _RT and current >= 0 and before != _RP:
                    in_ruby = True
                    n_runs = _add_run(runs, n_runs, RAISED, RUBY, current)
            before = 0
        if is_inline:
            continue
        raised = -1
        waiting = 0
        if kinds[tag] & PREFORMATTED and not closes:
            pres += 1
            current = -1
        elif pres:
            last = n_runs - 1
            at_line_end = current < 0 or runs[last, 0] == LINE or (runs[last, 0] >= 0 and page[runs[last, 1] - 1] == 0x0A)
            if current >= 0 and (not at_line_end or (closes and opened == n_runs and not kinds[tag] & VOID)):
                n_runs = _add_run(runs, n_runs, LINE, 0, current)
            opened = -1 if closes or gutters[stack[top]] else n_runs
        else:
            current = -1
        breaks = 0
    return n_runs, n_blocks, n_elements, found
