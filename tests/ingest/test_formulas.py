"""Mathematics becomes TeX, once, wherever a page keeps it."""

import numpy as np
import pytest

from curation.ingest.extraction.page_blocks.reading import read_page
from curation.ingest.extraction.page_blocks.writing import write


def said(html: str) -> str:
    reading = read_page(f"<p>So {html} holds.")
    assert reading is not None
    return write(reading.cut, np.ones(len(reading.cut.blocks), bool)).removeprefix("So ").removesuffix(" holds.")


MATH = "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x=2</annotation></semantics></math>"


def glyph(code: str) -> str:
    return f"<mjx-c class='mjx-c{code} TEX-I'></mjx-c>"


@pytest.mark.parametrize(
    ("html", "tex"),
    [
        (MATH, "$x=2$"),
        (f"<span class=katex><span class=katex-mathml>{MATH}</span><span class=katex-html aria-hidden=true>x=2</span></span>", "$x=2$"),
        (f"<span class=katex-display><span class=katex>{MATH}</span></span>", "$$x=2$$"),
        ("<math alttext='\\pi' display=block><mi>π</mi></math>", "$$\\pi$$"),
        ("<script type='math/tex'>a < b</script> and <script type='math/tex; mode=display'>c</script>", "$a < b$ and $$c$$"),
        (
            "<span class=MathJax_Preview>x</span><span class=MathJax><nobr>x2</nobr></span><script type='math/tex'>x^2</script>",
            "$x^2$",
        ),
        ("<span class=MathJax data-mathml='<math><msup><mi>x</mi><mn>2</mn></msup></math>'><nobr>x2</nobr></span>", "$x^2$"),
        ("<span data-math='\\frac12'><span class=katex><span class=katex-html>12</span></span></span>", "$\\frac12$"),
        ("<span class=mwe-math-element><math alttext='{\\displaystyle e}'><mi>e</mi></math><img alt='{\\displaystyle e}'></span>", "$e$"),
        ("<img class=latex alt='x_1'><noscript><img class=latex alt='x_1'></noscript>", "$x_1$"),
        ("<img src=eq.svg alt='\\exp(x)'>", "$\\exp(x)$"),
        ("<img src=cat.jpg alt='A cat'>", ""),
        ("<img src=cat.jpg alt='C:\\Users\\cat'>", ""),
        ("<mjx-container><mjx-math>E</mjx-math><mjx-assistive-mml><math><mi>E</mi></math></mjx-assistive-mml></mjx-container>", "$E$"),
        (
            f"<mjx-container><mjx-math><mjx-msup><mjx-mi>{glyph('1D438')}</mjx-mi><mjx-script><mjx-mn>{glyph('32')}{glyph('33')}</mjx-mn></mjx-script>"
            "</mjx-msup></mjx-math></mjx-container>",
            "$E^{23}$",
        ),
        (
            "<mjx-container><svg><g data-mml-node=math><g data-mml-node=msub><g data-mml-node=mi><use data-c=1D465></use></g>"
            "<g data-mml-node=mn><use data-c=31></use></g></g></g></svg></mjx-container>",
            "$x_1$",
        ),
        ("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>", "$\\frac{1}{2}$"),
        ("<math><mfrac linethickness=0><mi>n</mi><mi>k</mi></mfrac></math>", "$\\binom{n}{k}$"),
        ("<math><msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt><mroot><mi>y</mi><mn>3</mn></mroot></math>", "$\\sqrt{x+1}\\sqrt[3]{y}$"),
        ("<math><msubsup><mi>x</mi><mi>i</mi><mn>10</mn></msubsup></math>", "$x_i^{10}$"),
        ("<math><munderover><mo>∑</mo><mrow><mi>k</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover></math>", "$∑_{k=1}^n$"),
        ("<math><mover><mi>x</mi><mo>¯</mo></mover><munder><mi>lim</mi><mi>n</mi></munder></math>", "$\\bar{x}\\lim_n$"),
        ("<math><mi>sin</mi><mi>x</mi><mi>Nu</mi><mn>1</mn><mn>2</mn></math>", "$\\sin x\\mathrm{Nu}1 2$"),
        ("<math><mfenced><mi>a</mi><mi>b</mi></mfenced><mo>{</mo></math>", "$(a,b)\\{$"),
        (
            "<math><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>2</mn></mtd></mtr><mtr><mtd><mn>3</mn></mtd><mtd><mn>4</mn></mtd></mtr></mtable></math>",
            "$\\begin{matrix}1 & 2 \\\\ 3 & 4\\end{matrix}$",
        ),
        ("<math><msup><msup><mi>a</mi><mi>b</mi></msup><mi>c</mi></msup></math>", "${a^b}^c$"),
        (
            "<math><mmultiscripts><mi>C</mi><mn>6</mn><mn>2</mn><mprescripts></mprescripts><none></none><mn>14</mn></mmultiscripts></math>",
            "${}^{14}C_6^2$",
        ),
        ("<math><mtext>if </mtext><mi>x</mi><mo>&it;</mo></math>", "$\\text{if}x$"),
        ("<math><mtext>if&nbsp;</mtext><mi>x</mi> stray <mn>2</mn></math>", "$\\text{if }x\\text{ stray }2$"),
        ("<span class='math inline'>\\(a_b\\)</span> <span class=arithmatex>\\[c\\]</span>", "$a_b$ $$c$$"),
        ("<span class=math>a subject</span>", "a subject"),
        (
            "<img src=//zhihu.com/equation?tex=x alt='x^2'><img src=latex.codecogs.com/x alt='E = m'><img src=c.png alt='a = b'>",
            "$x^2$$E = m$",
        ),
    ],
)
def test_a_formula_is_tex(html, tex):
    assert said(html) == (tex or "holds.") or (not tex and said(html).replace("holds.", "").strip() == "")


