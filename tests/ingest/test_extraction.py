"""Extraction: the shape of text that every extractor keeps, limits, damaged pages, and F1 on real pages."""

import re
import sys
import time
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import RecipeError
from curation.ingest.encoding import decode_text
from curation.ingest.extraction import Extracted, extractor_named, shipped_extractors
from curation.ingest.extraction.blocks import Blocks
from curation.ingest.extraction.blocks_fast import BlocksFast
from curation.ingest.extraction.dom import PageLimits, parse, source_of
from curation.ingest.extraction.plain import Plain
from curation.ingest.extraction.resiliparse import Resiliparse
from curation.ingest.extraction.tree_text import extracted
from tests.meeting import meets, met

EVERY_EXTRACTOR = [Resiliparse(), Plain(), Plain(format="markdown"), Blocks(), Blocks(format="markdown"), BlocksFast()]
PROSE = "Rivers carry sand, and where they slow down, they drop it; so deltas grow into the sea, year after year."


def article(content: str) -> str:
    return (
        f"<!doctype html><html lang=en-GB><head><title> River \n deltas </title><style>p {{}}</style></head><body>"
        f"<nav><ul><li><a href=/>Home</a><li><a href=/b>Blog</a></ul></nav>"
        f"<article><h1>Deltas</h1><p>{PROSE}</p>{content}<p>{PROSE}</p></article><footer>Terms</footer></body></html>"
    )


def between(content: str, extractor=None) -> str:
    """Return what stands between the two paragraphs of prose."""
    text = (extractor or Resiliparse()).extract(article(content)).text
    _, _, rest = text.partition(PROSE)
    return rest.rpartition(PROSE)[0]


def test_extractors_are_found_by_name():
    assert list(shipped_extractors()) == ["blocks", "blocks_fast", "plain", "resiliparse", "trafilatura"]
    assert extractor_named("plain") is Plain
    assert extractor_named("blocks-fast") is BlocksFast
    with pytest.raises(RecipeError, match="no extractor 'readability'"):
        extractor_named("readability")


