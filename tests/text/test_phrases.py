"""Looking for many phrases: the automaton against plain searching, and lower case as Python has it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from curation.text.phrases import Phrases, lower_cased
from curation.text.text import Text
from tests.meeting import meets, met

LETTERS = st.text(st.sampled_from("abk_ é中\u212a"), min_size=1, max_size=4)
TEXTS = st.text(st.sampled_from("abkABK_ é中.\u212a\u0301İΣ"), max_size=30)


@meets(found=7, none=20)
@given(st.lists(LETTERS.map(str.lower), min_size=1, max_size=6, unique=True), st.lists(TEXTS, max_size=3), st.booleans())
def test_phrases_equal_plain_searching(phrases: list[str], texts: list[str], flanked: bool) -> None:
    column = lower_cased(Text.from_strings(texts))
    found = Phrases.of(phrases).find(column, flanked)
    for row, text in enumerate(texts):
        pattern = r"(?<!\w)(?={}(?!\w))" if flanked else "(?={})"
        places = [
            (match.start(), -len(phrase), number)
            for number, phrase in enumerate(phrases)
            for match in re.finditer(pattern.format(re.escape(phrase)), text.lower())
        ]
        assert found.hits[row] == len(places)
        assert found.first[row] == (min(places)[2] if places else -1)
        met["found"] += len(places)
        met["none"] += not places


@meets(found=10)
@given(st.lists(LETTERS.map(str.lower), min_size=1, max_size=6, unique=True), st.text(st.sampled_from("abkABK_ é中"), max_size=20))
def test_flags_tell_all_phrases_that_end_in_a_state(phrases: list[str], text: str) -> None:
    automaton = Phrases.of(phrases)
    flags = automaton.flags([1 << number for number in range(len(phrases))])
    state, seen = 0, 0
    for byte in text.encode():
        state = int(automaton.moves[state + automaton.columns[byte]])
        seen |= int(flags[state])
    lowered = "".join(character.lower() if character.isascii() else character for character in text)
    met["found"] += seen.bit_count()
    assert seen == sum(1 << number for number, phrase in enumerate(phrases) if phrase in lowered)


def test_lower_case_is_python_s() -> None:
    everything = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    texts = [everything, "plain ASCII Text", "ΟΔΟΣ", "ǅ", ""]
    column = lower_cased(Text.from_strings(texts))
    assert [column.string(i) for i in range(len(texts))] == [everything.lower(), texts[1], "οδος", "ǆ", ""]
    plain = Text.from_strings(["plain ASCII Text", "größer"])
    assert lower_cased(plain) is plain


def test_only_the_kelvin_sign_becomes_an_ascii_letter_by_itself() -> None:
    """What lets C4's phrases be matched without bringing a text to lower case."""
    others = (chr(point) for point in range(0x80, 0x110000) if not 0xD800 <= point < 0xE000)
    assert [c for c in others if any(part.isascii() for part in c.lower())] == ["İ", "\u212a"]
    assert "İ".lower() == "i\u0307"  # so no phrase that goes on after its "i", as all of C4's do, matches it
