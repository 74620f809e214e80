"""The order of a list, and what a search of texts finds: both as a whole sort and a whole reading would say."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.shuffle import exchange
from curation.storage.location import Location
from pipelines.serve import listing, searching
from pipelines.serve.listing import PAGE, Found, Search, in_order_of_signal, search
from tests.meeting import meets, met
from tests.reexport.corpus import write_corpus

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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("listing"))


def found_by(run: Path, asked: Search, stamp: object = None) -> Found:
    """Return a page of a search, which goes on until the page is known."""
    found = search(Location.of(run), asked, stamp)
    while found.under_way is not None:
        found = search(Location.of(run), asked, stamp)
    return found


@pytest.mark.parametrize("words", ["takera", "TAKERA LI", "/ta(ker|ban)a .*ous$/", "no such words"])
@pytest.mark.parametrize("order", [None, False, True])
def test_a_search_finds_what_a_reading_of_all_texts_finds(run: Path, words: str, order: bool | None) -> None:
    asked = Search(words=words, origin="web", signal="gopher_quality.words" if order is not None else "", descending=order)
    names = [file.name for file in sorted((run / "ledger").glob("*[0-9].parquet"))]
    values = [pl.read_parquet(run / "stages/2-measure" / name, columns=["gopher_quality.words"]) for name in names]
    texts = [pl.read_parquet(run / "stages/1-ingest" / name, columns=["id", "text"]).with_row_index("row") for name in names]
    frames = [
        pl.concat([text, value], how="horizontal").with_columns(pl.lit(place).alias("place"))
        for place, (text, value) in enumerate(zip(texts, values, strict=True))
    ]
    whole = pl.concat(frames)
    if order is not None:
        whole = whole.sort("gopher_quality.words", "place", "row", descending=[order, False, False])
    pattern = words.strip("/") if words.startswith("/") else f"(?i){words}"
    wanted = whole.filter(pl.col("text").str.contains(pattern))["id"].to_list()
    pages = [found_by(run, Search(**{**vars(asked), "page": page})) for page in range(1, 2 + len(wanted) // PAGE)]
    assert [line.id for page in pages for line in page.lines] == wanted[: PAGE * len(pages)]
    assert [page.more for page in pages] == [PAGE * number < len(wanted) for number in range(1, 1 + len(pages))]


def test_a_search_in_the_order_of_a_signal_reads_each_text_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = exchange.read_row_group
    monkeypatch.setattr(exchange, "read_row_group", lambda *given: (read.append(given[2]), whole(*given))[1])
    asked = Search(words="no such words", origin="web", signal="gopher_quality.words", descending=True)
    assert found_by(run, asked, "once").lines == []
    assert len(read) == 3  # three shards of one row group


def test_the_rows_of_one_shard_are_held_at_a_time(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    whole = listing.in_order_of_signal
    monkeypatch.setattr(listing, "in_order_of_signal", lambda rows, *given: (held.append(rows.height), whole(rows, *given))[1])
    asked = Search(origin="web", signal="gopher_quality.words", descending=True)
    total = search(Location.of(run), asked).total
    assert total is not None
    assert total > 3000
    assert len(held) >= 3
    assert max(held) < 0.6 * total  # half of the rows are in one shard


@pytest.mark.parametrize("order", [None, True])
def test_a_search_that_takes_long_says_how_far_it_is_and_goes_on(run: Path, monkeypatch: pytest.MonkeyPatch, order: bool | None) -> None:
    monkeypatch.setattr(searching, "SECONDS", 0.0)
    asked = Search(words="no such words", origin="web", signal="gopher_quality.words", descending=order)
    seen = []
    while (found := search(Location.of(run), asked, order)).under_way is not None:
        assert found.lines == []
        seen.append(found.under_way[0])
    assert seen == sorted(set(seen))
    assert 0 < seen[0] < seen[-1]
    assert found.total == 0
    assert search(Location.of(run), asked, order) == found  # nothing is read again


def test_a_search_that_goes_on_finds_what_one_at_once_finds(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for order in (None, False):
        asked = Search(words="takera", origin="web", signal="gopher_quality.words", descending=order, page=3)
        monkeypatch.setattr(searching, "SECONDS", 60.0)
        at_once = search(Location.of(run), asked, "at once")
        monkeypatch.setattr(searching, "SECONDS", 0.0)
        assert found_by(run, asked, "in steps").lines == at_once.lines
        assert at_once.lines


def test_a_changed_run_is_searched_again_and_only_the_last_searches_are_held(run: Path) -> None:
    for stamp in range(9):
        found_by(run, Search(words="takera"), stamp)
    held = [stamp for _, stamp, *_ in listing._held]
    assert held == [5, 6, 7, 8]


@meets(found=10, not_found=10)
@given(st.text(st.sampled_from("aAbBéÉ.*Σσ "), min_size=1, max_size=3), st.text(st.sampled_from("aAbBéÉ.*Σσ "), max_size=12))
def test_words_are_found_in_any_case_and_are_no_pattern(words: str, text: str) -> None:
    found = pl.DataFrame({"text": [text]}).select(searching.contains(pl.col("text"), words)).item()
    assert found == (words.casefold() in text.casefold())
    met["found" if found else "not_found"] += 1


def test_a_long_search_pauses_and_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "SECONDS", 0.0)
    found = searching.TextSearch(iter([(pl.DataFrame({"row": [number]}), 10) for number in range(3)]), 30, lambda rows: rows)
    seen = []
    while not found.ended:
        found.go_on(None)
        seen.append((found.searched, found.matched))
    assert seen == [(10, 1), (20, 2), (30, 3), (30, 3)]
    assert found.rows["row"].to_list() == [0, 1, 2]


def test_a_search_ends_where_enough_is_found() -> None:
    found = searching.TextSearch(iter([(pl.DataFrame({"row": [number]}), 10) for number in range(3)]), 30, lambda rows: rows)
    found.go_on(2)
    assert (found.searched, found.matched, found.ended) == (20, 2, False)
