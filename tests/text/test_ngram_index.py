"""The longest passage that a text shares with some items, against a twin that compares every run of words with every other."""

from hypothesis import given
from hypothesis import strategies as st

from curation.text.ngram_index import Lengths, NgramIndex
from curation.text.text import Text
from tests.meeting import meets, met

LONG = st.lists(st.sampled_from(["tide", "lever", "moon"]), max_size=14)
"""Few words, so that runs of them occur in several items and texts."""


@st.composite
def cut_from(draw: st.DrawFn, sources: list[list[str]]) -> list[str]:
    """A part of an item or an earlier text, among other words: it may end in the middle of what is searched for."""
    source = draw(st.sampled_from(sources))
    begin, end = sorted((draw(st.integers(0, len(source))), draw(st.integers(0, len(source)))))
    return [*draw(st.lists(st.sampled_from(["tide", "other"]), max_size=2)), *source[begin:end], *draw(st.sampled_from([[], ["other"]]))]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[list[str]], list[list[str]], Lengths]:
    items = draw(st.lists(LONG, min_size=1, max_size=4))
    texts: list[list[str]] = []
    for _ in range(draw(st.integers(1, 5))):
        texts.append(draw(st.one_of(cut_from([*items, *texts]), st.sampled_from(items))))
    fewest, smallest, size = sorted(draw(st.lists(st.integers(1, 8), min_size=3, max_size=3)))
    return items, texts, Lengths(size, smallest, draw(st.sampled_from([30, 60, 100])), fewest)


def length_for(words: int, rule: Lengths) -> int:
    if words < rule.fewest:
        return 0
    share = -(-words * rule.percent // 100)
    return min(words, max(rule.smallest, min(rule.size, share)))


def twin(items: list[list[str]], text: list[str], rule: Lengths) -> tuple[int, int, int]:
    """Return the length of the longest passage, the index of its item (-1: none) and its first word."""
    owners: dict[tuple[str, ...], int] = {}
    for index, item in enumerate(items):
        length = length_for(len(item), rule)
        for at in range(len(item) - length + 1 if length else 0):
            owners.setdefault(tuple(item[at : at + length]), index)
    best, first, after, owner = (0, -1, 0), 0, 0, -1
    for at in range(len(text)):
        for length in sorted(set(map(len, owners)), reverse=True):
            found = owners.get(tuple(text[at : at + length])) if at + length <= len(text) else None
            if found is None or at + length <= after:
                continue
            if at >= after:
                first, owner = at, found
            after = at + length
            if after - first > best[0]:
                best = (after - first, owner, first)
            break
    return best


@meets(shared=32, nothing=40, of_several_lengths=40, longer_than_one_run=10, begins_an_item=10)
@given(worlds())
def test_the_longest_passage_is_that_of_the_twin(world: tuple[list[list[str]], list[list[str]], Lengths]) -> None:
    items, texts, rule = world
    index = NgramIndex.of([" ".join(item) for item in items], rule)
    column = Text.from_strings([", ".join(text) for text in texts])
    found = index.longest_passages(column.words)
    for place, text in enumerate(texts):
        words, item, first = twin(items, text, rule)
        assert (found.words[place], found.items[place]) == (words, item)
        span = column.string(place).encode()[found.starts[place] : found.ends[place]].decode()
        assert span == ", ".join(text[first : first + words])
        assert words == 0 or len(", ".join(text[:first])) + (2 if first else 0) == found.starts[place]
        met["shared" if words else "nothing"] += 1
        met["of_several_lengths"] += len(index.lengths) > 1
        met["longer_than_one_run"] += words > max(index.lengths, default=0)
        ends = [text[-count:] for count in range(min(index.lengths, default=99), len(text))]
        met["begins_an_item"] += any(item[: len(end)] == end and len(item) > len(end) for item in items for end in ends)
