"""What a page costs, told beforehand: counts of pages by hand, and depths against the tree that the parser builds."""

from dataclasses import replace

import polars as pl
import pytest
from resiliparse.parse.html import HTMLTree, traverse_dom

from curation.ingest.encoding import decode_text
from curation.ingest.extraction.dom import PageLimits, parse
from curation.ingest.extraction.page_shape import PageShape, page_shape


def depth_of(html: str) -> int:
    """Return the most elements open at once below `<body>`, in the tree itself."""
    deepest = 0

    def enter(context) -> None:
        nonlocal deepest
        deepest = max(deepest, context.depth)

    traverse_dom(HTMLTree.parse(html).body, enter, elements_only=True)
    return deepest - 1


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", (0, 0, 0)),
        ("text < 3 </ 4", (0, 0, 0)),
        ("<p>a<p>b<br><img src=x>", (1, 1, 0)),
        ("<a b=1 c='>' d=\">\" e f=g/h i/j>t", (7, 1, 0)),
        ("<a =x = y>", (1, 1, 0)),
        ("<html a b><body c d><html e f>", (6, 0, 0)),
        ("<ul><li><b>a<li>b<ul><li>c</ul></ul>", (0, 4, 3)),
        ("<table><tr><td><i>a<td>b<tr><td>c</table>", (0, 4, 3)),
        ("<div><span></div><em></em>", (0, 2, 0)),
        ("<span></x><div></span>", (0, 2, 0)),
        ("<!-- <i><i> --><script>'<i>' </scrip <i></script><i>", (0, 1, 0)),
        ("<!--><i><!---><i><!-- --!><i>", (0, 3, 0)),
        ("<svg><title><i></i></title></svg><title><i><i></title>", (0, 3, 0)),
        ("<svg><path/><path/><g></g></svg><path/><path/>", (0, 2, 0)),
        ("<h1><h2>a<button><button>", (0, 2, 0)),
        ("<b><div></b></div>", (0, 2, 0)),
        ("<B><P></B>x</P><p>", (0, 2, 0)),
        ("<title>never <i><i><i>", (0, 0, 0)),
        ("<p " * 5, (4, 1, 0)),
    ],
)
def test_counts(html: str, expected: tuple[int, int, int]) -> None:
    found = page_shape(html.encode(), 100)
    assert (found.attributes, found.depth, found.remade) == expected


def test_steps_add_up_what_is_open() -> None:
    assert page_shape(b"<div><div><p>a<p>b</div>", 100).steps == 0 + 1 + 2 + 2


def test_the_pass_ends_where_too_much_is_open() -> None:
    assert page_shape(b"<div>" * 50 + b"<a b c d>", 10) == PageShape(0, 11, 55, 0)


def test_depths_of_real_pages_are_those_of_the_tree(real_data) -> None:
    pages = [decode_text(html).text for html in pl.read_parquet(real_data / "html_gold" / "pages.parquet")["html"]]
    off = [abs(page_shape(page.encode(), 1000).depth - depth_of(page)) for page in pages]
    assert len(off) > 150
    assert sum(difference <= 1 for difference in off) >= 0.95 * len(off)


@pytest.mark.parametrize("name", ["attributes", "depth", "remade", "fewest_steps"])
def test_a_page_is_parsed_at_a_limit_and_not_beyond(name: str) -> None:
    html = "<p title=a lang=b>" + "<div><b><i>" * 3 + "a<p>b" + "</div>" * 3 + "<p>" * 4
    shape = page_shape(html.encode(), 100)._asdict()
    count = shape[name.removeprefix("fewest_")]
    assert count > 1
    limits = PageLimits(small=0, steps=0)
    assert parse(html, replace(limits, **{name: count})) is not None
    assert parse(html, replace(limits, **{name: count - 1})) is None


@pytest.mark.parametrize(
    ("html", "limits", "parsed"),
    [
        ("<p>éé", PageLimits(characters=5), True),
        ("<p>éé", PageLimits(characters=4), False),
        ("<p>a<p>b", PageLimits(tags=2), True),
        ("<p>a<p>b<p>c", PageLimits(tags=2), False),
        ("<p id=a>" + "b" * 24, PageLimits(small=32, attributes=0), True),
        ("<p id=a>" + "b" * 25, PageLimits(small=32, attributes=0), False),
        ("<p id=a><p>" + "b" * 21, PageLimits(small=63, attributes=0), False),
        ("<p id=a><p>" + "b" * 21, PageLimits(small=64, attributes=0), True),
        ("<b>" * 10, PageLimits(small=0, fewest_steps=0, steps=1), False),
        ("<b>" * 10, PageLimits(small=0, fewest_steps=0, steps=2), True),
    ],
)
def test_the_size_of_a_page_is_limited_and_a_small_one_is_parsed_whatever_its_shape(html: str, limits: PageLimits, parsed: bool) -> None:
    assert (parse(html, limits) is not None) is parsed
