"""Kept blocks written as text or Markdown, in the shape that all extractors share.

A data table has one line a row and in each row as many cells as the table is wide; a line below marks the header. A table that lays out a
page (it contains another table, code or a long cell, or is one cell wide) is written as its blocks. List items get their numbers and are
indented by their depth; code is verbatim. Markdown also marks headings, quotations and code.

Invariant: no letter, digit or sign of a kept block is lost, and none is joined to its neighbour if the page has a blank, a line end or
another block between them.
"""

from typing import Any, Literal

import numpy as np

from curation.ingest.extraction.page_blocks.block_text import IN_PRE, LETTERS_IN, OWNER
from curation.ingest.extraction.page_blocks.cutting import LINE, Cut
from curation.ingest.extraction.page_blocks.elements import (
    CELL,
    COLUMN,
    FLAGS,
    HAS_START,
    HEADING,
    HOLDS_CODE,
    IS_NUMBERED,
    IS_REVERSED,
    ITEM,
    LAYOUT,
    LIST,
    LISTS,
    MOST_COLUMNS,
    NUMBER,
    OUTER_LIST,
    QUOTES,
    ROW,
    TABLE,
    TAG,
    WIDTH,
)
from curation.ingest.extraction.page_blocks.running_text import put, put_margin, put_runs
from curation.ingest.extraction.page_blocks.vocabulary import tag_number
from curation.text.kernels import inline_kernel, kernel

Format = Literal["text", "markdown"]

LONGEST_CELL = 400
"""Letters of a cell from which its table lays out a page."""

_DEEPEST = 8
"""Levels of lists and quotations that are shown; deeper ones look like this one."""

_DD, _DT = tag_number("dd"), tag_number("dt")
_HIGHEST_ROMAN = 399
_NEWLINE, _SPACE, _PIPE = 0x0A, 0x20, 0x7C


def write(page: Cut, kept: Any, form: Format = "text") -> str:
    """Return the text of the kept blocks."""
    made = len(page.elements)
    tables = np.zeros(made, np.bool_)
    _find_data_tables(page.page, page.runs, page.blocks, page.elements, np.zeros(made, np.int64), tables)
    written = _write(page.page, page.runs, page.blocks, page.elements, kept, tables, np.zeros(made, np.bool_), form == "markdown")
    return str(written.tobytes().decode("utf-8", "replace"))


@kernel
def _find_data_tables(page: Any, runs: Any, blocks: Any, elements: Any, in_cells: Any, is_data: Any) -> None:
    """Mark the elements that are tables of data. `in_cells` and `is_data` have a zero for each element."""
    for k in range(len(blocks)):
        element = elements[blocks[k, OWNER]]
        table = elements[element[TABLE]]
        if element[TABLE]:
            holds_data = table[LAYOUT] == 0 or (table[LAYOUT] == HOLDS_CODE and table[NUMBER] > 1)
            is_data[element[TABLE]] = holds_data and 2 <= table[WIDTH] <= MOST_COLUMNS
            in_cells[element[CELL]] += blocks[k, LETTERS_IN]
    for r in range(len(runs)):  # code of several lines is no cell
        block = blocks[runs[r, 2]]
        if block[IN_PRE]:
            lines = runs[r, 0] == LINE
            for i in range(max(runs[r, 0], 0), runs[r, 1] - 1):
                lines = lines or page[i] == _NEWLINE
            in_cells[elements[block[OWNER], CELL]] += LONGEST_CELL + 1 if lines else 0
    in_cells[0] = 0  # what stands in no cell: captions, and code anywhere else on the page
    for k in range(len(blocks)):
        element = elements[blocks[k, OWNER]]
        if element[TABLE] and in_cells[element[CELL]] > LONGEST_CELL:
            is_data[element[TABLE]] = False


@kernel
def _put_number(out: Any, at: int, number: int) -> int:
    if number < 0:
        out[at] = 0x2D
        at += 1
        number = -number
    unit = 1
    while number // unit >= 10:
        unit *= 10
    while unit:
        out[at] = 0x30 + number // unit % 10
        unit //= 10
        at += 1
    return at


@inline_kernel
def element_column(elements: Any, cell: int) -> int:
    """Return the column that a cell begins in."""
    return int(elements[cell, COLUMN])