def test_an_extractor_that_needs_a_package_says_so(tmp_path, monkeypatch):
    """The package may be missing, or one that it imports."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "trafilatura", raising=False)
    (tmp_path / "trafilatura.py").write_text("raise ImportError('cleaner is a\\nseparate project')")
    with pytest.raises(RecipeError, match=r"textbook-curation\[trafilatura\]' \(cleaner is a separate project\)"):
        extractor_named("trafilatura")()


def test_main_content_title_and_language():
    assert Resiliparse().extract(article("")) == Extracted(f"Deltas\n\n{PROSE}\n\n{PROSE}", "River deltas", "en-GB")
    for extractor in (Plain(), Blocks(), BlocksFast()):
        found = extractor.extract(article(""))
        assert (found.title, found.language_hint) == ("River deltas", "en-GB")
        assert found.text.count(PROSE) == 2
    assert Blocks().extract("<html lang=fr><title>Nothing").title == "Nothing"
    assert Blocks().extract("<html lang=fr><title>Nothing").language_hint == "fr"


def test_plain_keeps_everything_that_is_seen():
    text = Plain().extract(article("<script>var x</script>")).text
    assert "Home" in text
    assert text.endswith("Terms")
    assert "var x" not in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<p>One.<p>Two, <b>bold</b>.", "One.\n\nTwo, bold."),
        ("<h2>Head</h2>text", "Head\n\ntext"),
        ("<p>Steps:</p><ul><li>mix it<li>bake it</ul>", "Steps:\n\n- mix it\n- bake it"),
        ("<ul><li>a b<ol><li>c d</ol></ul>", "- a b\n  1. c d"),
        ("<ol><li>mix</li><li>bake</li></ol>", "1. mix\n2. bake"),
        ("a<pre>def f():\n    if x:\n\n\n        return  1\n</pre>b", "a\n\ndef f():\n    if x:\n\n\n        return  1\n\nb"),
        ("<pre><code>  <span>(</span><i>•</i> x\n• y\n</code></pre>", "  (• x\n• y"),
        ("<figure><pre>a  |  b\n c</pre></figure>", "a  |  b\n c"),
        (
            "a<table><tr><th>City<th>People<tr><td>Bonn<td>330 000<br>about</table>b",
            "a\n\nCity | People\nBonn | 330 000 about\n\nb",
        ),
        ("<table><tr><td><p>x</p><p>y</p></td><td></td><td>z<script>1</script></td></tr></table>", "x y | | z"),
        ("<figure><table><tr><td>k<td>v</table><figcaption>why</figcaption></figure>", "k | v"),
        ("<table><tr><td colspan=2>All<tr><td>k<td>v</table>", "All |\nk | v"),
        (
            "<p>So <math><semantics><mrow><mi>x</mi><mo>=</mo><mn>2</mn></mrow><annotation encoding='application/x-tex'>x=2</annotation>"
            "</semantics></math>.",
            "So $x=2$.",
        ),
        ("<p>So <math><mi>x</mi><mo>=</mo><mn>2</mn></math>.", "So $x=2$."),
        ("<p>So <math alttext='\\pi' display=block><mi>π</mi></math> holds.", "So $$\\pi$$ holds."),
        (
            "<p>Let <script type='math/tex'>a &lt; b</script> and <script type='math/tex; mode=display'>c</script>.",
            "Let $a &lt; b$ and $$c$$.",
        ),
        ("<p>a\ufdd0\ufdd0b\ufdd1\ufdd2c", "abc"),
        ("<p>a&nbsp;&lt;b&gt; &amp; c", "a <b> & c"),
        ("<table><tr><th>y<th>in<th>out<tr><td>1<td>7<td><tr><td>2</table>", "y | in | out\n1 | 7 |\n2 | |"),
        ("<p><var>x</var> − <var>y</var> ≠ <b>∑</b><i>z</i> <b>の</b>&mdash;<i>w</i>", "x − y ≠ ∑z の—w"),
    ],
)
def test_structure_is_legible(content, expected):
    assert re.sub("\xa0", " ", between(content)).strip("\n") == expected


@pytest.mark.parametrize("extractor", [Resiliparse(), Plain()], ids=repr)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("6.02 × 10<sup>23</sup>, x<sup>2</sup>, H<sub>2</sub>O, x²", "6.02 × 10^{23}, x^2, H_2O, x²"),
        ("a<sub>1</sub>2 is not a<sub>12</sub>, 2<sup>2<sup>n</sup></sup>", "a_12 is not a_{12}, 2^{2^n}"),
        ("21<sup>st</sup>, Acme<sup>TM</sup>, Acme<sup>®</sup>, sure<sup>*</sup>, 90<sup>°</sup>", "21st, AcmeTM, Acme®, sure*, 90°"),
        ("see<sup><a href=#n>1</a></sup>, <a href=#m><sup>12</sup></a> and<sup>[3]</sup>", "see[1], [12] and[3]"),
        ("a power of 2 <sup>10</sup>, 3<sup>1</sup>/<sub>4</sub> cups, <sup>14</sup>C", "a power of 2 ^{10}, 3 1/4 cups, ^{14}C"),
        ("x<sup>∞</sup>, Na<sup>+</sup>, f<sup>(2)</sup>, <i>x</i><sub><i>i</i></sub>", "x^∞, Na^+, f^{(2)}, x_i"),
        ("a < b<sup>1&nbsp;</sup>", "a < b^1"),
        ("word<sup>all of this is set small by somebody</sup>", "wordall of this is set small by somebody"),
        ("<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby> <ruby>東京<rt>とう</rt></ruby>", "漢(kan) 東京(とう)"),
    ],
)
def test_raised_text_is_marked_by_all(extractor, content, expected):
    assert between(f"<p>{content}", extractor).strip() == expected


def test_plain_is_written_as_blocks_are():
    text = between("<ol start=3><li>x<ul><li>y</ul></ol><pre>  a\n b</pre><p hidden>no</p>", Plain())
    assert text.strip("\n") == "3. x\n  - y\n\n  a\n b"
    assert Plain(format="markdown").extract("<h2>Head</h2>").text == "## Head"
    assert Plain().extract(article("")).facts["language"] == "en-GB"


def test_a_table_that_lays_out_a_page_stays_text():
    text = between(f"<table><tr><td>Menu<td><p>{'A long story. ' * 40}</p><p>Its end.</p></table>")
    assert "|" not in text
    assert "Its end." in text


def test_menus_near_the_body_are_no_content():
    menu = "<ul><li><a href=/1>All about sand</a><li><a href=/2>All about seas</a></ul>"
    assert between(menu).strip() == ""
    assert between("<ul><li>All about <a href=/1>sand</a><li>All about seas</ul>") == "\n\n- All about sand\n- All about seas\n\n"


def test_code_lines_may_be_elements():
    assert between("<pre><div>a (</div><div>  b\n</div><span class=lineno>7</span>c<br>d</pre>").strip() == "a (\n  b\nc\nd"


def test_a_wiki_formula_is_shown_once():
    formula = (
        "<p>Thus <span class='mwe-math-element'><span style='display: none' class='mwe-math-mathml-inline'>"
        "<math alttext='{\\displaystyle e}'><mi>e</mi></math></span><img alt='e'></span>."
    )
    assert "Thus $e$." in between(formula)


@pytest.mark.parametrize("extractor", EVERY_EXTRACTOR, ids=repr)
@pytest.mark.parametrize(
    "html", ["", " ", "<", "text", "<html>", "<frameset><frame src=x></frameset>", "<!-- only", "<p></p>", "\ufdd0", "<pre>", "&#0;"]
)
def test_pages_with_little_in_them(extractor, html):
    result = extractor.extract(html)
    assert result.text == ("text" if html == "text" else "<" if html == "<" else result.text)
    result.text.encode()


@pytest.mark.parametrize("tag", ["div", "b", "table><tr><td", "ul><li", "pre", "figure", "math", "article", "font><p", "blockquote", "svg"])
def test_deep_nesting_falls_back_and_never_hangs(tag):
    html = f"<title>T</title><{tag}>" * 1 + f"<{tag}>" * 30_000 + PROSE
    begun = time.process_time()
    assert PROSE in Resiliparse().extract(html).text + Plain().extract(html).text
    assert PROSE in Blocks().extract(html).text or tag in ("math", "svg")
    assert time.process_time() - begun < 30


@pytest.mark.parametrize(
    "piece", ["<table><tr><td>a<td>b</table>", "<tr><td>a<td>b", "<td>a", "<pre>x</pre>", "<math>x</math>", "<figure><pre>x</pre></figure>"]
)
def test_many_siblings_take_linear_time(piece):
    begun = time.process_time()
    Resiliparse().extract("<table>" * piece.startswith("<t") + piece * 10_000)
    assert time.process_time() - begun < 30


def test_past_each_limit_the_tags_are_cut_out():
    for html, limits in [
        (f"<p>{PROSE}</p><p>b &amp; c</p>", PageLimits(characters=10)),
        (f"<p>{PROSE}</p><p><b>b</b> &amp; c</p>", PageLimits(tags=2)),
        (f"<a {' '.join(f'x{i}=y' for i in range(90))}><p>{PROSE}</p><p>b &amp; c</p>", PageLimits(attributes=80, small=0)),
        (f"{'<div>' * 50}<p>{PROSE}</p><p>b &amp; c</p>", PageLimits(depth=10, small=0)),
        (f"{'<div>' * 50}<p>{PROSE}</p><p>b &amp; c</p>", PageLimits(fewest_steps=100, steps=1, small=0)),
        (f"{'<b>' * 50}{'<p>' * 50}{PROSE}</p><p>b &amp; c</p>", PageLimits(remade=1000, small=0)),
    ]:
        assert parse(html, limits) is None
        assert extracted(f"<title>T</title><script>no</script>{html}", limits) == Extracted(f"T\n\n{PROSE}\n\nb & c", "T")
    assert parse(article(""), PageLimits()) is not None
    assert extracted("<p>bo<b>ld</b>, 10<sup>6</sup><td>x</td>y<!-- no -->", PageLimits(characters=10)).text == "bold, 10^{6} x y"


FRAGMENTS = (
    "<p> </p> <div> </div> <table> <tr> <td> </td> </table> <pre> </pre> <ul> <li> <math> <annotation> </math> <figure> </figure> <script> "
    "</script> <a href=x> <template> <br> <svg> <select> <option> <!-- --> <html lang=fr> <body> • \ufdd0 \ufdd1\ufdd1 \ufdd2 1. word"
)
fragments = st.lists(st.one_of(st.sampled_from(FRAGMENTS.split()), st.text(max_size=4)), max_size=40).map(" ".join)


@pytest.mark.parametrize("extractor", EVERY_EXTRACTOR, ids=repr)
@meets(text=10, lines=1)
@given(html=fragments)
def test_whatever_the_page_the_text_is_valid_and_tidy(extractor, html):
    html = html.encode("utf-8", "replace").decode()
    result = extractor.extract(html)
    result.text.encode()
    assert not re.search("[\ufdd0-\ufdd2]", result.text)
    assert result.text == result.text.strip("\n")
    assert extractor.extract(html) == result
    met["text"] += bool(result.text)
    met["lines"] += result.text.count("\n")


def f1(found: str, gold: str) -> float:
    a, b = (Counter(re.findall(r"\w+", text.lower())) for text in (found, gold))
    shared = sum((a & b).values())
    return 2 * shared / (sum(a.values()) + sum(b.values())) if shared else 0.0


def test_f1_on_pages_with_gold_text(real_data):
    table = pl.read_parquet(real_data / "html_gold" / "pages.parquet")
    scores = [
        f1(Resiliparse().extract(decode_text(html).text).text, gold) for html, gold in zip(table["html"], table["gold_text"], strict=True)
    ]
    by_kind = table.select("gold_kind").with_columns(f1=pl.Series(scores)).group_by("gold_kind").agg(pl.col("f1").mean())
    assert by_kind["f1"].min() > 0.9, by_kind.to_dicts()


@pytest.mark.parametrize("option", ["<option>a", "<option value='x>y'>Town</option>\n", '<OPTION selected title="a<b">T</OPTION>'])
@pytest.mark.parametrize(
    "around", ["<form><select>{}</select></form>", "<datalist>{}</datalist>", "<p><select><optgroup label=x>{}</select> end"]
)
def test_a_page_of_very_many_options_has_the_text_that_it_has_with_fewer(option: str, around: str) -> None:
    prose = "".join(
        f"<p>The river carries silt to the sea, and flood number {i} lays a new layer upon the fields beside it.</p>" for i in range(20)
    )
    few, many = (f"<html><body><article>{prose}{around.format(option * count)}{prose}</article></body></html>" for count in (1_900, 2_100))
    for extractor in (Blocks(), Resiliparse()):
        text = extractor.extract(many).text
        assert text == extractor.extract(few).text
        assert text.count("river") == 40


def test_a_script_that_writes_very_many_options_ends_where_it_ends() -> None:
    prose = "".join(f"<p>The river carries silt to the sea, and flood number {i} lays a new layer upon the fields.</p>" for i in range(20))
    page = f"<html><body><article>{prose}<script>w(<option </script>{prose}</article><select>{'<option>a' * 2_100}</select></body></html>"
    for extractor in (Blocks(), Resiliparse()):
        assert extractor.extract(page).text.count("river") == 40


@pytest.mark.parametrize(("limits", "largest"), [({"tags": 10}, "<" * 10 + "a" * 500), ({"characters": 30}, "é" * 30)])
def test_a_page_up_to_its_limit_is_parsed(limits, largest):
    assert source_of(largest, PageLimits(**limits)) == largest.encode()
    assert source_of(largest + "<", PageLimits(**limits)) is None
