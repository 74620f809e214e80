"""The exchange: every row reaches the one range its hash belongs to, however many ranges and files there are."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.engine.stage import Output
from curation.errors import CorruptShard, InputError
from curation.shuffle import exchange
from curation.shuffle.exchange import HASHES, Range, Runs, ranges_for, read_range, read_rows, write_sorted
from curation.shuffle.numbering import numbered_groups
from curation.storage.location import Location
from curation.storage.shards import Shard
from tests.meeting import meets, met

SCHEMA = pa.schema([pa.field("hash", pa.uint64(), nullable=False), pa.field("row", pa.int64(), nullable=False)])
SOME = st.lists(st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**63 - 1, 2**63, 2**64 - 1])), max_size=40)


def written(folder, name, hashes):
    table = pa.table({"hash": pa.array(hashes, pa.uint64()), "row": np.arange(len(hashes))}, schema=SCHEMA)
    return write_sorted(Output(Location.of(folder)), name, table, SCHEMA, ("hash", "row"))


@pytest.fixture
def small_row_groups(monkeypatch):
    monkeypatch.setattr(exchange, "EXCHANGE_ROW_GROUP_BYTES", 64)


@meets(ranges=8600)
@given(count=st.integers(1, 1000))
def test_ranges_cover_every_hash_once(count):
    ranges = HASHES.cut(count)
    assert ranges[0].low == 0
    assert ranges[-1].high == 2**64
    assert all(before.high == after.low and before.low < before.high for before, after in pairwise(ranges))
    met["ranges"] += len(ranges)


def test_the_number_of_ranges_follows_from_the_amount():
    assert [len(ranges_for(amount, 10)) for amount in (0, 1, 10, 11, 100)] == [1, 1, 1, 2, 10]


@pytest.mark.usefixtures("small_row_groups")
@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_range_holds_exactly_its_rows(tmp_path_factory, count):
    @meets(rows=200)
    @given(SOME, SOME)
    def check(first, second):
        folder = tmp_path_factory.mktemp("exchange")
        files = [written(folder, "a", first), written(folder, "b", second)]
        expected = [sorted((value, row) for row, value in enumerate(hashes)) for hashes in (first, second)]
        for wanted in HASHES.cut(count):
            table = read_range(files, "hash", wanted, SCHEMA)
            rows = list(zip(table["hash"].to_pylist(), table["row"].to_pylist(), strict=True))
            assert rows == [row for own in expected for row in own if wanted.low <= row[0] < wanted.high]
            met["rows"] += len(rows)

    check()


@pytest.mark.usefixtures("small_row_groups")
def test_the_order_of_rows_does_not_change_the_file(tmp_path):
    hashes = [5, 3, 3, 2**64 - 1, 9, 0, 7, 7]
    table = pa.table({"hash": pa.array(hashes, pa.uint64()), "row": np.arange(len(hashes))}, schema=SCHEMA)
    shards = [
        write_sorted(Output(Location.of(tmp_path / name)), "x", rows, SCHEMA, ("hash", "row"))
        for name, rows in (("one", table), ("other", table.take(pa.array([7, 6, 5, 4, 3, 2, 1, 0]))))
    ]
    assert shards[0].sha256 == shards[1].sha256


@pytest.mark.usefixtures("small_row_groups")
def test_only_row_groups_that_meet_the_range_are_read(tmp_path, monkeypatch):
    shard = written(tmp_path, "x", list(range(0, 1000, 10)))
    read, groups = [], exchange.read_row_group

    def counting(shard, file, index, columns):
        read.append(index)
        return groups(shard, file, index, columns)

    monkeypatch.setattr(exchange, "read_row_group", counting)
    assert read_range([shard], "hash", Range(500, 510), SCHEMA)["hash"].to_pylist() == [500]
    assert len(read) == 1


def test_damage_is_found(tmp_path):
    shard = written(tmp_path, "x", list(range(1000)))
    path = tmp_path / "x.parquet"
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptShard, match=r"x\.parquet"):
        read_range([shard], "hash", Range(0, 2**64), SCHEMA)


def test_an_unsorted_file_is_refused(tmp_path):
    output = Output(Location.of(tmp_path))
    shard = output.write("x", pa.table({"hash": pa.array([2, 1], pa.uint64()), "row": [0, 1]}, schema=SCHEMA))
    with pytest.raises(CorruptShard, match="not sorted"):
        read_range([shard], "hash", Range(0, 9), SCHEMA)


def test_a_file_without_statistics_is_refused(tmp_path):
    pq.write_table(pa.table({"hash": pa.array([1, 2], pa.uint64()), "row": [0, 1]}, schema=SCHEMA), tmp_path / "x", write_statistics=False)
    shard = Shard("x", Location.of(tmp_path / "x"), 2, (tmp_path / "x").stat().st_size, "")
    with pytest.raises(CorruptShard, match="has no index of its hash"):
        read_range([shard], "hash", Range(0, 9), SCHEMA)


def test_few_rows_do_not_keep_a_row_group_in_memory(tmp_path):
    """A small stretch is a copy of its own; a large one is the row group itself, which is not copied."""
    shard = written(tmp_path, "x", list(range(10_000)))
    for wanted, most, least in ((Range(0, 10), 1000, 0), (Range(0, 4000), 80_000, 0), (Range(1, 10_000), 200_000, 150_000)):
        ((_, table),) = exchange.rows_in(shard, "hash", wanted, SCHEMA)
        assert table["hash"].to_pylist() == list(range(wanted.low, wanted.high))
        assert least <= table.get_total_buffer_size() <= most


@meets(rows=200)
@pytest.mark.usefixtures("small_row_groups")
@given(rows=st.lists(st.integers(0, 99), unique=True).map(sorted))
def test_some_rows_are_read_in_order(tmp_path_factory, rows):
    shard = written(tmp_path_factory.mktemp("rows"), "x", list(range(100)))
    met["rows"] += len(rows)
    tables = list(read_rows(shard, ["row"], np.array(rows, np.int64)))
    assert [row for chosen, _ in tables for row in chosen] == rows
    assert [row for _, table in tables for row in table["row"].to_pylist()] == rows


def test_runs_are_written_whenever_enough_waits(tmp_path):
    output = Output(Location.of(tmp_path))
    tables = [pa.table({"hash": pa.array([9 - place, place], pa.uint64()), "row": [place, place]}, schema=SCHEMA) for place in range(5)]
    runs = Runs(output, "run", SCHEMA, ("hash", "row"), most=2 * tables[0].nbytes)
    for table in tables:
        runs.add(table)
    assert [shard.name for shard in output.shards] == ["run-0000", "run-0001"]
    runs.close()
    assert [(shard.name, shard.rows) for shard in output.shards] == [("run-0000", 4), ("run-0001", 4), ("run-0002", 2)]
    assert [read_range([shard], "hash", HASHES, SCHEMA)["hash"].to_pylist() for shard in output.shards] == [
        [0, 1, 8, 9],
        [2, 3, 6, 7],
        [4, 5],
    ]
    assert (runs.rows, runs.bytes) == (10, 5 * tables[0].nbytes)


@pytest.mark.parametrize(("rows", "files"), [(0, 1), (1, 1), (2, 1), (3, 2)])
def test_closing_writes_what_waits_and_at_least_one_file(tmp_path, rows, files):
    output = Output(Location.of(tmp_path))
    table = pa.table({"hash": pa.array([7], pa.uint64()), "row": [1]}, schema=SCHEMA)
    runs = Runs(output, "run", SCHEMA, ("hash", "row"), most=2 * table.nbytes)
    for _ in range(rows):
        runs.add(table)
    runs.close()
    assert len(output.shards) == files
    assert sum(shard.rows for shard in output.shards) == rows


class Held:
    def __init__(self, name, rows, size):
        self.counted = Shard(name, Location.of("/nowhere"), rows, size, "")


@meets(several=30, alone=30)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=30), st.randoms(use_true_random=False))
def test_groups_number_every_document_once(sizes, random):
    members = [Held(f"{place:03d}", *size) for place, size in enumerate(sizes)]
    shuffled = members.copy()
    random.shuffle(shuffled)
    groups = numbered_groups(shuffled, most_rows=25, most_bytes=30)
    assert [member for group in groups for member in group.members] == members
    assert [group.base for group in groups] == [sum(g.rows for g in groups[:place]) for place in range(len(groups))]
    for group in groups:
        assert group.rows == sum(member.counted.rows for member in group.members)
        assert len(group.members) == 1 or (group.rows <= 25 and sum(member.counted.bytes for member in group.members) <= 30)
    for group, following in pairwise(groups):
        more = [*group.members, following.members[0]]
        assert sum(member.counted.rows for member in more) > 25 or sum(member.counted.bytes for member in more) > 30
    met["several"] += sum(len(group.members) > 1 for group in groups)
    met["alone"] += sum(len(group.members) == 1 for group in groups)


def test_two_shards_of_one_name_are_refused():
    with pytest.raises(InputError, match="two shards are named a"):
        numbered_groups([Held("a", 1, 1), Held("a", 2, 2)])
