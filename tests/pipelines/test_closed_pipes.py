"""Whoever reads our output may go away: a run goes on without its progress, and a command whose result nobody reads ends quietly."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from pipelines.closed_pipes import _to_nowhere
from tests.running import CURATE
from tests.verbs import call


def texts(folder: Path) -> Path:
    file = folder / "in.jsonl"
    file.write_text("".join(json.dumps({"id": str(i), "text": f"Text number {i} of some."}) + "\n" for i in range(300)), "utf-8")
    return file


@pytest.mark.parametrize("progress", ["json", "plain", "bar"])
def test_a_run_outlives_the_reader_of_its_progress(tmp_path: Path, progress: str) -> None:
    command = [str(CURATE), "run", "dedup", str(texts(tmp_path)), "--out", str(tmp_path / "out"), "--progress", progress]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert run.stdout is not None and run.stderr is not None
    run.stderr.close()
    shown = run.stdout.read()
    run.stdout.close()
    assert run.wait(120) == 0
    assert b"The books balance: 300 records" in shown
    assert (tmp_path / "out" / "contents.json").exists()


@pytest.mark.parametrize("arguments", [["filters"], ["filters", "--json"], ["recipes", "--reference"]])
def test_a_result_that_nobody_reads_ends_quietly(arguments: list[str]) -> None:
    command = subprocess.Popen([str(CURATE), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout is not None and command.stderr is not None
    command.stdout.close()
    said = command.stderr.read()
    command.stderr.close()
    assert command.wait(60) in (1, 141)
    assert said == b""


def test_a_failed_run_prints_one_json_document(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"id": "a", "body": "A text."}\n', "utf-8")
    done = call("run", "dedup", file, "--out", tmp_path / "out", "--json")
    assert done.code == 1
    assert json.loads(done.out)["error"]["kind"] == "nothing_read"


def test_what_nobody_reads_goes_nowhere() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        _to_nowhere(stream)
        stream.write("x" * 200_000)
        stream.flush()
