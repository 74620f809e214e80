"""Marked passages: together they are the text, and each byte has the mark of the first span that may cover it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.serve import marks
from pipelines.serve.marks import Mark, Passage, benchmark_spans, capped, marked_text, mask_spans
from tests.meeting import meets, met

TEXTS = st.text(st.sampled_from("abcdefg é€😀\n"), max_size=12)
_PLACES = st.tuples(st.integers(-1, 10), st.integers(0, 5), st.sampled_from(["cut", "benchmark", "mask"]))
SPANS = st.lists(_PLACES.map(lambda place: (place[0], place[0] + place[1], place[2])), min_size=2, max_size=8)


def painted(text: str, spans: list[Mark]) -> str:
    """Say for each character which span marks it, by trying spans one after the other."""
    begins = [len(text[:place].encode()) for place in range(len(text) + 1)]
    kinds = [" "] * len(text)
    for start, end, kind in spans:
        if start < end and start in begins and end in begins:
            within = range(begins.index(start), begins.index(end))
            if all(kinds[place] == " " for place in within):
                for place in within:
                    kinds[place] = kind[0]
    return "".join(kinds)


@meets(marked=148, overlapping=84, within_characters=100)
@settings(max_examples=400)
@given(TEXTS.filter(lambda text: len(text) > 3), SPANS)
def test_each_character_has_the_mark_of_the_first_span_that_fits(text: str, spans: list[Mark]) -> None:
    found = marked_text(text, spans)
    assert "".join(passage.text for passage in found.passages) == text
    assert "".join((passage.kind or " ")[0] * len(passage.text) for passage in found.passages) == painted(text, spans)
    begins = {len(text[:place].encode()) for place in range(len(text) + 1)}
    inside = [(start, end) for start, end, _ in spans if 0 <= start < end <= len(text.encode())]
    whole = [span for span in inside if begins.issuperset(span)]
    met["marked"] += bool(found.kinds)
    met["overlapping"] += any(a < d and c < b for place, (a, b) in enumerate(whole) for c, d in whole[:place])
    met["within_characters"] += len(whole) < len(inside)


@meets(whole=10, cut_off=10)
@given(st.lists(st.tuples(TEXTS, st.sampled_from(["", "cut"])), max_size=6), st.integers(0, 40))
def test_what_is_shown_and_what_is_left_out_are_the_whole(pieces: list[tuple[str, str]], most: int) -> None:
    before, marks.LONGEST_SHOWN = marks.LONGEST_SHOWN, most
    try:
        found = capped(Passage(*piece) for piece in pieces)
    finally:
        marks.LONGEST_SHOWN = before
    whole = "".join(text for text, _ in pieces)
    assert "".join(passage.text for passage in found.passages) == whole[:most]
    assert found.more == max(0, len(whole) - most)
    met["cut_off" if found.more else "whole"] += 1


def test_a_passage_of_a_benchmark_is_found_even_if_it_was_cut_off_within_a_character() -> None:
    text = "Es war: größer als zuvor."
    assert benchmark_spans(text, {"span": "größer als"}) == [(8, 20, "benchmark")]
    assert benchmark_spans(text, {"span": "grö\ufffd"}) == [(8, 12, "benchmark")]
    assert benchmark_spans(text, {"span": "kleiner"}) == benchmark_spans(text, {"span": 5}) == benchmark_spans(text, {}) == []


def test_only_masks_of_kinds_that_were_masked_here_are_marked() -> None:
    text = "Write <email> or call <phone>; <email> is a word of mail."
    assert mask_spans(text, {"edits.pii.phone": "1"}, {}) == [(22, 29, "mask")]
    assert [start for start, _, _ in mask_spans(text, {"edits.pii.email": "2"}, {})] == [6, 31]
    assert mask_spans(text, {}, {}) == []
    assert mask_spans("the [email] here", {"edits.pii.email": "1"}, {"edit": [{"name": "pii", "mask": "[{kind}]"}]}) == [(4, 11, "mask")]
