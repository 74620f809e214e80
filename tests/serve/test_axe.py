"""Every page against axe-core's rules of accessibility, light and dark, at a desk and on a phone: nothing serious is found.

The rules are other people's code and not part of the project: CURATION_AXE names a local `axe.min.js` (`npm install axe-core`).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serve.browser import Browser, chromium
from tests.serve.serving import serving

RULES = os.environ.get("CURATION_AXE")
PAGES = ("overview", "signals?signal=gopher_quality.words", "lab?t.gopher_quality.too_few_words=90", "documents", "documents?q=tide")
PAGES += ("duplicates", "synthetic", "label", "document?id=web-0028", "document?id=web-0028&view=record", "documents?q=no+such+words")
PAGES += ("compare?a=web-0028&b=web-0001", "no-such-page", "overview?against=earlier")
SIZES = ((1440, 900), (390, 844))

_FOUND = """axe.run(document, {resultTypes: ['violations']}).then(told => told.violations
    .filter(one => one.impact === 'serious' || one.impact === 'critical')
    .map(one => [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200), one.nodes[0].failureSummary]))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as tab:
        yield tab


@pytest.mark.skipif(RULES is None, reason="CURATION_AXE does not name axe-core's axe.min.js, which is no part of the project")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_has_a_serious_finding(browser: Browser, demo_run: Path, tmp_path: Path, dark: bool) -> None:
    rules = Path(str(RULES)).read_text("utf-8")
    (tmp_path / "earlier").symlink_to(demo_run)
    found = {}
    with serving(demo_run, tmp_path / "earlier", labels=tmp_path / "labels.parquet") as server:
        browser.open(f"{server.base}/?token={server.token}")
        for address in (*(f"{server.base}/{page}" for page in PAGES), (demo_run / "report.html").as_uri()):
            for width, height in SIZES:
                browser.size(width, height, dark)
                browser.open(address)
                browser.run(f"{rules};0")
                if told := browser.run(_FOUND):
                    found[address.removeprefix(server.base), width] = told
    assert found == {}
