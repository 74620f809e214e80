"""Buckets of scores and their ensemble: equal bytes, source by source, and what a recipe keeps of a run that measured its own edges."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError, RecipeError
from curation.text.text import Text
from filters.score_ensemble import ScoreEnsemble
from filters.support.buckets import ALL, SCORE_BUCKETS, bucket_edges, bucket_of, edges_to_json, read_edges
from pipelines.recipes.recipe import parse_recipe
from tests.meeting import meets, met
from tests.running import ROOT
from tests.verbs import call


@meets(values=150)
@given(rows=st.lists(st.tuples(st.floats(-5, 5), st.integers(1, 50)), min_size=1, max_size=200))
def test_edges_cut_equal_weights(rows: list[tuple[float, int]]) -> None:
    values, weights = np.array([value for value, _ in rows]), np.array([float(weight) for _, weight in rows])
    edges = bucket_edges(values, weights)
    met["values"] += len(rows)
    for place, edge in enumerate(edges.tolist(), start=1):
        below = sum(weight for value, weight in rows if value < edge)
        up_to = sum(weight for value, weight in rows if value <= edge)
        assert below <= weights.sum() * place / SCORE_BUCKETS + 1e-9
        assert up_to >= weights.sum() * place / SCORE_BUCKETS - 1e-9
    buckets = bucket_of(values, edges)
    assert (np.diff(buckets[np.argsort(values)]) >= 0).all()
    assert buckets.min() >= 0
    assert buckets.max() <= SCORE_BUCKETS - 1


def test_buckets_of_many_different_values_are_of_one_size() -> None:
    values = np.random.default_rng(1).normal(size=4000)
    counts = np.bincount(bucket_of(values, bucket_edges(values, np.ones(4000))).astype(int), minlength=SCORE_BUCKETS)
    assert counts.tolist() == [200] * SCORE_BUCKETS


def edges_file(folder: Path, **signals: dict[str, list[float]]) -> str:
    edges = {name.replace("_x_", "."): {source: np.array(own) for source, own in of.items()} for name, of in signals.items()}
    (folder / "edges.json").write_bytes(edges_to_json(edges))
    return str(folder / "edges.json")


def measured(made: ScoreEnsemble, **columns: list[Any]) -> pl.DataFrame:
    count = len(next(iter(columns.values())))
    documents = pa.table({name.replace("_x_", "."): values for name, values in columns.items()})
    return pl.DataFrame({name: pl.Series(of) for name, of in made.signals(Text.from_strings(["a"] * count), documents).items()})


@pytest.mark.parametrize(
    ("combine", "expected"), [("max", [19.0, 4.0, 3.0, None]), ("mean", [10.5, 4.0, 2.0, None]), ("min", [2.0, 4.0, 1.0, None])]
)
def test_ranks_are_combined_and_nulls_do_not_count(tmp_path: Path, combine: Any, expected: list[float | None]) -> None:
    rising = [float(edge) for edge in range(1, SCORE_BUCKETS)]
    file = edges_file(
        tmp_path, a_x_score={ALL: rising}, b_x_score={ALL: [edge / 10 for edge in rising], "mine": [edge / 100 for edge in rising]}
    )
    made = ScoreEnsemble(scores=("a.score", "b.score"), edges=file, combine=combine)
    found = measured(made, source=["web", "web", "mine", "web"], a_x_score=[19.5, 4.2, 1.0, None], b_x_score=[0.25, None, 0.031, None])
    assert found["bucket"].to_list() == expected
    assert found["buckets"].to_list() == ["19 2", "4 -", "1 3", None]


def test_damaged_edges_are_a_clear_error(tmp_path: Path) -> None:
    good = edges_file(tmp_path, a_x_score={ALL: list(range(19))})
    assert read_edges(good)["a.score"][ALL].tolist() == list(range(19))
    with pytest.raises(InputError, match=r"no edges of 'b\.score'; it has a\.score"):
        ScoreEnsemble(scores=("b.score",), edges=good).files()
    content = json.loads(Path(good).read_text())
    chance = random.Random(3)
    for damaged in (
        b"",
        b"[]",
        b'{"signals": 3}',
        b"\xff",
        b"[" * 100_000,
        *(
            json.dumps({**content, "signals": {"a.score": {ALL: edges}}}).encode()
            for edges in ([1], "1", list(range(19, 0, -1)), [None] * 19)
        ),
        json.dumps({**content, "signals": {"a.score": {"web": list(range(19))}}}).encode(),
        json.dumps({**content, "format": "buckets 0"}).encode(),
        *(bytes(chance.randrange(256) for _ in range(200)) for _ in range(20)),
    ):
        (tmp_path / "edges.json").write_bytes(damaged)
        with pytest.raises(InputError, match="is not a file of edges"):
            ScoreEnsemble(scores=("a.score",), edges=good).files()


def test_a_recipe_that_measures_no_such_score_is_refused() -> None:
    for text in (
        '[[filter]]\nname = "score_ensemble"\n',
        '[[filter]]\nname = "score_ensemble"\n\n[[filter]]\nname = "educational_score"\n',
    ):
        with pytest.raises(RecipeError, match=r"no filter before it measures 'educational_score\.score'"):
            parse_recipe(text, "mine")


def test_from_a_run_to_edges_to_the_best_of_each_source(tmp_path: Path) -> None:
    texts = ROOT / "sample_data" / "texts"
    rows = [json.loads(line) for name in ("textbook", "web") for line in (texts / f"{name}.jsonl").read_text("utf-8").splitlines()]
    for source in ("textbook", "web"):
        lines = [{**row, "id": f"{source}-{turn}-{row['id']}"} for turn in range(2) for row in rows if row["id"].startswith(source[0])]
        (tmp_path / f"{source}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    inputs = [tmp_path / "textbook.jsonl", tmp_path / "web.jsonl"]
    scored = call("run", "score_ensemble", *inputs, "--out", tmp_path / "scored")
    assert scored.code == 0, scored
    told = "no file is named (edges), so it drops nothing; name one, such as --set 'filter.score_ensemble.edges=FILE'"
    assert told in " ".join(scored.err.split())
    assert "so it drops nothing" in (tmp_path / "scored/dataset/README.md").read_text()
    edges = tmp_path / "edges.json"
    asked = [
        "buckets",
        tmp_path / "scored",
        "--signal",
        "educational_score.score",
        "--signal",
        "educational_score.score_max",
        "--out",
        edges,
    ]
    said = call(*asked, "--by-source")
    assert said.code == 0, said
    first = edges.read_bytes()
    assert call(*asked, "--by-source", "--json").code == 0
    assert edges.read_bytes() == first
    setting = f"filter.score_ensemble.edges={edges}"
    best = call("run", "score_ensemble", *inputs, "--out", tmp_path / "best", "--set", setting)
    assert (best.code, "drops nothing" in best.err) == (0, False)
    found = pl.concat([pl.read_parquet(path) for path in (tmp_path / "best" / "stages" / "2-measure").glob("*.parquet")])
    ledger = pl.concat([pl.read_parquet(path) for path in (tmp_path / "best" / "ledger").glob("*[0-9].parquet")], how="diagonal_relaxed")
    both = found.join(ledger, on="id").filter(pl.col("score_ensemble.bucket").is_not_null())
    assert both.height > 100
    assert (both.filter(pl.col("fate") == "kept")["score_ensemble.bucket"] >= 18).all()
    dropped = both.filter(pl.col("rule") == "score_ensemble.low_bucket")
    assert (dropped["score_ensemble.bucket"] < 18).all()
    top = both.filter(pl.col("score_ensemble.bucket") >= 18)["text_bytes"].sum() / both["text_bytes"].sum()
    assert 0.08 < top < 0.25  # a tenth by either score
    odd = call("buckets", tmp_path / "scored", "--signal", "language.language", "--out", tmp_path / "odd.json")
    assert odd.code == 2
    assert not (tmp_path / "odd.json").exists()
    (tmp_path / "mine.json").write_text("mine")
    assert call(*asked[:-1], tmp_path / "mine.json").code == 3
