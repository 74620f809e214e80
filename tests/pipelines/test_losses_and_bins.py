"""Sources that lost too much, the edges of a histogram's bins, and tables that TOML cannot hold."""

import math
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import RecipeError
from pipelines.inspect import funnel
from pipelines.inspect.funnel import CUT_STAGE
from pipelines.inspect.histogram import grid
from pipelines.recipes.toml_text import write_toml
from tests.meeting import meets, met


def counts(*rows: tuple[str, str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, ["source", "stage", "fate", "documents"], orient="row")


def test_sources_that_lost_most_come_first_and_limits_are_not_passed_by_being_met() -> None:
    told = funnel._alarms(
        counts(
            *[("half", "4-deduplicate", "duplicate", 50), ("half", "6-select", "kept", 50)],
            *[("most", "4-deduplicate", "duplicate", 90), ("most", "6-select", "kept", 5), ("most", CUT_STAGE, "dropped", 5)],
            *[("also", "4-deduplicate", "duplicate", 90), ("also", "6-select", "kept", 10), ("also", "3-judge", "dropped", 900)],
            *[("met", "4-deduplicate", "duplicate", 40), ("met", "6-select", "kept", 60)],
            *[("small", "4-deduplicate", "duplicate", 99)],
        ),
        SimpleNamespace(alarm_documents=100, alarm_share=0.4),  # type: ignore[arg-type]  # all that is read of the settings
    )
    assert [(loss.source, loss.documents, loss.share) for loss in told] == [("also", 100, 0.9), ("most", 100, 0.9), ("half", 100, 0.5)]
    assert funnel._alarms(counts(("most", "4-deduplicate", "duplicate", 1000)), None) == []


@meets(log=13, linear=15)
@given(st.floats(-6, 6), st.floats(0, 14), st.floats(0, 1), st.booleans())
def test_edges_rise_and_cover_all_values(least_power: float, decades: float, middle_share: float, whole: bool) -> None:
    least = 10.0**least_power
    high = least * 10.0**decades
    if whole:
        least, high = float(math.ceil(least)), float(math.ceil(high))
    scale, edges = grid(0.0, least + (high - least) * middle_share**4, high, least, whole)
    met[scale] += 1
    assert all(before < after for before, after in pairwise(edges))
    assert edges[0] <= 0.0
    assert edges[-1] >= high
    assert len(edges) <= 70
    if scale == "log":
        assert edges[-2] <= high * 2


@pytest.mark.parametrize("value", [math.nan, [1.0, math.nan], {"inner": {"x": math.nan}}])
def test_a_table_that_toml_does_not_give_back_is_refused(value: Any) -> None:
    with pytest.raises(RecipeError, match="cannot be written back as TOML"):
        write_toml({"a": value})
    assert write_toml({"a": 1.5}) == "a = 1.5\n"
