"""Runs that have not ended, and runs on an object store: every page shows them as far as they came."""

import html
import re
from pathlib import Path

import pytest

from tests.object_store import BUCKET, object_store
from tests.pipelines.test_unfinished_runs import SAID, broken_off
from tests.running import SMALL_RECIPE, many_files
from tests.serve.serving import Server, serving
from tests.verbs import call

PAGES = ("/", "/signals", "/lab", "/lab?t.gopher_quality.too_few_words=90", "/documents", "/documents?q=tide", "/duplicates", "/synthetic")
PAGES += ("/label", "/document?id=0-0", "/document?id=0-0&view=record", "/document?id=0-0&view=edits")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    many_files(folder / "input", files=2, rows=24)
    (folder / "plain.toml").write_text(SMALL_RECIPE)
    assert call("run", folder / "plain.toml", folder / "input/*.jsonl", "--out", folder / "run").code == 0
    return folder / "run"


def shown(server: Server) -> dict[str, str]:
    """Return what every page shows."""
    pages = {page: server.ask(page) for page in PAGES}
    assert {page: status for page, (status, _, _) in pages.items() if status != 200} == {}
    return {page: html.unescape(re.sub(r"<[^>]*>", "", text)) for page, (_, _, text) in pages.items()}


def test_unfinished_runs_are_shown_as_far_as_they_came(made: Path, tmp_path: Path) -> None:
    stages = ("1-ingest", "3-judge", "5-select")
    runs = [broken_off(made, tmp_path / stage, stage).rename(tmp_path / stage / f"after-{stage}") for stage in stages]
    with serving(*runs, labels=tmp_path / "labels.parquet") as server:
        for run in runs:
            pages = {page: server.ask(f"{page}{'&' if '?' in page else '?'}run={run.name}") for page in PAGES}
            assert {page: text for page, (status, _, text) in pages.items() if status != 200} == {}, run.name
            assert SAID in pages["/"][2]
            assert "<h1>50 documents<" in pages["/documents"][2]
            assert "undecided" in pages["/document?id=0-0"][2] or run.name == "after-5-select"


def test_a_run_on_an_object_store_shows_the_same_pages(made: Path, tmp_path: Path) -> None:
    with object_store() as store:
        store.upload(made, "run")
        with (
            serving(made, labels=tmp_path / "a.parquet") as local,
            serving(f"s3://{BUCKET}/run", labels=tmp_path / "b.parquet", env=store.env) as remote,
        ):
            here, there = shown(local), shown(remote)
    for page in PAGES:
        assert there[page].replace("b.parquet", "a.parquet") == here[page], page
