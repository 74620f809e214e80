"""C4's rules give datatrove's verdicts and texts: on lines made for every rule, and on all real texts that lie beside the project."""

import random
from pathlib import Path

import pytest

from tests.parity.c4_parity import READINGS, compared, real_texts

LINES = (
    "The sea is salt, and so are some lakes.",
    "It has been so for a very long time.  ",
    "Why? Rivers bring it. The sun takes the water only!",
    '\u2003She said that "it is well known."',
    "A line without a mark at its end",
    "And so on, and so on...",
    "Too short.",
    "See the atlas[1] of the lakes[edit] here[citation needed].",
    "Three words [2] only.",
    "Ends in a citation. [3]",
    "[4] Begins with a citation that is long enough.",
    "Nested [[5]6] citations go in two steps.",
    "Please turn on JavaScript to read this page.",
    "Read our Privacy Policy before you go on.",
    "This site needs coo\u212aies: use coo\u212aies now.",
    "x" * 1001 + " is a word of more than a thousand letters.",
    "Arabic digits [\u0661\u0662] are digits, too.",
    "",
    " \u00a0",
)
CONDEMNED = ("Lorem ipsum dolor sit amet today.", "if (a) { return b; } is all.", "A { without a mark", "Our privacy policy { too is.")
ENDS = ("\n", "\r\n", "\n\n", "\u2028", "\x85", "\v")


def made_texts(count: int) -> list[str]:
    chance = random.Random(7)
    texts = []
    for _ in range(count):
        lines = chance.choices(LINES, k=chance.randrange(14)) + chance.choices(CONDEMNED, k=chance.random() < 0.3)
        chance.shuffle(lines)
        texts.append("".join(line + chance.choice(ENDS) for line in lines))
    return texts


@pytest.mark.parametrize("reading", READINGS)
def test_made_texts(peer_python: str, reading: str) -> None:
    found = compared(made_texts(2000), reading, peer_python)
    assert found.differing == []
    assert (found.verdicts, found.reasons) == (found.texts, found.texts)
    assert found.texts * 0.1 < found.kept < found.texts * 0.9


@pytest.mark.full
@pytest.mark.parametrize("reading", READINGS)
def test_real_texts(peer_python: str, real_data: Path, reading: str) -> None:
    for name, texts in real_texts(real_data).items():
        found = compared(texts, reading, peer_python)
        assert (name, found.differing) == (name, [])
        assert (found.verdicts, found.reasons) == (found.texts, found.texts)
