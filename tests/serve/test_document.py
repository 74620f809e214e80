"""The page of one document: beside its record, as changes of edits, with what it shares with a benchmark; and where the input is gone."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import reworded
from tests.serve.serving import Server, serving
from tests.verbs import call

RECIPE = """
[[input]]
path = "input/*.html"

[[input]]
path = "input/*.jsonl"
text = "body"
id = "name"

[[edit]]
name = "pii"

[[filter]]
name = "benchmark_overlap"
benchmarks = ["questions.jsonl"]
ngram = 8
"""

QUESTION = "A tank holds ninety litres and a pump empties six litres each minute so how long does it take"
PARAGRAPH = "The tide comes and goes twice a day, and whoever walks on the sand should know when it turns. " * 6
PAGE = f"<html><body><nav><a href='/'>Home</a></nav><p>{PARAGRAPH}</p><p>Write to jane.doe@harbour.org about the tide.</p></body></html>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("document")
    (folder / "input").mkdir()
    (folder / "input/tide.html").write_text(PAGE)
    lines = [{"name": f"line-{number}", "body": f"Line {number} is a text of its own."} for number in range(3)]
    lines += [{"name": "leak", "body": f"He asks: {QUESTION}? She answers."}]
    (folder / "input/lines.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "questions.jsonl").write_text(json.dumps({"id": "q7", "question": f"{QUESTION}?", "answer": "15"}) + "\n")
    (folder / "own.toml").write_text(RECIPE)
    said = call("run", folder / "own.toml", "--out", folder / "out")
    assert said.code == 0, said.all
    return folder


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(folder / "out", labels=tmp_path_factory.mktemp("labels") / "labels.parquet") as started:
        yield started


def page_of(server: Server, **asked: str) -> str:
    from urllib.parse import urlencode

    status, _, text = server.ask(f"/document?{urlencode(asked)}")
    assert status == 200, text
    return text


def bodies(text: str) -> list[str]:
    """Return the texts that a page shows, with only their marks left of their markup."""
    found = re.findall(r'<pre class="body[^>]*>(.*?)</pre>', text, re.DOTALL)
    return [html.unescape(re.sub(r"<(/?)(del|ins|mark)\b[^>]*>", r"«\1\2»", body)) for body in found]


def id_of_page(folder: Path) -> str:
    import polars as pl

    ledger = pl.read_parquet(sorted((folder / "out/ledger").glob("*.parquet")))
    return str(ledger.filter(pl.col("file_path") == "tide.html")["id"].item())


def test_a_text_stands_beside_its_record(server: Server, folder: Path) -> None:
    page = page_of(server, id=id_of_page(folder), view="record")
    record, text = bodies(page)
    assert record == PAGE
    assert "Write to «mark»<email>«/mark» about the tide." in text
    assert "Home" not in text
    assert str(folder / "input/tide.html") in page
    assert bodies(page_of(server, id="line-1", view="record")) == ["Line 1 is a text of its own."] * 2


def test_what_edits_changed_is_marked_in_the_extracted_text(server: Server, folder: Path) -> None:
    (changes,) = bodies(page_of(server, id=id_of_page(folder), view="edits"))
    assert "Write to«del» jane.doe@harbour.org«/del»«ins» <email>«/ins» about the tide." in changes
    assert changes.count("«del»") == 1
    same = page_of(server, id="line-1", view="edits")
    assert bodies(same) == ["Line 1 is a text of its own."]
    assert "No edit changed it." in same


def test_a_passage_of_a_benchmark_stands_beside_the_item(server: Server) -> None:
    text, passage, item = bodies(page_of(server, id="leak"))
    assert text == f"He asks: «mark»{QUESTION}«/mark»? She answers."
    assert passage == f"«mark»{QUESTION}«/mark»"
    assert item == f"{QUESTION}?"


def test_an_input_that_changed_or_is_gone_is_told_and_never_shown(folder: Path, tmp_path: Path) -> None:
    named, secret = folder / "input/lines.jsonl", "a secret that is no record of the run"
    before = named.read_bytes()
    with serving(folder / "out", labels=tmp_path / "labels.parquet") as server:
        try:
            named.write_text("".join(f"{json.dumps({'name': f'line-{n}', 'body': secret[:30].ljust(30, '.')})}\n" for n in range(3)))
            changed = page_of(server, id="line-2", view="record")
            assert "has changed since the run read it" in changed
            assert "secret" not in changed
            named.unlink()
            for view in ("record", "edits"):
                gone = page_of(server, id="line-2", view=view)
                assert "is not there any more" in gone
                assert "Line 2 is a text of its own." in gone
        finally:
            named.write_bytes(before)
        assert server.ask("/document?id=line-2&view=else")[0] == 404


def test_a_run_folder_cannot_show_files_that_its_maker_does_not_know(folder: Path, tmp_path: Path) -> None:
    """A forged run names another folder for its inputs; the file there has the same name, place and size, and another content."""
    import shutil

    private = tmp_path / "private"
    private.mkdir()
    before = (folder / "input/lines.jsonl").read_text()
    (private / "lines.jsonl").write_text(before.replace("text of its own", "pass word: XYZ9"))
    forged = shutil.copytree(folder / "out", tmp_path / "forged")

    def elsewhere(record: dict[str, object]) -> None:
        record["sessions"][-1]["inputs"] = [f"{private}/", "http://127.0.0.1:9/", "/dev/", "\0", 7]  # type: ignore[index]

    reworded(forged / "run.json", elsewhere)
    with serving(forged, labels=tmp_path / "labels.parquet") as server:
        page = page_of(server, id="line-1", view="record")
    assert "has changed since the run read it" in page
    assert "XYZ9" not in page


def test_run_json_names_the_folders_of_the_inputs(folder: Path) -> None:
    session = json.loads((folder / "out/run.json").read_bytes())["sessions"][-1]
    assert session["inputs"] == [f"{folder}/input/"]
