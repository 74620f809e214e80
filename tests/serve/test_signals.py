"""The page of a signal: it reads a run once, and again when the run has changed."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from pipelines.serve import views
from pipelines.serve.served import served
from tests.reexport.corpus import write_corpus
from tests.verbs import call

SIGNAL = "gopher_quality.words"


def test_a_signal_is_read_once_and_again_when_the_run_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_corpus(tmp_path)
    what = served([str(out)], str(tmp_path / "labels.parquet"))
    read: list[str] = []
    whole = views.summarise
    monkeypatch.setattr(views, "summarise", lambda *given: (read.append(given[0]), whole(*given))[1])

    def shown(at: int = 100) -> tuple[Any, Any]:
        query = urlencode({"signal": SIGNAL, "at": at}).encode()
        request = Request({"type": "http", "method": "GET", "path": "/signals", "query_string": query, "headers": []})
        page = views.signals(what, request, "out")
        return page["summary"], page["effect"]

    summary, effect = shown()
    assert shown(200)[0] == shown(300)[0] == summary
    assert read == [SIGNAL]
    assert summary.documents == effect.all.of.documents > 3000
    assert sum(part.kept for part in summary.bins) == effect.otherwise_kept.now.documents
    recipe = (tmp_path / "corpus.toml").read_text().replace("min_words = 1\n", "min_words = 200\n")
    (tmp_path / "corpus.toml").write_text(recipe)
    assert call("run", tmp_path / "corpus.toml", "--out", out).code == 0
    judged, after = shown()
    assert after.threshold == 200
    assert sum(part.kept for part in judged.bins) < sum(part.kept for part in summary.bins)
    shard = next(iter(sorted((out / "ledger").glob("*[0-9].parquet"))))
    shard.rename(tmp_path / "gone.parquet")
    fewer, beside = shown()
    assert fewer.documents == beside.all.of.documents < judged.documents
    assert len(read) == 3
