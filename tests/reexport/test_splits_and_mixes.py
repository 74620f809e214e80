"""What an export holds out and how often it writes a row: splits, weights, ranges of signals, budgets, and what is refused."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.storage.location import Location
from pipelines.reexport import drawing
from pipelines.reexport.budget import REST, Pools, _nearly, copies_of, scales_for
from pipelines.reexport.chance import drawn
from pipelines.reexport.kept import kept_sources, known_in
from pipelines.reexport.mix import Known, Mix, Part, _rate_in_words, parse_mix
from pipelines.reexport.splits import LEFT_OUT, parse_splits, sides_of, sides_of_generated
from tests.verbs import call


def test_a_rate_is_a_share_up_to_the_whole_and_then_a_number_of_times() -> None:
    told = [_rate_in_words(rate, "web") for rate in (0.125, 1.0, 1.5, 4.0)]
    assert told == ["12.5 % of web", "100 % of web", "1.5 times web", "4 times web"]


def exported(run: Path, out: Path, *options: object) -> dict[str, pl.DataFrame]:
    said = call("export", run, "--out", out, "--json", *options)
    assert said.code == 0, said.all
    assert call("verify", out).code == 0
    files = sorted((out / "data").glob("*.parquet"))
    splits = sorted({file.name.partition("-")[0] for file in files})
    found = {split: pl.read_parquet([file for file in files if file.name.startswith(f"{split}-")]) for split in splits}
    told, rows = json.loads(said.out), {split: table.height for split, table in found.items()}
    assert told["rows"] == sum(rows.values())
    assert {split: told[split] for split in splits if split != "train"} == {split: rows[split] for split in splits if split != "train"}
    return found


@pytest.fixture(scope="module")
def whole(corpus_run: Path) -> pl.DataFrame:
    return pl.read_parquet(corpus_run / "dataset/data/*.parquet")


def test_a_split_holds_out_its_share_and_nothing_lies_on_two_sides(corpus_run: Path, whole: pl.DataFrame, tmp_path: Path) -> None:
    found = exported(corpus_run, tmp_path / "a", "--split", "validation=5%", "--split", "test=0.1")
    assert {*found} == {"train", "validation", "test"}
    assert sum(rows.height for rows in found.values()) == whole.height
    assert pl.concat(list(found.values())).sort("id").equals(whole.sort("id"))
    assert 100 < found["validation"].height < 200
    assert 240 < found["test"].height < 370
    assert not {*found["train"]["text"]} & {*found["validation"]["text"], *found["test"]["text"]}
    again = exported(corpus_run, tmp_path / "again", "--split", "validation=5%")
    assert {*again["validation"]["id"]} == {*found["validation"]["id"]}


@pytest.mark.parametrize(("by", "column"), [("source", "source"), ("site", "site")])
def test_sources_and_sites_stay_together(corpus_run: Path, tmp_path: Path, by: str, column: str) -> None:
    found = exported(corpus_run, tmp_path, "--split", "validation=40%", "--split-by", by, "--seed", 3)
    site = pl.col("url").str.extract(r"https://www\.(?:site\d+\.)?(\w+)\.").alias("site")
    groups = {split: {*rows.with_columns(site)[column].drop_nulls()} for split, rows in found.items()}
    assert groups["train"]
    assert not groups["train"] & groups.get("validation", set())


def test_generated_rows_go_where_their_seeds_lie() -> None:
    own = np.array([0, 1, 0, 1], np.int8)
    sides = sides_of_generated([[], ["a"], ["a", "b"], ["a", "c"]], own, {"a": 0, "b": 0, "c": 1})
    assert sides.tolist() == [0, 0, 0, LEFT_OUT]


def test_the_seeds_of_generated_rows_are_looked_up_where_something_is_held_out(demo_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's rows are made by rule, so that they have no seeds; here each says that it was made from one document."""
    run = Location.of(demo_run)
    sources, seed = kept_sources(run), pl.read_parquet(demo_run / "ledger/*.parquet")["id"][0]
    monkeypatch.setattr(drawing, "seeds_in", lambda metadata: [[seed]])
    mix = parse_mix([], None, known_in(run, sources))
    sides = [
        drawing.with_seed_sides(drawing.Draw(mix, parse_splits(held_out, "key", 0), 0), run, sources).seed_sides
        for held_out in ([], ["test=0.1%"], ["test=99.9%"])
    ]
    assert sides == [{}, {seed: 0}, {seed: 1}]


