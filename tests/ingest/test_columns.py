"""Columns of a batch become the values that their scalars hold, however odd they are and however the batch is cut into pieces."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.readers import Record, columns
from curation.ingest.readers.columns import as_binary, is_string, python_rows
from curation.text.text import Text
from tests.ingest.test_readers_rows import parquet
from tests.meeting import meets, met
from tests.reading import read_bytes

STRINGS = st.one_of(
    st.none(), st.binary(max_size=12), st.text(max_size=12).map(str.encode), st.sampled_from([b"", b"a\0b", b"\xed\xa0\x80", b"\xc0\x80"])
)
NUMBERS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))


def reinterpreted(values: list[bytes | None], kind: Any) -> Any:
    """Return bytes as an array of a string type, whether they are UTF-8 or not, cut out of a longer one."""
    large = kind in (pa.large_string(), pa.large_binary())
    array = pa.array([b"before", *values, b"after"], pa.large_binary() if large else pa.binary())
    return pa.Array.from_buffers(kind, len(array), array.buffers())[1:-1]


def dictionary(values: list[bytes | None], kind: Any) -> Any:
    encoded = pa.array(values, pa.binary()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices, reinterpreted(encoded.dictionary.to_pylist(), kind))


def of_scalar(scalar: Any) -> Any:
    """Return a scalar's value, strings as their bytes: the plain way, one value at a time."""
    if isinstance(scalar, pa.DictionaryScalar):
        scalar = scalar.value
    if not scalar.is_valid:
        return None
    if hasattr(scalar, "as_buffer"):
        return scalar.as_buffer().to_pybytes()
    if not pa.types.is_temporal(scalar.type):
        return scalar.as_py()
    try:
        return scalar.cast(pa.string()).as_py()
    except pa.ArrowException:
        return str(scalar.cast(pa.int64()).as_py())


@st.composite
def batches(draw) -> list[Any]:
    rows = draw(st.integers(0, 12))
    strings = draw(st.lists(st.lists(STRINGS, min_size=rows, max_size=rows), min_size=1, max_size=3))
    kinds = st.sampled_from([pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
    made = [draw(st.sampled_from([reinterpreted, dictionary]))(values, draw(kinds)) for values in strings]
    numbers = draw(st.lists(NUMBERS, min_size=rows, max_size=rows))
    for kind in (pa.int64(), pa.timestamp("ns"), pa.timestamp("s", "Europe/Berlin"), pa.duration("us"), pa.timestamp("us", "No/Where")):
        array = pa.array(numbers, pa.int64()).cast(kind)
        made.append(draw(st.sampled_from([array, array.dictionary_encode()])))
    return draw(st.permutations(made))


@meets(values=1000, missing=400)
@given(batches(), st.integers(0, 40))
def test_values_are_those_of_scalars(made, piece_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "PIECE_BYTES", piece_bytes)
        rows = list(python_rows(made))
    expected = list(zip(*([of_scalar(scalar) for scalar in column] for column in made), strict=True))
    plain = [
        tuple(
            value.encode() if is_string_column(column) and isinstance(value, str) else value
            for value, column in zip(values, made, strict=True)
        )
        for _, values in rows
    ]
    assert plain == expected
    assert [size for size, _ in rows] == [sum(len(value) for value in values if isinstance(value, bytes)) for values in expected]
    met["values"] += sum(len(values) for values in expected)
    met["missing"] += sum(value is None for values in expected for value in values)


def test_nested_values_count_towards_the_size_of_a_row():
    """A dataset of conversations holds its text in lists: pieces are cut by their bytes too."""
    lists = pa.array([["a" * 500] * 4, ["b" * 500] * 4])
    sizes = [size for size, _ in python_rows([pa.array(["xy", "z"]), lists])]
    assert sizes == [2 + lists.nbytes // 2, 1 + lists.nbytes // 2]
    assert sum(sizes) > 4000


def is_string_column(column: Any) -> bool:
    return is_string(column.type.value_type if pa.types.is_dictionary(column.type) else column.type)


@meets(bytes=500, missing=20)
@given(st.lists(STRINGS, max_size=12), st.sampled_from([reinterpreted, dictionary]), st.sampled_from([pa.string(), pa.large_string()]))
def test_as_binary_keeps_the_bytes(values, made, kind):
    assert as_binary(made(values, kind)).to_pylist() == values
    assert as_binary(pa.array(["é", None], pa.string_view())).to_pylist() == ["é".encode(), None]
    met["bytes"] += sum(map(len, filter(None, values)))
    met["missing"] += values.count(None)


@meets(read=60, refused=70)
@given(st.lists(st.tuples(STRINGS, STRINGS, STRINGS), min_size=1, max_size=12), st.integers(0, 40))
def test_what_a_row_becomes_does_not_depend_on_its_neighbours(rows, piece_bytes):
    names = ("id", "text", "note")
    table = pa.table({name: reinterpreted(list(values), pa.string()) for name, values in zip(names, zip(*rows, strict=True), strict=True)})
    whole = read_bytes("a.parquet", parquet(table))
    alone = [read_bytes("a.parquet", parquet(table[number : number + 1])) for number in range(min(3, len(rows)))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "PIECE_BYTES", piece_bytes)
        assert read_bytes("a.parquet", parquet(table)) == whole
    without_number = [[*map(repr, vars_of(outcome))] for outcome in whole[:3]]
    assert [[*map(repr, vars_of(outcome))] for [outcome] in alone] == without_number
    met["read"] += sum(isinstance(outcome, Record) for outcome in whole)
    met["refused"] += sum(not isinstance(outcome, Record) for outcome in whole)


def vars_of(outcome: Any) -> list[Any]:
    """Return an outcome's facts but for its place."""
    facts = outcome._asdict() if hasattr(outcome, "_asdict") else dict(vars(outcome))
    del facts["offset"]
    return [type(outcome), *facts.items()]


@meets(bytes=900, empty=9)
@given(st.lists(st.text(max_size=20)))
def test_texts_end_to_end_are_the_column_of_their_strings(texts):
    encoded = [text.encode("utf-8", "replace") for text in texts]
    column = Text.from_utf8(b"".join(encoded), [len(text) for text in encoded])
    assert [column.string(index).encode() for index in range(len(column))] == encoded
    assert column.to_arrow().equals(Text.from_strings([text.decode() for text in encoded]).to_arrow())
    met["bytes"] += sum(map(len, encoded))
    met["empty"] += encoded.count(b"")