@pytest.mark.parametrize(
    ("mathml", "tex"),
    [
        ("<mover><mi>x</mi><mo>^</mo></mover><munder><mi>x</mi><mo>¯</mo></munder><mover><mi>x</mi><mo>!</mo></mover>", r"\hat{x}x_¯x^!"),
        ("<munder><mi>x</mi><mrow></mrow></munder><msup><mi>y</mi><mi></mi></msup>", "xy"),
        ("<msubsup><mi>x</mi><mrow></mrow><mn>2</mn></msubsup><msubsup><mi>y</mi><mn>2</mn><mrow></mrow></msubsup>", "x^2y_2"),
        ("<msub><mrow><mi>a</mi><mi>b</mi></mrow><mi>i</mi></msub>", "{ab}_i"),
        ("<msup><mrow><mo>(</mo><mi>a</mi><mo>)</mo></mrow><mn>2</mn></msup><msup><mrow><mi>z</mi></mrow><mn>2</mn></msup>", "(a)^2z^2"),
        (
            "<msup><msqrt><mi>a</mi></msqrt><mn>2</mn></msup><msup><mstyle><mrow><mi>a</mi><mi>b</mi></mrow></mstyle><mn>2</mn></msup>",
            r"\sqrt{a}^2{ab}^2",
        ),
        ("<mfenced open='[' close='}' separators=';|'><mi>a</mi><mi>b</mi><mi>c</mi></mfenced>", r"[a;b;c\}"),
        ("<mfenced separators=''><mi>a</mi><mi>b</mi></mfenced><mfenced open='' close=''><mi>a</mi><mi>b</mi></mfenced>", "(ab)a,b"),
        ("<mi>b</mi><mspace></mspace><mi>c</mi><ms>so</ms><mtext></mtext>", r"b c\text{so}"),
        ("<mi>a</mi><mphantom><mi>q</mi></mphantom><maction><mi>b</mi><mi>c</mi></maction>", "ab"),
        (
            "<mtable><mlabeledtr><mtd><mn>1</mn></mtd><mtd><mi>a</mi></mtd><mtd><mi>b</mi></mtd></mlabeledtr></mtable>",
            r"\begin{matrix}a & b\end{matrix}",
        ),
        ("<mmultiscripts><mi>R</mi><mi>i</mi><mi>k</mi></mmultiscripts>", "R_i^k"),
        ("<mmultiscripts><msub><mi>R</mi><mi>a</mi></msub><mi>i</mi><mi>k</mi></mmultiscripts>", "{R_a}_i^k"),
        ("<mmultiscripts><mi>R</mi><mi>i</mi><none></none><none></none><mi>k</mi><mi>l</mi><mi>m</mi></mmultiscripts>", "R_i{}^k{}_l^m"),
        (
            "<mmultiscripts><mi>R</mi><mi>i</mi><mi>k</mi><mprescripts></mprescripts><mn>1</mn><none></none><mn>2</mn><mn>3</mn></mmultiscripts>",
            "{}_1{}_2^3R_i^k",
        ),
        ("<mmultiscripts><mi>R</mi><mprescripts></mprescripts><mn>12</mn><none></none></mmultiscripts>", "{}_{12}R"),
        ("<mn>50</mn><mo>%</mo><mo>&amp;</mo><mo>#</mo><mi>_</mi><mo>$</mo><mi>a</mi>", r"50\%\&\#\_\$a"),
        (
            "<mi>αβ</mi><mi>ln</mi><mo>(</mo><mi>ln</mi><mn>2</mn><mi>f2</mi><mn>1</mn><mo>.</mo><mn>2</mn><mn>3</mn>",
            r"αβ\ln(\ln 2f2 1.2 3",
        ),
        (
            "<mfrac linethickness=0px><mi>n</mi><mi>k</mi></mfrac><mfrac linethickness=0pt><mi>n</mi><mi>k</mi></mfrac>",
            r"\binom{n}{k}\binom{n}{k}",
        ),
        ("<mi>f</mi><mo>&#x2061;</mo><mi>x</mi><mo>&#x2062;</mo><mi>y</mi><mo>&#x2063;</mo><mi>z</mi><mo>&#x2064;&#x200b;</mo>", "fxyz"),
        ("<mfrac linethickness=1px><mi>n</mi><mi>k</mi></mfrac>", r"\frac{n}{k}"),
    ],
)
def test_mathml_is_linear_tex(mathml, tex):
    assert said(f"<math>{mathml}</math>") == f"${tex}$"


