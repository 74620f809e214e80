"""The books against a plain twin that holds every id: whatever was deleted, doubled or exchanged, both find the same faults."""

import re
import shutil
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ledger import id_sets
from curation.ledger.books import Books, add_up
from curation.ledger.id_sets import MOST_HELD, Culprits, Multiset, id_differences, ids_not_among
from curation.schema import LEDGER
from curation.shuffle.exchange import HASHES
from curation.storage.location import Location
from tests.meeting import meets, met

EARLIER = "0123456789abcdef"
OTHER = "fedcba9876543210"
IDS = st.sampled_from([*"abcdefgh", "", "\u00e9\u00e8", "an id that is longer than twelve bytes", "<urn:uuid:1>", "<urn:uuid:2>"])


@dataclass(frozen=True)
class Row:
    """A row of a ledger."""

    id: str
    fate: str = "kept"
    duplicate_of: str | None = None
    duplicate_run: str | None = None
    evidence: str | None = None


@dataclass
class Run:
    """What lies in a run's folder, and in that of an earlier run; row by row."""

    web: list[Row] = field(default_factory=list)
    synthetic: list[Row] = field(default_factory=list)
    dataset: list[tuple[str, str]] = field(default_factory=list)
    earlier: list[Row] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write it in row groups of two rows, the ledger of the web in two files."""
        shutil.rmtree(folder, ignore_errors=True)
        half = len(self.web) // 2
        write_ledger(folder / "ledger/one.parquet", self.web[:half])
        write_ledger(folder / "ledger/two.parquet", self.web[half:])
        write_ledger(folder / "ledger/synthetic/one.parquet", self.synthetic)
        write_ledger(folder / "earlier/one.parquet", self.earlier)
        table = pa.table({name: pa.array([row[at] for row in self.dataset], pa.string()) for at, name in enumerate(("id", "origin"))})
        write(folder / "dataset/data/train.parquet", table)

    def faults(self) -> dict[str, tuple[int, set[str]]]:
        """Return what does not add up, in sets and counters: the fault without its number and example, the number, the examples."""
        kept = {name: Counter(row.id for row in rows if row.fate == "kept") for name, rows in vars(self).items() if name != "dataset"}
        found: dict[str, list[str]] = {}
        for name, rows, known in (
            ("ledger", self.web, kept["web"]),
            ("ledger/synthetic", self.synthetic, kept["web"] + kept["synthetic"]),
        ):
            pointed = [row.duplicate_of for row in rows if row.fate == "duplicate" and row.duplicate_run is None]
            found[f"{name}: # duplicates point at ids that are not kept"] = [
                each for each in pointed if each is not None and each not in known
            ]
        pointed = [row.duplicate_of for row in [*self.web, *self.synthetic] if row.duplicate_run == EARLIER]
        found[f"ledger: duplicates point at # ids that the earlier run {EARLIER} does not keep"] = list(set(pointed) - set(kept["earlier"]))
        expected, there = kept["web"] + kept["synthetic"], Counter(name for name, _ in self.dataset)
        found["dataset: # rows are not kept by the ledger"] = [each for each in there.elements() if each not in expected]
        again = [each for each in (there - expected).elements() if each in expected]
        found["dataset: # rows occur more often than the ledger keeps them"] = again
        found["dataset: # kept rows are missing"] = list((expected - there).elements())
        told = {fault: (len(ids), set(ids)) for fault, ids in found.items() if ids}
        for origin in ("web", "synthetic"):
            rows, wanted = Counter(origin for _, origin in self.dataset)[origin], kept[origin].total()
            if rows != wanted:
                told[f"dataset: # rows of origin {origin}, but the ledger keeps {wanted}"] = rows, set()
        return told


def write_ledger(path: Path, rows: Sequence[Row]) -> None:
    filled = {"key": bytes(16), "source": "s", "file_path": "a.jsonl", "offset": 0, "text_bytes": 1, "stage": "select", "cluster_size": 1}
    write(path, pa.Table.from_pylist([{**filled, **vars(row)} for row in rows], LEDGER))


def write(path: Path, table: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2, write_page_checksum=True)


@st.composite
def balanced(draw: Any) -> Run:
    """A run in order. An id is kept twice where one record came twice and nothing was deduplicated."""
    kept = [draw(st.lists(IDS, max_size=8)) for _ in range(3)]
    web, synthetic, earlier = ([Row(each) for each in ids] for ids in kept)
    for rows, known in ((web, kept[0]), (synthetic, kept[0] + kept[1])):
        if known:
            rows += [Row(f"copy {each}", "duplicate", each) for each in draw(st.lists(st.sampled_from(known), max_size=6))]
        if kept[2]:
            rows += [Row("of old", "duplicate", each, EARLIER) for each in draw(st.lists(st.sampled_from(kept[2]), max_size=6))]
        rows += [Row(each, "dropped") for each in draw(st.lists(IDS, max_size=2))]
    dataset = [(each, origin) for ids, origin in zip(kept, ("web", "synthetic"), strict=False) for each in ids]
    shuffled = [draw(st.permutations(rows)) for rows in (web, synthetic, dataset, earlier)]
    return Run(*shuffled)


@st.composite
def tampered(draw: Any) -> Run:
    """A run of which rows were deleted or doubled, got another id, or point elsewhere."""
    run = draw(balanced())
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.sampled_from([rows for rows in vars(run).values() if rows] or [[("a", "web")]]))
        place = draw(st.integers(0, len(rows) - 1))
        row, other = rows[place], draw(IDS)
        what = draw(st.sampled_from(["delete", "double", "rename", "point"]))
        if what == "delete":
            del rows[place]
        elif what == "double":
            rows.append(row)
        elif isinstance(row, tuple):
            rows[place] = (other, row[1])
        elif what == "rename":
            rows[place] = Row(other, row.fate, row.duplicate_of, row.duplicate_run)
        elif row.fate == "duplicate":
            rows[place] = Row(row.id, row.fate, other, row.duplicate_run)
    return run


def audit(folder: Path, held: int = MOST_HELD) -> Books:
    earlier = {EARLIER: ([Location.of(folder / "earlier/one.parquet")], ""), OTHER: ([], "it is gone")}
    return add_up(Location.of(folder), earlier.__getitem__, held)


def ids_at_fault(books: Books) -> dict[str, tuple[str, str | None]]:
    """Return the faults as the twin does, without those of the readers, which this run has none of; numbers as they are told."""
    found = {}
    for fault in books.faults:
        if "the reader counted" not in fault and "requests to a teacher" not in fault:
            told = re.fullmatch(r"(.*?(?:: | at ))((?:at least )?\d+)( .*?)(?:, such as '(.*)')?", fault)
            assert told, fault
            found[f"{told[1]}#{told[3]}".replace("duplicate points", "duplicates point").replace("# id ", "# ids ")] = (told[2], told[4])
    return found


@meets(rows=400, duplicates=200)
@given(run=balanced(), held=st.sampled_from([1, 3, MOST_HELD]))
def test_a_run_in_order_has_no_fault(run: Run, held: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert run.faults() == {}
    folder = tmp_path_factory.getbasetemp() / "balanced"
    run.write(folder)
    assert ids_at_fault(audit(folder, held)) == {}
    met["rows"] += len(run.web) + len(run.synthetic)
    met["duplicates"] += sum(row.fate == "duplicate" for row in [*run.web, *run.synthetic])


@meets(faults=40)
@given(run=tampered())
def test_a_tampered_run_has_the_faults_of_the_twin(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "tampered"
    run.write(folder)
    expected, found = run.faults(), ids_at_fault(audit(folder))
    met["faults"] += len(expected)
    assert {fault: number for fault, (number, _) in found.items()} == {fault: str(number) for fault, (number, _) in expected.items()}
    assert all(example is None or example in expected[fault][1] for fault, (_, example) in found.items())


@meets(faults=40, at_least=7)
@given(run=tampered(), held=st.integers(1, 4))
def test_nothing_is_overlooked_where_few_ids_are_held(run: Run, held: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "few"
    run.write(folder)
    expected, found = run.faults(), ids_at_fault(audit(folder, held))
    met["faults"] += len(expected)
    met["at_least"] += sum("at least" in number for number, _ in found.values())
    assert {fault.partition(" ")[0] for fault in found} == {fault.partition(" ")[0] for fault in expected}
    for fault, (number, example) in found.items():
        assert example is None or example in expected[fault][1]
        assert (
            0 < int(number.removeprefix("at least ")) <= expected[fault][0] if "at least" in number else number == str(expected[fault][0])
        )


def test_an_id_twice_for_one_that_is_kept_twice_is_a_fault(tmp_path: Path) -> None:
    Run(web=[Row("a"), Row("a"), Row("b")], dataset=[("a", "web"), ("b", "web"), ("b", "web")]).write(tmp_path / "out")
    assert ids_at_fault(audit(tmp_path / "out")) == {
        "dataset: # rows occur more often than the ledger keeps them": ("1", "b"),
        "dataset: # kept rows are missing": ("1", "a"),
    }


def test_the_web_s_duplicates_do_not_point_at_generated_rows(tmp_path: Path) -> None:
    copy, generated = Row("copy", "duplicate", "made"), Row("made")
    Run(web=[copy], synthetic=[generated, copy], dataset=[("made", "synthetic")]).write(tmp_path)
    assert ids_at_fault(audit(tmp_path)) == {"ledger: # duplicates point at ids that are not kept": ("1", "made")}


def test_records_that_no_reader_counted_are_told(tmp_path: Path) -> None:
    Run(web=[Row("a"), Row("b")], dataset=[("a", "web"), ("b", "web")]).write(tmp_path)
    assert audit(tmp_path).faults == ["a.jsonl: the reader counted 0 records that need a fate, but the ledger has 2"]


def test_lost_records_that_no_reader_counted_are_told(tmp_path: Path) -> None:
    """One unreadable row may stand for many records: it says for how many."""
    lost = [Row(f"bad {many}", "unreadable", evidence=f'{{"detail": "cut", "records": {many}}}') for many in (3, 5)]
    Run(web=[Row("a"), *lost, Row("odd", "unreadable", evidence='{"detail": "odd"}')], dataset=[("a", "web")]).write(tmp_path)
    assert audit(tmp_path).faults == [
        "a.jsonl: the reader counted 0 records that need a fate, but the ledger has 4",
        "a.jsonl: the reader counted 0 further lost records, but the ledger's rows report 6",
    ]


def test_duplicates_of_nothing_and_of_a_run_that_is_gone_are_told(tmp_path: Path) -> None:
    Run(web=[Row("a", "duplicate"), Row("b", "duplicate", "x", OTHER)]).write(tmp_path / "out")
    books = audit(tmp_path / "out")
    assert [fault for fault in books.faults if "not name a survivor" in fault] == [
        f"{tmp_path}/out/ledger/one.parquet: 1 duplicate does not name a survivor"
    ]
    assert books.unchecked == ["it is gone"]


@pytest.mark.parametrize(("damaged", "fault"), [("ledger/two", "rows are not kept"), ("dataset/data/train", "kept rows are missing")])
def test_no_row_of_a_damaged_file_counts(tmp_path: Path, damaged: str, fault: str) -> None:
    Run(web=[Row(each) for each in "abcdefgh"], dataset=[(each, "web") for each in "abcdefgh"]).write(tmp_path)
    path = tmp_path / f"{damaged}.parquet"
    with pq.ParquetFile(path) as file:
        last = file.metadata.row_group(file.num_row_groups - 1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[last + 12 : last + 40] = bytes(28)
    path.write_bytes(content)
    faults = audit(tmp_path).faults
    assert [each for each in faults if each.startswith(str(path)) and each.count(str(path)) == 1 and "is damaged" in each]
    rows = 4 if damaged.startswith("ledger") else 8
    assert [each for each in faults if each.startswith(f"dataset: {rows} {fault}")]


def columns(prefix: str, first: int, after: int) -> Iterator[Any]:
    for start in range(first, after, 1000):
        yield pa.array([f"{prefix}{number}" for number in range(start, min(after, start + 1000))])


@pytest.mark.parametrize("held", [20_000, 200_000])
def test_what_is_held_takes_the_memory_that_is_told(held: int) -> None:
    pointed, known = (list(columns("document ", 0, after)) for after in (200_000, 199_999))
    tracemalloc.start()
    found = ids_not_among(lambda: pointed, 200_000, lambda: known, held)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == Culprits(1, 1, "document 199999")
    assert 0.9 < peak / (id_sets.HELD_BYTES * held) < 1 + 100_000 / (id_sets.HELD_BYTES * held)


def test_a_hash_at_the_edge_of_a_range_is_in_one() -> None:
    for count in (1, 3, 8):
        ranges = HASHES.cut(count)
        edges = np.unique(np.array([edge for part in ranges for edge in (part.low, part.high - 1)], np.uint64))
        assert np.concatenate([id_sets._within(part, edges) for part in ranges]).tolist() == edges.tolist()


def test_few_differences_among_many_ids_are_all_told() -> None:
    expected, there = (partial(columns, "document ", first, first + 100_000) for first in (0, 3))
    sums = Multiset(), Multiset()
    for ids, taken in zip((there, expected), sums, strict=True):
        for column in ids():
            taken.add(column)
    found = id_differences(there, expected, sums, held=8000)
    assert (found.strange, found.missing) == (Culprits(3, 3, "document 100000"), Culprits(3, 3, "document 0"))
    assert found.again is None
