"""Pages in blocks: how they are cut and written; what is kept is decided elsewhere, so all blocks are written here."""

import re
import time

import numpy as np
import pytest

from curation.ingest.extraction.blocks import Blocks
from curation.ingest.extraction.page_blocks.block_text import IN_PRE, LETTERS_IN, is_markup
from curation.ingest.extraction.page_blocks.choosing import MANY_WORDS, MUCH_PROSE, chosen
from curation.ingest.extraction.page_blocks.cutting import Cut
from curation.ingest.extraction.page_blocks.features import FEATURE_NAMES, features
from curation.ingest.extraction.page_blocks.joining import FEW, joined
from curation.ingest.extraction.page_blocks.reading import block_texts, read_page
from curation.ingest.extraction.page_blocks.second_look import SECOND_LOOK_NAMES as SEEN
from curation.ingest.extraction.page_blocks.second_look import context
from curation.ingest.extraction.page_blocks.writing import write

PROSE = "Rivers carry sand, and where they slow down, they drop it; so deltas grow into the sea, year after year."


def cut_of(html: str) -> Cut:
    reading = read_page(html)
    assert reading is not None
    return reading.cut


def whole(html: str, form: str = "text") -> str:
    page = cut_of(html)
    return write(page, np.ones(len(page.blocks), bool), form)


