"""The runs of a block as running text: blanks are collapsed, references resolved, raised and lowered text is marked.

Raised and lowered text gets `^` and `_`, with braces if it is longer than one character, because "10<sup>23</sup>" is not 1023. These stay
unmarked: ordinals (21st), trade marks, note marks, and long text, which somebody only wanted small. A linked number is a note, "[1]".
"3<sup>1</sup>/<sub>4</sub>" is 3 1/4. The reading of a ruby is put in parentheses.

Invariant: no letter, digit or sign of a run is lost, and a blank between two runs stays one.
"""

from typing import Any

import numpy as np

from curation.ingest.extraction.page_blocks.cutting import IN_LINK, LINE, LOWERED, LOWERED_END, RAISED, RAISED_END, RUBY
from curation.text.kernels import inline_kernel

LONGEST_RAISED = 24
"""Bytes from which raised text is text that someone wanted small."""

LONGEST_READING = 240
"""Bytes of a ruby's reading that are looked at."""

_NEWLINE, _SPACE, _PIPE = 0x0A, 0x20, 0x7C
_CHARACTERS, _LETTERS, _DIGITS, _BLANKS_INSIDE, _FIRST, _SECOND, _LAST = range(7)
"""Places in what is seen of raised text: counts, its first byte, the next one if it goes on, its last one."""
_SEEN = 7

_AS_IT_IS, _SIGN, _BRACES, _BRACKETS, _PARENTHESES, _APART = range(6)
"""Forms of raised text: as it is; behind a sign; in braces too; in brackets; in parentheses; behind a blank."""


@inline_kernel
def put(out: Any, at: int, byte: int, times: int) -> int:
    """Write a byte `times` times; return the position after it."""
    for _ in range(times):
        out[at] = byte
        at += 1
    return at


@inline_kernel
def put_margin(out: Any, at: int, indent: int, quotes: int) -> int:
    """Begin a line: write its quotation marks and its indentation."""
    for _ in range(quotes):
        out[at] = 0x3E
        out[at + 1] = _SPACE
        at += 2
    return put(out, at, _SPACE, indent)


@inline_kernel
def _trim(out: Any, at: int, floor: int) -> int:
    """Remove spaces from the end of the written text."""
    while at > floor and out[at - 1] == _SPACE:
        at -= 1
    return at


@inline_kernel
def _is_blank(byte: int) -> bool:
    return byte == 0x20 or 0x09 <= byte <= 0x0D


@inline_kernel
def _decoded(page: Any, i: int, end: int) -> tuple[int, int]:
    """Return the byte that the text at i means, and where the next one begins."""
    if page[i] != 0x26 or i + 3 >= end:
        return int(page[i]), i + 1
    if page[i + 1] == 0x61 and page[i + 2] == 0x6D and i + 4 < end and page[i + 4] == 0x3B:
        return 0x26, i + 5
    if page[i + 1] == 0x6C and page[i + 2] == 0x74 and page[i + 3] == 0x3B:
        return 0x3C, i + 4
    if page[i + 1] == 0x67 and page[i + 2] == 0x74 and page[i + 3] == 0x3B:
        return 0x3E, i + 4
    if page[i + 1] == 0x6E and page[i + 2] == 0x62 and i + 5 < end and page[i + 5] == 0x3B:
        return 0x20, i + 6
    return 0x26, i + 1


@inline_kernel
def put_text(page: Any, i: int, end: int, out: Any, at: int, floor: int, verbatim: bool, escaped: bool) -> int:
    """Write a run. `floor` is where its block begins; no blank is written there. `escaped`: escape bars, for a Markdown table."""
    while i < end:
        byte, i = _decoded(page, i, end)
        if verbatim:
            if byte != 0x0D:
                out[at] = byte
                at += 1
        elif _is_blank(byte):
            if at > floor and out[at - 1] != _SPACE and out[at - 1] != _NEWLINE:
                out[at] = _SPACE
                at += 1
        else:
            if escaped and byte == _PIPE:
                out[at] = 0x5C
                at += 1
            out[at] = byte
            at += 1
    return at


@inline_kernel
def _look_at_raised(page: Any, runs: Any, r: int, seen: Any) -> int:
    """Count in `seen` the characters of the raised or lowered text whose mark is run r; return the run of its end, or -1 if there is none,
    or the text is empty or too long for a mark.
    """
    mark, block = runs[r, 0], runs[r, 2]
    closing = RAISED_END if mark == RAISED else LOWERED_END
    longest = LONGEST_READING if runs[r, 1] == RUBY else LONGEST_RAISED
    for kind in range(len(seen)):
        seen[kind] = 0
    depth, size = 1, 0
    end = r + 1
    while end < len(runs) and runs[end, 2] == block and size <= longest:
        begins = runs[end, 0]
        depth += begins == mark
        depth -= begins == closing
        if depth == 0:
            return end if seen[_CHARACTERS] else -1
        i = begins
        while 0 <= i < runs[end, 1] and size <= longest:
            byte, i = _decoded(page, i, runs[end, 1])
            size += 1
            if _is_blank(byte):
                seen[_BLANKS_INSIDE] += seen[_CHARACTERS] > 0 and not _is_blank(seen[_LAST])
            else:
                if seen[_CHARACTERS] == 0:
                    seen[_FIRST] = byte
                elif seen[_CHARACTERS] == 1 and seen[_SECOND] == 0 and byte & 0xC0 == 0x80:
                    seen[_SECOND] = byte
                seen[_CHARACTERS] += byte & 0xC0 != 0x80
                seen[_LETTERS] += 0x41 <= (byte & 0xDF) <= 0x5A
                seen[_DIGITS] += 0x30 <= byte <= 0x39
            seen[_LAST] = byte
        end += 1
    return -1


