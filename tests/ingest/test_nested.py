"""Nested columns as JSON: which types can be written, and what their values become."""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.readers.nested import is_readable, nested_values
from tests.meeting import meets, met
from tests.reading import read_path

INT, TEXT = pa.int64(), pa.string()


def deep(levels: int) -> pa.DataType:
    kind = INT
    for _ in range(levels):
        kind = pa.struct([("a", kind)])
    return kind


@pytest.mark.parametrize(
    ("kind", "readable"),
    [
        *((kind, True) for kind in (INT, TEXT, pa.large_string(), pa.string_view(), pa.bool_(), pa.null())),
        *((kind, True) for kind in (pa.float32(), pa.decimal128(9, 2))),
        *((kind, True) for kind in (pa.date32(), pa.timestamp("us"), pa.time64("us"), pa.duration("s"), pa.dictionary(pa.int8(), TEXT))),
        *((kind, False) for kind in (pa.binary(), pa.large_binary(), pa.binary(4), pa.month_day_nano_interval())),
        (pa.struct([]), True),
        (pa.struct([("a", INT), ("b", TEXT)]), True),
        (pa.struct([("a", INT), ("b", pa.binary())]), False),
        (pa.map_(TEXT, INT), True),
        (pa.map_(pa.binary(), INT), False),
        (pa.map_(TEXT, pa.binary()), False),
        (pa.list_(TEXT), True),
        (pa.large_list(TEXT), True),
        (pa.list_(INT, 3), True),
        (pa.list_(pa.binary()), False),
        (pa.list_(pa.float32()), False),  # a vector
        (pa.list_(pa.list_(pa.float32())), True),
        (pa.struct([("a", pa.list_(pa.float32()))]), True),
        (pa.dictionary(pa.int8(), pa.binary()), False),
        (deep(32), True),
        (deep(33), False),
    ],
)  # fmt: skip
def test_what_json_can_hold_is_readable(kind: pa.DataType, readable: bool) -> None:
    assert is_readable(kind) is readable


def test_values_become_what_json_can_hold() -> None:
    when = datetime(2026, 11, 30, 12, 30)
    rows: list[dict[str, Any] | None] = [
        {"t": when, "d": date(2026, 1, 2), "h": time(1, 2, 3), "m": Decimal("1.50"), "s": timedelta(seconds=90), "l": [1, None], "n": 0.5},
        None,
    ]
    times = {"t": pa.timestamp("us"), "d": pa.date32(), "h": pa.time64("us"), "s": pa.duration("s")}
    kind = pa.struct({**times, "m": pa.decimal128(9, 2), "l": pa.list_(INT), "n": pa.float64()}.items())
    found = nested_values(pa.array(rows, kind))
    assert found == [
        {"t": "2026-11-30T12:30:00", "d": "2026-01-02", "h": "01:02:03", "m": "1.50", "s": "0:01:30", "l": [1, None], "n": 0.5},
        None,
    ]
    json.dumps(found)
    keyed = pa.array([[(date(2026, 1, 2), Decimal("1.5"))]], pa.map_(pa.date32(), pa.decimal128(9, 1)))
    assert nested_values(keyed) == [{"2026-01-02": "1.5"}]


LATE = 253_402_300_800
"""Seconds from 1970 to the year 10000, which Python does not have."""


def test_a_time_that_python_cannot_represent_is_written_as_arrow_writes_it() -> None:
    times = pa.array([LATE, 0, None], pa.timestamp("s"))
    assert nested_values(times) == ["10000-01-01 00:00:00", "1970-01-01T00:00:00", None]
    assert nested_values(pa.array([1 << 62, 90], pa.duration("s"))) == [str(1 << 62), "0:01:30"]
    names = pa.DictionaryArray.from_arrays(pa.array([0, 0, 1]), pa.array([b"a\xff", b"b"], pa.binary()).view(TEXT))
    fields = pa.StructArray.from_arrays([times, pa.ListArray.from_arrays([0, 1, 2, 3], times), names], ["at", "all", "name"])
    assert nested_values(fields) == [
        {"at": "10000-01-01 00:00:00", "all": ["10000-01-01 00:00:00"], "name": "a\ufffd"},
        {"at": "1970-01-01T00:00:00", "all": ["1970-01-01T00:00:00"], "name": "a\ufffd"},
        {"at": None, "all": [None], "name": "b"},
    ]


def test_such_a_time_costs_no_record(tmp_path: Path) -> None:
    facts = pa.array([{"at": LATE}, {"at": 0}], pa.struct([("at", pa.timestamp("s"))]))
    pq.write_table(pa.table({"text": ["one", "two"], "facts": facts}), tmp_path / "a.parquet")
    outcomes = read_path(tmp_path / "a.parquet")
    assert [getattr(outcome, "payload", None) for outcome in outcomes] == ["one", "two"]


TEXTS = st.lists(st.none() | st.binary(max_size=4).filter(lambda raw: b"\0" not in raw), max_size=3)


@meets(broken=20, sound=10)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_broken_strings_cost_themselves_only(rows: list[list[bytes | None]]) -> None:
    """Strings that are no UTF-8, as a list, as a struct's field, and as keys and values of a map."""

    def said(raw: bytes | None) -> str | None:
        return None if raw is None else raw.decode("utf-8", "replace")

    inner = pa.array([raw for row in rows for raw in row], pa.binary()).view(TEXT)
    offsets = pa.array([sum(map(len, rows[:place])) for place in range(len(rows) + 1)], pa.int32())
    assert nested_values(pa.ListArray.from_arrays(offsets, inner)) == [[said(raw) for raw in row] for row in rows]
    flat = [raw for row in rows for raw in row]
    numbers = pa.array(range(len(flat)), INT)
    fields = pa.StructArray.from_arrays([inner, numbers], ["s", "n"])
    assert nested_values(fields) == [{"s": said(raw), "n": number} for number, raw in enumerate(flat)]
    keys = pa.array([f"k{number}" for number in range(len(flat))], TEXT)
    maps = pa.MapArray.from_arrays(pa.array([0, len(flat)], pa.int32()), keys, inner)
    assert nested_values(maps) == [{f"k{number}": said(raw) for number, raw in enumerate(flat)}]
    met["broken"] += sum("\ufffd" in (said(raw) or "") for raw in flat)
    met["sound"] += sum(raw is not None and "\ufffd" not in (said(raw) or "") for raw in flat)
