"""Runs of a block as running text: blanks folded, references resolved, raised and lowered text marked.

Raised and lowered text gets `^` and `_`, with braces where it is longer than one character, for "10<sup>23</sup>" is not 1023. Left as it
is: ordinals (21st), trade marks, marks of notes; a linked number is a note, "[1]"; and what is long is text that someone wanted small.

Invariant: no letter, digit or sign of a run is lost, and a blank between two runs stays one.
"""

from typing import Any

from curation.ingest.extraction.page_blocks.cutting import LINE, LOWERED, LOWERED_END, RAISED, RAISED_END
from curation.text.kernels import inline_kernel

LONGEST_RAISED = 24
"""Bytes from which raised text is text that someone wanted small."""

_NEWLINE, _SPACE, _PIPE = 0x0A, 0x20, 0x7C
_SIGN, _BRACES, _BRACKETS = 1, 2, 3


@inline_kernel
def put(out: Any, at: int, byte: int, times: int) -> int:
    """Write a byte so many times; return where the next one goes."""
    for _ in range(times):
        out[at] = byte
        at += 1
    return at


@inline_kernel
def put_margin(out: Any, at: int, indent: int, quotes: int) -> int:
    """Begin a line: its marks of quotation, and its indentation."""
    for _ in range(quotes):
        out[at] = 0x3E
        out[at + 1] = _SPACE
        at += 2
    return put(out, at, _SPACE, indent)


@inline_kernel
def _trim(out: Any, at: int, floor: int) -> int:
    """Take spaces off the end of what is written."""
    while at > floor and out[at - 1] == _SPACE:
        at -= 1
    return at


@inline_kernel
def _is_blank(byte: int) -> bool:
    return byte == 0x20 or 0x09 <= byte <= 0x0D


@inline_kernel
def _decoded(page: Any, i: int, end: int) -> tuple[int, int]:
    """Return the byte that is meant at i, and where the next begins."""
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
    """Write a run. `floor` is where its block begins; no blank stands there. `escaped`: bars are those of a Markdown table's text."""
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
def _raised_as(page: Any, runs: Any, r: int, out: Any, at: int, floor: int) -> int:
    """Return how the raised or lowered text whose mark is run r is written: as it is (0), after a sign, in braces too, or in brackets."""
    mark, block = runs[r, 0], runs[r, 2]
    closing = RAISED_END if mark == RAISED else LOWERED_END
    characters, size, letters, digits, others = 0, 0, 0, 0, 0
    first = last = 0
    depth = 1
    end = r + 1
    while end < len(runs) and runs[end, 2] == block:
        begins = runs[end, 0]
        if begins == mark:
            depth += 1
        elif begins == closing:
            depth -= 1
            if depth == 0:
                break
        elif begins >= 0:
            i = begins
            while i < runs[end, 1]:
                byte, i = _decoded(page, i, runs[end, 1])
                size += 1
                if _is_blank(byte):
                    continue
                first = byte if characters == 0 else first
                last = byte
                characters += byte & 0xC0 != 0x80
                letters += 0x41 <= (byte & 0xDF) <= 0x5A
                digits += 0x30 <= byte <= 0x39
                others += byte >= 0x80
                if size > LONGEST_RAISED:
                    return 0
        end += 1
    if end == len(runs) or runs[end, 2] != block or characters == 0:
        return 0
    if runs[r, 1]:
        return 0 if digits + letters < characters or letters > 2 else _BRACKETS
    before = out[at - 1] if at > floor else _SPACE
    if before in (_SPACE, _NEWLINE) or (first == 0x5B and last == 0x5D):
        return 0
    if mark == RAISED:
        if letters == characters and (
            (0x30 <= before <= 0x39 and characters <= 3 and characters > 1) or (characters == letters == 2 and last & 0xDF == 0x4D)
        ):
            return 0  # 21st, TM
        if characters == 1 and (first in (0x2A, 0xE2, 0xC2)):
            return 0  # marks of notes and of trade, Unicode's own raised digits and primes
    return _SIGN if characters == 1 else _BRACES


@inline_kernel
def put_runs(
    page: Any, runs: Any, r: int, last: int, out: Any, at: int, verbatim: bool, one_line: bool, indent: int, quotes: int, escaped: bool
) -> int:
    """Write the runs of a block; lines after the first are indented, and quoted in Markdown."""
    floor = at
    beginning = at  # where no blank is written: at the floor, and behind the sign of raised text
    braces = 0  # two bits for each raised text that is open: the sign that closes it
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
            form = 0 if verbatim else _raised_as(page, runs, r, out, at, floor)
            if form == _BRACKETS:
                at = put(out, at, 0x5B, 1)
            elif form:
                at = put(out, at, 0x5E if begins == RAISED else 0x5F, 1)
                at = put(out, at, 0x7B, form - 1)
                beginning = at
            braces = (braces << 2 | (form if form > _SIGN else 0)) & ((1 << 60) - 1)
        else:
            form = braces & 3
            braces >>= 2
            if form:
                at = put(out, _trim(out, at, floor), 0x5D if form == _BRACKETS else 0x7D, 1)
        r += 1
    while at > floor and _is_blank(out[at - 1]):
        at -= 1
    return at
