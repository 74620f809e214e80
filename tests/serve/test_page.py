"""The page in a browser: hostile texts do nothing, and a person's way through it: search, threshold, recipe, duplicates, labels."""

import html
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from pipelines.train.labels import read_labels
from tests.reexport.corpus import write_corpus
from tests.running import ROOT, curate
from tests.serve.browser import Browser, chromium
from tests.serve.payloads import PAYLOADS
from tests.serve.serving import Server, serving
from tests.verbs import call

RECIPE = """description = {payload}
license = {payload}

[[filter]]
name = "gopher_quality"
min_words = 5
min_stop_words = 0
min_alphabetic_word_ratio = 0.0

[deduplicate]

[[input]]
path = "hostile.jsonl"
source = {source}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as tab:
        yield tab


def write_hostile_run(folder: Path) -> Path:
    """Run over documents whose texts, ids, URLs, titles and other fields are payloads."""
    lines = []
    for number, payload in enumerate(PAYLOADS):
        several = "\n".join(PAYLOADS[number % 10 :: 10])
        text = f"{payload}\nwords that make a text number {number} of the hostile ones\n{several if number % 8 == 0 else ''}"
        lines.append({"id": f"{payload}#{number}", "url": payload, "text": text, "title": payload, "note": [payload, {payload: payload}]})
    lines += [{**line, "id": f"copy{number}{line['id']}"} for number, line in enumerate(lines[:6])]
    (folder / "hostile.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    plain = json.dumps(PAYLOADS[0])
    (folder / "hostile.toml").write_text(RECIPE.format(payload=plain, source=json.dumps(PAYLOADS[1])))
    said = call("run", folder / "hostile.toml", "--out", folder / "out")
    assert said.code == 0, said.all
    return folder / "out"


def test_hostile_texts_do_nothing(browser: Browser, tmp_path: Path) -> None:
    assert len(PAYLOADS) >= 100
    out = write_hostile_run(tmp_path)
    ids = pl.read_parquet(sorted((out / "ledger").glob("*.parquet")))["id"].to_list()
    assert len(ids) > 100
    with serving(out, labels=tmp_path / "labels.parquet") as server:
        browser.open(f"{server.base}/?token={server.token}")
        pages = ["/", "/signals", "/lab?t.gopher_quality.too_few_words=9", "/duplicates", "/synthetic", "/label"]
        pages += [f"/documents?page={page}" for page in (1, 2, 3)]
        pages += [
            f"/documents?q={_quoted(payload)}&in={place}&rule={_quoted(payload)}" for payload in PAYLOADS[:6] for place in ("id", "text")
        ]
        pages += [f"/document?id={_quoted(ids[number])}" for number in range(0, len(ids), 7)]
        pages += [f"/document?id={_quoted(ids[number])}&view={view}" for number in (1, 8, 20) for view in ("record", "edits")]
        pages += [f"/signals?signal={_quoted(PAYLOADS[3])}", f"/{_quoted(PAYLOADS[4])}", f"/?run={_quoted(PAYLOADS[5])}"]
        seen: set[str] = set()
        for page in pages:
            browser.open(f"{server.base}{page}")
            assert browser.run("window.harmed === undefined && document.body.dataset.run !== undefined"), page
            text = browser.run("document.body.innerText + [...document.querySelectorAll('pre')].map(e => e.textContent).join()")
            seen |= {payload for payload in PAYLOADS if payload.replace("\x00", "\\u0000")[:30] in text}
        outside = [request for request in browser.requests if not request.startswith(server.base)]
        assert (browser.dialogs, browser.violations, outside) == ([], [], [])
        assert len(seen) >= 80  # the payloads were shown as text, not left out


def test_a_person_finds_moves_compares_and_labels(browser: Browser, demo_run: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.parquet"
    with serving(demo_run, labels=labels) as server:
        browser.size(1280, 900)
        browser.open(f"{server.base}/?token={server.token}")
        _search_by_keyboard(browser)
        _move_a_threshold(browser, server, demo_run)
        _compare_duplicates(browser, server)
        _label_ten(browser, server)
        outside = [request for request in browser.requests if request.startswith("http") and "://127.0.0.1:" not in request]
        assert (outside, browser.violations) == ([], [])
    rows = pl.read_parquet(labels)
    assert rows["score"].to_list() == [0, 1, 2, 3, 4, 5, 5, 0, 3, 4]
    assert len(read_labels([str(labels)], "text", "score", "source")) == 10
    _train_on(labels, demo_run, tmp_path)
    texts = {*pl.read_parquet(sorted((demo_run / "stages/1-ingest").glob("*[0-9].parquet")), columns=["text"])["text"]}
    assert {*rows["text"]} <= texts


def _search_by_keyboard(browser: Browser) -> None:
    browser.leaves_by(lambda: browser.press("/"))  # from the overview to the documents
    browser.press("/")
    browser.wait("document.activeElement.id === 'search'")
    for key in "tide":
        browser.press(key)
    browser.leaves_by(lambda: browser.press("Enter"))
    found = browser.run("[...document.querySelectorAll('li.row')].length")
    assert 0 < found <= 50
    browser.press("j")
    browser.press("j")
    browser.press("k")
    assert browser.run("document.activeElement === document.querySelector('li.row a')")
    browser.leaves_by(lambda: browser.press("Enter"))
    assert "tide" in browser.run("document.querySelector('pre.body').textContent").lower()
    browser.press("?")
    assert browser.wait("document.getElementById('help').open")


def _move_a_threshold(browser: Browser, server: Server, run: Path) -> None:
    browser.open(f"{server.base}/signals?signal=gopher_quality.words")
    for at in (60, 150, 300):
        browser.run(f"(at => {{ at.value = '{at}'; at.dispatchEvent(new Event('input')); }})(document.getElementById('at'))")
        browser.wait(f"document.getElementById('mover').dataset.shown === '{at}'")
        row = "[...document.querySelector('#effect tbody tr').cells].slice(1)"
        cells = browser.run(f"{row}.map(cell => Number(cell.textContent.replaceAll(',', '')))")
        told = json.loads(curate("inspect", run, "--signal", "gopher_quality.words", "--at", at, "--json"))["otherwise_kept"]
        assert cells[:3] == [told[side]["documents"] for side in ("of", "now", "then")]
        assert cells[3:] == [told[side]["tokens"] for side in ("now", "then")]


def _compare_duplicates(browser: Browser, server: Server) -> None:
    browser.open(f"{server.base}/document?id=web-0028")
    browser.leaves_by(lambda: browser.run("document.querySelector('a.small').click()"))
    marked = browser.run("[document.querySelectorAll('del').length, document.querySelectorAll('ins').length]")
    assert min(marked) > 0


def _label_ten(browser: Browser, server: Server) -> None:
    browser.open(f"{server.base}/label")
    for key in "012345gb34":
        browser.leaves_by(lambda key=key: browser.press(key))  # type: ignore[misc]
    assert browser.run("document.getElementById('labels').textContent") == "10"
    assert "correlation" in browser.run("document.getElementById('agreement').textContent")
    browser.leaves_by(lambda: browser.press("0"))
    browser.leaves_by(lambda: browser.press("u"))
    assert browser.run("document.getElementById('labels').textContent") == "10"


def _train_on(labels: Path, run: Path, folder: Path) -> None:
    """Train on the ten labels together with labels that somebody has already: ten alone are too few for any model."""
    texts = (
        pl.read_parquet(sorted((run / "stages/1-ingest").glob("*[0-9].parquet")), columns=["text", "source"]).unique("text").sort("text")
    )
    known = texts.join(pl.read_parquet(labels), on="text", how="anti").with_columns(
        pl.when(pl.col("source") == "textbook").then(4.0).otherwise(1.0).alias("score"),
        pl.format("site {}", pl.int_range(pl.len()) % 6).alias("source"),
    )
    known.write_parquet(folder / "known.parquet")
    alone = call("train", "score", labels, "--out", folder / "alone.safetensors")
    assert (alone.code, "Traceback" in alone.all) != (0, True)
    said = call("train", "score", labels, folder / "known.parquet", "--out", folder / "model.safetensors", "--json")
    assert said.code == 0, said.all
    told = json.loads(said.out)
    assert told["rows"] + told["copies"] == 10 + known.height


PICTURES = ROOT / ".pictures"
WIDTH, HEIGHT = 1100, 900
PRINTED_WIDTH = 688
"""Pixels between the margins of a page of A4 paper."""


def test_the_front_page_s_pictures_are_made_here(browser: Browser, demo_run: Path, tmp_path: Path) -> None:
    """CURATION_PICTURES=1 writes those of the README anew; fonts differ between machines, so only their size is compared."""
    folder = PICTURES if "CURATION_PICTURES" in os.environ else tmp_path
    browser.size(WIDTH, HEIGHT)
    browser.open((demo_run / "report.html").as_uri())
    browser.picture(folder / "report.png")
    with serving(demo_run, labels=tmp_path / "labels.parquet") as server:
        browser.open(f"{server.base}/?token={server.token}")
        browser.open(f"{server.base}/signals?signal=educational_score.score")
        browser.picture(folder / "page.png")
    shown = re.findall(r"\.pictures/(\w+\.png)", (ROOT / "README.md").read_text("utf-8"))
    assert sorted(shown) == sorted(path.name for path in PICTURES.iterdir()) == ["page.png", "report.png"]
    for name in shown:
        for place in (folder, PICTURES):
            content = (place / name).read_bytes()
            assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (WIDTH, HEIGHT)


def test_the_lab_s_recipe_judges_as_the_lab_says(browser: Browser, tmp_path: Path) -> None:
    out = write_corpus(tmp_path)
    with serving(out, labels=tmp_path / "labels.parquet") as server:
        browser.open(f"{server.base}/?token={server.token}")
        browser.open(f"{server.base}/lab?t.gopher_quality.too_few_words=120&t.gopher_quality.too_many_words=400")
        still = int(browser.run("document.getElementById('kept-still').textContent").replace(",", ""))
        changed = browser.run("document.getElementById('changed-recipe').textContent")
        diff = browser.run("document.getElementById('diff').textContent")
    assert "-min_words = 1\n+min_words = 120\n" in diff
    assert "-max_words = 100000\n+max_words = 400\n" in diff
    (tmp_path / "corpus.toml").write_text(html.unescape(changed))
    before = (out / "stages/2-measure/_seal.json").stat().st_mtime_ns
    assert call("run", tmp_path / "corpus.toml", "--out", out).code == 0
    assert (out / "stages/2-measure/_seal.json").stat().st_mtime_ns == before
    ledger = pl.concat([pl.read_parquet(file) for file in (out / "ledger").rglob("*.parquet")], how="diagonal_relaxed")
    assert ledger.filter(pl.col("fate") == "kept").height == still
    assert 300 < still < 2500


_CURRENT_IN_SIGHT = """(place => place.left >= 0 && place.right <= innerWidth)(
    document.querySelector('.bar nav [aria-current]').getBoundingClientRect())"""


def test_nothing_needs_scrolling_sideways(browser: Browser, demo_run: Path, tmp_path: Path) -> None:
    """In four sizes; of the pages' names, which may scroll, the current one is in sight.

    CURATION_SCREENSHOTS names a folder for pictures, light and dark, for somebody to look at.
    """
    folder = os.environ.get("CURATION_SCREENSHOTS")
    with serving(demo_run, labels=tmp_path / f"{'a_long_name' * 9}.parquet") as server:
        browser.open(f"{server.base}/?token={server.token}")
        for page in ("overview", "signals", "lab", "documents", "duplicates", "synthetic", "label", "document?id=web-0028"):
            for width, height in ((1440, 900), (1024, 768), (768, 1024), (390, 844)):
                for dark in (False, True) if folder else (False,):
                    browser.size(width, height, dark)
                    browser.open(f"{server.base}/{page}")
                    assert browser.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), (page, width)
                    assert browser.run(_CURRENT_IN_SIGHT), (page, width)
                    if folder:
                        browser.picture(Path(folder) / f"{page.partition('?')[0]}-{width}-{'dark' if dark else 'light'}.png")


_CUT_OFF = "[...document.querySelectorAll('.scroll, main')].filter(one => one.scrollWidth > one.clientWidth).map(one => one.ariaLabel)"
"""Regions of which a part is out of sight."""


def test_the_report_s_tables_fit_a_phone_and_a_printed_page(browser: Browser, demo_run: Path) -> None:
    browser.size(390, 844)
    browser.open((demo_run / "report.html").as_uri())
    assert browser.run(_CUT_OFF) == []
    heads = "getComputedStyle(document.querySelector('#rules ~ .scroll thead')).display"
    assert browser.run(heads) == "none"  # each row names its own figures
    browser.size(PRINTED_WIDTH, 1000)
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.run(_CUT_OFF) == []
    assert browser.run(heads) == "table-header-group"
    browser.send("Emulation.setEmulatedMedia", media="")


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text.encode("utf-8", "surrogatepass"), safe="")
