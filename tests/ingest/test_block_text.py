"""What blocks and elements say of their text and their class names: the counts and the groups against plain twins."""

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.extraction.page_blocks.block_text import (
    BEYOND_ASCII,
    CAPITAL_WORDS,
    CAPITALS,
    COMMAS,
    DIGITS,
    LETTERS_IN,
    LONG_WORDS,
    SENTENCE_ENDS,
    SHORT_WORDS,
    SIGNS,
    WORDS,
)
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.reading import block_texts, read_page
from curation.ingest.extraction.page_blocks.vocabulary import GROUPS, NOTICES
from tests.meeting import meets, met

WORDS_OF_TEXT = (
    "Sea tide e-mail Read more: share 12 3.5 end. Why? Stop! a,b; Ångström です。 甲，乙 and/or | aBC - Conversation ninechars eightchr"
)
TEXT = st.lists(st.sampled_from(WORDS_OF_TEXT.split()), min_size=1, max_size=9).map(" ".join)
PARTS = ["sidebar", "entry", "content", "Content", "nav", "NAV", "x1", "Comment", "comments", "story", "Body", "text", "page2"]
NAMES = st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3), min_size=1, max_size=3)


def cut_of(html: str) -> Cut:
    reading = read_page(html)
    assert reading is not None
    return reading.cut


def plain_counts(text: str) -> dict[int, int]:
    words = text.encode().split()
    letters = b"".join(words)
    return {
        LETTERS_IN: len(letters),
        WORDS: len(words),
        DIGITS: len(re.findall(rb"[0-9]", letters)),
        CAPITALS: len(re.findall(rb"[A-Z]", letters)),
        SENTENCE_ENDS: len(re.findall("[.!?。]", text)),
        COMMAS: len(re.findall("[,;，]", text)),
        BEYOND_ASCII: len(re.findall(rb"[\x80-\xff]", letters)),
        CAPITAL_WORDS: sum(bool(re.match(rb"[A-Z]", word)) for word in words),
        SHORT_WORDS: sum(len(word) <= 3 for word in words),
        LONG_WORDS: sum(len(word) >= 9 for word in words),
        SIGNS: len(re.findall(rb"[|/]", letters)),
    }


def plain_notices(text: str) -> list[int]:
    keys = [re.sub("[^a-z-]", "", word.lower()) for word in text.split()]
    return [sum(key in group.split() for key in keys) for group in NOTICES]


@meets(sentence_ends=60, commas=30, notices=60, long_words=30)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_counts_of_a_block_are_those_of_the_plain_twin(texts: list[str]) -> None:
    cut = cut_of("".join(f"<p>{text}</p>" for text in texts))
    shown = [text.strip() for text in block_texts(cut)]
    assert shown == texts
    for text, block, notices in zip(shown, cut.blocks.tolist(), cut.notices.tolist(), strict=True):
        expected = plain_counts(text)
        assert {column: block[column] for column in expected} == expected, text
        assert notices == plain_notices(text), text
        met["sentence_ends"] += expected[SENTENCE_ENDS]
        met["commas"] += expected[COMMAS]
        met["long_words"] += expected[LONG_WORDS]
        met["notices"] += sum(notices)


def plain_groups(names: str) -> set[int]:
    """The groups of the words of each name, and of the name without what is between its words."""
    looked_up = set()
    for name in names.split():
        words = re.findall("[A-Za-z]+", re.sub("(?<=[a-z])(?=[A-Z])", " ", name))
        looked_up |= {word.lower() for word in [*words, "".join(words)]}
    return {place for place, group in enumerate(GROUPS) if looked_up & set(group.split())}


@meets(several=30, of_the_whole=2)
@given(NAMES, st.sampled_from(["-", "_", ""]), st.sampled_from(["class", "id", "role", "itemprop"]))
def test_groups_of_a_name_are_those_of_the_plain_twin(names: list[list[str]], between: str, attribute: str) -> None:
    written = " ".join(between.join(parts) for parts in names)
    groups = int(np.bitwise_or.reduce(cut_of(f'<div {attribute}="{written}">A text.</div>').groups))
    expected = plain_groups(written)
    assert {place for place in range(len(GROUPS)) if groups >> place & 1} == expected, written
    met["several"] += len(expected) > 1
    met["of_the_whole"] += bool(expected - plain_groups(re.sub("[^a-z]|(?=[A-Z])", " ", written)))
