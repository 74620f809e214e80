"""A column of texts as bytes and offsets: out of Arrow and back, rewritten, cut, and with its words and lines carried along."""

import dataclasses
from functools import cached_property

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.chunks import Chunks
from curation.text.column import TextColumn, offsets_of, rewritten
from curation.text.slicing import already_found, carry, slices
from curation.text.text import Text
from tests.meeting import meets, met

TEXTS = st.lists(st.text(st.sampled_from("aé漢 \n.1\u0301"), max_size=12), max_size=6)
KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


def strings(column: TextColumn) -> list[str]:
    return [column.string(index) for index in range(len(column))]


@meets(nulls=10, cut=10)
@given(st.lists(st.none() | st.text(st.sampled_from("aé漢"), max_size=5), max_size=6), st.sampled_from(KINDS), st.data())
def test_a_column_holds_the_strings_of_an_array(texts: list[str | None], kind: pa.DataType, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(texts)))
    stop = data.draw(st.integers(start, len(texts)))
    expected = [text or "" for text in texts[start:stop]]
    array = pa.array(texts, pa.string()).cast(kind).slice(start, stop - start)
    chunks = data.draw(st.sampled_from([[array], [array[:1], array[1:]], [array, array[:0]]]))
    for given_as in (array, pa.chunked_array(chunks, kind)):
        column = TextColumn.from_arrow(given_as)
        assert strings(column) == expected
        assert column.lengths.tolist() == [len(text.encode()) for text in expected]
        assert column.to_arrow().to_pylist() == expected
        assert not column.data.flags.writeable
        assert not column.offsets.flags.writeable
    met["nulls"] += None in texts[start:stop]
    met["cut"] += 0 < stop - start < len(texts)


def test_bytes_that_are_no_utf_8_are_told_by_a_sign() -> None:
    column = TextColumn.from_utf8(b"ab\xffcd", [3, 0, 2])
    assert strings(column) == ["ab\ufffd", "", "cd"]
    assert offsets_of(np.array([], np.int64)).tolist() == [0]


@meets(replaced=25, kept=40)
@given(TEXTS, st.dictionaries(st.integers(0, 5), st.text("xyz", max_size=9)), st.integers(0, 2))
def test_a_rewritten_column_has_the_new_texts_and_the_others(texts: list[str], new: dict[int, str], skipped: int) -> None:
    column = Text.from_arrow(pa.array(["skipped"] * skipped + texts, pa.large_string()).slice(skipped))
    new = {index: text for index, text in new.items() if index < len(texts)}
    after = rewritten(column, {index: text.encode() for index, text in new.items()})
    assert strings(after) == [new.get(index, text) for index, text in enumerate(texts)]
    assert (after is column) == (not new)
    assert type(after) is Text
    met["replaced"] += len(new)
    met["kept"] += len(texts) - len(new)


@meets(cut=30, whole=1)
@given(st.lists(st.tuples(st.text(st.sampled_from("aé漢 \n.1\u0301\u2028"), max_size=12), st.booleans()), max_size=6))
def test_what_was_found_is_carried_to_the_texts_that_stay(texts: list[tuple[str, bool]]) -> None:
    column = Text.from_strings([text for text, _ in texts])
    stays = np.array([stay for _, stay in texts], np.bool_)
    names = [name for name, value in vars(Text).items() if isinstance(value, cached_property)]
    assert {"words", "chunks", "lines", "sentences"} < set(names)
    for name in names:
        getattr(column, name)
    _ = column.words.folded
    chosen, again = column.where(stays), Text.from_strings([text for text, stay in texts if stay])
    assert strings(chosen) == strings(again)
    assert (chosen is column) == bool(stays.all())
    assert {name for name, _ in already_found(chosen)} == set(names)
    assert "folded" in vars(chosen.words)
    for name in names:
        carried, found = getattr(chosen, name), getattr(again, name)
        for field in dataclasses.fields(found):
            if field.name not in ("data", "text_offsets"):
                assert np.array_equal(getattr(carried, field.name), getattr(found, field.name)), field.name
    assert np.array_equal(chosen.words.folded, again.words.folded)
    met["cut"] += bool(stays.any() and not stays.all())
    met["whole"] += bool(stays.all())


def test_what_has_not_one_value_a_token_cannot_be_carried() -> None:
    @dataclasses.dataclass(frozen=True)
    class Odd:
        offsets: np.ndarray
        values: np.ndarray

    column = Text.from_strings(["a"])
    with pytest.raises(TypeError, match=r"Odd\.values does not have one value per token"):
        carry(Odd(np.array([0, 2]), np.zeros(3)), np.ones(1, np.bool_), column)
    assert slices(np.arange(6), np.array([0, 2, 2, 5, 6]), np.array([True, True, False, True])).tolist() == [0, 1, 5]


@meets(chunks=100, of_several=60, without_letters=40)
@given(TEXTS)
def test_chunks_are_the_parts_between_spaces(texts: list[str]) -> None:
    column = Text.from_strings(texts)
    chunks: Chunks = column.chunks
    expected = [text.split() for text in texts]
    assert chunks.counts.tolist() == list(map(len, expected))
    flat = [chunk for parts in expected for chunk in parts]
    assert chunks.characters.tolist() == list(map(len, flat))
    assert chunks.alphabetic.tolist() == [any(character in "aé漢" for character in chunk) for chunk in flat]
    for index, parts in enumerate(expected):
        own = slice(chunks.offsets[index], chunks.offsets[index + 1])
        tokens = column.words.strings(index)
        bounds = zip(chunks.firsts[own].tolist(), chunks.sizes[own].tolist(), strict=True)
        assert ["".join(tokens[first : first + size]) for first, size in bounds] == parts
        met["of_several"] += sum(size > 1 for size in chunks.sizes[own].tolist())
    met["chunks"] += len(flat)
    met["without_letters"] += sum(not value for value in chunks.alphabetic.tolist())
