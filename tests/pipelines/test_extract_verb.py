"""`curate extract`: a page's text, others' beside it, and the fate of each block."""

import json
from pathlib import Path

import pytest

from pipelines.inspect.extracting import BlockFate, ExtractedPage, PageStory
from pipelines.report.tables import show_pages
from tests.running import curate

PROSE = "Rivers carry sand, and where they slow down, they drop it; so deltas grow into the sea, year after year."
PAGE = f"<nav><a href=/>Home</a></nav><main><h1>Deltas</h1><p>{PROSE}</p><p>{PROSE} x<sup>2</sup></p><p>{PROSE}\x9b31m</p></main>"


def test_a_page_is_printed_compared_and_explained(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE, "utf-8")
    told = curate("extract", tmp_path / "page.html")
    assert f"{PROSE} x^2" in told
    assert "\x9b" not in told
    compared = json.loads(curate("extract", tmp_path / "page.html", "--compare", "plain", "--explain", "--json"))
    (story,) = compared
    assert [made["extractor"] for made in story["extracted"]] == ["blocks", "plain"]
    assert "Home" in story["extracted"][1]["text"]
    assert 0 < story["extracted"][0]["facts"]["confidence"] <= 1
    fates = {block["text"]: block["kept"] for block in story["blocks"]}
    assert fates["Home"] is False
    assert fates[PROSE] is True
    assert all(0 <= block["probability"] <= 1 for block in story["blocks"])


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(PAGE, "utf-8")
    for wrong in (["--extractor", "plain", "--explain"], ["--set", "format"], ["--set", "format=latex"], ["--extractor", "none"]):
        curate("extract", tmp_path / "page.html", *wrong, code=2)
    curate("extract", tmp_path / "missing.html", code=2)


def test_a_lone_text_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    def shown(*stories: PageStory) -> list[str]:
        show_pages(stories)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]

    one, other = (ExtractedPage(name, 2, shared, "", {}, f"The text\nof {name}") for name, shared in (("plain", 2), ("blocks", 1)))
    block = BlockFate(True, 0.75, 2, 0.5, "p", False, "The text")
    assert shown(PageStory("a.html", (one,), ())) == ["The text", "of plain"]
    two = shown(PageStory("a.html", (one,), ()), PageStory("b.html", (one,), ()))
    assert [line for line in two if line in ("a.html", "b.html", "The text", "of plain")] == [
        "a.html", "The text", "of plain", "b.html", "The text", "of plain",
    ]  # fmt: skip
    both = shown(PageStory("a.html", (one, other), ()))
    assert (both[0], both[-6:]) == ("a.html", ["--- plain", "The text", "of plain", "--- blocks", "The text", "of blocks"])
    assert any(line.split()[:3] == ["blocks", "2", "1"] for line in both)
    told = shown(PageStory("a.html", (one,), (block,)))
    assert "of plain" not in told
    assert any(line.split() == ["yes", "0.75", "2", "50%", "p", "The", "text"] for line in told)