def test_a_group_stays_on_its_side_whatever_else_is_there() -> None:
    splits = parse_splits(["validation=30%"], "source", 0)
    rows = pl.DataFrame({"id": [str(n) for n in range(200)], "source": [f"s{n % 50}" for n in range(200)], "url": [None] * 200})
    sides = sides_of(rows, splits)
    assert 0.1 < sides.mean() < 0.5
    assert sides_of(rows[100:], splits).tolist() == sides[100:].tolist()
    assert len({(source, side) for source, side in zip(rows["source"], sides.tolist(), strict=True)}) == 50


def test_weights_repeat_and_thin_out(corpus_run: Path, whole: pl.DataFrame, tmp_path: Path) -> None:
    rows = exported(corpus_run, tmp_path / "a", "--mix", "books=2.5", "--mix", "web=0.5", "--mix", "synthetic=0")["train"]
    counts = {source: Counter(own["id"]) for (source,), own in rows.group_by(["source"])}
    assert {*counts} == {"books", "crawl", "forum"}
    assert {*counts["books"].values()} == {2, 3}
    assert 2.3 < counts["books"].total() / 600 < 2.7
    assert {*counts["crawl"].values(), *counts["forum"].values()} == {1}
    assert 0.4 < counts["crawl"].total() / 1500 < 0.6
    texts = dict(zip(whole["id"], whole["text"], strict=True))
    assert all(texts[row] == text for row, text in zip(rows["id"], rows["text"], strict=True))
    card = (tmp_path / "a/README.md").read_text()
    assert f"{rows.height - rows['id'].n_unique():,} of its rows are further copies" in card
    assert "2.5 times books, 0 % of synthetic, 50 % of web" in card
    fewer = exported(corpus_run, tmp_path / "fewer", "--mix", "web=0.25")["train"]
    assert {*fewer.filter(source="crawl")["id"]} < {*counts["crawl"]}


def test_held_out_rows_are_written_once(corpus_run: Path, tmp_path: Path) -> None:
    found = exported(corpus_run, tmp_path, "--mix", "books=3", "--split", "validation=10%")
    assert {*Counter(found["train"].filter(source="books")["id"]).values()} == {3}
    assert found["validation"]["id"].is_unique().all()
    assert not {*found["train"]["id"]} & {*found["validation"]["id"]}


def test_ranges_of_signals_and_of_cluster_sizes(corpus_run: Path, whole: pl.DataFrame, tmp_path: Path) -> None:
    options = ["--mix", "cluster_size:2..3=2", "--mix", "cluster_size:3..=4", "--mix", "gopher_quality.words@1..10=0"]
    rows = exported(corpus_run, tmp_path / "a", *options)["train"]
    sizes = {size: Counter(own["id"]) for (size,), own in rows.group_by(["minhash_cluster_size"])}
    assert {size: {*counts.values()} for size, counts in sizes.items()} == {1: {1}, 2: {2}, 3: {4}}
    words = rows["text"].str.count_matches(" ") + 1
    web = whole.filter(origin="web")
    middle = (whole["text"].str.count_matches(r"\s+") + 1).median()
    assert int(words.filter(rows["origin"] == "web").min()) >= middle - 20  # type: ignore[call-overload]
    low = exported(corpus_run, tmp_path / "low", "--mix", "gopher_quality.words:..100=0")["train"]
    high = exported(corpus_run, tmp_path / "high", "--mix", "gopher_quality.words:100..=0")["train"]
    kept = pl.concat([low.filter(origin="web"), high.filter(origin="web")])
    assert sorted(kept["id"]) == sorted(web["id"])


@pytest.mark.parametrize(
    ("options", "share"),
    [
        (["--tokens", "400K"], {}),
        (["--tokens", "0.3m", "--mix", "books=50%", "--mix", "crawl=50%"], {"books": 0.5, "crawl": 0.5}),
        (["--tokens", "1M", "--mix", "books=80%", "--mix", "crawl=0.1"], {"books": 0.8}),
        (["--tokens", "600K", "--mix", "forum=200k", "--mix", "gopher_quality.words:300..=3"], {"forum": 1 / 3}),
    ],
)
def test_budgets_are_met(corpus_run: Path, tmp_path: Path, options: list[str], share: dict[str, float]) -> None:
    rows = exported(corpus_run, tmp_path, *options)["train"]
    asked = {"K": 10**3, "M": 10**6}[options[1][-1].upper()] * float(options[1][:-1])
    total = rows["token_count"].sum()
    assert abs(total - asked) < asked * 0.01
    for source, part in share.items():
        assert abs(rows.filter(source=source)["token_count"].sum() - part * asked) < asked * 0.01
    assert json.loads((tmp_path / "manifest.json").read_text())["tokens"] == total


def test_a_millionth_less_than_was_asked_for_is_enough() -> None:
    assert _nearly(999_999.0, 1_000_000.0)
    assert not _nearly(999_998.9, 1_000_000.0)


