"""Two texts side by side: each side is its text, and without what is marked both are the same."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.serve.marks import Passage
from pipelines.serve.reading import shortened, side_by_side
from tests.meeting import meets, met

LINES = st.sampled_from(["", "One line.\n", "another line of words.\n", "another kind of words.\n", "another kind of line.\n", "\n"])


def joined(passages: list[Passage], without: str = "") -> str:
    return "".join(passage.text for passage in passages if passage.kind != without or not without)


@meets(same_lines=20, other_lines=28, other_words=10)
@given(st.lists(st.tuples(LINES, LINES), max_size=8), st.lists(LINES, max_size=4))
def test_each_side_is_its_text_and_both_are_one_without_what_is_marked(pairs: list[tuple[str, str]], same: list[str]) -> None:
    first, second = ("".join([*(pair[side] for pair in pairs), *same]) for side in (0, 1))
    left, right = side_by_side(first, second)
    assert (joined(left), joined(right)) == (first, second)
    assert joined(left, without="gone") == joined(right, without="new")
    assert {passage.kind for passage in left} <= {"", "gone"}
    assert {passage.kind for passage in right} <= {"", "new"}
    met["same_lines"] += any(passage.kind == "" and passage.text.endswith("\n") for passage in left)
    met["other_lines"] += first != second
    met["other_words"] += any(passage.kind == "" and not passage.text.endswith("\n") for passage in left)


@meets(shortened=10, whole=10)
@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from(["", "gone", "new"])), max_size=5))
def test_only_the_middle_of_long_equal_passages_is_left_out(pieces: list[tuple[int, str]]) -> None:
    changes = [Passage("four " * words, kind) for words, kind in pieces]
    found = shortened(changes)
    counts = [int(one.text.split()[0].replace(",", "")) for one in found if one.kind == "skipped"]
    shown = [one for one in found if one.kind != "skipped"]
    assert sum(counts) + sum(len(one.text) for one in shown) == sum(len(one.text) for one in changes)
    assert joined([one for one in shown if one.kind]) == joined([one for one in changes if one.kind])
    assert all(one.text.startswith("four") and one.text.endswith(" ") for one in shown if one.text)
    assert all(count >= 200 for count in counts)
    met["shortened" if counts else "whole"] += 1


def test_the_words_that_differ_are_marked_and_no_others() -> None:
    left, right = side_by_side("Same.\nthe old word stays\n", "Same.\nthe new word stays\n")
    assert left == [Passage("Same.\n"), Passage("the"), Passage(" old", "gone"), Passage(" word stays\n")]
    assert right == [Passage("Same.\n"), Passage("the"), Passage(" new", "new"), Passage(" word stays\n")]
