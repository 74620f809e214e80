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
