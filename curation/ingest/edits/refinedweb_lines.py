"""RefinedWeb's line-wise corrections: remove lines that are menus, counters and buttons instead of text.

Source: Penedo et al. 2023, "The RefinedWeb Dataset for Falcon LLM", appendix G.2, in the form of DCLM (Li et al. 2024,
`baselines/mappers/modifiers.py` with `dclm_baseline_refinedweb.yaml`). The rules apply to each whole line, with its indentation, in this
order:

    uppercase   drop: more than half of its characters are capital letters
    numeric     drop: all of its characters are digits
    counters    drop: only a number and the counted thing ("3 likes", "1.2K followers!")
    short       drop: fewer than 2 words, split at space; this includes headings of one word
    phrases     delete from a line of at most 10 words: "items in cart" anywhere, "Read more..." at its end, "Sign-in" at its start,
                in any case, with the space before them (after them at the start). A point matches any character, because DCLM uses
                its phrases as patterns. After a deletion the rest goes through all rules again.
    blank_lines drop, so that at most two newlines follow each other, and neither end of the text has one

Counts are of lines, and for `phrases` of phrases; `words` counts the words (of `curation.text.words`) removed with all of them, which
`filters/refinedweb_removed.py` compares with the remaining words.

We differ from DCLM so that an edited text does not change in a second run and a line's fate depends only on itself. DCLM drops lines of
only space, which are blank here. It does not check the rest after a deletion ("3 items in cart" leaves "3"). It strips the text after most
steps, and so the indentation of whichever line is then first. It limits blank lines before it drops others, and leaves four newlines where
two blank lines meet. Its filters for language and quality see the text before these corrections; here all filters see the edited text.

A kernel decides each line, except those that may be a counter or contain a phrase. Regular expressions decide these few, and the kernel
decides what a deletion leaves of them.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from curation.arrays import Bytes, Integers, Integers32
from curation.choices import Count, Share
from curation.ingest.edits import Edit, Edited
from curation.text.column import Offsets, offsets_of
from curation.text.kernels import kernel
from curation.text.text import Text
from curation.text.unicode_classes import decode_character
from curation.text.words import WORD

_COUNTS = ("uppercase", "numeric", "counters", "short", "phrases", "blank_lines", "words")
_UPPERCASE, _NUMERIC, _COUNTER, _SHORT, _PHRASE, _BLANK_LINE, _WORDS, _KEEP, _BLANK, _LOOK = range(10)
"""The decision for a line: the first five drop it and are columns of the counts, as are the next two."""

_SPACE, _UPPER, _DIGIT, _WORD_CHARACTER, _DECIMAL = 1, 2, 4, 8, 16
_CODE_POINTS = 0x110000
_ASSIGNED = (range(0x34000), range(0xE0000, 0xE1000))
_FOLDING = "isk"
"""ASCII letters that `re.IGNORECASE` also matches with letters beyond ASCII: dotless and dotted i, long s, the Kelvin sign."""


@dataclass(frozen=True)
class RefinedwebLines(Edit):
    """Drops lines that are not text and deletes phrases of buttons. All defaults are DCLM's.

    max_newlines         newlines in a row (2: one blank line)
    max_uppercase_ratio  0.5, the largest share of capitals in a line's characters
    max_digit_ratio      0.999999, the largest share of digits: only a line of nothing but digits exceeds it
    counted              the things that a counter counts, in lower case
    min_words            2 words in a line
    anywhere             phrases to delete wherever they stand in a line
    at_end               phrases to delete at the end of a line
    at_start             phrases to delete at the start of a line
    phrase_max_words     10, the most words of a line from which phrases are deleted

    Counts: lines dropped as `uppercase`, `numeric`, `counters`, `short`; `phrases` deleted; `blank_lines` dropped; `words` removed.
    """

    max_newlines: Count = 2
    max_uppercase_ratio: Share = 0.5
    max_digit_ratio: Share = 0.999999
    counted: tuple[str, ...] = (
        "likes",
        "shares",
        "comments",
        "retweets",
        "reposts",
        "quotes",
        "bookmarks",
        "upvotes",
        "downvotes",
        "downloads",
        "views",
        "followers",
    )
    min_words: Count = 2
    anywhere: tuple[str, ...] = ("items in cart",)
    at_end: tuple[str, ...] = ("Read more...",)
    at_start: tuple[str, ...] = ("Sign-in",)
    phrase_max_words: Count = 10

    def __post_init__(self) -> None:
        """Refuse texts that cannot be searched for. Raises ValueError."""
        if self.max_newlines < 1:
            raise ValueError("max_newlines must be at least 1: a newline separates two lines")
        empty = [name for name in ("counted", "anywhere", "at_end", "at_start") if not all(map(str.strip, getattr(self, name)))]
        if empty:
            raise ValueError(f"{empty[0]} contains a text of only space")

    def apply(self, text: Text) -> Edited:
        """Edit a batch; return the same column if nothing changed."""
        lines = self._decided(text)
        counts = np.zeros((len(text), len(_COUNTS)), np.int64)
        shorter, pieces = self._look(text, lines, counts)
        replaced = Text.from_strings(list(shorter.values()))
        replacements = np.full(len(lines.starts), -1, np.int32)
        replacements[list(shorter)] = np.arange(len(shorter))
        size = int(text.offsets[-1] - text.offsets[0])
        out, dropped = (np.empty(size, np.uint8) for _ in range(2))
        offsets, dropped_offsets = (np.zeros(len(text) + 1, np.int64) for _ in range(2))
        written, gone = (out, offsets), (dropped, dropped_offsets)
        _write(text.data, text.offsets, lines, replacements, replaced.data, replaced.offsets, self.max_newlines, *written, *gone, counts)
        if counts.any():
            counts[:, _WORDS] = _words(Text(dropped[: dropped_offsets[-1]], dropped_offsets))
            documents = np.searchsorted(lines.first_lines, list(shorter), "right") - 1
            np.add.at(counts[:, _WORDS], documents, _words(pieces) - _words(replaced))
        edited = Text(out[: offsets[-1]], offsets) if counts.any() else text
        return Edited(edited, {name: counts[:, i].copy() for i, name in enumerate(_COUNTS)})

    def _decided(self, text: Text) -> "_Lines":
        """Find the lines of a batch and decide each, except those that may be a counter or contain a phrase."""
        first_lines = np.zeros(len(text) + 1, np.int64)
        _count_lines(text.data, text.offsets, first_lines)
        starts, ends = (np.empty(first_lines[-1], np.int64) for _ in range(2))
        lines = _Lines(first_lines, starts, ends, np.empty(first_lines[-1], np.uint8))
        needles = Text.from_strings(_needles((*self.anywhere, *self.at_end, *self.at_start)))
        limits = _Limits(
            self.max_uppercase_ratio,
            self.max_digit_ratio,
            self.min_words,
            self.phrase_max_words,
            1 + max((len(counted.split()) for counted in self.counted), default=0),
        )
        _decide_lines(text.data, text.offsets, _character_flags(), limits, needles.data, needles.offsets, lines)
        return lines

    def _look(self, text: Text, lines: "_Lines", counts: Integers) -> tuple[dict[int, str], Text]:
        """Decide the lines that the kernel left open; return the remaining text of kept lines that lose a phrase, and the originals."""
        first_lines, starts, ends, decisions = lines
        shorter: dict[int, str] = {}
        whole = []
        open_lines = np.flatnonzero(decisions == _LOOK)
        documents = np.searchsorted(first_lines, open_lines, "right") - 1
        for document, line in zip(documents.tolist(), open_lines.tolist(), strict=True):
            before = text.data[starts[line] : ends[line]].tobytes().decode("utf-8", "replace")
            after, decision, phrases = self._settle(before)
            decisions[line] = decision
            counts[document, _PHRASE] += phrases
            if decision == _KEEP and phrases:
                shorter[line] = after
                whole.append(before)
        return shorter, Text.from_strings(whole)

    def _settle(self, line: str) -> tuple[str, int, int]:
        """Apply the rules to a line that the kernel left open, until none applies.

        Return the rest of the line, its decision, and the number of deleted phrases.
        """
        patterns = _patterns(self.counted, self.anywhere, self.at_end, self.at_start)
        phrases = 0
        decision = _LOOK
        while decision == _LOOK:
            if patterns.counter.search(line.lower()):
                return line, _COUNTER, phrases
            if len(line.split()) < self.min_words:
                return line, _SHORT, phrases
            shorter, deleted = line, 0
            for pattern in patterns.phrases:
                if len(shorter.split()) <= self.phrase_max_words:
                    shorter, times = pattern.subn("", shorter)
                    deleted += times
            if not deleted:
                return line, _KEEP, phrases
            line = shorter
            phrases += deleted
            decision = int(self._decided(Text.from_strings([line])).decisions[0])
        return line, _PHRASE if decision == _BLANK else decision, phrases


class _Lines(NamedTuple):
    """The lines of n texts with their bounds in the data and their decisions: text i has lines first_lines[i] to first_lines[i + 1]."""

    first_lines: Offsets
    starts: Offsets
    ends: Offsets
    decisions: Bytes


class _Limits(NamedTuple):
    """The parameters that the kernel compares with; a counter has at most `counter_max_words` pieces with a letter or number."""

    max_uppercase: float
    max_digits: float
    min_words: int
    phrase_max_words: int
    counter_max_words: int


class _Patterns(NamedTuple):
    counter: re.Pattern[str]
    phrases: tuple[re.Pattern[str], ...]


@lru_cache(maxsize=8)
def _patterns(counted: tuple[str, ...], anywhere: tuple[str, ...], at_end: tuple[str, ...], at_start: tuple[str, ...]) -> _Patterns:
    def any_of(texts: tuple[str, ...]) -> str:
        return "|".join(re.escape(text) for text in texts) or "(?!)"

    def phrases(before: str, texts: tuple[str, ...], after: str) -> re.Pattern[str]:
        return re.compile(rf"{before}(?:{any_of(texts)}){after}".replace(r"\.", "."), re.IGNORECASE)

    return _Patterns(
        re.compile(rf"^\W*\d[\d,.]*[kmb]?\s+(?:{any_of(counted)})\W*$"),
        (phrases(r"\s?", anywhere, ""), phrases(r"\s?", at_end, "$"), phrases("^", at_start, r"\s?")),
    )


@lru_cache(maxsize=8)
def _needles(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Return a part of each phrase that every match contains byte for byte, except for the case of ASCII letters; it may be empty."""
    plain = rf"[^.{_FOLDING}\x80-\U0010ffff]*"
    return tuple(max(re.findall(plain, phrase.lower()), key=len) for phrase in phrases)


