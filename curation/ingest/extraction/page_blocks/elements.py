"""Columns of an element, and how a new element is entered: what it inherits from its parent, and what its own tag changes.

Each element knows its list item, row, cell and quotation from the start. Items are numbered as in a browser. Cells get the columns that a
browser gives them, including cells that span several rows or columns.
"""

from typing import Any

from curation.ingest.extraction.page_blocks.attributes import COLUMNS, HIDDEN, LETTERS, NO_NUMBER, REVERSED, ROWS, START
from curation.ingest.extraction.page_blocks.vocabulary import tag_number, words_of
from curation.text.kernels import inline_kernel

(
    PARENT, TAG, DEPTH, UNSEEN, ITEM, LIST, LISTS, OUTER_LIST, NUMBER, ROW, CELL, TABLE, COLUMN, WIDTH, LAYOUT, HEADING, QUOTES, FLAGS,
) = range(18)  # fmt: skip
"""Columns of an element. ITEM to TABLE name the nearest element around it, itself included, 0 for none. NUMBER: of an item in its list; of
a list, how many it has counted. COLUMN and WIDTH: of a cell, where it begins and how many columns it spans; WIDTH of a table: its columns;
of a row: 1 where all cells are header cells. LAYOUT: of a table, bits: it holds a table, it holds code. FLAGS: of a list, see below."""
ELEMENT_COLUMNS = 18
HOLDS_TABLE, HOLDS_CODE = 1, 2
"""LAYOUT of a table."""
IS_REVERSED, HAS_START, IS_NUMBERED = 1, 2, 4
"""FLAGS of a list; the letter of type=a is kept eight bits higher."""

MOST_COLUMNS = 64
SPANNING = 8
"""Tables within one another whose cells of several rows are kept track of."""

_PRE, _LI, _OL, _UL, _MENU, _TR, _TD, _TH, _TABLE, _QUOTE = (
    tag_number(tag) for tag in words_of("pre li ol ul menu tr td th table blockquote")
)
_H1, _H6 = tag_number("h1"), tag_number("h6")


@inline_kernel
def _place_cell(elements: Any, cell: int, row: int, table: int, facts: Any, taken: Any, level: int, header: bool) -> None:
    """Give a cell its column: the first one that is free of cells of this row and of cells that span from rows above."""
    number = elements[row, NUMBER]
    column = elements[row, COLUMN]
    level = min(level, SPANNING - 1)
    while column < MOST_COLUMNS and taken[level, column] > number:
        column += 1
    width = min(facts[COLUMNS], MOST_COLUMNS)
    elements[cell, COLUMN] = min(column, MOST_COLUMNS)
    elements[cell, WIDTH] = width
    if facts[ROWS] > 1:
        for k in range(column, min(column + width, MOST_COLUMNS)):
            taken[level, k] = number + facts[ROWS]
    elements[row, COLUMN] = column + width
    elements[row, WIDTH] = header and (elements[row, WIDTH] == 1 or column == 0)
    elements[table, WIDTH] = max(elements[table, WIDTH], column + width)


@inline_kernel
def enter(elements: Any, made: int, parent: int, tag: int, facts: Any, taken: Any, tables: int) -> None:
    """Fill an element's row: inherited values, and those that its own tag changes."""
    element = elements[made]
    for column in range(ELEMENT_COLUMNS):
        element[column] = elements[parent, column]
    element[PARENT], element[TAG] = parent, tag
    element[DEPTH] = elements[parent, DEPTH] + 1
    element[UNSEEN] = facts[HIDDEN] or elements[parent, UNSEEN]
    element[NUMBER] = element[COLUMN] = element[WIDTH] = element[LAYOUT] = element[FLAGS] = 0
    if tag in (_OL, _UL, _MENU):
        element[LIST] = made
        element[ITEM] = 0
        element[LISTS] += 1
        if element[LISTS] == 1:
            element[OUTER_LIST] = made
        if tag == _OL:
            has_start = facts[START] != NO_NUMBER
            element[FLAGS] = IS_NUMBERED | facts[REVERSED] * IS_REVERSED | has_start * HAS_START | facts[LETTERS] << 8
            if has_start:
                element[NUMBER] = facts[START] + (1 if facts[REVERSED] else -1)
    elif tag == _LI:
        element[ITEM] = made
        around = element[LIST]
        if around:
            down = elements[around, FLAGS] & IS_REVERSED and elements[around, FLAGS] & HAS_START
            elements[around, NUMBER] += -1 if down else 1
            if facts[START] != NO_NUMBER:
                elements[around, NUMBER] = facts[START]
            element[NUMBER] = elements[around, NUMBER]
    elif tag == _TABLE:
        elements[element[TABLE], LAYOUT] |= HOLDS_TABLE
        element[TABLE] = made
        element[ROW] = element[CELL] = element[ITEM] = element[LIST] = element[LISTS] = element[OUTER_LIST] = 0
        for column in range(MOST_COLUMNS):
            taken[min(tables, SPANNING - 1), column] = 0
    elif tag == _TR:
        element[ROW] = made
        element[CELL] = 0
        elements[element[TABLE], NUMBER] += 1
        element[NUMBER] = elements[element[TABLE], NUMBER]
    elif tag in (_TD, _TH):
        element[CELL] = made
        if element[ROW] and element[TABLE]:
            _place_cell(elements, made, element[ROW], element[TABLE], facts, taken, tables - 1, tag == _TH)
    elif tag == _PRE:
        elements[element[TABLE], LAYOUT] |= HOLDS_CODE
    elif _H1 <= tag <= _H6:
        element[HEADING] = tag - _H1 + 1
    elif tag == _QUOTE:
        element[QUOTES] += 1
