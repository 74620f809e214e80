"""Single steps on plain strings: what they give is what a run gives, whatever the batches, and wrong input is told by its place."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import curation
from curation.errors import InputError, RecipeError, UsageError
from filters.gopher_quality import GopherQuality
from pipelines.notebook import texts as steps
from tests.meeting import meets, met

FILTERS = ["gopher_quality", "gopher_repetition", "fineweb_quality", "language"]


def test_signals_are_those_of_the_run(demo_run: Path) -> None:
    run = curation.open_run(demo_run)
    joined = run.signals().join(run.documents().select("origin", "shard", "row", "text"), on=["origin", "shard", "row"]).collect()
    found = curation.measure(joined["text"], FILTERS)
    assert found.height == joined.height > 500
    assert len(found.columns) > 25
    assert found.equals(joined.select(found.columns))


def test_signals_do_not_depend_on_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"A text with {i} words and then some. " * (i % 7) for i in range(300)]
    whole = curation.measure(texts, FILTERS)
    monkeypatch.setattr(steps, "_BATCH_BYTES", 1000)
    batches = [batch["text_bytes"].to_pylist() for batch in steps._batches(steps._documents(steps._as_column(texts), None))]
    assert [size for sizes in batches for size in sizes] == [len(text) for text in texts]
    assert 20 < len(batches) <= 1 + sum(map(len, texts)) // 1000
    assert all(sum(sizes[1:]) < 1000 for sizes in batches)
    assert curation.measure(iter(texts), FILTERS).equals(whole)
    assert curation.measure([], FILTERS).schema == whole.schema


def test_a_filter_is_a_name_a_table_a_file_or_itself(tmp_path: Path) -> None:
    own = tmp_path / "shouting.py"
    own.write_text(
        "from dataclasses import dataclass\n"
        "import numpy as np\n"
        "import pyarrow as pa\n"
        "from filters.contract import Filter, above\n\n"
        "@dataclass(frozen=True)\n"
        "class Shouting(Filter):\n"
        "    signal_types = {'marks': pa.int64()}\n\n"
        "    def signals(self, text, documents):\n"
        "        return {'marks': np.array([text.string(i).count('!') for i in range(len(text))])}\n\n"
        "    def rules(self):\n"
        "        return {'shouts': above('marks', 3)}\n"
    )
    texts = ["Hey! Oh!", "quiet"]
    assert curation.measure(texts, str(own))["shouting.marks"].to_list() == [2, 0]
    assert curation.measure(texts, {"file": str(own)})["shouting.marks"].to_list() == [2, 0]
    named = curation.measure(texts, "gopher_quality")
    assert curation.measure(texts, [GopherQuality(min_words=9)]).equals(named)
    assert curation.measure(texts, {"name": "gopher_quality", "min_words": 9}).equals(named)


def test_urls_reach_filters_that_look_at_them(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("casino\n")
    chosen = {"name": "url_rules", "hard": [str(tmp_path / "words.txt")]}
    found = curation.measure(["a", "b"], chosen, urls=["https://casino.example.org/", None])
    assert found["url_rules.hard_hits"].to_list() == [1, None]


@pytest.mark.parametrize(
    ("texts", "filters", "error", "told"),
    [
        ("one text", "gopher_quality", TypeError, "a list of texts"),
        (["a", None], "gopher_quality", TypeError, "text 1 is no string but NoneType"),
        (["a", "b", b"c"], "gopher_quality", TypeError, "text 2 is no string but bytes"),
        (["a", "\ud800"], "gopher_quality", ValueError, "text 1 holds half of a surrogate pair"),
        (["a"], "gopher_qualty", RecipeError, "did you mean 'gopher_quality'"),
        (["a"], [{"name": "gopher_quality", "min_word": 3}], RecipeError, "did you mean 'min_words'"),
        (["a"], [{"min_words": 3}], UsageError, "has a name or a file"),
        (["a"], ["language", "language"], UsageError, "language is given twice"),
        (["a"], [3], TypeError, "a filter is a name"),
    ],
)
def test_wrong_input_is_told(texts: list[str], filters: object, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        curation.measure(texts, filters)  # type: ignore[arg-type]


def test_urls_are_one_a_text() -> None:
    with pytest.raises(ValueError, match="1 texts, but 2 urls"):
        curation.measure(["a"], "url_rules", urls=[None, None])


def test_pages_are_text_or_bytes_in_any_encoding() -> None:
    page = "<html lang='fr'><head><meta charset='{}'><title>Été</title></head><body><p>Le café est fermé en été, déjà.</p></body></html>"
    told = [curation.extract(page.format(name).encode(name)) for name in ("utf-8", "iso-8859-1")] + [curation.extract(page)]
    assert {(found.text, found.title) for found in told} == {("Le café est fermé en été, déjà.", "Été")}
    assert curation.extract("<p>half \ud83d of a pair</p>", "plain").text == "half \ufffd of a pair"
    with pytest.raises(RecipeError, match="resiliparse"):
        curation.extract(page, "resiliparze")
    with pytest.raises(RecipeError, match="no parameter 'depth'"):
        curation.extract(page, depth=3)
    with pytest.raises(TypeError, match="a string or bytes, not int"):
        curation.extract(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cannot be decoded"):
        curation.extract(bytes(range(256)) * 40)


WORDS = [f"word{i}" for i in range(30)]


@meets(stays=110, copies=41)
@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=12), max_size=12), st.data())
def test_every_copy_points_at_a_text_that_stays(lists: list[list[str]], data: st.DataObject) -> None:
    texts = [" ".join(words) for words in lists]
    texts += [text.upper() + "!" for text in texts if data.draw(st.booleans())]
    found = curation.deduplicate(texts)
    assert found.height == len(texts)
    for copy in found.filter(~pl.col("kept")).iter_rows(named=True):
        assert found["kept"][copy["duplicate_of"]]
        assert copy["similarity"] >= 0.75
        met["copies"] += 1
    met["stays"] += found["kept"].sum()


def test_settings_of_deduplication_are_checked() -> None:
    with pytest.raises(ValueError, match="threshold must be above 0"):
        curation.deduplicate(["a"], threshold=2)
    with pytest.raises(ValueError, match="preset"):
        curation.deduplicate(["a"], preset="3x3")
    with pytest.raises(TypeError, match="text 0 is no string but int"):
        curation.deduplicate([1])  # type: ignore[list-item]