def test_a_scale_gives_the_tokens_that_were_asked_for() -> None:
    generator = np.random.default_rng(3)
    keys = generator.integers(0, 1 << 63, (20_000, 2), np.uint64)
    chances, tokens = drawn(keys, "mix"), generator.integers(1, 3000, 20_000)
    weights = np.where(generator.random(20_000) < 0.3, 2.0, 0.7)
    met = 0
    for wanted in (1000, 50_000, 3_000_000, 20_000_000, 90_000_000):
        pools = Pools()
        for weight in (2.0, 0.7):
            here = weights == weight
            pools.at(0, weight).add(int(here.sum()), 0, (chances[here] >> np.uint64(44)).astype(np.int64), tokens[here])
        scale = scales_for(Mix((Part("a", "tokens", wanted),)), pools)[0]
        found = int((copies_of(weights * scale, chances) * tokens).sum())
        assert abs(found - wanted) <= 2 * 3000 + wanted / 2**18
        met += 1
    assert met == 5
    assert scales_for(Mix(), pools) == {REST: 1.0}


KNOWN = Known(["web", "synthetic", "books", "https://a.example/x"], {"cluster_size": True, "edu.score": True, "language.language": False})


@pytest.mark.parametrize(
    ("entries", "tokens", "told"),
    [
        (["bocks=2"], None, "did you mean 'books'?"),
        (["edu.skore:1..2=2"], None, "did you mean 'edu.score'?"),
        (["books"], None, "write NAME=SHARE"),
        (["books=-1"], None, "write NAME=SHARE"),
        (["books=1001"], None, "a weight is 0, or from"),
        (["books=0.0000001"], None, "a weight is 0, or from"),
        (["books=2", "books=3"], None, "names 'books' twice"),
        (["books=30%"], None, "is a share of --tokens"),
        (["books=70%", "web=40%"], "1M", "add up to 110 %"),
        (["books=2M"], "1M", "more than --tokens"),
        (["edu.score:3..=2", "edu.score:4..5=3"], None, "overlap"),
        (["edu.score@19=2", "edu.score@18..19=3"], None, "overlap"),
        (["edu.score@19=2", "edu.score:1..2=3"], None, "both ranges and vigintiles"),
        (["edu.score@0..3=2"], None, "from 1 to 20"),
        (["edu.score:5..3=2"], None, "LOW..HIGH"),
        (["edu.score:..=2"], None, "LOW..HIGH"),
        (["edu.score:1..2=20%"], "1M", "has a plain weight"),
        (["language.language@1=2"], None, "has no vigintiles"),
        ([], "many", "write a number of tokens"),
        ([], "10%", "write a number of tokens"),
        ([], "9" * 400, "write a number of tokens"),
        (["books=" + "9" * 400 + "B"], None, "write a number of tokens"),
        (["books=" + "9" * 400], None, "a weight is 0, or from"),
        (["edu.score@" + "9" * 5000 + "=2"], None, "from 1 to 20"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(entries: list[str], tokens: str | None, told: str) -> None:
    with pytest.raises(Exception, match=told.replace("?", r"\?").replace("..", r"\.\.")):
        parse_mix(entries, tokens, KNOWN)


def test_a_source_may_be_named_like_a_url() -> None:
    assert parse_mix(["https://a.example/x=2", "edu.score:..2.5=0"], None, KNOWN).parts == (Part("https://a.example/x", "rate", 2.0),)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--split", "validation=2"], "write NAME=SHARE"),
        (["--split", "train=0.1"], "train is what is not held out"),
        (["--split", "a=0.6", "--split", "b=0.4"], "leave nothing to train on"),
        (["--split", "a=0.1", "--split-by", "colour"], "--split-by must be"),
        (["--tokens", "1T"], "ask for fewer"),
        (["--mix", "books=9B"], "tokens are asked for"),
        (["--eos", "</s>"], "need --tokenizer"),
        (["--format", "csv"], "--format must be one of"),
    ],
)
def test_what_cannot_be_exported_is_refused_before_anything_is_written(
    corpus_run: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    said = call("export", corpus_run, "--out", tmp_path / "out", *options)
    assert (said.code, told in said.all) == (2, True), said.all
    assert not (tmp_path / "out").exists()


def test_an_export_of_nothing_says_so(corpus_run: Path, tmp_path: Path) -> None:
    said = call("export", corpus_run, "--out", tmp_path / "none", *(f"--mix={name}=0" for name in ("books", "web", "synthetic")))
    assert (said.code, said.err) == (0, f"{tmp_path / 'none'} has no row: {corpus_run} keeps none that --mix leaves in\n")
