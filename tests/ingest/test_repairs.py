"""What readers mend reaches the dataset as text that can be read, and is counted as edits, whatever format it came in."""

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.ingest.test_readers_archives import page, warc
from tests.running import curate

RECIPE = "[extractor]\nname = 'plain'\n"
BROKEN_STRING = pa.Array.from_buffers(pa.string(), 1, pa.array([b"Ebb\0 and flow \xff" + b" tide" * 20]).buffers())


def files(folder: Path) -> None:
    spelled = json.dumps({"id": "a", "text": "Ebb\0 and flow \ud83d" + " tide" * 20, "score": float("nan"), "url": [1]})
    (folder / "a.jsonl").write_text(spelled + "\n", "ascii")
    pq.write_table(pa.table({"text": BROKEN_STRING, "score": [float("nan")]}), folder / "b.parquet")
    (folder / "c.wet").write_bytes(warc(b"Ebb\0 and flow \xff" + b" tide" * 20, "conversion"))
    (folder / "d.warc").write_bytes(page(1, b"<p>Ebb\0 and flow \xff" + "tide, März ".encode() * 60))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repairs")
    (folder / "in").mkdir()
    files(folder / "in")
    (folder / "recipe.toml").write_text(RECIPE)
    curate("run", folder / "recipe.toml", folder / "in", "--out", folder / "out")
    return folder / "out"


def test_every_text_is_kept_and_clean(run: Path) -> None:
    texts = pl.read_parquet(run / "dataset/data/*.parquet").sort("file_path")
    assert texts.height == 4
    assert texts["text"].str.starts_with("Ebb and flow \ufffd").all()


def test_repairs_are_counted_for_each_document_and_in_all(run: Path) -> None:
    counted = {}
    for path in sorted((run / "stages/1-ingest").glob("*-0*.parquet")):
        for row in pq.read_table(path, columns=["file_path", "metadata"]).to_pylist():
            counted[row["file_path"]] = {name: count for name, count in row["metadata"] if name.startswith("edits.")}
    assert list(dict(sorted(counted.items())).values()) == [
        {
            "edits.reading.nul": "1",
            "edits.reading.lone_surrogate": "1",
            "edits.reading.not_finite": "1",
            "edits.reading.bad_url": "1",
        },
        {"edits.reading.nul": "1", "edits.reading.undecodable": "1", "edits.reading.not_finite": "1"},
        {"edits.reading.nul": "1", "edits.reading.undecodable": "1"},
        {"edits.reading.control": "1", "edits.reading.undecodable": "1"},
    ]
    sidecars = [json.loads(path.read_text("utf-8")) for path in sorted((run / "stages/1-ingest").glob("small-*.json"))]
    in_all: dict[str, int] = {}
    for sidecar in sidecars:
        for name, count in sidecar["counts"]["edits"].items():
            in_all[name] = in_all.get(name, 0) + count
    assert in_all == {
        "reading.nul": 3,
        "reading.lone_surrogate": 1,
        "reading.not_finite": 2,
        "reading.bad_url": 1,
        "reading.undecodable": 3,
        "reading.control": 1,
    }
