"""Pages mutated and real: no page makes extraction by blocks fail or hang, and no letter, digit or sign of a kept block is lost.

Nor is one joined to a neighbour that a browser sets apart.

The default is a seeded part; `-m full` does 5,000 mutated pages with the bounds of every array checked, and all real pages there are.
"""

import os
import random
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.ingest.extraction.blocks import Blocks
from curation.ingest.extraction.dom import PageLimits, parse
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
        for page in (SEED_PAGE, *(mutated(seed, SEED_PAGE) for seed in range(50)), "<p>one block", "<p>x" * 600):  # kernels
            extractor.extract(page)
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


_BEGIN_LINES = (
    "address, article, aside, blockquote, body, button, caption, center, dd, details, dialog, div, dl, dt, fieldset, figcaption, figure, "
    "footer, form, h1, h2, h3, h4, h5, h6, header, hgroup, hr, legend, li, listing, main, menu, nav, ol, output, p, plaintext, pre, "
    "search, section, summary, table, tbody, td, tfoot, th, thead, tr, ul, xmp, br"
)
"""What a browser sets apart from its neighbours (HTML standard, 15.3, rendering of flow content, lists, tables and form controls)."""


def clean(words: str) -> Counter[str]:
    """Return the words between blanks, each by its letters, digits and mathematical signs alone; bars between cells are not counted."""
    kept = ("".join(c for c in word if c.isalnum() or (c != "|" and unicodedata.category(c) == "Sm")) for word in words.split())
    return Counter(word for word in kept if word)


def shown(html: str) -> str:
    """Return the parser's own text of what is seen, with a blank wherever a browser begins a line or a cell."""
    tree = parse(html, PageLimits())
    assert tree is not None
    body = tree.body
    assert body is not None
    for node in body.query_selector_all(_UNSEEN)[:]:
        node.decompose()
    for node in body.query_selector_all("*")[:]:
        if node.tag in _APART or "-" in (node.tag or "") or ":" in (node.tag or ""):
            if node.parent is not None and node.tag != "body":
                node.parent.insert_before(tree.create_text_node(" "), node)
            node.append_child(tree.create_text_node(" "))
    return str(body.text)


_APART = frozenset(_BEGIN_LINES.split(", "))


def words_lost(pages: Iterator[str]) -> tuple[int, list[Counter[str]]]:
    """Write all blocks of pages; return how many were met, and of each what is missing among its words: lost, or joined to a neighbour."""
    met, wrong = 0, []
    for html in pages:
        reading = read_page(html)
        if reading is None or any(mark in html for mark in _REWRITTEN):
            continue
        lost = clean(shown(html)) - clean(write(reading.cut, np.ones(len(reading.cut.blocks), bool)))
        met += 1
        if lost:
            wrong.append(lost)
    return met, wrong


def test_no_word_of_the_seed_page_is_lost_or_joined() -> None:
    plain = SEED_PAGE
    for left_out in ("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "<template id='B:0'></template>", "<span class=lineno>1</span>"):
        plain = plain.replace(left_out, "")
    pages = [mutated(seed, plain) for seed in range(250)]
    met, wrong = words_lost(page for page in pages if "type=a" not in page)
    assert met > 60
    assert len(wrong) <= met // 25, wrong[:5]


def _real(folder: Path, every: int) -> Iterator[str]:
    for html in pl.read_parquet(folder / "wcxb" / "train.parquet", columns=["html"])["html"][::every]:
        yield html.decode("utf-8", "replace")


def test_no_word_of_a_real_page_is_lost_or_joined(real_data: Path) -> None:
    met, wrong = words_lost(_real(real_data, 40))
    assert met > 15
    assert len(wrong) <= met // 10, wrong[:5]


@pytest.mark.full
def test_no_word_of_any_real_page_is_lost_or_joined(real_data: Path) -> None:
    met, wrong = words_lost(_real(real_data, 1))
    assert met > 900
    assert len(wrong) <= met // 50, wrong[:5]
