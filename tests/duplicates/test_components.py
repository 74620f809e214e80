"""Components against a plain twin, in one share or in rounds over many, however edges are cut into files."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import curation.duplicates.components
import curation.shuffle.exchange
import curation.shuffle.merging
from curation.duplicates.components import COMPONENTS, find_components, write_edges
from curation.duplicates.union_find import Edges, stars
from curation.engine.runner import LocalRunner
from curation.engine.session import Session
from curation.engine.stage import Output
from curation.shuffle.exchange import Range, read_range
from curation.storage.location import Location
from tests.duplicates.test_union_find import plain_labels
from tests.meeting import meets, met

DOCUMENTS = 40
EDGE = st.tuples(st.integers(0, DOCUMENTS - 1), st.integers(0, DOCUMENTS - 1), st.booleans()).filter(lambda edge: edge[0] != edge[1])
EDGE_LISTS = st.lists(EDGE.map(lambda edge: (min(edge[:2]), max(edge[:2]), edge[2])), max_size=80)
CHAIN = [(place, place + 1, False) for place in range(DOCUMENTS - 1)]
STAR = [(0, place, place % 2 == 0) for place in range(1, DOCUMENTS)]
ZIPPER = [(place, place + 2, False) for place in range(DOCUMENTS - 2)] + [(DOCUMENTS - 2, DOCUMENTS - 1, True)]
Row = tuple[int, int, bool, bool]


def as_edges(edges: list[tuple[int, int, bool]]) -> Edges:
    columns = np.array([(left, right) for left, right, _ in edges], np.int64).reshape(-1, 2)
    return Edges(columns[:, 0].copy(), columns[:, 1].copy(), np.array([of_text for *_, of_text in edges], np.bool_))


def plain_rows(edges: list[tuple[int, int, bool]], first_earlier: int) -> list[Row]:
    """What COMPONENTS must hold, by walking the edges."""
    labels = plain_labels(DOCUMENTS, [edge[:2] for edge in edges])
    follows = {right for _, right, of_text in edges if of_text}
    rows = []
    for number, label in enumerate(labels):
        members = [other for other in range(DOCUMENTS) if labels[other] == label]
        varied = any(member != label and member not in follows for member in members)
        if len(members) > 1 and label < first_earlier:
            rows.append((number, label, number not in follows, varied))
    return rows


def found_rows(folder: Path, edges: list[tuple[int, int, bool]], files: int, first_earlier: int = DOCUMENTS) -> tuple[list[Row], list[str]]:
    """COMPONENTS of edges that are dealt out to some files, and the titles of the stages that were run."""
    output = Output(Location.of(folder / "edges"))
    shards = [write_edges(output, f"{place}", as_edges(edges[place::files]), ("left", "right")) for place in range(files)]
    with Session.open(Location.of(folder / "out"), LocalRunner(1)) as session:
        merged = find_components(session, shards, DOCUMENTS, first_earlier)
        everything = Range(0, DOCUMENTS)
        table = read_range(merged.meeting(everything), "number", everything, COMPONENTS).sort_by("number")
        titles = [stage["stage"] for stage in session._report.stages]
    return list(zip(*(table[name].to_pylist() for name in COMPONENTS.names), strict=True)), titles


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut work into many shares, ranges, runs, row groups and merges."""
    monkeypatch.setattr(curation.duplicates.components, "SHARE_ROWS", 9)
    monkeypatch.setattr(curation.duplicates.components, "COMPONENT_RUN_BYTES", 200)
    monkeypatch.setattr(curation.shuffle.merging, "FAN_IN", 4)
    monkeypatch.setattr(curation.shuffle.exchange, "EXCHANGE_ROW_GROUP_BYTES", 64)


@meets(linked=130, follows=50)
@given(edges=EDGE_LISTS)
@example(edges=[])
@example(edges=CHAIN)
@example(edges=STAR + ZIPPER)
def test_stars_hang_together_as_their_edges_do(edges: list[tuple[int, int, bool]]) -> None:
    found = stars(as_edges(edges))
    labels = plain_labels(DOCUMENTS, [edge[:2] for edge in edges])
    follows = {right for _, right, of_text in edges if of_text}
    expected = [(label, number, number in follows) for number, label in enumerate(labels) if label != number]
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected
    met["linked"] += len(expected)
    met["follows"] += len(follows)


def check(edges: list[tuple[int, int, bool]], files: int, first_earlier: int) -> int:
    """Compare what is found with the walk's rows, and return how many there are."""
    with TemporaryDirectory() as folder:
        rows, _ = found_rows(Path(folder), edges, files, first_earlier)
    assert rows == plain_rows(edges, first_earlier)
    return len(rows)


@meets(rows=10)
@given(edges=EDGE_LISTS, first_earlier=st.integers(1, DOCUMENTS))
@settings(max_examples=15, deadline=None)
def test_one_share_finds_what_a_walk_finds(edges: list[tuple[int, int, bool]], first_earlier: int) -> None:
    met["rows"] += check(edges, 2, first_earlier)


@pytest.mark.usefixtures("narrow")
def test_rounds_over_many_shares_find_what_a_walk_finds() -> None:
    @meets(rows=80)
    @given(edges=EDGE_LISTS, files=st.integers(2, 7), first_earlier=st.integers(1, DOCUMENTS))
    @example(edges=CHAIN, files=5, first_earlier=DOCUMENTS)
    @example(edges=STAR, files=7, first_earlier=DOCUMENTS)
    @example(edges=ZIPPER, files=6, first_earlier=10)
    @settings(max_examples=12, deadline=None)
    def many(edges: list[tuple[int, int, bool]], files: int, first_earlier: int) -> None:
        met["rows"] += check(edges, files, first_earlier)

    many()


@pytest.mark.usefixtures("narrow")
def test_rounds_are_few_even_along_a_chain(tmp_path: Path) -> None:
    rows, titles = found_rows(tmp_path, CHAIN, 8)
    assert [(number, label) for number, label, *_ in rows] == [(number, 0) for number in range(DOCUMENTS)]
    rounds = {title.partition("/")[0] for title in titles if title.startswith("4d-round-")}
    assert 2 <= len(rounds) <= 8
    assert any("level" in title for title in titles)


def test_one_share_needs_no_rounds(tmp_path: Path) -> None:
    _, titles = found_rows(tmp_path, STAR, 3)
    assert titles == ["4d-stars", "4d-components"]


@pytest.mark.usefixtures("narrow")
def test_a_run_that_is_done_makes_no_round_again(tmp_path: Path) -> None:
    for _ in range(2):
        found_rows(tmp_path, ZIPPER, 6)
    sessions = json.loads((tmp_path / "out" / "run.json").read_text())["sessions"]
    made = [[stage["made"] for stage in session["stages"]] for session in sessions]
    assert len(made[0]) == len(made[1]) > 4
    assert all(made[0])
    assert not any(made[1])