@inline_kernel
def _trimmed(out: Any, at: int) -> int:
    while at and out[at - 1] == _SPACE:
        at -= 1
    return at


@inline_kernel
def _put_bar(out: Any, at: int) -> int:
    """Write the separator of two cells; cells without text have one blank between their bars."""
    if at and out[at - 1] != _SPACE and out[at - 1] != _NEWLINE:
        at = put(out, at, _SPACE, 1)
    at = put(out, at, _PIPE, 1)
    return put(out, at, _SPACE, 1)


@kernel
def _end_row(out: Any, at: int, column: int, cell: Any, elements: Any, begun: Any, markdown: bool) -> int:
    """Fill a row up to the width of its table; after a header in the table's first row, write the line below it."""
    width = elements[cell[TABLE], WIDTH]
    while column < width - 1:
        at = _put_bar(out, at)
        column += 1
    if markdown:
        at = _put_bar(out, at)
    at = _trimmed(out, at)
    if not begun[cell[TABLE]]:
        begun[cell[TABLE]] = True
        if markdown or elements[cell[ROW], WIDTH]:
            at = put(out, at, _NEWLINE, 1)
            at = put_margin(out, at, 0, min(cell[QUOTES], _DEEPEST) if markdown else 0)
            at = _put_bar(out, at) if markdown else at
            for z in range(width):
                at = put(out, at, 0x2D, 3)
                at = _put_bar(out, at) if markdown or z < width - 1 else at
            at = _trimmed(out, at)
    return at


@kernel
def _put_roman(out: Any, at: int, number: int, shift: int) -> int:
    """Write a number as i, ii, iii, iv; `shift` is the difference between lower case and the wanted case."""
    for value, letters in ((100, 0x63), (90, 0x7863), (50, 0x6C), (40, 0x786C), (10, 0x78), (9, 0x6978), (5, 0x76), (4, 0x6976), (1, 0x69)):
        while number >= value:
            if letters > 0xFF:
                at = put(out, at, (letters >> 8) + shift, 1)
            at = put(out, at, (letters & 0xFF) + shift, 1)
            number -= value
    return at


