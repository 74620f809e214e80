"""C4's line rules: a page keeps only the lines that read like sentences, without citation marks.

Source: Raffel et al. 2020, section 2.2, in the order of tensorflow_datasets' `c4_utils.py` (2020) and datatrove's `C4QualityFilter`. Lines
are those of `str.splitlines`; words and space are those of `str.split`. These rules apply to each line, without the space around it:

    long_words    drop: a word has more than `max_word_length` characters
    citations     remove: "[", any digits, "]"; "[edit]"; "[citation needed]"
    no_end_mark   drop: the last character is not one of `end_marks`, or the line ends in "..."
    few_words     drop: fewer than `min_words` words, counted with the citations
    (keep)        "lorem ipsum": the page has to be judged, so the line stays, and no further rule applies
    javascript    drop: "javascript", in any case
    (keep)        "{", likewise
    policy        drop: "privacy policy", "terms of use", "use cookies" and similar phrases, in any case

An edit does not judge: `filters.c4_quality` has the rules that condemn a page. Their evidence stays in the text, unless an earlier rule
drops the line. "In any case" means as in `str.lower`, for which K (the Kelvin sign, U+212A) is also a "k".

An edit must leave its own result unchanged; one run of datatrove's filter does not: a removed citation may leave space at the end of the
line, too few words, or another citation ("[[1]2]"). So a line that has lost citations goes through all rules a second time, without any
citation or surrounding space. The result equals that of datatrove's filter when run until nothing changes; one run gives the same except
for such lines. If the second pass hides the reason for condemning the page, the line stays as it was before the first. In one case the
filter then still cannot see it: "lorem ipsum" broken by a citation, in a line that has too few words without it.
"""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from curation.arrays import Bytes, Integers, Integers32, Scalar
from curation.choices import Count
from curation.errors import RecipeError
from curation.ingest.edits import Edit, Edited
from curation.text.column import Offsets
from curation.text.kernels import inline_kernel, kernel
from curation.text.lines import strip
from curation.text.phrases import Phrases
from curation.text.simd import BLOCK, copy_block, lower_bound, lowest_bit, mask_between, mask_of, mask_of_three
from curation.text.text import Text
from curation.text.unicode_classes import SPACE, character_classes, decode_character

_JAVASCRIPT, _LOREM_IPSUM, _POLICY, _CURLY = 1, 2, 4, 8
_PHRASES = {
    "javascript": _JAVASCRIPT,
    "lorem ipsum": _LOREM_IPSUM,
    "{": _CURLY,
    **dict.fromkeys(("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"), _POLICY),
    **dict.fromkeys(("coo\u212aie policy", "uses coo\u212aies", "use of coo\u212aies", "use coo\u212aies"), _POLICY),
}
_COUNTS = ("long_words", "no_end_mark", "few_words", "javascript", "policy", "blank_lines", "citations", "line_ends")
_LONG_WORDS, _NO_END_MARK, _FEW_WORDS, _JAVASCRIPT_LINE, _POLICY_LINE, _BLANK_LINE, _CITATION, _LINE_END, _STAYS, _CONDEMNS = range(10)

_EDIT_WORD = np.frombuffer(b"[edit]", np.uint8)
_NEEDED_WORD = np.frombuffer(b"[citation needed]", np.uint8)
_POINT, _OPEN, _CLOSE = 0x2E, 0x5B, 0x5D


