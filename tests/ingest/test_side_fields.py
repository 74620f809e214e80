"""What a record says beside its text reaches the dataset: as JSON text in `metadata`, and by `keep` as columns."""

import datetime
import decimal
import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import RecipeError
from curation.ingest.side_fields import json_object_of, json_text, string_of, value_of
from pipelines.recipes.recipe import parse_recipe
from tests.meeting import meets, met
from tests.running import curate

RECIPE = '[export]\nkeep = ["license", "domain", "points"]\n'
LINES = [
    {"id": "a", "text": "The first of two texts.", "license": "cc-by-4.0", "meta": {"z": [1, 2.5, None], "a": {"b": True}}, "points": 3},
    {
        "id": "b",
        "text": "The second one.",
        "domain": "lake.example",
        "zip": "00501",
        "year": "1984",
        "like": "[1]",
        "odd": "NaN",
        "n": None,
    },
]
EXPECTED = [
    {"license": "cc-by-4.0", "meta": {"z": [1, 2.5, None], "a": {"b": True}}, "points": 3},
    {"domain": "lake.example", "zip": "00501", "year": "1984", "like": "[1]", "odd": "NaN"},
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner, max_size=4),
    max_leaves=8,
)


@meets(strings=4, nested=10)
@given(JSON | st.sampled_from(["1984", "null", "-", '"', "1e999", "[", "Infinity", " 1", "tr", '"\\ud800"', "[" * 5000]))
def test_values_come_back_as_they_were(value: Any) -> None:
    text = json_text(value) if isinstance(value, str) else json.dumps(value)
    assert value_of(text) == value
    assert string_of(text) == (value if isinstance(value, str) else json.dumps(value))
    assert json.loads(json_object_of({"b": text, "a": "x"})) == {"a": "x", "b": value}
    assert json_object_of({"b": text, "a": "x"}) == json_object_of([("a", "x"), ("b", text)])
    met["strings"] += isinstance(value, str)
    met["nested"] += isinstance(value, list | dict) and len(value) > 0


def test_what_utf_8_cannot_hold_is_escaped() -> None:
    assert json_object_of({"a": '{"b": "\\ud800"}'}) == '{"a":{"b":"\\ud800"}}'
    assert json_object_of({}) == "{}"
    assert json_object_of({"a": "1e999"}) == '{"a":"1e999"}'


def run(folder: Path, file: Path) -> Path:
    (folder / "recipe.toml").write_text(RECIPE)
    curate("run", folder / "recipe.toml", file, "--out", folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metadata")
    (folder / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return run(folder, folder / "in.jsonl")


def test_everything_of_a_jsonl_line_reaches_the_dataset(made: Path) -> None:
    rows = pl.read_parquet(made / "dataset/data/*.parquet")
    assert [json.loads(text) for text in rows["metadata"]] == EXPECTED
    assert rows["metadata"][0] == '{"license":"cc-by-4.0","meta":{"a":{"b":true},"z":[1,2.5,null]},"points":3}'
    assert rows["license"].to_list() == ["cc-by-4.0", None]
    assert rows["domain"].to_list() == [None, "lake.example"]
    assert rows["points"].to_list() == ["3", None]
    asked = f"select metadata->>'$.meta.a.b', json_extract_string(metadata, '$.zip') from '{made}/dataset/data/*.parquet' order by id"
    assert duckdb.sql(asked).fetchall() == [("true", None), (None, "00501")]


def test_the_card_lists_the_columns(made: Path) -> None:
    card = (made / "dataset/README.md").read_text()
    for name in ("license", "domain", "points"):
        assert f"| `{name}` | string | the input field of this name |" in card
    assert "| `metadata` | large_string | JSON text" in card


def test_the_dataset_with_kept_columns_loads(made: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(str(made / "dataset"), split="train", cache_dir=str(tmp_path))
    assert [json.loads(text) for text in rows["metadata"]] == EXPECTED


def test_an_export_as_jsonl_has_them_too(made: Path, tmp_path: Path) -> None:
    curate("export", made, "--out", tmp_path / "export", "--format", "jsonl", "--order")
    (file,) = (tmp_path / "export").rglob("*.jsonl.gz")
    rows = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert [json.loads(row["metadata"]) for row in rows] == EXPECTED
    assert [row["license"] for row in rows] == ["cc-by-4.0", None]


def test_nested_columns_of_parquet_reach_the_dataset(tmp_path: Path) -> None:
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    table = pa.table(
        {
            "id": ["a", "b"],
            "text": ["A text with facts beside it.", "Another one without any of them."],
            "license": pa.array(["mit", None], pa.dictionary(pa.int8(), pa.string())),
            "meta": pa.array([{"url": "x", "tags": ["a", None], "n": 1, "at": when}, None]),
            "counts": pa.array([[("é", 1), ("b", 2)], None], pa.map_(pa.string(), pa.int64())),
            "price": pa.array([decimal.Decimal("12345678901234567.10"), None], pa.decimal128(38, 2)),
            "deep": pa.array([[[{"k": [True]}]], None]),
            "image": pa.array([{"bytes": b"\x00\xff", "path": "p"}, None]),
            "blob": pa.array([b"\xff", None]),
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    rows = pl.read_parquet(run(tmp_path, tmp_path / "in.parquet") / "dataset/data/*.parquet")
    assert [json.loads(text) for text in rows["metadata"]] == [
        {
            "license": "mit",
            "meta": {"url": "x", "tags": ["a", None], "n": 1, "at": "2026-01-02T03:04:05+00:00"},
            "counts": {"é": 1, "b": 2},
            "price": "12345678901234567.10",
            "deep": [[{"k": [True]}]],
        },
        {},
    ]


def test_bad_utf_8_in_a_nested_column_costs_neither_the_text_nor_the_rest(tmp_path: Path) -> None:
    strings = pa.array([b"good", b"b\xffd", b"end"], pa.binary()).view(pa.string())
    meta = pa.StructArray.from_arrays([strings, pa.ListArray.from_arrays([0, 1, 2, 3], strings)], ["s", "l"])
    pq.write_table(pa.table({"id": ["a", "b", "c"], "text": ["one text", "two texts", "three"], "meta": meta}), tmp_path / "in.parquet")
    rows = pl.read_parquet(run(tmp_path, tmp_path / "in.parquet") / "dataset/data/*.parquet").sort("id")
    assert [json.loads(text)["meta"] for text in rows["metadata"]] == [
        {"s": "good", "l": ["good"]},
        {"s": "b\ufffdd", "l": ["b\ufffdd"]},
        {"s": "end", "l": ["end"]},
    ]


@pytest.mark.parametrize(
    ("keep", "fault"), [('["url"]', "'url' is a column of every dataset"), ('["a", "a"]', "name every field once"), ('[""]', "name")]
)
def test_a_name_that_cannot_be_a_column_is_refused(keep: str, fault: str) -> None:
    with pytest.raises(RecipeError, match=fault):
        parse_recipe(f"[export]\nkeep = {keep}\n", "mine")


def test_a_web_record_cannot_pass_itself_off_as_generated(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    claims = {"origin": "synthetic", "seed_ids": "no list", "task": "none", "messages": "none"}
    file.write_text(json.dumps({"id": "a", "text": "A text of the web.", **claims}) + "\n", "utf-8")
    out = run(tmp_path, file)
    (row,) = pq.read_table(out / "dataset" / "data").to_pylist()
    assert (row["origin"], row["seed_ids"], row["task"]) == ("web", None, None)
    assert json.loads(row["metadata"]) == claims
    curate("verify", out)