@pytest.mark.parametrize(
    ("html", "text", "markdown"),
    [
        ("<p>One.<p>Two, <b>bold</b>.", "One.\n\nTwo, bold.", None),
        ("<h2>Head<br>line</h2>text", "Head line\n\ntext", "## Head line\n\ntext"),
        ("<ul><li>mix it<li>bake it</ul>", "- mix it\n- bake it", None),
        ("<ul><li>a b<ol><li>c d<li>e</ol><li>f</ul>", "- a b\n  1. c d\n  2. e\n- f", None),
        ("<ol start=3><li>x<li>y<li value=9>z<li>w</ol>", "3. x\n4. y\n9. z\n10. w", None),
        ("<ol reversed><li>x<li>y</ol><ol reversed start=8><li>x<li>y</ol>", "2. x\n1. y\n\n8. x\n7. y", None),
        ("<ol type=a><li>x<li>y</ol>", "a. x\nb. y", None),
        ("<ol type=A start=26><li>x<li>y</ol>", "Z. x\nAA. y", None),
        ("<ol type=i start=4><li>x</ol><ol type=I start=49><li>x</ol><ol type=i start=400><li>x</ol>", "iv. x\n\nXLIX. x\n\n400. x", None),
        ("<ul><li><p>a</p><p>b</p><li>c</ul>", "- a\n  b\n- c", None),
        ("<ul><li>a<ul><li>b</ul>c</ul>d", "- a\n  - b\n  c\n\nd", None),
        ("a<pre>def f():\n    if x:\n\n\n        return  1\n</pre>b", "a\n\ndef f():\n    if x:\n\n\n        return  1\n\nb", None),
        ("<pre><code>  <span>(</span>x\n y</code></pre>", "  (x\n y", None),
        ("<pre><code>\n  <b>x</b></code></pre><pre> \n </pre>z", "  x\n\nz", None),
        ("<pre>a `` b</pre>", "a `` b", "```\na `` b\n```"),
        ("<pre>a ``` b</pre>", "a ``` b", "````\na ``` b\n````"),
        ("<pre><div>a (</div><div></div><div>  b\n</div>c<br>d</pre>", "a (\n\n  b\nc\nd", None),
        ("<table><tr><th>City<th>People<tr><td>Bonn<td>330 000<br>about</table>", "City | People\n--- | ---\nBonn | 330 000 about", None),
        ("<table><tr><td>k<td>v<tr><td>a|b<td>w</table>", "k | v\na|b | w", "| k | v |\n| --- | --- |\n| a\\|b | w |"),
        (
            "<table><tr><th>y<th>in<th>out<tr><td>1<td>7<td><tr><td>2<td><td><tr><td>3<td><td>5</table>",
            "y | in | out\n--- | --- | ---\n1 | 7 |\n2 | |\n3 | | 5",
            None,
        ),
        ("<table><tr><td>a<td colspan=2>b<tr><td>c<td>d<td>e</table>", "a | b |\nc | d | e", None),
        ("<table><tr><td rowspan=2>a<td>b<tr><td>c<tr><td>d<td>e</table>", "a | b\n| c\nd | e", None),
        ("<table><tr><td><p>x</p><p>y</p></td><td></td><td>z<script>1</script></td></tr></table>", "x y | | z", None),
        ("<table><tr><td>Menu<td><p>" + "A long story. " * 40 + "</table>", "Menu\n\n" + ("A long story. " * 40).strip(), None),
        ("<table><tr><td><pre>1\n2</pre><td><pre>x</pre></table>", "1\n2\n\nx", None),
        ("<table><tr><td>flag<td>what<tr><td><pre>--x</pre><td><pre>\ny\n</pre></table>", "flag | what\n--x | y", None),
        ("<table><tr><td class=ln><pre>1</pre><td><pre>a</pre><tr><td class=ln><pre>2</pre><td><pre>b</pre></table>", "a\n\nb", None),
        ("x<listing>a\n b</listing>y<xmp>a\n b</xmp>z", "x\n\na\n b\n\ny\n\na\n b\n\nz", None),
        ("<pre><span class=line>a</span><span class=line> b</span><i style='display: block'>c</i></pre>", "a\n b\nc", None),
        ("<pre><span class=line>a</span>\n<span class=line></span>\n<span class='x line'>b</span></pre>", "a\n\nb", None),
        ("<p>a<ruby>漢<rp>(</rp><rt>kan</rt><rp>)</rp></ruby> <ruby>東京<rt>とう</ruby> <ruby>x<rt></ruby>", "a漢(kan) 東京(とう) x", None),
        ("<x-app><template shadowrootmode=open><p>shown</template></x-app><template><p>not</template>", "shown", None),
        ("<blockquote><p>a<p>b</blockquote>c", "a\n\nb\n\nc", "> a\n>\n> b\n\nc"),
        ("<dl><dt>t<dd>d<dd>e</dl>", "t\nd\ne", "t\n: d\n: e"),
        ("<p>a  &nbsp; b\n c<br>  d<br><br>e", "a b c\nd\n\ne", None),
        ("<p>a&lt;b&amp;&gt; &amp;lt; — “x”", "a<b&> &lt; — “x”", None),
        ("<p><var>x</var> − <var>y</var> ≠ <b>∑</b>ア", "x − y ≠ ∑ア", None),
        ("<p>a<span> b</span><i>c </i>d<wbr>e", "a bc de", None),
        ("a<custom-tag>b</custom-tag>c<unknown>d</unknown>", "a\n\nb\n\ncd", None),
        ("<p>a<script>no</script>b<style>no</style><svg><text>no</text></svg><template>no</template>", "ab", None),
        ("<noscript><p>posts</p></noscript>", "posts", None),
        ("a<noscript> &lt;img src=x&gt;</noscript><noscript>b &lt; 3</noscript><p>&lt;br&gt;", "ab < 3\n\n<br>", None),
    ],
)  # fmt: skip
def test_blocks_are_written_in_their_shape(html, text, markdown):
    assert whole(html) == text
    assert whole(html, "markdown") == markdown or markdown is None


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("6.02 × 10<sup>23</sup>", "6.02 × 10^{23}"),
        ("x<sup>2</sup> + y<sup>-2</sup>", "x^2 + y^{-2}"),
        ("a<sub>1</sub>2 is not a<sub>12</sub>", "a_12 is not a_{12}"),
        ("H<sub>2</sub>O, x²", "H_2O, x²"),
        ("2<sup>2<sup>n</sup></sup>", "2^{2^n}"),
        ("x<sup>&nbsp;2 </sup>y", "x^2 y"),
        ("2 <sup>10</sup> and 10 <sup>−3</sup>, a word <sup>new</sup>", "2 ^{10} and 10 ^{−3}, a word new"),
        ("a house <sup>of</sup> cards, an x <sup>n</sup> of it", "a house of cards, an x ^n of it"),
        ("<sup>14</sup>C, <sup>235</sup><sub>92</sub>U", "^{14}C, ^{235}_{92}U"),
        (
            "<sup>1</sup> A note. <br><br><a href=x><sup>2</sup></a> And <br><br><sup><a href=x>3</a></sup> so",
            "1 A note.\n\n[2] And\n\n[3] so",
        ),
        ("<sup>1</sup>/<sub>2</sub>, 3<sup>1</sup>⁄<sub>4</sub> cups, km/s<sup>2</sup>", "1/2, 3 1⁄4 cups, km/s^2"),
        ("x<sup>∞</sup>, Na<sup>+</sup>, f<sup>(2)</sup>, f<sup>′</sup>, 90<sup>°</sup>", "x^∞, Na^+, f^{(2)}, f′, 90°"),
        ("<a href=x>10<sup>6</sup> people</a>, <a href=x>10</a><sup>6</sup>", "10^6 people, 10^6"),
        ("10<span style='vertical-align:super'>5</span>, x<i class=subscript>i</i>", "10^5, x_i"),
        ("<img style='vertical-align:super'>a<b style='vertical-align: sub'>this is no index at all</b>", "athis is no index at all"),
        ("21<sup>st</sup>, Acme<sup>TM</sup>, Acme<sup>®</sup>, sure<sup>*</sup>", "21st, AcmeTM, Acme®, sure*"),
        ("see<sup><a href=#n>1</a></sup>, <a href=#m><sup>12</sup></a> and <sup>[3]</sup>", "see[1], [12] and [3]"),
        ("<sup>all of this text is set small by somebody</sup>", "all of this text is set small by somebody"),
        ("a<sup></sup>b<sup>c", "ab^c"),
        ("<pre>x<sup>2</sup></pre>", "x^2"),
        ("a<br><sup>1</sup><br>b<br><sup>2</sup>c", "a\n1\nb\n^2c"),
    ],
)
def test_raised_text_is_not_run_together(html, text):
    assert whole(f"<p>{html}") == text


