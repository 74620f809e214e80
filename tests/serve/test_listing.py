"""The order of a list: the first rows are those of a whole sort."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from pipelines.serve.listing import in_order_of_signal
from tests.meeting import meets, met

VALUES = st.one_of(st.none(), st.sampled_from([0.0, 1.5]), st.sampled_from([float("nan"), float("inf")]), st.integers(-1, 1).map(float))


@meets(few=15, all=5, ties_at_the_end=5)
@given(st.lists(VALUES, min_size=2, max_size=30), st.booleans(), st.integers(1, 12))
def test_the_first_rows_are_those_of_a_whole_sort(values: list[float | None], descending: bool, most: int) -> None:
    rows = pl.DataFrame({"_signal": values, "place": [number % 3 for number in range(len(values))], "row": list(range(len(values)))})
    rows = rows.with_columns(pl.col("_signal").cast(pl.Float64))
    found = in_order_of_signal(rows, descending, most)
    whole = rows.sort("_signal", "place", "row", descending=[descending, False, False], nulls_last=True)
    assert found[:most].equals(whole[:most], null_equal=True)
    met["few" if found.height < rows.height else "all"] += 1
    met["ties_at_the_end"] += most < found.height < rows.height
