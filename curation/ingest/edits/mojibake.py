"""Mojibake: text that was decoded under the wrong encoding and written down again ("cafÃ©" for "café").

Source: ftfy (Speer, 2019), which undoes the mistake only if the result is far more plausible than the text. Here it works line by line,
because a page quotes from many places, and only in documents with a pair of characters that every such mistake leaves: the first byte of a
UTF-8 sequence (seen as Â to ô, or as Р and С of windows-1251) followed by what a continuation byte looks like.

Some mojibake is intended, because the text is about it. So a line stays unchanged in these cases:

    sound characters   besides the mojibake, it contains correct characters of the kind that the repair would produce ("write é, not Ã©"):
                       letters of one script, quotation marks, dashes. Wrong decoding affects a whole line. Other kinds of characters do not
                       prevent the repair: curly quotes are often pasted into a page of another encoding
    code               it is code: fenced, indented, between backticks, a call with a string, an assignment, a key with its value. A program
                       means its characters, whatever they look like
    encodings          it mentions encodings (names one, or calls text garbled), or quotes a single such character ("Ã©", (â€™))
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import ftfy
import numpy as np
from ftfy.chardata import UTF8_DETECTOR_RE

from curation.arrays import Bytes, Flags
from curation.ingest.edits import Edit, Edited
from curation.text.column import Offsets, rewritten
from curation.text.kernels import kernel
from curation.text.text import Text


@kernel
def _suspects(data: Bytes, offsets: Offsets, found: Flags) -> None:
    """Mark documents that hold a pair of characters left by decoding UTF-8 as windows-1252, Latin-1 or windows-1251."""
    for document in range(len(offsets) - 1):
        for i in range(offsets[document], offsets[document + 1] - 3):
            first, second, third = data[i], data[i + 1], data[i + 2]
            if first == 0xC3 and 0x82 <= second <= 0xB4:
                seen = third in (0xC2, 0xE2, 0xC5, 0xC6, 0xCB)
            elif first == 0xD0 and second in (0xA0, 0xA1):
                seen = third in (0xC2, 0xE2, 0xD1, 0xD2) or (third == 0xD0 and data[i + 3] < 0x90)
            else:
                continue
            if seen:
                found[document] = True
                break


_WHOLE_LINES = ftfy.TextFixerConfig(explain=False, decode_inconsistent_utf8=False)
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_CODE = re.compile(
    r"""^(?: (?:\ {4}|\t)(?!\s*+(?:[-*•]|\d{1,3}[.)])\ |.*[\x80-\x9f])   # indented, but not a list item, and without untypable characters
           | \s*+(?: >>>\ | \.\.\.\ | \$\ | // | /\*
                  | (?:[{\[]\s*+)?(?:"\w[^"]*"|'\w[^']*')\ ?:\ *["'\[{\d-]   # "key": value
                  | [a-z_]\w*\ ?:\ *["'\[{] ) )
    | (?:en|de)code\(
    | `[\x00-\x5f\x61-\x7f]*+[^\x00-\x7f`][^`]*+`
    | \w\([bru]{0,2}["']                                          # f("...
    | \w["']?\]?\ ?(?:[=!]=|:=|\+=|=>)\ ?[\w"'\[({]
    | (?:^|[\s{(,;])[\w.]+\ ?=\ ?[bru]{0,2}["'\[{]                # name = "...
    | \w\([^()]*\);\s*$
    | [{}]\s*$""",
    re.VERBOSE,
)
_ABOUT_ENCODINGS = re.compile(
    r"mojibake|utf-?(?:8|16)|unicode|latin-?[19]|iso-?8859|(?:windows|cp)-?125\d|\bascii\b|charset|character set|code ?page|encoding"
    r"|\b(?:en|de|mis)coded\b|garbled|ftfy",
    re.IGNORECASE,
)
_QUOTED_ALONE = re.compile(r"""["'“‘«(\[|][^\x00-\x7f]{2,3}["'”’»)\]|]""")


def _is_meant(line: str) -> bool:
    """Return whether a line shows mojibake on purpose, as code or as an example."""
    return bool(_CODE.search(line) or _ABOUT_ENCODINGS.search(line) or _QUOTED_ALONE.search(line))


@lru_cache(maxsize=1 << 12)
def _kind(character: str) -> str:
    """Return the kind of a character: a letter's script ("LATIN"), or a sign's category, with all quotation marks as one kind."""
    if character.isalpha():
        return unicodedata.name(character, "unknown").partition(" ")[0]
    category = unicodedata.category(character)
    return "quotation mark" if category in ("Pi", "Pf", "Ps") else category


def _with_parts_fixed(line: str) -> str:
    fixed: str = UTF8_DETECTOR_RE.sub(lambda match: _fixed(match[0]), line)
    return fixed


@lru_cache(maxsize=1 << 14)
def _fixed(part: str) -> str:
    fixed: str = ftfy.fix_encoding(part, _WHOLE_LINES)
    return fixed


def _repaired(line: str) -> str:
    """Return a line with its mojibake repaired, unless the mojibake is intended."""
    whole = ftfy.fix_encoding(line, _WHOLE_LINES)
    if (whole == line and not UTF8_DETECTOR_RE.search(line)) or _is_meant(line):
        return line
    line = whole
    in_parts, further = line, _with_parts_fixed(line)
    while further != in_parts:
        in_parts, further = further, _with_parts_fixed(further)
    if in_parts == line:
        return line
    before, after = (Counter(character for character in text if character > "\x7f") for text in (line, in_parts))
    sound = {character for character in UTF8_DETECTOR_RE.sub("", line) if character > "\x7f"}
    return line if {*map(_kind, sound)} & {*map(_kind, after - before)} else in_parts


def _repaired_lines(lines: list[str]) -> list[str]:
    """Return the lines of a document, repaired except inside fenced code blocks."""
    repaired, is_fenced = [], False
    for line in lines:
        is_fenced ^= _FENCE.match(line) is not None
        repaired.append(line if is_fenced or line.isascii() else _repaired(line))
    return repaired


@dataclass(frozen=True)
class Mojibake(Edit):
    """Repairs mojibake. Counts: `mojibake`, the lines repaired in each document."""

    version: ClassVar[int] = 2
    packages: ClassVar[tuple[str, ...]] = ("ftfy",)

    def apply(self, text: Text) -> Edited:
        """Edit a batch."""
        found = np.zeros(len(text), np.bool_)
        _suspects(text.data, text.offsets, found)
        counts = np.zeros(len(text), np.int64)
        repaired = {}
        for i in np.flatnonzero(found).tolist():
            before = text.string(i).split("\n")
            after = _repaired_lines(before)
            counts[i] = sum(old != new for old, new in zip(before, after, strict=True))
            if counts[i]:
                repaired[i] = "\n".join(after).encode("utf-8", "replace")
        return Edited(rewritten(text, repaired), {"mojibake": counts})