@pytest.mark.parametrize(
    "html",
    [
        '<table><tr><td class=gutter><pre>1\n2</pre></td><td><pre>a = 1\nb = 2\n</pre></td></tr></table>',
        '<table class=lntable><tr><td class=lntd><pre class=chroma><code><span class=lnt>1\n</span><span class=lnt>2\n</span></code>'
        '</pre></td><td class=lntd><pre class=chroma><code>a = 1\nb = 2</code></pre></td></tr></table>',
        '<pre><code><span class=lineno>1 </span>a = 1\n<span class="lineno">2 </span>b = 2\n</code></pre>',
        '<pre><table class=hljs-ln><tr><td class=hljs-ln-numbers data-line-number=1></td><td>a = 1</td></tr>'
        '<tr><td class=hljs-ln-numbers data-line-number=2></td><td>b = 2</td></tr></table></pre>',
        '<pre><div class=ec-line><div class=gutter><div class=ln>1</div></div><div class=code>a = 1</div></div>'
        '<div class=ec-line><div class=gutter><div class=ln>2</div></div><div class=code>b = 2</div></div></pre>',
        '<figure class=highlight><table><tr><td class=gutter><pre><span class=line>1</span><br><span class=line>2</span><br></pre></td>'
        '<td class=code><pre><span class=line>a = 1</span><br><span class=line>b = 2</span><br></pre></td></tr></table></figure>',
        '<table class=js-file-line-container><tr><td class=blob-num data-line-number=1></td><td class=blob-code>a = 1</td></tr><tr><td '
        'class=blob-num>2</td><td class=blob-code>b = 2</td></tr></table>',
        '<div class=crayon-main><table><tr><td class=crayon-nums><div class=crayon-num>1</div><div class=crayon-num>2</div></td><td>'
        '<div class=crayon-pre><div class=crayon-line>a = 1</div><div class=crayon-line>b = 2</div></div></td></tr></table></div>',
        '<div class=syntaxhighlighter><table><tr><td class=gutter><div class="line number1">1</div><div class="line number2">2</div></td>'
        '<td class=code><div class="line number1">a&nbsp;= 1</div><div class="line number2">b = 2</div></td></tr></table></div>',
        '<div class=CodeMirror-code><div><div class=CodeMirror-linenumber>1</div><pre class=CodeMirror-line>a = 1</pre></div><div>'
        '<div class=CodeMirror-linenumber>2</div><pre class=CodeMirror-line>b = 2</pre></div></div>',
        '<pre class=line-numbers><code>a = <span class=number>1</span>\nb = <span class=number>2</span></code></pre>',
    ],
)  # fmt: skip
def test_numbers_beside_code_are_left_out(html):
    assert whole(html) == "a = 1\nb = 2"


def test_streamed_parts_stand_where_they_belong():
    streamed = "<div hidden id='S:0'><p>part <template id='P:1'></template></div><div hidden id='S:1'>two</div>"
    page = f"<p>before</p><template id='B:0'></template><p>after</p>{streamed}"
    assert whole(page) == "before\n\npart two\n\nafter"


