"""The costs of a stage: a line through two runs, which is exact where costs are a line, and never tells a negative cost."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from curation.ingest.ingest import ingest_units
from curation.storage.location import Location
from curation.storage.source_file import SourceFile
from pipelines.plan.plan import SMALL_FILES, _chosen
from pipelines.plan.scaling import line_through
from tests.meeting import meets, met
from tests.running import curate

WHOLE = st.integers(0, 10**6)


@meets(both=40, parts=40)
@given(per_part=WHOLE, per_byte=WHOLE, parts=st.integers(1, 64), little=st.integers(1, 1000), times=st.integers(8, 1000))
def test_costs_on_a_line_give_the_line(per_part: int, per_byte: int, parts: int, little: int, times: int) -> None:
    size = little * parts * times
    line = line_through((1, little, per_part + little * per_byte), (parts, size, parts * per_part + size * per_byte))
    met["both"] += per_part > 0 and per_byte > 0
    met["parts"] += parts > 1
    assert line.at(3, 5) == approx(3 * per_part + 5 * per_byte, rel=1e-4, abs=1e-3)
    assert line.per_part == approx(per_part, rel=1e-4, abs=1e-4 * per_byte * size)


@meets(low=15, high=15)
@given(parts=st.integers(1, 64), little=st.integers(0, 1000), size=st.integers(0, 10**6), low=WHOLE, cost=WHOLE)
def test_the_line_goes_through_the_sample_and_no_cost_is_negative(parts: int, little: int, size: int, low: int, cost: int) -> None:
    line = line_through((1, little, low), (parts, size, cost))
    met["low" if low < cost else "high"] += 1
    assert line.per_part >= 0 and line.per_byte >= 0
    if size:
        assert line.at(parts, size) == approx(cost, abs=1e-3)


def test_the_disk_of_many_small_files_is_foretold(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(200):
        (tmp_path / "in" / f"{number:04}.jsonl").write_text(json.dumps({"id": str(number), "text": f"Note {number} of the day. " * 20}))
    told = json.loads(curate("plan", "score", tmp_path / "in", "--json"))
    curate("run", "score", tmp_path / "in", "--out", tmp_path / "out", "-q")
    stages = json.loads((tmp_path / "out" / "run.json").read_text())["sessions"][-1]["stages"]
    assert told["units"] > 60
    assert 0.5 < told["disk_bytes"] / sum(stage["bytes"] for stage in stages) < 2


@pytest.mark.parametrize(
    ("files", "size", "most"), [(20_000, 2_000, 4), (600, 500, 64), (5_000, 100_000, 1), (3, 2_000, 3), (40, 64 << 20, 8)]
)
def test_a_unit_of_the_sample_has_as_many_files_as_one_of_the_input(files: int, size: int, most: int) -> None:
    """Else the cost of a file would be told from units that are nearly empty, in which it does not show."""
    sources = [SourceFile(Location.of(f"/in/{number}"), f"{number}.jsonl", "in", size, 0) for number in range(files)]
    of_input, chosen = ingest_units(sources), _chosen(sources, 8 << 20)
    of_sample = ingest_units(chosen)
    assert len(of_sample) <= most
    assert len(chosen) <= SMALL_FILES
    assert len(chosen) / len(of_sample) == approx(files / len(of_input), rel=0.25)


def test_rows_alone_are_foretold(tmp_path: Path) -> None:
    fewer = ("--set", 'synthesize.tasks=[{name="worked_problem",count=1200}]')
    told = json.loads(curate("plan", "reasoning", *fewer, "--json"))
    printed = " ".join(curate("plan", "reasoning", *fewer).split())
    curate("run", "reasoning", *fewer, "--out", tmp_path / "out", "-q")
    stages = json.loads((tmp_path / "out" / "run.json").read_text())["sessions"][-1]["stages"]
    log = (tmp_path / "out" / "replies" / "replies.jsonl").stat().st_size
    funnel = json.loads(curate("inspect", tmp_path / "out", "--json"))["synthetic"]
    assert told["rows_asked"] == funnel["came"]["documents"] == 1200
    assert told["rows_kept"] == approx(funnel["kept"]["documents"], rel=0.05)
    assert 0.5 < told["disk_bytes"] / (log + sum(stage["bytes"] for stage in stages)) < 2
    assert told["wall_seconds"] > 2.0 + 0.2 * sum(stage["worker_seconds"] for stage in stages)
    assert told["duplicates"]["signature_bytes"] > 1200 * 32
    assert "1,200 rows asked for; about" in printed
    begin = printed.partition("Steps")[0]
    assert "record" not in begin and " 0 B" not in begin and "prices of" not in printed
