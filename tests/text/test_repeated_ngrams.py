"""Repeated n-grams in both readings, against twins that keep every n-gram as a tuple."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from curation.text.repeated_ngrams import DUPLICATED, TOP, covered_characters, repeated_characters
from curation.text.text import Text
from curation.text.words import Words
from tests.meeting import meets, met

FEW = st.lists(st.sampled_from(["tide", "a", "moon", "!"]), max_size=40)
"""Few words, so that runs of them repeat."""
PASSAGES = st.lists(st.sampled_from(["a b c d e f g h i j k l", "a b c d e", "x", "y z", "!"]), max_size=8).map(" ".join).map(str.split)
TEXTS = st.lists(st.one_of(FEW, PASSAGES), min_size=1, max_size=4)


def words_of(texts: list[list[str]]) -> Words:
    return Text.from_strings([" ".join(text) for text in texts]).words


def grams(tokens: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)]


def length(gram: tuple[str, ...]) -> int:
    return sum(map(len, gram))


def repeated(tokens: list[str]) -> list[int]:
    """As datatrove counts: see the docstring of the module."""
    found = []
    for size in TOP:
        counts = Counter(grams(tokens, size))
        top, times = counts.most_common(1)[0] if counts else ((), 0)  # the first of several
        found.append(times * (length(top) + size - 1) if counts else 0)
    for size in DUPLICATED:
        read, at, characters = set[tuple[str, ...]](), 0, 0
        while at + size <= len(tokens):
            gram = tuple(tokens[at : at + size])
            if gram in read:
                characters += length(gram)
                at += size
            else:
                read.add(gram)
                at += 1
        found.append(characters)
    return found


def covered(tokens: list[str]) -> list[int]:
    """As DCLM counts: words alone."""
    words = [token for token in tokens if token.isalnum()]
    found = []
    for size in TOP:
        counts = Counter(grams(words, size))
        most = max(counts.values(), default=0)
        found.append(most * max((length(gram) for gram, times in counts.items() if times == most), default=0) if most > 1 else 0)
    for size in DUPLICATED:
        counts, places = Counter(grams(words, size)), set[int]()
        for at, gram in enumerate(grams(words, size)):
            if counts[gram] > 1:
                places |= set(range(at, at + size))
        found.append(sum(len(words[place]) for place in places))
    return found


@meets(top=60, duplicated=30, long=10, symbols=20)
@given(TEXTS)
def test_both_readings_are_those_of_their_twins(texts: list[list[str]]) -> None:
    words = words_of(texts)
    assert repeated_characters(words).T.tolist() == [repeated(text) for text in texts]
    assert covered_characters(words).T.tolist() == [covered(text) for text in texts]
    for text in texts:
        met["top"] += any(times > 1 for times in Counter(grams(text, 2)).values())
        met["duplicated"] += repeated(text)[len(TOP)] > 0
        met["long"] += repeated(text)[-1] > 0
        met["symbols"] += "!" in text


def test_a_long_text_is_counted_as_its_twin_counts_it() -> None:
    """Enough n-grams for tables of several sizes, and for slots that two of them share."""
    text = [f"w{number * number % 1009}" for number in range(3000)]
    batch = [text, text[:700], ["one"], text[:33] * 3, []]
    words = words_of(batch)
    assert repeated_characters(words).T.tolist() == [repeated(each) for each in batch]
    assert covered_characters(words).T.tolist() == [covered(each) for each in batch]
    assert repeated(text)[0] > 0