@pytest.mark.parametrize(
    ("place", "part"),
    [
        ("<!--$?--><template id='B:0'></template>Loading<b>!</b><!--/$--> after", "<div hidden id='S:0'>late</div>"),
        ("<!--$?--><template id='_r1_B:a'></template><!--$-->Loading<!--/$-->!<!--/$--> after", "<div hidden id='_r1_S:a'>late</div>"),
        ("<template id='B:0'></template> after", "<div style='display:none' id='S:0'>late</div>"),
    ],
)
def test_what_is_shown_until_a_part_comes_goes(place, part):
    assert whole(f"<p>before {place}</p>{part}") == "before late after"


def test_features_have_a_column_a_name_and_are_numbers():
    reading = read_page(f"<nav><a href=/>x</a></nav><article>{f'<p>{PROSE}' * 3}<table><tr><td>1<td>2</table><pre>code</pre></article>")
    assert reading is not None
    page = reading.cut
    rows = features(page, np.zeros(8, np.float32), reading.echoes)
    assert rows.shape == (len(page.blocks), len(FEATURE_NAMES)) == (7, len(FEATURE_NAMES))
    assert np.isfinite(rows).all()
    columns = dict(zip(FEATURE_NAMES, rows.T, strict=True))
    assert columns["words"].tolist() == [1, 20, 20, 20, 1, 1, 1]
    assert columns["linked_share"].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert columns["in_nav"].tolist() == [0, 40, 40, 40, 40, 40, 40]
    assert columns["in_article"].tolist() == [40, 1, 1, 1, 5, 5, 1]
    assert columns["repeats"].tolist() == [1, 3, 3, 3, 2, 2, 1]  # numbers look alike
    assert page.blocks[:, IN_PRE].tolist() == [0, 0, 0, 0, 0, 0, 1]
    seen = context(page, np.linspace(0, 1, 7))
    assert seen.shape == (7, len(SEEN))
    assert np.isfinite(seen).all()
    assert seen[:, SEEN.index("before")].tolist() == pytest.approx([-1, *np.linspace(0, 1, 7)[:6]])


@pytest.mark.parametrize(
    ("begins", "is_one"),
    [
        *((begins, True) for begins in ("&lt;!--", "&lt;a b", "&lt;zed", "&lt;A>x", "&lt;Z>x")),
        *((begins, False) for begins in ("&lt;@x ", "&lt;[x]", "&lt;{x}", "&lt;`x`", "&lt;3 ..", "&gt;a b", "&lt;")),
    ],
)
def test_a_tag_made_text_is_told_from_a_sign(begins, is_one):
    page = np.frombuffer(begins.encode(), np.uint8)
    assert is_markup(page, 0, len(page)) is is_one


def test_classes_are_cut_into_words_and_joined():
    def near(name: str, markup: str) -> float:
        reading = read_page(f"{markup}<p>text")
        assert reading is not None
        return float(features(reading.cut, np.zeros(8, np.float32), reading.echoes)[0, FEATURE_NAMES.index(name)])

    assert near("near_articlebody", "<div class=entryContent>") == 1
    assert near("near_articlebody", "<div class='x post-body'>") == 1
    assert near("near_comment", "<div id=user-comments><div>") == 2
    assert near("near_comment", "<div title=comments>") == 40


def test_tiny_blocks_are_judged_together_and_written_apart():
    page = cut_of(f"<main><p>{PROSE * 2}</p>{'<li>one, two.' * 3000}<pre>code</pre><p>{PROSE * 2}</p></main>")
    joint, places = joined(page)
    assert len(page.blocks) == 3003
    assert len(joint.blocks) == len(set(places.tolist())) <= FEW + len(page.page) // 32
    assert (np.diff(places) >= 0).all()
    assert places[0] != places[1]
    assert places[-3] < places[-2] < places[-1]  # prose and code stand alone
    assert joint.blocks[:, LETTERS_IN].sum() == page.blocks[:, LETTERS_IN].sum()
    assert joint.notices.sum() == page.notices.sum()
    assert Blocks(favour="coverage").extract("<main>" + "<li>one, two." * 3000).text.count("- one, two.") in (0, 3000)
    few = cut_of(f"<p>{PROSE}" * 20)
    assert joined(few)[0] is few


