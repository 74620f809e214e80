"""Two sets of marks that FineWeb's rules are defined by: what is punctuation, and what ends a sentence.

Source: datatrove 0.10.1 (Penedo et al. 2024), `PUNCTUATION_SET` and `TERMINAL_PUNCTUATION`, given here as code points. A sentence ends with
the marks of Unicode's property Sentence_Terminal, and the Khmer and Kawi marks that datatrove adds. Punctuation is these, a list of marks
made for CC-Net, and the control characters; it has no emoji, arrows, bullets or mathematical signs, and, by a slip that all who copied the
list share, the full-width digit one.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

Marks = npt.NDArray[np.int64]
"""Code points, in order."""

_SENTENCE_TERMINAL = """
    0021 002E 003F 0589 061D-061F 06D4 0700-0702 07F9 0837 0839 083D-083E 0964-0965 104A-104B 1362 1367-1368 166E 1735-1736 1803 1809
    1944-1945 1AA8-1AAB 1B5A-1B5B 1B5E-1B5F 1B7D-1B7E 1C3B-1C3C 1C7E-1C7F 203C-203D 2047-2049 2E2E 2E3C 2E53-2E54 3002 A4FF A60E-A60F
    A6F3 A6F7 A876-A877 A8CE-A8CF A92F A9C8-A9C9 AA5D-AA5F AAF0-AAF1 ABEB FE52 FE56-FE57 FF01 FF0E FF1F FF61 10A56-10A57 10F55-10F59
    10F86-10F89 11047-11048 110BE-110C1 11141-11143 111C5-111C6 111CD 111DE-111DF 11238-11239 1123B-1123C 112A9 1144B-1144C 115C2-115C3
    115C9-115D7 11641-11642 1173C-1173E 11944 11946 11A42-11A43 11A9B-11A9C 11C41-11C42 11EF7-11EF8 16A6E-16A6F 16AF5 16B37-16B38 16B44
    16E98 1BC9F 1DA88
"""  # Unicode 14.0, PropList; Python's unicodedata does not carry this property
_MORE_TERMINAL = "17D4-17D6 17D9-17DA 11F43-11F44"
_OTHER = """
    0000-0008 000B-001F 0022-002D 002F 003A-003E 0040 005B-0060 007B-009F 00AB 00B4 00BB 2013-2014 2019 201C-201E 2026 2236 2501 25BA 3001
    3008-300D 3010-3011 FF05 FF08-FF09 FF0C FF11 FF1A-FF1B FF5E
"""


@cache
def terminal_marks() -> Marks:
    """Return the marks that end a sentence."""
    return _points(_SENTENCE_TERMINAL, _MORE_TERMINAL)


@cache
def punctuation_marks() -> Marks:
    """Return the marks that are punctuation, those that end a sentence among them."""
    return _points(_SENTENCE_TERMINAL, _MORE_TERMINAL, _OTHER)


def _points(*blocks: str) -> Marks:
    found: set[int] = set()
    for block in " ".join(blocks).split():
        first, _, last = block.partition("-")
        found |= set(range(int(first, 16), int(last or first, 16) + 1))
    return np.array(sorted(found), np.int64)
