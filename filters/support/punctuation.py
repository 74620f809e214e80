"""The two sets of marks behind FineWeb's rules: punctuation, and the marks that end a sentence.

Source: datatrove 0.10.1 (Penedo et al. 2024), `PUNCTUATION_SET` and `TERMINAL_PUNCTUATION`, given here as code points. A sentence ends with
the marks of Unicode's property Sentence_Terminal, and the Khmer and Kawi marks that datatrove adds. Punctuation is these, a list of marks
made for CC-Net, and the control characters; it has no emoji, arrows, bullets or mathematical signs. By a mistake that every copy of the
list repeats, it has the full-width digit one.
"""

from functools import cache

import numpy as np

from curation.arrays import Integers
from curation.text.sentences import SENTENCE_TERMINAL

Marks = Integers
"""Code points, in order."""

_MORE_TERMINAL = "17D4-17D6 17D9-17DA 11F43-11F44"
_OTHER = """
    0000-0008 000B-001F 0022-002D 002F 003A-003E 0040 005B-0060 007B-009F 00AB 00B4 00BB 2013-2014 2019 201C-201E 2026 2236 2501 25BA 3001
    3008-300D 3010-3011 FF05 FF08-FF09 FF0C FF11 FF1A-FF1B FF5E
"""


@cache
def terminal_marks() -> Marks:
    """Return the marks that end a sentence."""
    return _points(SENTENCE_TERMINAL, _MORE_TERMINAL)


@cache
def punctuation_marks() -> Marks:
    """Return the punctuation marks, including those that end a sentence."""
    return _points(SENTENCE_TERMINAL, _MORE_TERMINAL, _OTHER)


def _points(*blocks: str) -> Marks:
    found: set[int] = set()
    for block in " ".join(blocks).split():
        first, _, last = block.partition("-")
        found |= set(range(int(first, 16), int(last or first, 16) + 1))
    return np.array(sorted(found), np.int64)