def test_the_best_set_is_the_one_of_the_largest_expected_f1():
    page = cut_of("".join(f"<p>{'word ' * 10}{n}" for n in range(4)))
    sure = chosen(page, np.array([0.9, 0.05, 0.9, 0.4]))
    assert sure.kept.tolist() == [True, False, True, False]
    assert sure.confidence == pytest.approx(2 * 1.8 / (2 + 2.25), abs=0.01)
    assert chosen(page, np.array([0.5, 0.05, 0.5, 0.3])).kept.tolist() == [True, False, True, True]  # the less is sure, the more is kept
    assert chosen(page, np.array([0.9, 0.05, 0.9, 0.4]), "coverage").kept.tolist() == [True, False, True, True]
    assert chosen(page, np.array([0.01, 0.02, 0.01, 0.01])).kept.tolist() == [False, True, False, False]


def test_a_paragraph_hidden_beside_shown_ones_is_not_kept():
    sure = np.array([0.9, 0.9, 0.9, 0.9])
    for hidden in ("hidden", "style='display: none'", "style='color: red; visibility: hidden'"):
        page = cut_of(f"<p>{PROSE}<p {hidden}>{PROSE}<div {hidden}><p>{PROSE}<p>{PROSE}</div>")
        assert chosen(page, sure.copy()).kept.tolist() == [True, False, True, True]
    assert chosen(cut_of(f"<p hidden>{PROSE}"), np.array([0.9])).kept.tolist() == [True]
    page = cut_of(f"<p style='visibility: visible'>{PROSE}<p style='display: inline'>{PROSE}")
    assert chosen(page, np.array([0.9, 0.9])).kept.tolist() == [True, True]


def test_a_text_that_is_kept_already_is_not_kept_again_in_another_part_of_the_page():
    many = " ".join(f"слово{n}" for n in range(MANY_WORDS))
    few = " ".join(f"слово{n}" for n in range(MANY_WORDS - 1))
    far = "<section><div><div>{}</div></div></section>" * 2
    for text, page, kept in (
        (many, far, [True, False]),
        (few, far, [True, True]),
        (many, "<section>{}</section>" * 2, [True, True]),
        (many, "{}" * 2, [True, True]),
        (many, far.replace("div><div", "div><pre").replace("/div></div", "/pre></div"), [True, True]),
        (many, f"<table><tr><td>1<td>2<tr><td>{far}<td>3</table>", [True, True]),
    ):
        cut = cut_of(page.format(*[f"<p>{text}"] * 2))
        same = [words.strip() == text for words in block_texts(cut)]
        assert chosen(cut, np.full(len(cut.blocks), 0.9)).kept[same].tolist() == kept
    other = cut_of(far.format(f"<p>{many}", f"<p>{many.replace('слово1 ', 'слова1 ')}"))
    assert chosen(other, np.array([0.9, 0.9])).kept.all()  # letters of every script tell texts apart


def test_a_sliver_of_a_page_of_prose_is_not_all_that_is_kept():
    paragraphs = MUCH_PROSE // len(PROSE) + 9
    page = cut_of(f"<nav><p>{PROSE}</nav><p>Loading</p>" + f"<p>{PROSE}" * paragraphs)
    choice = chosen(page, np.array([0.9, 0.95, *[0.1] * paragraphs]))
    assert choice.was_rescued
    assert choice.kept.tolist() == [True, True, *[True] * paragraphs]
    assert not chosen(page, np.array([0.01, 0.95, *[0.9] * paragraphs])).was_rescued
    few = cut_of(f"<p>Loading</p><p>{PROSE}")
    assert not chosen(few, np.array([0.95, 0.1])).was_rescued


@pytest.mark.parametrize(
    "piece",
    ["<p>x", "<div><p>x</p></div>", "<b>x", "<table><tr><td>x", "<ul><li>x", "<sup>x", "<br>x", "&nbsp;", "<pre>x</pre>", "<i>x</i> "],
)
def test_blocks_keep_every_letter(piece):
    page = f"<body>start {piece * 300} end"
    assert whole(page).count("x") == page.count("x")
    assert sum(text.count("x") for text in block_texts(cut_of(page))) == page.count("x")


def test_many_columns_do_not_blow_up_the_text():
    begun = time.process_time()
    text = whole("<table>" + "<tr><td colspan=9999999>a<td colspan=60>b" * 2000 + "</table>")
    assert len(re.findall("a", text)) == 2000
    assert len(text) < 2000 * 400
    assert time.process_time() - begun < 30
