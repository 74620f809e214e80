"""The order of a list, and what a search of texts finds: both as a whole sort and a whole reading would say."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.shuffle import exchange
from curation.storage.location import Location
from pipelines.serve import listing
from pipelines.serve.listing import PAGE, Search, in_order_of_signal, search
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
    pages = [search(Location.of(run), Search(**{**vars(asked), "page": page})) for page in range(1, 2 + len(wanted) // PAGE)]
    assert [line.id for page in pages for line in page.lines] == wanted[: PAGE * len(pages)]
    assert [page.more for page in pages] == [PAGE * number < len(wanted) for number in range(1, 1 + len(pages))]


def test_a_search_in_the_order_of_a_signal_reads_each_text_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole = exchange.read_row_group
    monkeypatch.setattr(exchange, "read_row_group", lambda *given: (read.append(given[2]), whole(*given))[1])
    asked = Search(words="no such words", origin="web", signal="gopher_quality.words", descending=True)
    assert search(Location.of(run), asked).lines == []
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
