"""The sentences of a batch of texts, found in one pass over its bytes and shared by every filter.

The definition of a sentence, for every filter (a simpler form of Unicode Standard Annex 29, "Text Segmentation", rules SB3 to SB11):

    sentence    a piece of a line that contains a letter, without surrounding space. A newline ends it, because a line of extracted text
                is a paragraph, a heading or a list item. A run of marks also ends it, together with the quotation marks and brackets that
                close after the run:
    . … ! ?     if space follows. A point or an ellipsis does not end a sentence if the next visible character is a lower-case letter
                ("approx. ten"), or if the point follows a lone capital letter ("J. Smith", "U.S. Army")
    others      every other mark with the property Sentence_Terminal, such as 。 ！ । ؟ ։, in any position, because Chinese and Japanese put
                no space after it. But a full-width point before a number is a decimal point

A point in a decimal number, a domain or a version has no space after it and ends nothing. "1." at the head of an item contains no letter
and is not a sentence. There is no list of abbreviations: "Dr. Lee" is two sentences. Thai, Lao, Khmer and Tibetan have no mark that only
ends sentences (Unicode 14.0 lists none): there a line is one sentence.

Invariants
    - A text's sentences do not depend on its neighbours in the batch; positions count bytes from the text's own start (below 4 GiB).
    - Sentences ascend and do not overlap; every letter of a text is in exactly one.
"""

import unicodedata
from functools import lru_cache

import numpy as np

from curation.arrays import Bytes, Unsigned32
from curation.text.column import Offsets, TextColumn
from curation.text.kernels import kernel, stored
from curation.text.lines import PieceBounds
from curation.text.unicode_classes import LETTER, MARK, NUMBER, SOLITARY, SPACE, character_classes, decode_character

SENTENCE_TERMINAL = """
    0021 002E 003F 0589 061D-061F 06D4 0700-0702 07F9 0837 0839 083D-083E 0964-0965 104A-104B 1362 1367-1368 166E 1735-1736 1803 1809
    1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F
    A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59
    10F86-10F89 11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3
    115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 16A6E-16A6F 16AF5 16B37-16B38 16B44
    16E98 1BC9F 1DA88
"""  # Unicode 14.0, PropList; Python's unicodedata does not carry this property

_BLANK, _NEWLINE, _OTHER, _LOWER, _CAPITAL, _LETTER, _NUMBER, _ATTACHED, _POINT, _EXCLAMATION, _MARK, _CLOSER = range(12)
_FIRST_END = _POINT
"""The first kind of those that belong to a run that may end a sentence; all later kinds do too."""
_WIDE_POINTS = (0xFF0E, 0xFE52)
_SIMPLE = np.array([0x20 <= byte < 0x7F and not chr(byte).isupper() and chr(byte) not in ".!?" for byte in range(256)])
"""Bytes that, within a sentence, neither end it nor influence a point after the next character."""


def find_sentences(column: TextColumn) -> PieceBounds:
    """Find the sentences of every text of a column; a sentence includes its marks."""
    capacity = int(column.offsets[-1] - column.offsets[0])  # a sentence has at least one byte; unwritten pages cost nothing
    offsets = np.zeros(len(column) + 1, np.int64)
    starts, ends = (np.empty(capacity, np.uint32) for _ in range(2))
    found = _scan_sentences(column.data, column.offsets, _kinds(), offsets, starts, ends)
    return PieceBounds(offsets, starts[:found], ends[:found])


@lru_cache(maxsize=1)
def sentence_terminal_marks() -> tuple[str, ...]:
    """Return the characters with the Unicode property Sentence_Terminal, in order."""
    blocks = (block.partition("-") for block in SENTENCE_TERMINAL.split())
    return tuple(chr(point) for first, _, last in blocks for point in range(int(first, 16), int(last or first, 16) + 1))


@lru_cache(maxsize=1)
def _kinds() -> Bytes:
    """Return the role of every code point in sentences (uint8, 0x110000 entries)."""
    return stored("sentence_kinds", _make_kinds)


def _make_kinds() -> Bytes:
    classes = character_classes()
    kinds = np.full(len(classes), _OTHER, np.uint8)
    for group, kind in ((SPACE, _BLANK), (LETTER, _LETTER), (SOLITARY, _LETTER), (NUMBER, _NUMBER), (MARK, _ATTACHED)):
        kinds[classes == group] = kind
    categories = {"Lu": _CAPITAL, "Lt": _CAPITAL, "Ll": _LOWER, "Pe": _CLOSER, "Pf": _CLOSER, "Pi": _CLOSER}
    for point in range(0x20000):  # no cased letter or bracket has a higher code point
        kinds[point] = categories.get(unicodedata.category(chr(point)), kinds[point])
    for characters, kind in ((sentence_terminal_marks(), _MARK), (".…", _POINT), ("!?", _EXCLAMATION), ("'\"", _CLOSER), ("\n", _NEWLINE)):
        kinds[[ord(character) for character in characters]] = kind
    return kinds


@kernel
def _scan_sentences(data: Bytes, text_offsets: Offsets, kinds: Bytes, offsets: Offsets, starts: Unsigned32, ends: Unsigned32) -> int:
    """Fill the bounds of sentences; return the number of sentences.

    `last` is the end of the last visible character, `before` the kind of the previous character, `lone` whether that one begins a word.
    """
    found = 0
    for text in range(len(text_offsets) - 1):
        begin, end = text_offsets[text], text_offsets[text + 1]
        start = last = begin
        visible = letters = lone = False
        before = _NEWLINE
        place = begin
        while place < end:
            if letters and _SIMPLE[data[place]]:
                while place < end and _SIMPLE[data[place]]:
                    place += 1
                last = place
                while data[last - 1] == 0x20:
                    last -= 1
                before = kinds[data[place - 1]]
                continue
            point, size = decode_character(data, place, end)
            kind = kinds[point]
            place += size
            ended = kind == _NEWLINE
            if kind > _NEWLINE:
                if not visible:
                    visible = True
                    start = place - size
                last = place
                letters |= kind in (_LOWER, _CAPITAL, _LETTER)
            if kind in (_POINT, _EXCLAMATION, _MARK):
                initial = point == 0x2E and before == _CAPITAL and lone
                weak = kind == _POINT
                firm = kind == _MARK
                final = point
                follower = _NEWLINE
                while place < end:
                    point, size = decode_character(data, place, end)
                    follower = kinds[point]
                    if follower < _FIRST_END:
                        break
                    weak &= follower in (_POINT, _CLOSER)
                    firm |= follower == _MARK
                    final = point
                    place += size
                    last = place
                    follower = _NEWLINE
                if firm:
                    ended = follower != _NUMBER or final not in _WIDE_POINTS
                elif follower == _BLANK:
                    ahead = place
                    while ahead < end and follower == _BLANK:
                        point, size = decode_character(data, ahead, end)
                        follower = kinds[point]
                        ahead += size
                    ended = not weak or (follower != _LOWER and not initial)
                kind = _OTHER
            if ended:
                if letters:
                    starts[found] = start - begin
                    ends[found] = last - begin
                    found += 1
                visible = letters = False
            if kind != _ATTACHED:
                lone = before not in (_LOWER, _CAPITAL, _LETTER, _NUMBER)
                before = kind
        if letters:
            starts[found] = start - begin
            ends[found] = last - begin
            found += 1
        offsets[text + 1] = found
    return found