@kernel
def _put_marker(out: Any, at: int, item: int, elements: Any) -> int:
    """Write the marker of a list item: "- ", "3. ", "c. " or "iv. "."""
    around = elements[item, LIST]
    flags = elements[around, FLAGS]
    if not flags & IS_NUMBERED:
        at = put(out, at, 0x2D, 1)
        return put(out, at, _SPACE, 1)
    number = elements[item, NUMBER]
    if flags & IS_REVERSED and not flags & HAS_START:
        number = elements[around, NUMBER] + 1 - number
    letter = flags >> 8
    if letter in (0x69, 0x49) and 1 <= number <= _HIGHEST_ROMAN:
        at = _put_roman(out, at, number, letter - 0x69)
    elif letter in (0x61, 0x41) and 1 <= number <= 26 * 27:
        at = put(out, at, letter + (number - 1) // 26 - 1, 1 if number > 26 else 0)
        at = put(out, at, letter + (number - 1) % 26, 1)
    else:
        at = _put_number(out, at, number)
    at = put(out, at, 0x2E, 1)
    return put(out, at, _SPACE, 1)


@kernel
def _longest_ticks(page: Any, runs: Any, r: int, last: int) -> int:
    """Return the length of the longest run of backticks in a block of code."""
    longest = 0
    for k in range(r, last):
        ticks = 0
        for i in range(max(0, runs[k, 0]), runs[k, 1] if runs[k, 0] >= 0 else 0):
            ticks = ticks + 1 if page[i] == 0x60 else 0
            longest = max(longest, ticks)
    return longest


@kernel
def _capacity(page: Any, runs: Any, blocks: Any, elements: Any) -> int:
    """Return an upper bound of the written bytes: margins of runs and blocks, twice the bars of each row, escapes of bars in text."""
    rows = 0
    for k in range(len(blocks)):
        element = elements[blocks[k, OWNER]]
        if element[ROW] and (k == 0 or elements[blocks[k - 1, OWNER], ROW] != element[ROW]):
            rows += 1 + min(elements[element[TABLE], WIDTH], MOST_COLUMNS)
    bars = 0
    for i in range(len(page)):
        bars += page[i] == _PIPE or page[i] == 0x60
    return len(page) + 2 * bars + 40 * len(runs) + 80 * len(blocks) + 12 * rows + 64


@kernel
def _write(page: Any, runs: Any, blocks: Any, elements: Any, kept: Any, is_data: Any, begun: Any, markdown: bool) -> Any:
    out = np.empty(_capacity(page, runs, blocks, elements), np.uint8)
    at, r, before, column = 0, 0, -1, 0
    for k in range(len(blocks)):
        first = r
        while r < len(runs) and runs[r, 2] == k:
            r += 1
        if not kept[k]:
            continue
        owner = blocks[k, OWNER]
        element = elements[owner]
        previous = elements[blocks[max(before, 0), OWNER]]
        in_row = before >= 0 and previous[ROW] > 0 and previous[CELL] > 0 and is_data[previous[TABLE]]
        is_cell = element[CELL] > 0 and element[ROW] > 0 and is_data[element[TABLE]]
        quotes = min(element[QUOTES], _DEEPEST) if markdown else 0
        if in_row and not (is_cell and element[ROW] == previous[ROW]):
            at = _end_row(out, at, column, previous, elements, begun, markdown)
        start = at
        if is_cell:
            same_table = in_row and previous[TABLE] == element[TABLE]
            if same_table and previous[CELL] == element[CELL]:
                at = put(out, at, _SPACE, 1)
            else:
                if not (same_table and previous[ROW] == element[ROW]):
                    at = put(out, at, _NEWLINE, 0 if before < 0 else 1 if same_table else 2)
                    at = put_margin(out, at, 0, quotes)
                    at = _put_bar(out, at) if markdown else at
                    column = 0
                while column < element_column(elements, element[CELL]):
                    at = _put_bar(out, at)
                    column += 1
            at = put_runs(page, runs, first, r, out, at, False, True, 0, 0, markdown)
            before = k
            continue
        item = element[ITEM]
        code = blocks[k, IN_PRE] == 1
        levels = min(max(element[LISTS] - 1, 0), _DEEPEST)
        indent = 2 * levels + (2 if item else 0)
        if before >= 0:
            same_list = item > 0 and previous[ITEM] > 0 and previous[OUTER_LIST] == element[OUTER_LIST] and not in_row
            of_term = element[TAG] == _DD and (previous[TAG] == _DT or previous[TAG] == _DD)
            close = (same_list and not code and blocks[before, IN_PRE] == 0) or of_term
            at = put(out, at, _NEWLINE, 1)
            if not close:
                at = put_margin(out, at, 0, min(quotes, previous[QUOTES], _DEEPEST))
                at = _trimmed(out, at)
                at = put(out, at, _NEWLINE, 1)
        if code and markdown:
            fence = max(3, _longest_ticks(page, runs, first, r) + 1)
            at = put(out, at, 0x60, fence)
            at = put(out, at, _NEWLINE, 1)
        if item and not begun[item]:
            begun[item] = True
            if code:
                indent = 0
            else:
                at = put_margin(out, at, 2 * levels, quotes)
                at = _put_marker(out, at, item, elements)
        elif not code:
            at = put_margin(out, at, indent, quotes)
        if markdown and element[HEADING] and not code:
            at = put(out, at, 0x23, element[HEADING])
            at = put(out, at, _SPACE, 1)
        if markdown and element[TAG] == _DD:
            at = put(out, at, 0x3A, 1)
            at = put(out, at, _SPACE, 1)
        written = at
        at = put_runs(page, runs, first, r, out, at, code, element[HEADING] > 0, indent, quotes, False)
        if at == written:  # a block that held no more than blanks
            at = start
            continue
        if code and markdown:
            at = put(out, at, _NEWLINE, 1)
            at = put(out, at, 0x60, fence)
        before = k
    if before >= 0:
        previous = elements[blocks[before, OWNER]]
        if previous[ROW] and previous[CELL] and is_data[previous[TABLE]]:
            at = _end_row(out, at, column, previous, elements, begun, markdown)
    return out[:at]
