"""Unicode lines: the lines that `text.splitlines()` gives. Rules whose original uses `splitlines` read these lines.

A Unicode line ends at \\n, \\r, \\r\\n or one of the rarer line ends (\\v, \\f, U+001C to U+001E, U+0085, U+2028, U+2029). No empty line
follows the last line end. If edits or readers have converted all line ends to \\n, Unicode lines equal the lines that were already found
(`curation.text.lines`); only a text with another line end is read character by character.
"""

import numpy as np

from curation.arrays import Bytes, Flags, Scalar, Unsigned32
from curation.text.column import Offsets, TextColumn
from curation.text.kernels import inline_kernel, kernel
from curation.text.lines import NEWLINE, Lines, VisibleBounds, strip
from curation.text.simd import BLOCK, copy_block, lowest_bit, mask_between, mask_of
from curation.text.unicode_classes import character_classes, decode_character

_RETURN = 0x0D
_LINE_ENDS = (0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029)


def find_unicode_lines(column: TextColumn, lines: Lines) -> VisibleBounds:
    """Find the Unicode lines of every text of a column, from its lines."""
    offsets, rare = np.zeros(len(column) + 1, np.int64), np.zeros(len(column), np.bool_)
    _count_unicode_lines(column.data, column.offsets, lines.offsets, lines.starts, lines.ends, offsets, rare)
    bounds = [np.empty(offsets[-1], np.uint32) for _ in range(4)]
    of_lines = (lines.offsets, lines.starts, lines.ends, lines.visible_starts, lines.visible_ends)
    _place_unicode_lines(column.data, column.offsets, character_classes(), *of_lines, offsets, rare, *bounds)
    return VisibleBounds(offsets, *bounds)


@inline_kernel
def _may_end_line(data: Bytes, place: int) -> Scalar:
    """Return which of 64 bytes end a line, other than a newline, or begin a character that may end one."""
    rare = mask_between(data, place, 0x0B, 0x0D) | mask_between(data, place, 0x1C, 0x1E)
    return rare | mask_of(data, place, 0xC2) | mask_of(data, place, 0xE2)


@kernel
def _holds_rare_line_end(data: Bytes, begin: int, end: int, spare: Bytes) -> bool:
    for place in range(begin, end, BLOCK):
        if place + BLOCK <= len(data):
            suspects = _may_end_line(data, place)
        else:
            copy_block(data, place, end, spare)
            suspects = _may_end_line(spare, 0)
        while suspects != np.uint64(0):
            at = place + lowest_bit(suspects)
            suspects &= suspects - np.uint64(1)
            if at < end and decode_character(data, at, end)[0] in _LINE_ENDS:
                return True
    return False


@kernel
def _count_unicode_lines(
    data: Bytes, text_offsets: Offsets, line_offsets: Offsets, line_starts: Unsigned32, line_ends: Unsigned32, offsets: Offsets, rare: Flags
) -> None:
    """Fill the offsets of Unicode lines, and mark texts that contain a line end other than a newline."""
    spare = np.zeros(BLOCK, np.uint8)
    for text in range(len(text_offsets) - 1):
        begin, end = text_offsets[text], text_offsets[text + 1]
        rare[text] = _holds_rare_line_end(data, begin, end, spare)
        count = np.int64(0)
        if rare[text]:
            place = begin
            while place < end:
                _, place = _next_unicode_line(data, place, end)
                count += 1
        else:
            last = line_offsets[text + 1] - 1
            count = last + 1 - line_offsets[text] - np.int64(line_starts[last] == line_ends[last])
        offsets[text + 1] = offsets[text] + count


@kernel
def _next_unicode_line(data: Bytes, place: Scalar, end: Scalar) -> tuple[Scalar, Scalar]:
    """Return the end of the Unicode line that begins at `place`, and the start of the next one."""
    while place < end:
        point, size = decode_character(data, place, end)
        if point in _LINE_ENDS:
            double = point == _RETURN and place + 1 < end and data[place + 1] == NEWLINE
            return place, place + size + np.int64(double)
        place += size
    return place, place


@kernel
def _place_unicode_lines(
    data: Bytes,
    text_offsets: Offsets,
    classes: Bytes,
    line_offsets: Offsets,
    line_starts: Unsigned32,
    line_ends: Unsigned32,
    line_visible_starts: Unsigned32,
    line_visible_ends: Unsigned32,
    offsets: Offsets,
    rare: Flags,
    starts: Unsigned32,
    ends: Unsigned32,
    visible_starts: Unsigned32,
    visible_ends: Unsigned32,
) -> None:
    for text in range(len(text_offsets) - 1):
        begin, end = text_offsets[text], text_offsets[text + 1]
        place = begin
        for piece in range(offsets[text], offsets[text + 1]):
            if rare[text]:
                line_end, following = _next_unicode_line(data, place, end)
                visible_start, visible_end = strip(data, place, line_end, classes)
                starts[piece], ends[piece] = place - begin, line_end - begin
                visible_starts[piece], visible_ends[piece] = visible_start - begin, visible_end - begin
                place = following
            else:
                line = line_offsets[text] + piece - offsets[text]
                starts[piece], ends[piece] = line_starts[line], line_ends[line]
                visible_starts[piece], visible_ends[piece] = line_visible_starts[line], line_visible_ends[line]
