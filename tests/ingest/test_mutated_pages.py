"""Pages mutated and real: no page makes extraction by blocks fail or hang, and no letter of a kept block is lost.

The default is a seeded part; `-m full` does 5,000 mutated pages with the bounds of every array checked, and all real pages there are.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.ingest.extraction.blocks import Blocks
from curation.ingest.extraction.dom import Limits, parse
from curation.ingest.extraction.page_blocks.reading import read_page
from curation.ingest.extraction.page_blocks.writing import write

SEED_PAGE = (
    "<html lang=en><head><title>T</title><meta property=og:type content=article></head><body class='a b-c'><nav><ul><li><a href=/>Home</a>"
    "</ul></nav><main><h1>Rivers</h1><p>Rivers carry sand, and where they slow down, they drop it; x<sup>2</sup> &amp; H<sub>2</sub>O.</p>"
    "<ol start=3><li>one<ul><li>two</ul><li>three</ol><table><tr><th>a<th>b<tr><td rowspan=2>1<td>2<tr><td colspan=9>3</table>"
    "<pre><code><span class=lineno>1</span>def f():\n  return 1</code></pre><blockquote><p>q</p></blockquote><dl><dt>t<dd>d</dl>"
    "<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math><template id='B:0'></template><div hidden id='S:0'>late</div></main>"
    "<script type='application/ld+json'>{\"@type\": \"Article\"}</script><footer>Terms</footer></body></html>"
)  # fmt: skip
PIECES = [
    "<p>", "</p>", "<div hidden>", "</div>", "<table>", "</table>", "<tr>", "<td>", "<th colspan=0>", "<pre>", "</pre>", "<ul>",
    "<li value=-9>", "<ol reversed>", "<sup>", "</sup>", "<sub>", "<a>", "</a>", "<math>", "<msup>", "<mjx-container>", "<!--", "-->",
    "<svg>", "<select>", "<br>", "<hr>", "<noscript>", "&nbsp;", "<", ">", '"', "'", "=", "\x00", "\u2212", "<span class='katex'>",
    "<span data-math='x^2'>", "</script>", "<script type='math/tex'>", "<td rowspan=99999999999>",
]  # fmt: skip


def mutated(seed: int, page: str) -> str:
    """Return a page with pieces cut, repeated and put in at random places."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 12)):
        begins = chance.randrange(len(page) + 1)
        ends = min(len(page), begins + chance.choice((0, 1, 5, 40, 400)))
        middle = chance.choice(("", chance.choice(PIECES), chance.choice(PIECES) * chance.randint(1, 30), page[begins:ends] * 2))
        page = page[:begins] + middle + page[ends:]
    return page


def slow_or_wrong(count: int, first: int) -> list[str]:
    """Extract mutated pages; return what is wrong with any. A page may take 200 ms a MB, and 50 ms for noise."""
    wrong = []
    extractors = [Blocks(), Blocks(format="markdown")]
    for extractor in extractors:
        extractor.extract(SEED_PAGE)
    for seed in range(first, first + count):
        page = mutated(seed, SEED_PAGE * (1 + seed % 7))
        for extractor in extractors:
            began = time.thread_time()
            made = extractor.extract(page)
            taken = time.thread_time() - began
            if taken > 0.05 + 0.2 * len(page) / 1e6:
                wrong.append(f"{seed}: {taken:.3f} s for {len(page)}")
            if made.text != made.text.strip("\n") or "\x00" in made.text:
                wrong.append(f"{seed}: untidy")
            made.text.encode()
    return wrong


def test_mutated_pages_are_extracted_in_time() -> None:
    assert slow_or_wrong(250, 0) == []


@pytest.mark.full
def test_five_thousand_mutated_pages_stay_within_bounds(tmp_path: Path) -> None:
    script = (
        "from tests.ingest.test_mutated_pages import slow_or_wrong; wrong = slow_or_wrong(5000, 1000); print(wrong[:20]); assert not wrong"
    )
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


_UNSEEN = (
    "script, style, template, svg, math, iframe, object, canvas, audio, video, select, textarea, datalist, progress, meter, option, title"
)


_REWRITTEN = ("math", "katex", "mjx", "latex", "S:0")
"""What mathematics and streamed parts are marked with: there the tree is rewritten."""


def letters_lost(pages: Iterator[str]) -> tuple[int, list[Counter[str]]]:
    """Compare the letters of all blocks with those of the tree's own text; return how many pages were met, and what was lost or added."""
    met, wrong = 0, []
    for html in pages:
        reading, tree = read_page(html), parse(html, Limits())
        if reading is None or tree is None or any(mark in html for mark in _REWRITTEN):
            continue
        body = tree.body
        assert body is not None
        for node in body.query_selector_all(_UNSEEN)[:]:
            node.decompose()
        seen = Counter(filter(str.isalpha, body.text))
        text = write(reading.cut, np.ones(len(reading.cut.blocks), bool))
        written = Counter(filter(str.isalpha, text))
        met += 1
        if seen != written:
            wrong.append((seen - written) + (written - seen))
    return met, wrong


def test_no_letter_of_the_seed_page_is_lost() -> None:
    plain = SEED_PAGE.replace("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "").replace("<template id='B:0'></template>", "")
    pages = [mutated(seed, plain) for seed in range(250)]
    met, wrong = letters_lost(page for page in pages if "type=a" not in page)
    assert met > 60
    assert len(wrong) <= met // 50, wrong[:5]


def _real(folder: Path, every: int) -> Iterator[str]:
    for html in pl.read_parquet(folder / "wcxb" / "train.parquet", columns=["html"])["html"][::every]:
        yield html.decode("utf-8", "replace")


def test_no_letter_of_a_real_page_is_lost(real_data: Path) -> None:
    met, wrong = letters_lost(_real(real_data, 40))
    assert met > 15
    assert len(wrong) <= met // 10, wrong[:5]


@pytest.mark.full
def test_no_letter_of_any_real_page_is_lost(real_data: Path) -> None:
    met, wrong = letters_lost(_real(real_data, 1))
    assert met > 900
    assert len(wrong) <= met // 50, wrong[:5]
