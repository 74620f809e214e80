"""Trimmed pages against the whole ones: the parser builds the same elements from both, with the same text."""

import re

import polars as pl
import pytest
from resiliparse.parse.html import HTMLTree

from curation.ingest.encoding import decode_text
from curation.ingest.extraction.dom import PageLimits, source_of
from curation.ingest.extraction.page_blocks.trimming import KEPT_ATTRIBUTES as KEPT
from curation.ingest.extraction.page_blocks.trimming import trimmed
from tests.ingest.test_mutated_pages import SEED_PAGE, mutated

TOKEN = re.compile(r"<!--.*?-->|<(/?)([a-z][^\s/>]*)((?: =?[^\s=]*=\"[^\"]*\")*)>|[^<]+|<", re.DOTALL | re.ASCII)
ATTRIBUTE = re.compile(r" (=?[^\s=]*)=\"[^\"]*\"", re.ASCII)
SEED = SEED_PAGE.replace("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "").replace(
    "</main>",
    "<svg class=i viewBox='0 0 9 9'><title>drawn</title><g><path d='M0 0'/></g></svg><!-- a long comment <p>of markup</p> --><!--$-->"
    "<img src='a>b' alt=\"x\"class=c data-x=1><input type=hidden><style>p > a { }</style><a href=x/>y</a><textarea><b></textarea></main>",
)  # fmt: skip


def seen(source: str) -> str:
    """Return the parser's tree, serialised, without what trimming may leave out."""
    body = HTMLTree.parse(source).body
    assert body is not None
    html, parts, at, drawn = body.html, [], 0, 0
    while token := TOKEN.match(html, at):
        at = token.end()
        closes, tag = token[1], token[2]
        if tag == "svg":
            drawn += -1 if closes else 1
        if drawn or token[0].startswith("<!--"):
            continue
        parts.append(f"<{closes}{tag}{''.join(one[0] for one in ATTRIBUTE.finditer(token[3]) if one[1] in KEPT)}>" if tag else token[0])
        if tag in ("script", "style") and not closes:
            at = html.find(f"</{tag}>", at)
    return "".join(parts)


def differ(pages: list[str]) -> tuple[int, list[int]]:
    """Return how many pages were trimmed, and which of them gave another tree."""
    met, wrong = 0, []
    for number, page in enumerate(pages):
        source = source_of(page, PageLimits())
        assert source is not None
        lean = trimmed(source)
        if lean is not None:
            met += 1
            assert len(lean.source) <= len(source) * 1.25
            if seen(lean.source.decode()) != seen(source.decode()):
                wrong.append(number)
    return met, wrong


def test_mutated_pages_keep_their_trees():
    met, wrong = differ([mutated(seed, SEED) for seed in range(600)])
    assert met > 200
    assert wrong == []


@pytest.mark.full
def test_more_mutated_pages_keep_their_trees():
    met, wrong = differ([mutated(seed, SEED * (1 + seed % 3)) for seed in range(1000, 9000)])
    assert met > 2000
    assert wrong == []


@pytest.mark.full
def test_real_pages_keep_their_trees(real_data):
    pages = [
        decode_text(html, "text/html").text for html in pl.read_parquet(real_data / "wcxb" / "train.parquet", columns=["html"])["html"]
    ]
    met, wrong = differ(pages)
    assert met > 1100
    assert wrong == []


@pytest.mark.parametrize(
    ("page", "left"),
    [
        ("<p>a<script>x<y</script>b", "<p>a<script></script>b"),
        ("<P CLASS=a onclick='b' HREF=c >d</p e>", "<P CLASS=a>d</p>"),
        ("<title>a<b></title><xmp><i x></xmp>", "<title>a<b></title><xmp><i x></xmp>"),
        ("<!-- short --><!-- a comment that is long -->x", "<!-- short --><!---->x"),
        ("<svg x=1><path d=2 /></svg><svg class=a /><p>", "<svg></svg><svg class=a /><p>"),
        ("<svg><title>t</title><path d='<b c='x'></svg>y", "<svg></svg>y"),
        ("<meta name=a content=b><link x=y><a name=a>", "<meta name=a content=b><link x=y><a>"),
        ("<br/><input value='>'/>a < b </ c> &lt;", "<br /><input value='>' />a < b </ c> &lt;"),
        ("a<p title='", "a<p title='"),
        ("<plaintext a><p x>", "<plaintext><p x>"),
        ("<script><!-- x --></script>y<script>z", "<script></script>y<script>"),
    ],
)
def test_what_is_left(page, left):
    lean = trimmed(page.encode())
    assert lean is not None
    assert lean.source.decode() == left


@pytest.mark.parametrize(
    "page",
    [
        "<math><mi>x</mi></math>",
        "<svg><foreignObject><p>x</svg>",
        "<svg><title>t<g></g></svg><p>x",
        "<svg><path></p></svg>",
        "<svg><path>",
        "<script><!-- <script> </script>",
    ],
)
def test_where_the_tree_is_uncertain_nothing_is_left_out(page):
    assert trimmed(page.encode()) is None


def test_the_head_ends_where_the_body_begins():
    lean = trimmed(b"<head><script>'<body>'</script><title>t</title></head><body class=a><p>b<body>")
    assert lean is not None
    assert lean.head == b"<head><script></script><title>t</title></head>"
    assert lean.source[len(lean.head) :] == b"<body class=a><p>b<body>"
