"""Headers of Parquet pages, written here by hand in Thrift's compact encoding: what they announce, however long they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.readers.parquet_pages import _Cut, announced_values
from tests.meeting import meets, met

I32, BINARY, LIST, STRUCT, DOUBLE, TRUE, FALSE = 5, 8, 9, 12, 7, 1, 2
DATA, INDEX, DICTIONARY, DATA_V2 = 0, 1, 2, 3


def unsigned(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + unsigned(number >> 7) if number > 0x7F else bytes([number])


def signed(number: int) -> bytes:
    return unsigned(number << 1 if number >= 0 else (-number << 1) - 1)


def struct(*fields: tuple[int, int, bytes]) -> bytes:
    """Write fields (number, type, value): a number that follows closely is a difference, any other is written out."""
    written, last = b"", 0
    for number, kind, value in fields:
        near = 0 < number - last < 16
        written += (bytes([number - last << 4 | kind]) if near else bytes([kind]) + signed(number)) + value
        last = number
    return written + b"\0"


def page(kind: int, values: int, packed: int, statistics: int = 0) -> bytes:
    """Write a page with its header; the header holds `statistics` bytes of statistics."""
    inner = struct((1, I32, signed(values)), (5, STRUCT, struct((1, BINARY, unsigned(statistics) + b"s" * statistics), (40, TRUE, b""))))
    described = {DATA: 5, INDEX: 6, DICTIONARY: 7, DATA_V2: 8}[kind]
    return struct((1, I32, signed(kind)), (2, I32, signed(packed)), (3, I32, signed(packed)), (described, STRUCT, inner)) + b"p" * packed


PAGES = st.tuples(
    st.sampled_from([DATA, INDEX, DICTIONARY, DATA_V2]), st.integers(0, 300), st.integers(0, 300), st.sampled_from([0, 1, 250, 5000])
)


@meets(data=40, long=20, enough=10)
@given(st.lists(PAGES, max_size=6), st.integers(0, 900))
def test_pages_announce_the_sum_of_their_values(pages: list[tuple[int, int, int, int]], expected: int) -> None:
    content = b"before" + b"".join(page(*each) for each in pages)
    values = 0
    for kind, count, _, statistics in pages:
        if values >= expected:
            met["enough"] += 1
            break
        values += count if kind in (DATA, DATA_V2) else 0
        met["data"] += kind in (DATA, DATA_V2)
        met["long"] += statistics > 1000
    assert announced_values(lambda at, size: content[at : at + size], 6, len(content) - 6, expected) == values


@pytest.mark.parametrize("statistics", [200_000, 1_500_000])
def test_a_long_header_is_read_to_its_end(statistics: int) -> None:
    content = page(DATA, 7, 3, statistics) + page(DATA, 5, 3)
    assert announced_values(lambda at, size: content[at : at + size], 0, len(content), 100) == 12


@pytest.mark.parametrize(
    "header",
    [
        page(DATA, 7, 3)[:5],
        page(DATA, -7, 3),
        page(DATA, 7, 0)[:4] + b"\xff" * 12,
        struct((1, I32, signed(DATA)), (5, STRUCT, struct((1, I32, signed(7))))),
        struct((1, I32, signed(DATA)), (3, I32, signed(-1)), (5, STRUCT, struct((1, I32, signed(7))))),
        struct((1, I32, signed(DATA)), (3, I32, signed(0))),
        struct((1, I32, signed(DATA)), (3, I32, signed(0)), (5, I32, signed(7))),
        struct((1, 14, b""), (3, I32, signed(0))),
    ],
)
def test_what_is_no_header_announces_nothing(header: bytes) -> None:
    assert announced_values(lambda at, size: header[at : at + size], 0, len(header), 100) is None


def test_every_kind_of_value_is_passed_over_or_read() -> None:
    numbers = b"".join(map(signed, (0, -1, 1 << 40)))
    numbers = bytes([3 << 4 | I32]) + b"".join(map(signed, (0, -1, 1 << 40)))
    bits = bytes([0xF0 | TRUE]) + unsigned(16) + b"\1" * 16
    content = struct(
        *((1, DOUBLE, b"12345678"), (2, LIST, numbers), (3, 3, b"x"), (20, LIST, bits), (21, FALSE, b""), (22, TRUE, b"")),
        (23, STRUCT, struct((1, 6, signed(-5)))),
    )
    cut = _Cut(content + b"rest")
    assert cut.struct() == {1: None, 2: [0, -1, 1 << 40], 3: None, 20: [1] * 16, 21: False, 22: True, 23: {1: -5}}
    assert cut.at == len(content)
    for broken in (
        content[:-1],
        struct((1, LIST, bytes([0xF0 | DOUBLE]) + unsigned(1 << 60))),
        struct((1, BINARY, unsigned(99) + b"short")),
    ):
        with pytest.raises(IndexError):
            _Cut(broken).struct()
    nested = struct()
    for _ in range(9):
        nested = struct((1, STRUCT, nested))
    with pytest.raises(ValueError, match="nested too deeply"):
        _Cut(nested).struct()
    with pytest.raises(ValueError, match="overlong"):
        _Cut(bytes([1 << 4 | I32]) + b"\xff" * 11).struct()