def drawn_by_mathjax(inner: str) -> str:
    return f"<mjx-container><mjx-math>{inner}</mjx-math></mjx-container>"


def letters(*codes: str) -> str:
    return "".join(f"<mjx-mi>{glyph(code)}</mjx-mi>" for code in codes)


@pytest.mark.parametrize(
    ("html", "tex"),
    [
        (f"<mjx-msubsup>{letters('78')}<mjx-script>{letters('32', '69')}</mjx-script></mjx-msubsup>", "x_i^2"),
        (
            f"<mjx-mfrac><mjx-frac><mjx-num><mjx-nstrut></mjx-nstrut>{letters('61')}</mjx-num><mjx-dbox><mjx-line></mjx-line><mjx-den>"
            f"<mjx-dstrut></mjx-dstrut>{letters('62')}</mjx-den></mjx-dbox></mjx-frac></mjx-mfrac>",
            r"\frac{a}{b}",
        ),
        (
            f"<mjx-msqrt><mjx-sqrt><mjx-surd>{letters('221A')}</mjx-surd><mjx-box>{letters('61')}</mjx-box></mjx-sqrt></mjx-msqrt>",
            r"\sqrt{a}",
        ),
        (f"<mjx-msup><mjx-texatom>{letters('61', '62')}</mjx-texatom><mjx-script>{letters('32')}</mjx-script></mjx-msup>", "{ab}^2"),
        (
            "<svg><g data-mml-node=mi><use xlink:href='#MJX-1-TEX-I-1D466'></use></g><g data-mml-node=mo><use data-c='3D'></use></g></svg>",
            "y=",
        ),
    ],
)
def test_what_mathjax_drew_is_read_back(html, tex):
    assert said(drawn_by_mathjax(html)) == f"${tex}$"


LONG = "a b " * 10


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<img src=a.png class=formula alt='E = m'> <img src=x alt='\\(a\\)'> <img src=x alt='\\(a_b\\)'>", "$E = m$ $a_b$"),
        (f"<img class=formula alt='{LONG}'> <img class=formula alt='{LONG}c'> <img class=latexx alt=q>", f"${LONG.strip()}$"),
        ("<span class=math>$$a$$</span> <span class=math>$a$</span> <span data-latex='a'>x</span>", "$$a$$ $a$ $a$"),
        ("<span data-formula=' '>x</span><span data-tex=b class=MathJax_Display>y</span>", "x$$b$$"),
        ("<math class=x display=true><mi>a</mi></math> <span class=math><math display=block><mi>b</mi></math></span>", "$$a$$ $$b$$"),
        ("<span data-tex='\\textstyle {a}+{b}'>z</span> <span data-tex='{\\displaystyle a+{b}}'>z</span>", "$\\textstyle {a}+{b}$ $a+{b}$"),
        ("<script type='math/latex'>a  b\n c</script> <script type='math/tex'></script>", "$a b c$"),
    ],
)
def test_a_formula_is_known_by_its_name_and_its_text(html, text):
    assert said(html).strip() == text


KATEX = (
    f"<span class=katex><span class=katex-mathml>{MATH}</span><span class=katex-html aria-hidden=true><span class=base>x"
    "<span class=mord>2</span></span>"
)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (f"{KATEX}</span> is said, <b>and</b> more", "$x=2$ is said, and more"),
        (f"<span class=katex-display>{KATEX}</span></span> is said", "$$x=2$$ is said"),
        (f"<span class=katex-display>{KATEX}</span> is said", "$$x=2$$ is said"),
        (f"{KATEX} is said, <b>and</b> more", "$x=2$ is said, and more"),
        (f"</p><div>{KATEX}</span> is said <p>and more</p></div><p>", "$x=2$ is said\n\nand more"),
        (f"<mjx-container><mjx-math><mjx-mi>{glyph('45')}</mjx-mi></mjx-math> is said", "$E$ is said"),
        (f"<mjx-container><mjx-math><mjx-mi>{glyph('45')}</mjx-mi> is <i>said</i>", "$E$ is said"),
        ("<mjx-container>E <i>is said</i>", "E is said"),
        ("<math><mi>x</mi><mo>=</mo><mn>2</mn> is said <b>here</b>", "$x=2$ is said here"),
        (f"<span class=mwe-math-element>{MATH}<img alt=x> is said", "$x=2$ is said"),
        ("<span data-math='x^2'>and all of these words too", "$x^2$ and all of these words too"),
        ("<script type='math/tex'>x^2</p><p>and more", "$x^2$ and more"),
    ],
)
def test_an_unclosed_formula_keeps_what_follows(html, text):
    assert said(html).removeprefix("So").removesuffix("holds.").strip() == text


