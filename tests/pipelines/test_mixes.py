"""Exports: the layout of what is written, mixes and the card that says what they left out, and what is refused."""

import json
import re
from pathlib import Path

import polars as pl
import pytest

from tests.running import curate

SFT = "sft/train-00000-of-00001.parquet"
DPO = "dpo/train-00000-of-00001.parquet"


def number(text: str) -> int:
    return int(text.replace(",", "").replace("*", ""))


def table_of(card: str, title: str) -> list[list[str]]:
    """Return the cells of the first table after a heading."""
    lines = card.split(f"{title}\n", 1)[1].split("\n\n")
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[1 if lines[0] == "" else 0].strip().splitlines()[2:]
    ]


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def test_an_export_is_a_dataset_and_nothing_else(demo_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    told = json.loads(curate("export", demo_run, "--out", out, "--order", "--json"))
    assert told["dataset"] == str(out)
    assert files_of(out) == ["README.md", "contents.json", "croissant.json", "data/train-00000-of-00001.parquet", DPO, "manifest.json", SFT]
    whole = pl.read_parquet(demo_run / "dataset/data/*.parquet")
    assert pl.read_parquet(out / "data/*.parquet").equals(whole)
    assert json.loads(curate("verify", out, "--json"))["faults"] == []
    curate("export", demo_run, "--out", out, "--format", "jsonl")
    assert files_of(out) == [
        "README.md",
        "contents.json",
        "croissant.json",
        "data/train-00000-of-00001.jsonl.gz",
        DPO,
        "manifest.json",
        SFT,
    ]
    assert json.loads(curate("verify", out, "--json"))["faults"] == []


def test_the_card_of_a_mix_adds_up(demo_run: Path, tmp_path: Path) -> None:
    curate("export", demo_run, "--out", tmp_path, "--mix", "synthetic=0.5", "--mix", "textbook=0.25")
    rows = pl.read_parquet(tmp_path / "data/*.parquet")
    whole = pl.read_parquet(demo_run / "dataset/data/*.parquet")
    assert set(rows["id"]) < set(whole["id"])
    card = (tmp_path / "README.md").read_text()
    assert "This dataset is a mix of the documents that its run kept: 50 % of synthetic, 25 % of textbook" in card
    for title, origin in (("### Web", "web"), ("### Generated", "synthetic")):
        lines = table_of(card, title)
        came, kept = number(lines[0][2]), number(lines[-1][2])
        assert came + sum(number(line[2]) for line in lines[1:-1]) == kept == rows.filter(origin=origin).height
        assert lines[-2][:2] == ["mix", "left out by the mix"]
        assert number(lines[-2][2]) == kept - whole.filter(origin=origin).height
        assert number(lines[-2][5]) == kept
    sources = {line[0]: number(line[2]) for line in table_of(card, "## Sources and licences")}
    web = rows.filter(origin="web")
    assert {name: count for name, count in sources.items() if count} == dict(web.group_by("source").len().iter_rows())
    assert sources["textbook"] < whole.filter(source="textbook").height / 2
    assert f"| Rows | {rows.height:,} |" in card
    assert json.loads(curate("verify", tmp_path, "--json"))["faults"] == []


@pytest.mark.parametrize(
    ("mix", "told"),
    [
        ("synthetc=0.5", "did you mean 'synthetic'?; the run has: web, synthetic, "),
        ("nothing-like-it=0.5", "no kept row has the source or origin 'nothing-like-it'; the run has: web, synthetic, "),
        ("synthetic=-2", "write NAME=SHARE"),
        ("synthetic", "write NAME=SHARE"),
    ],
)
def test_a_mix_of_what_is_not_there_is_refused(demo_run: Path, tmp_path: Path, mix: str, told: str) -> None:
    assert told in curate("export", demo_run, "--out", tmp_path / "out", "--mix", mix, code=2)
    assert not (tmp_path / "out").exists()


def test_a_dataset_lies_in_no_run_and_in_no_other_dataset(demo_run: Path, tmp_path: Path) -> None:
    before = files_of(demo_run)
    assert "choose a folder outside the run" in curate("export", demo_run, "--out", demo_run / "dataset", code=2)
    assert "choose a folder outside the run" in curate("export", demo_run, "--out", demo_run / "small", code=2)
    assert files_of(demo_run) == before
    curate("export", demo_run, "--out", tmp_path / "a")
    assert "is inside the dataset" in curate("export", demo_run, "--out", tmp_path / "a/b", code=2)


def test_an_export_that_was_cut_short_is_not_taken_for_whole(demo_run: Path, tmp_path: Path) -> None:
    curate("export", demo_run, "--out", tmp_path / "a")
    manifest = tmp_path / "a/manifest.json"
    content = json.loads(manifest.read_text())
    unfinished = {"made_by": "textbook-curation", "unfinished": "...", "shards": [{"file": "data/train-00000-of-00002.parquet"}], "sft": []}
    unfinished["shards"] += [{"file": entry["file"]} for entry in [*content["shards"], *content["sft"], *content["dpo"]]]  # type: ignore[operator]
    manifest.write_text(json.dumps(unfinished))
    (tmp_path / "a/data/train-00000-of-00002.parquet").write_bytes(b"half of it")
    (tmp_path / "a/data/mine.parquet").write_bytes(b"not ours")
    curate("verify", tmp_path / "a", code=3)
    assert "mine.parquet was not written by an export" in curate("export", demo_run, "--out", tmp_path / "a", code=3)
    (tmp_path / "a/data/mine.parquet").rename(tmp_path / "mine.parquet")
    curate("export", demo_run, "--out", tmp_path / "a")
    assert files_of(tmp_path / "a/data") == ["train-00000-of-00001.parquet"]
    assert json.loads(manifest.read_text()) == content


def test_a_file_that_is_not_ours_is_not_written_over(demo_run: Path, tmp_path: Path) -> None:
    curate("export", demo_run, "--out", tmp_path / "a", "--format", "jsonl")
    mine = tmp_path / "a/data/train-00000-of-00001.parquet"
    mine.write_bytes(b"mine")
    assert "was not written by an export" in curate("export", demo_run, "--out", tmp_path / "a", code=3)
    assert mine.read_bytes() == b"mine"
