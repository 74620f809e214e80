"""Files of others among those of a run: whoever looks neither opens them nor takes them for ours, and `verify` tells them by name."""

import json
import shutil
from pathlib import Path

import pytest

from tests.running import curate
from tests.verbs import call

RECIPE = """[extractor]
name = "plain"

[[filter]]
name = "gopher_quality"

[synthesize]
teacher = { name = "procedural" }
tasks = [{ name = "worked_problem", count = 4 }]
"""
FOLDERS = (
    "stages",
    "stages/1-ingest",
    "stages/2-measure",
    "stages/6-replies",
    "stages/6-synthesize",
    "stages/6-synthesize/2-measure",
    "ledger",
    "ledger/synthetic",
    "dataset",
    "dataset/data",
)
BODIES = {"mine.txt": "notes\n", "mine.json": '{"key": 1}', "list.json": "[1]", "broken.json": "{", "mine.parquet": "PAR1 garbage PAR1"}
VERBS = (("inspect",), ("inspect", "--json"), ("inspect", "--signal", "gopher_quality.words"), ("why", "a"), ("report",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of one document and four generated rows."""
    folder = tmp_path_factory.mktemp("strangers")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "rows.jsonl").write_text(json.dumps({"id": "a", "text": "The tide comes in and goes out again. " * 20}) + "\n")
    curate("run", folder / "recipe.toml", folder / "rows.jsonl", "--out", folder / "out")
    return folder


def said(run: Path) -> list[tuple[int, str]]:
    """Return what the verbs that look say of a run."""
    told = []
    for verb, *options in VERBS:
        answer = call(verb, run, *options)
        assert "Traceback" not in answer.all
        told.append((answer.code, answer.out))
    return told


@pytest.mark.parametrize("finished", [True, False])
def test_strangers_are_not_looked_at(made: Path, tmp_path: Path, finished: bool) -> None:
    run = tmp_path / "out"
    shutil.copytree(made / "out", run)
    if not finished:
        (run / "contents.json").unlink()
    before, met = said(run), 0
    assert [code for code, _ in before] == [0] * len(VERBS)
    for folder in FOLDERS:
        (run / folder).mkdir(parents=True, exist_ok=True)
        for name, body in BODIES.items():
            (run / folder / name).write_text(body)
            met += 1
    assert said(run) == before
    told = json.loads(call("verify", run, "--json").out)
    misleading = {f"{folder}/mine.parquet" for folder in FOLDERS if folder.startswith(("ledger", "dataset"))}
    assert set(told["strangers"]) == {f"{folder}/{name}" for folder in FOLDERS for name in BODIES} - misleading
    faults = [fault for fault in told["faults"] if "contents.json is missing" not in fault]
    assert all(any(path in fault for path in misleading) for fault in faults), faults
    for path in misleading:
        assert any(path in fault for fault in faults)
        (run / path).unlink()
    assert call("verify", run).code == (0 if finished else 3)
    assert met == 50
    again = call("run", made / "recipe.toml", made / "rows.jsonl", "--out", run)
    assert (again.code, "Traceback" in again.all) == (0, False), again.all
    assert all((run / folder / name).read_text() == body for folder in FOLDERS for name, body in BODIES.items() if name != "mine.parquet")


def with_strangers(run: Path, records_of: Path) -> None:
    """Put strangers in every folder of a run, also such as look like ours: a shard and a sidecar of it."""
    for folder in (*FOLDERS, "stages/4a-sign", "stages/6-synthesize/4a-sign", "stages/6-synthesize/5-select"):
        (run / folder).mkdir(parents=True, exist_ok=True)
        for name, body in BODIES.items():
            (run / folder / name).write_text(body)
        shutil.copy(next((records_of / "ledger").glob("*.parquet")), run / folder / "sound.parquet")
        shutil.copy(next((records_of / "stages/1-ingest").glob("small-*.json")), run / folder / "unit.json")


def test_strangers_are_neither_compared_nor_exported(made: Path, tmp_path: Path) -> None:
    run, clean = tmp_path / "out", made / "out"
    shutil.copytree(clean, run)
    with_strangers(run, clean)
    compared = json.loads(call("diff", clean, run, "--json").out)
    assert (compared["same"], compared["changed"], compared["only_first"], compared["only_second"]) == (5, 0, 0, 0)
    data = []
    for number, place in enumerate((clean, run)):
        said = call("export", place, "--out", tmp_path / f"export-{number}")
        assert said.code == 0, said.all
        data.append({path.name: path.read_bytes() for path in (tmp_path / f"export-{number}/data").iterdir()})
    assert data[0] == data[1]


def test_a_run_is_held_against_what_an_earlier_one_kept_and_no_stranger_in_it(made: Path, tmp_path: Path) -> None:
    plain, recipe, earlier = tmp_path / "plain.toml", tmp_path / "held.toml", tmp_path / "earlier"
    plain.write_text(f"{(made / 'recipe.toml').read_text()}\n[deduplicate]\n")
    recipe.write_text(plain.read_text() + f"against = [{json.dumps(str(earlier))}]\n")
    assert call("run", plain, made / "rows.jsonl", "--out", earlier).code == 0
    ledgers = []
    for out in ("before", "after"):
        said = call("run", recipe, made / "rows.jsonl", "--out", tmp_path / out)
        assert said.code == 0, said.all
        ledgers.append({path.name: path.read_bytes() for path in sorted((tmp_path / out / "ledger").rglob("*.parquet"))})
        with_strangers(earlier, made / "out")
    assert ledgers[0] == ledgers[1]
    assert len(ledgers[0]) >= 2
    assert call("verify", tmp_path / "after").code == 0


def test_every_file_of_an_export_is_hashed_and_strangers_beside_it_are_named(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "export"
    assert call("export", made / "out", "--out", target).code == 0
    files = [path for path in sorted(target.rglob("*")) if path.is_file() and path.name != ".lock"]
    assert {path.name for path in files} >= {"README.md", "manifest.json", "contents.json"}
    assert call("verify", target).code == 0
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        said = call("verify", target)
        assert (said.code, path.name in said.out) == (3, True), said.all
        path.write_bytes(content)
    (target / "notes.txt").write_text("mine")
    (target / "data/mine.parquet").write_text("mine")
    told = json.loads(call("verify", target, "--json").out)
    assert told["strangers"] == ["notes.txt"]
    assert len(told["faults"]) == 1
    (target / "data/mine.parquet").unlink()
    assert call("export", made / "out", "--out", target, "--format", "jsonl").code == 0
    assert call("verify", target).code == 0
    assert (target / "notes.txt").read_text() == "mine"
