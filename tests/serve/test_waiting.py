"""A page that takes long: its frame comes at once, with what is known without reading a table, and then the page."""

import asyncio
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipelines.serve import views, waiting
from pipelines.serve.app import application
from pipelines.serve.served import served
from pipelines.serve.waiting import WAITS, Waiting
from tests.reexport.corpus import write_corpus


def test_the_frame_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_corpus(tmp_path)
    monkeypatch.setattr(waiting, "FRAME_AFTER", 0.05)
    counted, counts = views.funnel, [0]

    def slow(folder: str) -> object:
        counts[0] += 1
        time.sleep(1)
        return counted(folder)

    monkeypatch.setattr(views, "funnel", slow)
    page = application(served([str(out)], str(tmp_path / "labels.parquet")), "token", frozenset({"here"}))
    with TestClient(page, "http://here", cookies={"curate": "token"}) as browser:
        began = time.monotonic()
        frame = browser.get("/")
        took = time.monotonic() - began
        assert "<div data-waiting>" in frame.text
        assert "<dt>Kept</dt>" in frame.text  # from the books of the run
        assert "The funnel" not in frame.text
        assert took < 1
        assert browser.get("/", headers={WAITS: "1"}).status_code == 204
        whole = browser.get("/")
        assert "<div data-waiting>" not in whole.text
        assert "The funnel" in whole.text
        assert counts == [1]


def test_a_failure_is_told_when_the_page_is_asked_for_again() -> None:
    async def asked() -> None:
        pages = Waiting()

        def fails() -> str:
            raise ValueError("not so")

        await pages.ready("/a", fails)
        with pytest.raises(ValueError, match="not so"):
            await pages.page("/a", fails)

    asyncio.run(asked())


def test_a_page_that_nobody_fetched_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked() -> str | None:
        pages = Waiting()
        await pages.ready("/a", lambda: "old")
        monkeypatch.setattr(waiting, "FORGOTTEN_AFTER", -1.0)
        return await pages.page("/a", lambda: "new")

    assert asyncio.run(asked()) == "new"


def test_a_page_that_takes_longer_than_it_is_kept_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FORGOTTEN_AFTER", 0.5)
    written: list[str] = []

    def slow() -> str:
        time.sleep(0.7)
        written.append("once")
        return "whole"

    async def asked() -> str | None:
        pages = Waiting()
        await pages.ready("/a", slow)
        return await pages.page("/a", slow)

    assert asyncio.run(asked()) == "whole"
    assert written == ["once"]