@dataclass(frozen=True)
class C4Lines(Edit):
    """Keeps the lines that C4 keeps. The defaults are the paper's, as datatrove applies them; see `filters.c4_quality` for both readings.

    min_words: fewest words in a line (tfds: 5).
    max_word_length: most characters in a word; a line with a longer one is dropped.
    end_marks: the characters that may end a line (tfds: . ? ! and the double quotation mark).
    require_end_mark: whether a line needs an end mark; FineWeb applied C4's rules without.
    remove_citations: whether to remove [1], [edit] and [citation needed] from lines.
    drop_javascript: whether to drop lines that mention JavaScript.
    drop_policy: whether to drop lines that mention a privacy policy, terms of use or cookies.

    Counts: lines dropped by each rule, with empty ones counted separately (`blank_lines`); `citations` removed from kept lines;
    `line_ends`, kept lines that lost surrounding space, or ended differently from a newline between two lines.
    """

    min_words: Count = 3
    max_word_length: Count = 1000
    end_marks: str = ".?!\"'"
    require_end_mark: bool = True
    remove_citations: bool = True
    drop_javascript: bool = True
    drop_policy: bool = True

    def __post_init__(self) -> None:
        """Refuse a rule that no line could meet."""
        if self.require_end_mark and not self.end_marks:
            raise RecipeError("c4_lines: end_marks is empty; to keep lines without an end mark, set require_end_mark = false")

    def apply(self, text: Text) -> Edited:
        """Edit a batch; return the same column if nothing changed."""
        out = np.empty(int(text.offsets[-1] - text.offsets[0]), np.uint8)
        offsets = np.zeros(len(text) + 1, np.int64)
        counts = np.zeros((len(text), len(_COUNTS)), np.int64)
        _edit(text.data, text.offsets, *_rules(self), out, offsets, counts)
        edited = Text(out[: offsets[-1]], offsets) if counts.any() else text
        return Edited(edited, {name: counts[:, i].copy() for i, name in enumerate(_COUNTS)})


@lru_cache(maxsize=8)
def _rules(edit: C4Lines) -> tuple[Bytes, Integers, Bytes, Integers32, Bytes, Integers, bool, bool, int, int]:
    """Return the tables and parameters that the rules read, in `_edit`'s order: a kernel unpacks a named tuple more slowly."""
    phrases = Phrases.of(list(_PHRASES))
    applies = {_JAVASCRIPT: edit.drop_javascript, _POLICY: edit.drop_policy}
    return (
        character_classes(),
        _decimal_digits(),
        phrases.columns,
        phrases.moves,
        # for each state of the phrases' automaton, the bits of those that end there
        phrases.flags([bit if applies.get(bit, True) else 0 for bit in _PHRASES.values()]),
        np.array([ord(mark) for mark in edit.end_marks], np.int64),
        edit.require_end_mark,
        edit.remove_citations,
        edit.min_words,
        edit.max_word_length,
    )


@lru_cache(maxsize=1)
def _decimal_digits() -> Integers:
    """Return the code points that `\\d` matches, in order."""
    return np.array([point for point in range(0x20000) if unicodedata.category(chr(point)) == "Nd"], np.int64)


@inline_kernel
def _break_size(data: Bytes, place: int, end: int) -> int:
    """Return the number of bytes in the line end at `place`, whose first byte may begin one; 0 if there is none."""
    byte = data[place]
    if byte < 0x80:  # every queried ASCII byte ends a line
        return 2 if byte == 0x0D and place + 1 < end and data[place + 1] == 0x0A else 1
    if byte == 0xC2:
        return 2 if place + 1 < end and data[place + 1] == 0x85 else 0
    return 3 if byte == 0xE2 and place + 2 < end and data[place + 1] == 0x80 and data[place + 2] in (0xA8, 0xA9) else 0


@inline_kernel
def _breaks_and_brackets(data: Bytes, place: Scalar) -> Scalar:
    """Return which of 64 bytes are brackets, end a line, or begin a character that may end one."""
    breaks = mask_between(data, place, 0x0A, 0x0D) | mask_between(data, place, 0x1C, 0x1E)
    return breaks | mask_of(data, place, 0xC2) | mask_of(data, place, 0xE2) | mask_of(data, place, _OPEN)


@kernel
def _line(data: Bytes, place: int, end: int, spare: Bytes) -> tuple[Scalar, Scalar, bool]:
    """Return where the line at `place` ends, where the next one begins, and whether a bracket opens in it."""
    bracket = False
    for block in range(place, end, BLOCK):
        if block + BLOCK <= len(data):
            suspects = _breaks_and_brackets(data, block)
        else:
            copy_block(data, block, end, spare)
            suspects = _breaks_and_brackets(spare, 0)
        while suspects != np.uint64(0):
            at = block + lowest_bit(suspects)
            suspects &= suspects - np.uint64(1)
            if at >= end:
                break
            if data[at] == _OPEN:
                bracket = True
                continue
            size = _break_size(data, at, end)
            if size > 0:
                return at, at + size, bracket
    return end, end, bracket


