"""Readability: two formulas over the length of a text's sentences and words.

Source: Flesch 1948, "A New Readability Yardstick", Journal of Applied Psychology 32(3), and McAlpine, "From Plain English to Global
English" (EFLAW, for readers whose first language is another). GneissWeb (Gohari et al. 2025) judges by the second: it keeps scores below 70
in technical, medical, educational and scientific texts, and below 30 in others.

    sentences            sentences of the text (`curation.text.sentences`)
    words_per_sentence   words divided by sentences; words are those of `curation.text.words`, without punctuation
    syllables_per_word   syllables, counted by the rules below, divided by words
    flesch_reading_ease  206.835 - 1.015 * words_per_sentence - 84.6 * syllables_per_word; 60 to 70 is plain English, more is easier
    mcalpine_eflaw       words plus mini-words (of at most three characters), divided by sentences; up to 20 is very easy, above 29 hard

A syllable is a run of the vowels a, e, i, o, u, y, in any case and with any accent. A plain "e" after a consonant is silent at the end of a
word, in "-es" unless after s, x, z, c, g or h, and in "-ed" unless after t or d. It is sounded in "-le", "-les" and "-led" after a
consonant other than l and r ("table", "handled"). Every word has at least one syllable; a number has one for each of its digits. These
rules are English: for other languages both formulas mean nothing.

`tests/benchmark/README.md` compares these counts with the CMU Pronouncing Dictionary.

A text without a sentence (it has no letter) has nulls, except in `sentences`: what cannot be measured is not judged. No rule is on by
default, because good bounds differ between subjects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.arrays import Bytes, Flags, Hashes, Integers, Scalar, Table, Unsigned32
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.text import Text
from curation.text.unicode_classes import MARK, NUMBER, character_classes, decode_character, folded_forms
from curation.text.words import WORD
from filters.contract import Filter, Rule, Signals, Threshold, above, below

_MINI_WORD = 3


def _bytes_of(letters: str) -> Flags:
    return np.array([chr(byte) in letters for byte in range(128)])


_VOWEL = _bytes_of("aeiouy")
_HISSING = _bytes_of("sxzcgh")
_JOINS_L = _bytes_of("aeiouylr\0")
"""Letters after which an "l" begins no syllable of its own; NUL is the start of the word."""
_A, _D, _E, _L, _S, _T = (ord(letter) for letter in "adelst")


@dataclass(frozen=True)
class Readability(Filter):
    """Measures readability, and drops texts beyond the bounds that the recipe gives.

    min_flesch_reading_ease, max_flesch_reading_ease   bounds of the score, or none
    max_mcalpine_eflaw                                 bound of the score, or none (GneissWeb: 70, or 30)
    """

    min_flesch_reading_ease: Threshold[float | None] = None
    max_flesch_reading_ease: Threshold[float | None] = None
    max_mcalpine_eflaw: Threshold[float | None] = None

    signal_types: ClassVar[Mapping[str, pa.DataType]] = {
        "sentences": pa.int32(),
        "words_per_sentence": pa.float64(),
        "syllables_per_word": pa.float64(),
        "flesch_reading_ease": pa.float64(),
        "mcalpine_eflaw": pa.float64(),
    }
    examples: ClassVar[tuple[tuple[str, str | None], ...]] = (
        ("The cat sat on the mat. It was a wet day, and she did not want to go out.", None),
        ("Notwithstanding interdepartmental reorganisation, administrative responsibilities remained fundamentally indeterminate.", None),
    )

    def signals(self, text: Text, documents: Table) -> Signals:  # noqa: ARG002
        """Measure a batch on its words and sentences."""
        counts = np.zeros((3, len(text)), np.int64)
        _count(text.data, text.offsets, *text.words.tokens, folded_forms(), character_classes(), counts)
        sentences = text.sentences.counts
        without = sentences == 0
        per_sentence = counts[0] / np.maximum(sentences, 1)
        per_word = counts[2] / np.maximum(counts[0], 1)
        scores = {
            "words_per_sentence": per_sentence,
            "syllables_per_word": per_word,
            "flesch_reading_ease": 206.835 - 1.015 * per_sentence - 84.6 * per_word,
            "mcalpine_eflaw": (counts[0] + counts[1]) / np.maximum(sentences, 1),
        }
        return {
            "sentences": sentences.astype(np.int32),
            **{name: pa.array(score, pa.float64(), mask=without) for name, score in scores.items()},
        }

    def rules(self) -> Mapping[str, Rule]:
        """Return the rules whose bound is given."""
        rules = {}
        if self.min_flesch_reading_ease is not None:
            rules["hard_to_read"] = below("flesch_reading_ease", self.min_flesch_reading_ease)
        if self.max_flesch_reading_ease is not None:
            rules["too_easy_to_read"] = above("flesch_reading_ease", self.max_flesch_reading_ease)
        if self.max_mcalpine_eflaw is not None:
            rules["hard_for_foreign_readers"] = above("mcalpine_eflaw", self.max_mcalpine_eflaw)
        return rules


@kernel
def _count(
    data: Bytes,
    text_offsets: Offsets,
    offsets: Offsets,
    starts: Unsigned32,
    ends: Unsigned32,
    characters: Unsigned32,
    hashes: Hashes,  # noqa: ARG001  (the tokens come as separate arrays: a kernel unpacks a named tuple more slowly)
    kinds: Bytes,
    forms: Hashes,
    classes: Bytes,
    counts: Integers,
) -> None:
    """Count the words, mini-words and syllables of each text, one row each."""
    for text in range(len(offsets) - 1):
        begin = text_offsets[text]
        for word in range(offsets[text], offsets[text + 1]):
            if kinds[word] & WORD:
                counts[0, text] += 1
                counts[1, text] += characters[word] <= _MINI_WORD
                counts[2, text] += _syllables(data, begin + np.int64(starts[word]), begin + np.int64(ends[word]), forms, classes)


@kernel
def _syllables(data: Bytes, place: int, end: int, forms: Hashes, classes: Bytes) -> int:
    """Count the syllables of a word.

    `a` to `d` are its last four letters, the last in `d`; NUL stands for no letter, DEL for a letter beyond ASCII. An "e" with an accent
    counts as an "a", which is never silent.
    """
    slot = np.uint64(0x1FFFFF)
    found = figures = 0
    a: Scalar = np.int64(0)
    b = c = d = a
    while place < end:
        point, size = decode_character(data, place, end)
        place += size
        figures += classes[point] == NUMBER
        if classes[point] == MARK and d == _E:
            d = _A
        form = forms[point] if point < len(forms) else np.uint64(point)
        while form != 0:
            letter: Any = min(np.int64(form & slot), np.int64(0x7F))
            if letter == _E and point >= 0x80:
                letter = _A
            found += _VOWEL[letter] and not _VOWEL[d]
            a, b, c, d = b, c, d, letter
            form >>= np.uint64(21)
    if d == _E:
        found -= _is_consonant(c) and not (c == _L and not _JOINS_L[b])
    elif c == _E and d in (_S, _D) and _is_consonant(b):
        sounded = _HISSING[b] if d == _S else b in (_D, _T)
        found -= not (sounded or (b == _L and not _JOINS_L[a]))
    return max(found + figures, 1)


@inline_kernel
def _is_consonant(letter: Scalar) -> bool:
    return letter != 0 and not _VOWEL[letter]
