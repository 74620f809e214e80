"""Survivors: numbers that are in the order of what they stand for."""

from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from curation.duplicates.gather import COMPARED
from curation.duplicates.survivors import BEST_FIRST, ranks
from curation.schema import KEY, TIMESTAMP
from curation.shuffle.exchange import order_of
from tests.meeting import meets, met

FLOATS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, -0.0, 1.5, -1.5]))
DATES = st.one_of(st.none(), st.datetimes(datetime(1960, 1, 1), datetime(2030, 1, 1)).map(lambda date: date.replace(microsecond=0)))


@meets(moved=100)
@given(st.lists(st.tuples(st.integers(-3, 2), st.integers(0, 3), FLOATS, st.integers(0, 9), DATES, st.binary(min_size=16, max_size=16))))
def test_ranks_are_in_the_order_of_what_they_stand_for(documents):
    columns = {"priority": pl.Int64, "source": pl.Int64, "preference": pl.Float64, "length": pl.Int64, "date": pl.Datetime("us", "UTC")}
    frame = pl.DataFrame([row[:5] for row in documents], columns, orient="row").with_row_index("number", 0)
    frame = frame.with_columns(key=pl.Series([row[5] for row in documents], dtype=pl.Binary), preference=pl.col("preference") + 0.0)
    expected = frame.sort(
        ["priority", "source", "preference", "length", "date", "key", "number"],
        descending=[False, False, True, True, False, False, False],
        nulls_last=True,
    )
    met["moved"] += sum(place != number for place, number in enumerate(expected["number"]))
    ranked = [COMPARED.empty_table().select(BEST_FIRST)]
    for place, (priority, source, value, length, date, key) in enumerate(documents):
        column = pa.array([None if date is None else date.replace(tzinfo=UTC)], TIMESTAMP)
        of_one = ranks(priority, pa.array([source]), pa.array([value], pa.float64()), pa.array([length]), column)
        ranked.append(pa.table({**of_one, "key": pa.array([key], KEY), "number": [place]}, schema=ranked[0].schema))
    assert order_of(pa.concat_tables(ranked), BEST_FIRST).tolist() == expected["number"].to_list()