@kernel
def _may_hold_phrase(data: Bytes, place: int, end: int) -> Scalar:
    """Return whether a line may hold a phrase (three-letter sequences, one in each phrase) or "{"; few lines need a closer look."""
    if end + BLOCK + 2 > len(data):
        return True
    found = np.uint64(0)
    for block in range(place, end, BLOCK):
        found |= mask_of(data, block, 0x7B) | mask_of_three(data, block, 0x6A, 0x61, 0x76)  # { and javascript
        found |= mask_of_three(data, block, 0x69, 0x70, 0x73) | mask_of_three(data, block, 0x69, 0x63, 0x79)  # ipsum, policy
        found |= mask_of_three(data, block, 0x66, 0x20, 0x75) | mask_of_three(data, block, 0x6B, 0x69, 0x65)  # of use, cookie
        found |= mask_of_three(data, block, 0x6F, 0x6F, 0xE2)  # coo, then the Kelvin sign
    return found != np.uint64(0)


@kernel
def _has_words(line: Bytes, place: int, end: int, classes: Bytes, least: int) -> bool:
    """Return whether a line has `least` words, reading no further than necessary."""
    words = 0
    inside = False
    while place < end and words < least:
        point, size = decode_character(line, place, end)
        solid = classes[point] != SPACE
        words += solid and not inside
        inside = solid
        place += size
    return words >= least


@kernel
def _has_long_word(line: Bytes, place: int, end: int, classes: Bytes, most: int) -> bool:
    """Return whether a line has a word of more than `most` characters; first test for a blank in every stretch of that length."""
    start = place
    while end - start > most:
        blank = start + most
        while blank >= start and line[blank] != 0x20:
            blank -= 1
        if blank < start:
            break
        start = blank + 1
    if end - start <= most:
        return False
    characters = 0
    while start < end and characters <= most:
        point, size = decode_character(line, start, end)
        characters = 0 if classes[point] == SPACE else characters + 1
        start += size
    return characters > most


@kernel
def _after_citation(data: Bytes, place: int, end: int, digits: Integers) -> int:
    """Return where the citation that begins with the bracket at `place` ends; `place` if none begins there."""
    at = place + 1
    while at < end:
        point, size = decode_character(data, at, end)
        nearest = lower_bound(digits, point)
        if nearest == len(digits) or digits[nearest] != point:
            break
        at += size
    if at < end and data[at] == _CLOSE:
        return at + 1
    for word in (_EDIT_WORD, _NEEDED_WORD):
        if place + len(word) <= end:
            same = 0
            while same < len(word) and data[place + same] == word[same]:
                same += 1
            if same == len(word):
                return place + same
    return place


@kernel
def _without_citations(source: Bytes, place: int, end: int, digits: Integers, out: Bytes, at: int) -> tuple[int, int]:
    """Copy a line without its citations; return the end of the copy and their number. `out` may be `source` if `at` is not behind."""
    found = 0
    while place < end:
        if source[place] == _OPEN:
            after = _after_citation(source, place, end, digits)
            if after > place:
                found += 1
                place = after
                continue
        out[at] = source[place]
        at += 1
        place += 1
    return at, found


@kernel
def _without_nested(out: Bytes, begin: int, end: int, digits: Integers, opened: Integers) -> tuple[int, int]:
    """Remove citations until none is left: removing one may create another. `opened` has room for the place of every bracket."""
    at, found, depth = begin, 0, 0
    for place in range(begin, end):
        byte = out[place]
        out[at] = byte
        at += 1
        if byte == _OPEN:
            opened[depth] = at - 1
            depth += 1
        elif byte == _CLOSE and depth > 0:
            depth -= 1
            if _after_citation(out, opened[depth], at, digits) == at:
                at = opened[depth]
                found += 1
            else:
                depth = 0
    return at, found


@kernel
def _copied(source: Bytes, place: int, end: int, out: Bytes, at: int) -> int:
    """Copy source[place:end] to out[at:]; return the end of the copy. `out` may be `source` if `at` is not behind `place`."""
    for k in range(end - place):
        out[at + k] = source[place + k]
    return at + end - place