def test_a_formula_that_is_a_block_keeps_its_line():
    assert said("</p><div class='math display'>\\[a\\]</div>then").splitlines()[2:] == ["$$a$$", "", "then"]


def stacked(*entries: tuple[float, str], below: bool = False) -> str:
    inner = "".join(
        f"<span style='top:{top}em'><span class=pstrut></span><span class='mord mtight'>{text}</span></span>" for top, text in entries
    )
    return f"<span class='vlist-t{' vlist-t2' * below}'><span class=vlist-r><span class=vlist>{inner}</span></span></span>"


def drawn(classes: str, inner: str) -> str:
    return f"<span class=katex><span class=katex-html><i class=strut></i><i>x</i><span class='{classes}'>{inner}</span></span></span>"


@pytest.mark.parametrize(
    ("html", "tex"),
    [
        (drawn("msupsub", stacked((-3.06, "2"))), "$x^2$"),
        (drawn("msupsub", stacked((-2.5, "i"), below=True)), "$x_i$"),
        (drawn("msupsub", stacked((-2.4, "i"), (-3.1, "10"), below=True)), "$x_i^{10}$"),
        (drawn("mfrac", stacked((-2.3, "2"), (-3.2, "<span class=frac-line></span>"), (-3.7, "1"), below=True)), "$x\\frac{1}{2}$"),
        (drawn("mop op-limits", stacked((-1.9, "k=1"), (-3.05, "∑"), (-4.3, "n"), below=True)), "$x∑_{k=1}^n$"),
        (drawn("mfrac", stacked((-2.3, "2"), (-3.7, "1"), below=True)), "$x\\frac{1}{2}$"),
        (drawn("mop op-limits", stacked((-1.9, "n"), (-3.05, "lim"), below=True)), "$xlim_n$"),
        (drawn("mop op-limits", stacked((-3.05, "sup"), (-4.3, "n"))), "$xsup^n$"),
        (drawn("msupsub", stacked((-2.4, "ij"), (-3.1, "1"), below=True)), "$x_{ij}^1$"),
        (
            "<span class=katex><span class=katex-html><i>a</i><i class=mspace></i><i>b\u200b</i><i class=nulldelimiter>.</i></span></span>",
            "$a b$",
        ),
        (drawn("mord sqrt", stacked((-3, "y"), (-3.1, "<span class=hide-tail></span>"), below=True)), "$x\\sqrt{y}$"),
    ],
)
def test_what_katex_drew_is_read_back(html, tex):
    assert said(html) == tex


def test_a_wrapper_that_is_called_a_formula_is_none():
    text = said("</p><div class=MathJax><p>one <script type='math/tex'>x</script></p></div><p>")
    assert "one $x$" in text


def test_deep_nesting_in_a_formula_ends():
    assert "7" in said("<math>" + "<mrow>" * 400 + "<mn>7</mn>" + "</mrow>" * 400 + "</math>")


def test_plain_formulas_are_read_as_those_that_may_stand_in_another_container() -> None:
    random = np.random.default_rng(7)
    texts = ["x", "sin", "Nu", "12", "{", "&lt;", "+", "$", "", " ", "∑"]

    def formula(depth: int) -> str:
        if depth == 0 or random.random() < 0.4:
            name = random.choice(["mi", "mn", "mo"])
            return f"<{name}>{random.choice(texts)}</{name}>"
        name, count = random.choice([("mrow", 3), ("msup", 2), ("msubsup", 3), ("mfrac", 2), ("msqrt", 2), ("munder", 2), ("mover", 2)])
        return f"<{name}>{''.join(formula(depth - 1) for _ in range(int(count)))}</{name}>"

    met = 0
    for _ in range(150):
        math = f"<math{random.choice(['', ' display=block', ' xmlns=m'])}>{formula(3)}</math>"
        plain = said(f"no TeX and {math}")
        assert said(f"<b class=math>no TeX</b> and {math}") == plain
        met += "$" in plain
    assert met > 100
