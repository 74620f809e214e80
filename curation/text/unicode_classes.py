"""Unicode classes: the class and the folded form of every code point, and UTF-8 decoding inside kernels.

`character_classes` puts every code point into one class, by its general category and its script:

    SPACE    whatever `str.isspace` accepts
    LETTER   L*; a letter of a script that is written without spaces between words is SOLITARY instead
    NUMBER   N*
    MARK     M* and Cf: attaches to the previous character (accents, vowel signs, joiners, variation selectors, soft hyphens)
    SYMBOL   everything else: punctuation, symbols, controls, private and unassigned characters

`folded_forms` gives the form in which characters are compared: compatibility-decomposed (full-width and styled letters, ligatures) and
case-folded, without accents, optional vowel points, format characters, apostrophes and NUL. It has at most three code points, packed in
21 bits each, first lowest; zero is nothing. A character that would need more stays unchanged.

Source: the Unicode Character Database in Python's `unicodedata` (`UNICODE_VERSION`, 14.0 in Python 3.11). A character that a later
Unicode adds is a SYMBOL before that, so the version is part of the key of every stage that finds words.

Invariants
    - Malformed UTF-8 never leads outside a table or a text: a byte that begins no whole character is one U+FFFD.
    - The tables are built once and kept beside the compiled kernels; kernels receive them as arguments, because a constant of this size
      would be compiled in.
"""

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from curation.arrays import Bytes, Hashes, Scalar
from curation.text.kernels import inline_kernel, stored

UNICODE_VERSION = unicodedata.unidata_version

SPACE, SYMBOL, LETTER, NUMBER, MARK, SOLITARY = range(6)

_CODE_POINTS = 0x110000
_REPLACEMENT = 0xFFFD
_ASSIGNED = (range(0x34000), range(0xE0000, 0xE1000))  # all letters, marks and numbers are in these ranges
_SOLITARY_SCRIPTS = ("CJK ", "HIRAGANA", "KATAKANA", "HENTAIGANA", "HALFWIDTH KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
_LEFT_OUT = "'’ʼ＇\0"
_HANGUL = range(0xAC00, 0xD7A4)
"""Syllables decompose by rule; `unicodedata.decomposition` does not list them."""
_SHIFT = 21


def _class_of(character: str) -> int:
    if character.isspace():
        return SPACE
    category = unicodedata.category(character)
    if category[0] == "L" or character == "〇":
        name = unicodedata.name(character, "")
        return SOLITARY if name.startswith(_SOLITARY_SCRIPTS) or character in "々〇〻" else LETTER
    if category[0] == "N":
        return NUMBER
    return MARK if category[0] == "M" or category == "Cf" else SYMBOL


@lru_cache(maxsize=1)
def character_classes() -> Bytes:
    """Return the class of every code point (uint8, 0x110000 entries)."""
    return stored("classes", _character_classes)


def _character_classes() -> Bytes:
    classes = np.full(_CODE_POINTS, SYMBOL, np.uint8)
    for block in _ASSIGNED:
        classes[block.start : block.stop] = [_class_of(chr(point)) for point in block]
    return classes


def fold(character: str) -> str:
    """Return the folded form of one character: zero to three characters."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    kept = "".join(part for part in decomposed if not _is_left_out(part))
    return kept if len(kept) <= 3 else character


def _is_left_out(character: str) -> bool:
    """Return whether a character is left out of folded forms: an accent, a Hebrew or Arabic point, a format mark, or NUL."""
    accent_class = unicodedata.combining(character)
    return accent_class >= 200 or 10 <= accent_class <= 35 or unicodedata.category(character) == "Cf" or character in _LEFT_OUT


@lru_cache(maxsize=1)
def folded_forms() -> Hashes:
    """Return the folded form of every code point below 0x34000 (uint64, up to three code points of 21 bits); higher ones do not fold."""
    return stored("folded", lambda: _packed(fold))


@lru_cache(maxsize=1)
def lowered_forms() -> Hashes:
    """Return `str.lower` of every single code point below 0x34000, packed likewise; higher ones have no capitals.

    A single capital sigma becomes σ, even where `str.lower` sees that it ends a word and makes it ς.
    """
    return stored("lowered", lambda: _packed(str.lower))


def _packed(form_of: Callable[[str], str]) -> Hashes:
    forms = np.zeros(_ASSIGNED[0].stop, np.uint64)
    for point in range(len(forms)):
        character = chr(point)
        category = unicodedata.category(character)
        if category in ("Cn", "Co", "Cs") or (category == "Lo" and not unicodedata.decomposition(character) and point not in _HANGUL):
            forms[point] = point  # most characters have no other form: ideographs, and others without case, parts or marks
            continue
        for place, part in enumerate(form_of(character)):
            forms[point] |= np.uint64(ord(part) << (_SHIFT * place))
    return forms


@inline_kernel
def decode_character(data: Bytes, place: int, end: int) -> tuple[Any, int]:
    """Return (code point, number of bytes) of the character that begins at data[place]; place < end."""
    lead = np.int64(data[place])
    if lead < 0x80:
        return lead, 1
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    if lead < 0xC2 or lead > 0xF4 or place + size > end:
        return np.int64(_REPLACEMENT), 1
    point = lead & (0x7F >> size)
    for follower in range(1, size):
        byte = np.int64(data[place + follower])
        if byte & 0xC0 != 0x80:
            return np.int64(_REPLACEMENT), 1
        point = point << 6 | (byte & 0x3F)
    if point >= _CODE_POINTS:
        return np.int64(_REPLACEMENT), 1
    return point, size


@inline_kernel
def encode_character(point: Scalar, data: Bytes, place: int) -> int:
    """Write a code point to data[place:] as UTF-8; return the number of bytes written."""
    if point < 0x80:
        data[place] = point
        return 1
    size = 2 if point < 0x800 else 3 if point < 0x10000 else 4
    for follower in range(size - 1, 0, -1):
        data[place + follower] = 0x80 | (point & 0x3F)
        point >>= 6
    data[place] = point | (0xF00 >> size & 0xFF)
    return size