@lru_cache(maxsize=1)
def _character_flags() -> Bytes:
    """Return the results of Python's own character tests for every code point (uint8, 0x110000 entries)."""
    flags = np.zeros(_CODE_POINTS, np.uint8)
    for block in _ASSIGNED:
        for point in block:
            character = chr(point)
            flags[point] = (
                _SPACE * character.isspace()
                | _UPPER * character.isupper()
                | _DIGIT * character.isdigit()
                | _WORD_CHARACTER * (character.isalnum() or character == "_")
                | _DECIMAL * character.isdecimal()
            )
    flags.flags.writeable = False
    return flags


def _words(text: Text) -> Integers:
    """Return the number of words in each text."""
    before = offsets_of(text.words.kinds & WORD)
    counts: Integers = np.diff(before[text.words.offsets])
    return counts


@kernel
def _count_lines(data: Bytes, offsets: Offsets, first_lines: Offsets) -> None:
    for document in range(len(offsets) - 1):
        lines = 1
        for byte in data[offsets[document] : offsets[document + 1]]:
            lines += byte == 0x0A
        first_lines[document + 1] = first_lines[document] + lines


@kernel
def _decide_lines(
    data: Bytes, offsets: Offsets, flags: Bytes, limits: _Limits, needles: Bytes, needle_offsets: Offsets, lines: _Lines
) -> None:
    """Write the bounds of each line (in `data`) and its decision; _LOOK for a line that may be a counter or contain a phrase."""
    first_lines, starts, ends, decisions = lines
    for document in range(len(offsets) - 1):
        place, end = offsets[document], offsets[document + 1]
        for line in range(first_lines[document], first_lines[document + 1]):
            starts[line] = place
            characters = upper = digits = words = lettered = 0
            in_word, has_letter, counter = False, False, False
            while place < end and data[place] != 0x0A:
                if data[place] < 0x80:
                    flag, size = flags[data[place]], 1
                else:
                    point, size = decode_character(data, place, end)
                    flag = flags[point]
                characters += 1
                if flag & _SPACE:
                    in_word = has_letter = False
                elif not in_word:
                    words += 1
                    in_word = True
                upper += (flag & _UPPER) != 0
                digits += (flag & _DIGIT) != 0
                if flag & _WORD_CHARACTER and not has_letter:
                    if lettered == 0:
                        counter = (flag & _DECIMAL) != 0
                    lettered += 1
                    has_letter = True
                place += size
            ends[line] = place
            place += 1
            may_count = counter and lettered <= limits.counter_max_words
            if words == 0:
                decisions[line] = _BLANK
            elif upper / characters > limits.max_uppercase:
                decisions[line] = _UPPERCASE
            elif digits / characters > limits.max_digits:
                decisions[line] = _NUMERIC
            elif may_count or (words <= limits.phrase_max_words and _holds_any(data, starts[line], ends[line], needles, needle_offsets)):
                decisions[line] = _LOOK
            else:
                decisions[line] = _SHORT if words < limits.min_words else _KEEP