@kernel
def _decision(
    line: Bytes, begin: int, end: int, has_words: bool, columns: Bytes, moves: Integers32, flags: Bytes, marks: Integers, needed: bool
) -> int:
    """Decide a line without citations: return the rule that drops it, _STAYS, or _CONDEMNS if it condemns the page."""
    if needed:
        last = end - 1
        while last > begin and line[last] & 0xC0 == 0x80:
            last -= 1
        ends = False
        if last >= begin:
            point, _ = decode_character(line, last, end)
            for mark in marks:
                ends |= mark == point
        if not ends or (end - begin >= 3 and line[end - 1] == _POINT and line[end - 2] == _POINT and line[end - 3] == _POINT):
            return _NO_END_MARK
    if not has_words:
        return _FEW_WORDS
    if not _may_hold_phrase(line, begin, end):
        return _STAYS
    seen, state = 0, np.int64(0)
    for place in range(begin, end):
        state = np.int64(moves[state + columns[line[place]]])
        seen |= flags[state]
    if seen == 0:
        return _STAYS
    if seen & _LOREM_IPSUM:
        return _CONDEMNS
    if seen & _JAVASCRIPT:
        return _JAVASCRIPT_LINE
    return _CONDEMNS if seen & _CURLY else _POLICY_LINE


@kernel
def _edit(
    data: Bytes,
    offsets: Offsets,
    classes: Bytes,
    digits: Integers,
    columns: Bytes,
    moves: Integers32,
    flags: Bytes,
    marks: Integers,
    needed: bool,
    removes_citations: bool,
    least: int,
    most: int,
    out: Bytes,
    out_offsets: Offsets,
    counts: Integers,
) -> None:
    """Write edited texts to `out` (as long as `data`), their offsets, and the counts for each.

    `at` is where the next line is tried: the line stays if `at` moves past it. `blank` counts empty lines that stay if a visible one
    follows.
    """
    at = 0
    opened = np.empty(16, np.int64)
    spare = np.zeros(BLOCK, np.uint8)
    for document in range(len(offsets) - 1):
        begin = at
        blank = 0
        place, end = offsets[document], offsets[document + 1]
        while place < end:
            start = place
            ending, place, bracket = _line(data, start, end, spare)
            first, last = strip(data, start, ending, classes)
            if _has_long_word(data, first, last, classes, most):
                counts[document, _LONG_WORDS] += 1
                continue
            size = last - first
            trial = at + 1 + blank if at > begin else at
            stop, taken = trial, 0
            has_words = _has_words(data, first, last, classes, least)
            if bracket and removes_citations:
                stop, taken = _without_citations(data, first, last, digits, out, trial)
            if taken > 0:
                decision = _decision(out, trial, stop, has_words, columns, moves, flags, marks, needed)
            else:
                decision = _decision(data, first, last, has_words, columns, moves, flags, marks, needed)
                if decision >= _STAYS:
                    stop = _copied(data, first, last, out, trial)
            if taken > 0 and decision >= _STAYS:
                if len(opened) < size:
                    opened = np.empty(size, np.int64)
                stop, more = _without_nested(out, trial, stop, digits, opened)
                left, right = strip(out, trial, stop, classes)
                stop = _copied(out, left, right, out, trial)
                again = _LONG_WORDS
                if not _has_long_word(out, trial, stop, classes, most):
                    has_words = _has_words(out, trial, stop, classes, least)
                    again = _decision(out, trial, stop, has_words, columns, moves, flags, marks, needed)
                taken += more
                if decision == _STAYS or again == _CONDEMNS:
                    decision = again
                else:
                    taken = 0
                    stop = _copied(data, first, last, out, trial)
            if decision < _STAYS:
                counts[document, decision if size > 0 else _BLANK_LINE] += 1
                continue
            counts[document, _CITATION] += taken
            regular = ending == place or (place < end and data[ending] == 0x0A)
            counts[document, _LINE_END] += first > start or last < ending or not regular
            if stop == trial:
                blank += 1
                continue
            if at > begin:
                for k in range(at, trial):
                    out[k] = 0x0A
            else:
                counts[document, _BLANK_LINE] += blank
            blank = 0
            at = stop
        counts[document, _BLANK_LINE] += blank
        out_offsets[document + 1] = at