@inline_kernel
def _raised_as(page: Any, runs: Any, r: int, out: Any, at: int, floor: int, seen: Any) -> int:
    """Return the form in which the raised or lowered text whose mark is run r is written: one of the forms above."""
    mark, role, block = runs[r, 0], runs[r, 1], runs[r, 2]
    end = _look_at_raised(page, runs, r, seen)
    characters, letters, digits, first, last = seen[_CHARACTERS], seen[_LETTERS], seen[_DIGITS], seen[_FIRST], seen[_LAST]
    if role == RUBY:
        return _PARENTHESES if characters else _AS_IT_IS
    if end < 0 or (first == 0x5B and last == 0x5D):
        return _AS_IT_IS
    if role == IN_LINK:
        return _BRACKETS if digits + letters and first != 0x28 else _AS_IT_IS
    before = out[at - 1] if at > floor else _NEWLINE
    follows = end + 1 < len(runs) and runs[end + 1, 2] == block
    form = _SIGN if characters == 1 else _BRACES
    if mark == RAISED:
        if follows and digits == characters and _is_stroke(page, runs, end + 1) and end + 2 < len(runs) and runs[end + 2, 0] == LOWERED:
            return _APART if 0x30 <= before <= 0x39 else _AS_IT_IS  # the numerator of a fraction
        is_ordinal = 0x30 <= before <= 0x39 and characters in (2, 3)  # 21st
        is_trade_mark = characters == 2 and last & 0xDF == 0x4D and first & 0xDF in (0x54, 0x53)
        is_mark = characters == 1 and (first in (0x2A, 0xC2) or (first == 0xE2 and seen[_SECOND] in (0x80, 0x81, 0x84)))
        if is_mark or (letters == characters and (is_ordinal or is_trade_mark)):
            form = _AS_IT_IS  # also marks of notes, Unicode's own raised digits and primes
    elif digits == characters and (before == 0x2F or (before == 0x84 and at > floor + 2 and out[at - 2] == 0x81 and out[at - 3] == 0xE2)):
        form = _AS_IT_IS  # the denominator
    if _is_blank(before):
        touches = follows and (runs[end + 1, 0] in (RAISED, LOWERED) or (runs[end + 1, 0] >= 0 and page[runs[end + 1, 0]] > _SPACE))
        if seen[_BLANKS_INSIDE] or (letters == characters and letters > 1) or (before == _NEWLINE and not touches):
            form = _AS_IT_IS  # a note's own mark, a word set small; but isotopes, and powers behind a blank, are marked
    return form


@inline_kernel
def _is_stroke(page: Any, runs: Any, r: int) -> bool:
    """Return whether a run is the stroke of a fraction, "/" or U+2044."""
    begins, size = runs[r, 0], runs[r, 1] - runs[r, 0]
    if begins < 0:
        return False
    return bool(
        (size == 1 and page[begins] == 0x2F)
        or (size == 3 and page[begins] == 0xE2 and page[begins + 1] == 0x81 and page[begins + 2] == 0x84)
    )


@inline_kernel
def put_runs(
    page: Any, runs: Any, r: int, last: int, out: Any, at: int, verbatim: bool, one_line: bool, indent: int, quotes: int, escaped: bool
) -> int:
    """Write the runs of a block; lines after the first are indented, and quoted in Markdown."""
    floor = at
    beginning = at  # where no blank is written: at the floor, and behind the sign of raised text
    seen = np.zeros(_SEEN, np.int64)
    open_forms = 0  # three bits for each raised text that is open
    while r < last:
        begins = runs[r, 0]
        if begins >= 0:
            at = put_text(page, begins, runs[r, 1], out, at, beginning, verbatim, escaped)
        elif begins == LINE:
            if verbatim:
                at = put(out, at, _NEWLINE, 1)
            elif one_line:
                at = put(out, at, _SPACE, 1 if at > floor and out[at - 1] != _SPACE else 0)
            elif at > floor:
                at = _trim(out, at, floor)
                if out[at - 1] != _NEWLINE:
                    at = put(out, at, _NEWLINE, 1)
                    at = put_margin(out, at, indent, quotes)
        elif begins in (RAISED, LOWERED):
            form = _raised_as(page, runs, r, out, at, floor, seen)
            if form in (_SIGN, _BRACES):
                at = put(out, at, 0x5E if begins == RAISED else 0x5F, 1)
                at = put(out, at, 0x7B, form - _SIGN)
            elif form:
                at = put(out, at, 0x5B if form == _BRACKETS else 0x28 if form == _PARENTHESES else _SPACE, 1)
            beginning = at if form else beginning
            open_forms = (open_forms << 3 | form) & ((1 << 60) - 1)
        else:
            form = open_forms & 7
            open_forms >>= 3
            if form in (_BRACES, _BRACKETS, _PARENTHESES):
                at = put(out, _trim(out, at, floor), 0x7D if form == _BRACES else 0x5D if form == _BRACKETS else 0x29, 1)
        r += 1
    while at > floor and _is_blank(out[at - 1]):
        at -= 1
    return at
