"""Merging: many files become few for every range, without a row being lost, doubled or put out of order."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import curation.shuffle.exchange
import curation.shuffle.merging
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Output
from curation.shuffle.exchange import HASHES, Range, read_range, write_sorted
from curation.shuffle.merging import Merged, levels_for, merge
from curation.storage.location import Location
from curation.storage.shards import Shard

SCHEMA = pa.schema([pa.field("hash", pa.uint64(), nullable=False), pa.field("row", pa.int64(), nullable=False)])


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curation.shuffle.merging, "FAN_IN", 4)
    monkeypatch.setattr(curation.shuffle.exchange, "EXCHANGE_ROW_GROUP_BYTES", 320)


def written(folder: Path, files: int, rows: int) -> list[Shard]:
    """Files of evenly spread hashes, some of them in many files, whose rows count on from file to file."""
    generator, output = np.random.default_rng(7), Output(Location.of(folder / "files"))
    often = generator.integers(0, 1 << 64, 20, np.uint64)
    for place in range(files):
        hashes = np.concatenate([generator.integers(0, 1 << 64, rows - 20, np.uint64), often])
        table = pa.table({"hash": hashes, "row": np.arange(rows) + place * rows}, schema=SCHEMA)
        write_sorted(output, f"{place:04d}", table, SCHEMA, ("hash",))
    return output.shards


def merged(folder: Path, files: list[Shard]) -> tuple[Merged, list[str]]:
    with Session.open(Location.of(folder / "out"), LocalRunner(1)) as session:
        found = merge(session, "x", files, ("hash",))
        return found, [stage["stage"] for stage in session._report.stages]


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("files", [1, 4, 5, 16, 17, 70])
def test_a_range_holds_the_same_rows_in_the_same_order(tmp_path: Path, files: int) -> None:
    shards = written(tmp_path, files, 60)
    found, titles = merged(tmp_path, shards)
    levels = {1: 0, 4: 0, 5: 1, 16: 1, 17: 2, 70: 3}[files]
    assert levels_for(files) == levels
    assert titles == [f"x-level-{level}/merge" for level in range(1, levels + 1)]
    assert found.rows == files * 60
    assert all(found.meeting(part) == held for part, held in found.files.items())
    for wanted in [HASHES, *HASHES.cut(7), *HASHES.cut(300)[::37]]:
        before, after = (read_range(held, "hash", wanted, SCHEMA) for held in (shards, found.meeting(wanted)))
        rows = [sorted(zip(*(t[n].to_pylist() for n in SCHEMA.names), strict=True)) for t in (before, after)]
        assert rows[0] == rows[1]
        hashes, numbers = after["hash"].to_numpy(), after["row"].to_numpy()
        order = np.argsort(hashes, kind="stable")
        same = hashes[order][1:] == hashes[order][:-1]
        assert (np.diff(numbers[order])[same] > 0).all()


@pytest.mark.usefixtures("narrow")
def test_what_is_read_grows_with_the_rows_and_not_with_their_square(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    really = curation.shuffle.exchange.read_row_group

    def counting(shard: Shard, file: object, index: int, columns: object) -> object:
        read.append(index)
        return really(shard, file, index, columns)

    monkeypatch.setattr(curation.shuffle.exchange, "read_row_group", counting)
    costs = []
    for files in (16, 64):
        read.clear()
        found, _ = merged(tmp_path / str(files), written(tmp_path / str(files), files, 200))
        for wanted in HASHES.cut(2 * files):
            read_range(found.meeting(wanted), "hash", wanted, SCHEMA)
        costs.append(len(read))
    assert costs[1] <= 4 * costs[0] * 2  # four times the rows, and one more level
    assert costs[1] < 64 * 2 * 64 / 2  # half of what reading every file for every range would take


@pytest.mark.usefixtures("narrow")
def test_small_numbers_are_merged_within_what_there_is(tmp_path: Path) -> None:
    output = Output(Location.of(tmp_path / "files"))
    schema = pa.schema([pa.field("number", pa.int64(), nullable=False)])
    for place in range(9):
        write_sorted(output, f"{place}", pa.table({"number": [place % 3]}, schema=schema), schema, ("number",))
    with Session.open(Location.of(tmp_path / "out"), LocalRunner(1)) as session:
        found = merge(session, "x", output.shards, ("number",), Range(0, 3))
    assert [read_range(found.meeting(each), "number", each, schema).num_rows for each in Range(0, 3).cut(9)] == [3, 3, 3]
