"""White space that readers cannot see and models should not learn: line ends, blank lines, invisible characters, odd spaces.

One kernel pass over the bytes writes the edited text. It applies these rules in order to every character:

    dropped             NUL and other C0 controls, DEL, C1 controls, soft hyphen, zero-width space, word joiner, byte-order mark
                        (joiners U+200C and U+200D stay: Persian, Indic scripts and emoji are spelt with them)
    become a newline    CR LF, CR, NEL (U+0085), U+2028, U+2029
    become a blank      no-break and narrow no-break space, U+2000 to U+200A, U+205F, form feed, vertical tab
    trimmed             blanks at line ends; newlines past `blank_lines` + 1 in a row; blank lines before and after the text

Indentation stays, and so do runs of blanks within a line unless `collapse` is set: in code and in aligned tables they have a meaning, and
in HTML the extractor has collapsed all others.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

import numpy as np

from curation.arrays import Bytes, Integers
from curation.choices import Count
from curation.ingest.edits import Edit, Edited
from curation.text.column import Offsets, rewritten
from curation.text.kernels import inline_kernel, kernel
from curation.text.text import Text

_COUNTS = ("invisible", "newlines", "blanks", "blank_lines")
_INVISIBLE, _NEWLINE, _BLANK, _BLANK_LINE = range(4)
_DROP, _BREAK, _SPACE, _KEEP = range(4)
_PLAIN = np.array([byte > 0x20 and byte not in (0x7F, 0xC2, 0xE2, 0xEF) for byte in range(256)])
"""Bytes of characters that stay, whatever follows them."""


@inline_kernel
def _character(data: Bytes, i: int, end: int) -> tuple[int, int]:
    """Return (action, number of bytes) for the character at i, which is not plain ASCII text, newline or blank."""
    byte = data[i]
    second = data[i + 1] if i + 1 < end else 0
    third = data[i + 2] if i + 2 < end else 0
    if byte < 0x20 or byte == 0x7F:
        if byte == 0x0D:
            return _BREAK, 2 if second == 0x0A else 1
        return (_SPACE if byte in (0x0B, 0x0C) else _DROP), 1
    if byte == 0xC2:
        if second == 0x85:
            return _BREAK, 2
        if second == 0xA0:
            return _SPACE, 2
        return (_DROP if 0x80 <= second < 0xA0 or second == 0xAD else _KEEP), 2
    if byte == 0xE2 and second == 0x80:
        if third in (0xA8, 0xA9):
            return _BREAK, 3
        if third == 0x8B:
            return _DROP, 3
        return (_SPACE if 0x80 <= third <= 0x8A or third == 0xAF else _KEEP), 3
    if byte == 0xE2 and second == 0x81:
        return (_SPACE if third == 0x9F else _DROP if third == 0xA0 else _KEEP), 3
    return (_DROP if byte == 0xEF and second == 0xBB and third == 0xBF else _KEEP), 3


@kernel
def _edit(data: Bytes, offsets: Offsets, most_newlines: int, collapse: bool, out: Bytes, out_offsets: Offsets, counts: Integers) -> None:
    """Write edited texts to `out` (as long as `data`), their offsets, and the four counts for each.

    `solid` is the end of the output through the line's last character that is not blank; `newlines` counts those written since.
    """
    at = 0
    for document in range(len(offsets) - 1):
        begin = at
        solid = at
        newlines = most_newlines
        indenting = True
        i, end = offsets[document], offsets[document + 1]
        while i < end:
            if _PLAIN[data[i]]:
                while i < end and _PLAIN[data[i]]:
                    out[at] = data[i]
                    at += 1
                    i += 1
                solid = at
                newlines = 0
                indenting = False
                continue
            byte = data[i]
            action, size = _BREAK, 1
            if byte in (0x20, 0x09):
                action = _SPACE
            elif byte != 0x0A:
                action, size = _character(data, i, end)
                size = min(size, end - i)
                counts[document, _INVISIBLE] += action == _DROP
                counts[document, _NEWLINE] += action == _BREAK
                if action == _SPACE:
                    counts[document, _BLANK] += 1
                    byte = 0x20
            if action == _KEEP:
                for k in range(size):
                    out[at] = data[i + k]
                    at += 1
                solid = at
                newlines = 0
                indenting = False
            elif action == _SPACE:
                if collapse and not indenting and at > solid:
                    out[solid] = 0x20
                    counts[document, _BLANK] += 1
                else:
                    out[at] = byte
                    at += 1
            elif action == _BREAK:
                counts[document, _BLANK] += at - solid
                at = solid
                indenting = True
                if newlines < most_newlines:
                    out[at] = 0x0A
                    at += 1
                    solid = at
                    newlines += 1
                else:
                    counts[document, _BLANK_LINE] += 1
            i += size
        counts[document, _BLANK] += at - solid
        at = solid
        while at > begin and out[at - 1] == 0x0A:
            at -= 1
            counts[document, _BLANK_LINE] += 1
        out_offsets[document + 1] = at


@dataclass(frozen=True)
class Whitespace(Edit):
    """Cleans white space.

    blank_lines: most blank lines in a row (1: one between paragraphs).
    collapse: reduce runs of blanks within a line to one; indentation stays. This changes aligned code and tables.
    nfc: convert text to Unicode normal form C (an accented letter is one character, not two). More than 30 combining marks in a row, which
        no language uses, stay unchanged.

    Counts: `invisible` characters dropped, `newlines` that replace another character, `blanks` replaced, trimmed or collapsed,
    `blank_lines` dropped, and with nfc `normalized` (1 if the text changed).
    """

    version: ClassVar[int] = 2

    blank_lines: Count = 1
    collapse: bool = False
    nfc: bool = False

    def apply(self, text: Text) -> Edited:
        """Edit a batch; return the same column if nothing changed."""
        out = np.empty(int(text.offsets[-1] - text.offsets[0]), np.uint8)
        offsets = np.zeros(len(text) + 1, np.int64)
        counts = np.zeros((len(text), len(_COUNTS)), np.int64)
        _edit(text.data, text.offsets, self.blank_lines + 1, self.collapse, out, offsets, counts)
        edited = Text(out[: offsets[-1]], offsets) if counts.any() else text
        named = {name: counts[:, i].copy() for i, name in enumerate(_COUNTS)}
        if self.nfc:
            edited, named["normalized"] = _normalized(edited)
        return Edited(edited, named)


_MOST_MARKS = 30
"""Combining marks in a row that no language exceeds, by the Stream-Safe Text Format (UAX #15): ordering n of them takes quadratic time."""


@cache
def _piles() -> re.Pattern[str]:
    """Return a pattern for longer runs of combining marks; all of these are below U+20000."""
    marks = "".join(re.escape(chr(point)) for point in range(0x20000) if unicodedata.combining(chr(point)))
    return re.compile(f"([{marks}]{{{_MOST_MARKS + 1},}}+)")


def _composed(string: str) -> str:
    """Return a text in normal form C, leaving long runs of combining marks unchanged."""
    return "".join(part if number % 2 else unicodedata.normalize("NFC", part) for number, part in enumerate(_piles().split(string)))


def _normalized(text: Text) -> tuple[Text, Integers]:
    counts = np.zeros(len(text), np.int64)
    composed = {}
    for i in range(len(text)):
        document = text.data[text.offsets[i] : text.offsets[i + 1]].tobytes()
        if document.isascii():
            continue
        before = document.decode("utf-8", "replace")
        after = _composed(before)
        if after != before:
            composed[i] = after.encode()
            counts[i] = 1
    return rewritten(text, composed), counts