@kernel
def _holds_any(data: Bytes, start: int, end: int, needles: Bytes, offsets: Offsets) -> bool:
    """Return whether data[start:end] contains one of the needles (in lower case), ignoring the case of ASCII letters."""
    for needle in range(len(offsets) - 1):
        first, size = offsets[needle], offsets[needle + 1] - offsets[needle]
        for place in range(start, end - size + 1):
            same = 0
            while same < size:
                byte = data[place + same]
                if byte != needles[first + same] and (byte < 0x41 or byte > 0x5A or byte + 0x20 != needles[first + same]):
                    break
                same += 1
            if same == size:
                return True
    return False


@kernel
def _write(
    data: Bytes,
    offsets: Offsets,
    lines: _Lines,
    replacements: Integers32,
    replaced: Bytes,
    replaced_offsets: Offsets,
    max_newlines: int,
    out: Bytes,
    out_offsets: Offsets,
    dropped: Bytes,
    dropped_offsets: Offsets,
    counts: Integers,
) -> None:
    """Write kept lines to `out` and others to `dropped`, both as long as `data`, and add the dropped ones to `counts`."""
    first_lines, starts, ends, decisions = lines
    at = gone = 0
    for document in range(len(offsets) - 1):
        begin = solid = at
        blank = 0  # lines written since the last one that is not blank
        for line in range(first_lines[document], first_lines[document + 1]):
            decision = decisions[line]
            if decision == _KEEP or (decision == _BLANK and solid > begin and blank < max_newlines - 1):
                if solid > begin:
                    out[at] = 0x0A
                    at += 1
                replacement = replacements[line]
                if replacement < 0:
                    for k in range(starts[line], ends[line]):
                        out[at] = data[k]
                        at += 1
                else:
                    for k in range(replaced_offsets[replacement], replaced_offsets[replacement + 1]):
                        out[at] = replaced[k]
                        at += 1
                if decision == _KEEP:
                    solid = at
                    blank = 0
                else:
                    blank += 1
            elif decision == _BLANK:
                counts[document, _BLANK_LINE] += offsets[document] < offsets[document + 1]
            else:
                counts[document, decision] += decision != _PHRASE
                for k in range(starts[line], min(ends[line] + 1, offsets[document + 1])):
                    dropped[gone] = data[k]
                    gone += 1
        counts[document, _BLANK_LINE] += blank
        at = solid
        out_offsets[document + 1] = at
        dropped_offsets[document + 1] = gone
