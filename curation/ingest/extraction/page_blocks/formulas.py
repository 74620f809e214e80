"""Mathematics as TeX between dollars, written into the tree: signs replace what a page expresses by layout.

TeX is taken from the page if it is there, from the most reliable place first: `data-math` and similar attributes, an annotation in MathML,
a script of type math/tex, `alttext`, the alternative text of a formula's image. MathML without TeX becomes linear TeX (`mathml`), and so
does the drawing of MathJax or KaTeX without TeX. A formula that occurs twice, drawn and for screen readers, is written once.

A formula's element that was never closed also contains what follows it; that is first moved out (`_let_out`).

Invariant: a formula's text never stays in the tree beside its TeX, and no other text is removed with it.
"""

import re
from typing import Any

from curation.ingest.extraction.dom import PageLimits, parse, without_tags
from curation.ingest.extraction.page_blocks.katex import drawn_tex
from curation.ingest.extraction.page_blocks.mathml import to_tex

_TEX_ATTRIBUTES = ("data-math", "data-tex", "data-latex", "data-formula")
_WITH_TEX = ", ".join(f"[{name}]" for name in _TEX_ATTRIBUTES)
_CONTAINERS = (
    "[data-math], [data-tex], [data-latex], [data-formula], .katex-display, .katex, mjx-container, .MathJax_Display, .MathJax, "
    ".MathJax_SVG, .MathJax_SVG_Display, .MathJax_CHTML, .mjx-chtml, .mwe-math-element, math, .math, .arithmatex"
)
_DRAWN_TAGS = re.compile(r"m(?!ain$|ark$|enu$|ap$|eta$|arquee$)[a-z]+$|mjx-|semantics$|annotation|none$|svg$|img$|nobr$|script$")
_DRAWN_CLASSES = re.compile(
    r"(?:^|\s)(?:katex-mathml|katex-html|base|math|mjx|mjpage|MathJax|MJX|mwe-math|mtable|mrow|"
    r"m(?:ord|bin|rel|open|close|punct|inner|op|space|supsub|frac|sqrt|tight)(?!\S)|vlist|p?strut(?!\S)|sizing|reset-size|delim|"
    r"nulldelimiter|frac-line|op-|sqrt|root|accent|overline|underline|col-align|arraycolsep|hide-tail|svg-align|llap|rlap|boxed|cancel)",
    re.ASCII,
)
"""The names that MathJax and KaTeX give to the parts of a drawing."""

_PLAIN = re.compile(
    r'<math(?: (?:xmlns|display)="[^"]*")*>'
    r"(?:<(m[ino])>[^<]*</\1>|</?m(?:row|sup|sub|subsup|over|under|underover|frac|sqrt|root|style)>)+</math>"
)
"""MathML that needs no search: it has no text outside letters and signs, no TeX and no names. Most formulas of most pages are like this."""

_DEEPEST = 8
_SENTENCE = re.compile(r"(?<![^\W\d_])[^\W\d_]{2,}+(?:[\s,;.]++[^\W\d_]{2,}+){3,}+")
"""Several words in a row, which a formula contains only in TeX's \\text. A match begins only where a word begins, so time stays linear."""

_DELIMITED = re.compile(r"\s*(?:\\\(.*\\\)|\\\[.*\\\]|\$.*\$)\s*", re.DOTALL)
_PROSE = "p, li, h1, h2, h3, article, section"
"""Elements that no formula contains. An element that contains one wraps a part of the page, even if its class says that it is a formula."""

_WITHOUT = "data-without-tex"
_ANNOTATIONS = "annotation[encoding='application/x-tex'], annotation[encoding='TeX'], annotation[encoding='LaTeX']"
_TEX_SCRIPTS = "script[type^='math/tex'], script[type^='math/latex']"
_DISPLAYED = re.compile(r"display|block|Display", re.ASCII)
_LOOKS_LIKE_TEX = re.compile(r"\\[A-Za-z]+|\^|_\{|[A-Za-z0-9]_[A-Za-z0-9]")
_OF_FORMULAS = re.compile(
    r"(?:^|[\s_-])(?:latex|tex|math|equation|formula|mwe-math\S*)(?:$|[\s_-])|latex\.codecogs|/mimetex|latex\.php|equation\?tex=|"
    r"wikimedia\.org/api/rest_v1/media/math",
    re.I,
)
_STYLE = re.compile(r"^\{?\\(?:displaystyle|textstyle)\s*(.*?)\}?$", re.DOTALL)
_TAG = re.compile(r"</?(?:p|div|span|h[1-6]|ul|ol|li|table|br|script|section|article)\b", re.ASCII)
_DOLLARS = re.compile(r"^\$+|(?<!\$)\$+$|^\\[(\[]|\\[)\]]$")
_BLANKS = re.compile(r"\s+")
_MATH_JAX = ("MathJax", "MathJax_Display", "MathJax_SVG", "MathJax_SVG_Display", "MathJax_CHTML", "mjx-chtml")


def rewrite_formulas(tree: Any) -> None:
    """Put TeX in place of every formula of a page."""
    body = tree.body
    has_scripts = False
    for script in body.query_selector_all(_TEX_SCRIPTS)[:]:
        has_scripts = True
        _replace_script(tree, script)
    for preview in body.query_selector_all(".MathJax_Preview, .MJX_Assistive_MathML_Preview")[:]:
        preview.decompose()
    containers = body.query_selector_all(_CONTAINERS)[:]
    for formula in containers[_replace_plain(tree, containers) :]:
        is_leaf = formula.first_element_child is None  # a leaf needs no search
        if not is_leaf:
            _let_out(formula, formula, _DEEPEST)
        around = formula.closest(f"body, [{_WITHOUT}]")
        if around is None or around.hasattr(_WITHOUT):
            continue  # its container was replaced, or has no TeX
        if not is_leaf and formula.query_selector(_PROSE) is not None:
            continue  # it wraps a part of the page
        if has_scripts and formula.tag != "mjx-container" and set((formula.getattr("class") or "").split()) & set(_MATH_JAX):
            formula.decompose()  # MathJax 2 drew it from a script that is already replaced; version 3 leaves no script
            continue
        tex = _tex_of(formula)
        sentence = _SENTENCE.search(formula.text) if tex else None
        if sentence and sentence[0] not in tex and not _is_drawn(formula):
            formula.parent.insert_before(tree.create_text_node(_in_dollars(tex, _is_displayed(formula)) + " "), formula)
            formula.setattr(_WITHOUT, "")  # it also contains the text that follows the formula, which cannot be told from it
        elif tex:
            _replace(tree, formula, tex, _is_displayed(formula))
        else:
            formula.setattr(_WITHOUT, "")
    _replace_images(tree)


def _replace_plain(tree: Any, containers: list[Any]) -> int:
    """Replace the plain formulas before the first one that is not plain, which may contain all later ones; return their number."""
    written: dict[str, str] = {}
    for place, formula in enumerate(containers):
        markup = formula.html if formula.tag == "math" else ""
        if not _PLAIN.fullmatch(markup):
            return place
        if markup not in written:
            written[markup] = _in_dollars(to_tex(formula), _is_displayed(formula))
        if written[markup]:
            formula.replace_with(tree.create_text_node(written[markup]))
    return len(containers)


def _replace_images(tree: Any) -> None:
    """Replace a formula's image by its text."""
    written = ""
    for image in tree.body.query_selector_all("img[alt]")[:]:
        text = image.getattr("alt") or ""
        if not _is_of_formula(image, text):
            continue
        if text == written and image.closest("noscript") is not None:
            image.decompose()  # a copy for readers without scripts
        else:
            _replace(tree, image, text, False)
        written = text


def _tex_of(formula: Any) -> str:
    """Return a formula's TeX; "" if it has none, or is no formula."""
    is_leaf = formula.first_element_child is None
    named = None if is_leaf else formula.query_selector(_WITH_TEX)
    for node in (formula, *([named] if named is not None else [])):
        for name in _TEX_ATTRIBUTES:
            given = node.getattr(name)
            if given and given.strip():
                return str(given)
    annotation = None if is_leaf else formula.query_selector(_ANNOTATIONS)
    if annotation is not None and annotation.text.strip():
        return str(annotation.text)
    markup = formula.getattr("data-mathml") or ""
    if "<math" in markup:
        inner = parse(markup, PageLimits())
        formula = formula if inner is None else inner.body
    math = formula if formula.tag == "math" else formula.query_selector("math")
    if math is not None:
        return str(math.getattr("alttext") or "") or to_tex(math)
    image = formula.query_selector("img[alt]")
    if image is not None:
        return str(image.getattr("alt") or "")
    if formula.tag == "mjx-container":
        return to_tex(formula) if _is_drawn(formula) else ""
    drawn = formula.query_selector(".katex-html")
    if drawn is not None:
        return drawn_tex(drawn)
    return str(formula.text) if _DELIMITED.fullmatch(formula.text) else ""  # TeX that a script draws


def _is_drawn(formula: Any) -> bool:
    """Return whether an element contains a formula's drawing, or is one."""
    is_one = bool(_DRAWN_TAGS.match(formula.tag or "")) and formula.tag != "mjx-container"
    return is_one or any(_is_part(child, formula) for child in formula.children[:])


def _is_part(node: Any, around: Any) -> bool:
    """Return whether a node belongs to the drawing of the formula around it."""
    tag = str(node.tag or "")
    if tag[:1] == "#" or _DRAWN_TAGS.match(tag):
        return tag[:1] != "#"
    classes = node.getattr("class") or ""
    return bool(_DRAWN_CLASSES.search(classes)) or (classes == "katex" and "katex-display" in (around.getattr("class") or ""))


def _let_out(node: Any, formula: Any, deepest: int) -> None:
    """Move what follows the last part of a formula out of it, to the position behind it."""
    nodes = node.child_nodes[:] if node.parent is not None else []
    last = max((place for place, child in enumerate(nodes) if _is_part(child, node)), default=-1)
    if last < 0:
        return
    if deepest:
        _let_out(nodes[last], formula, deepest - 1)
    behind = formula.next
    for child in nodes[last + 1 :]:
        if behind is None:
            formula.parent.append_child(child)
        else:
            formula.parent.insert_before(child, behind)


def _is_displayed(formula: Any) -> bool:
    named = f"{formula.getattr('class') or ''} {formula.getattr('display') or ''}"
    if _DISPLAYED.search(named) or formula.getattr("display") == "true":
        return True
    math = formula if formula.tag == "math" else formula.query_selector("math")
    return math is not None and math.getattr("display") == "block"


def _is_of_formula(image: Any, text: str) -> bool:
    """Return whether an image shows a formula: its text is TeX, or its class or address says so and its text is short or looks like TeX."""
    if re.search(r"\\[A-Za-z]{2,}", text) and not re.search(r"[A-Za-z]:\\", text):
        return True
    if _DELIMITED.fullmatch(text) and _LOOKS_LIKE_TEX.search(text):
        return True
    named = f"{image.getattr('class') or ''} {image.getattr('src') or ''}"
    return bool(text.strip()) and bool(_OF_FORMULAS.search(named)) and (bool(_LOOKS_LIKE_TEX.search(text)) or len(text) <= 40)


def _in_dollars(tex: str, displayed: bool) -> str:
    """Return TeX between dollars, without its commands for layout."""
    display = displayed or tex.lstrip().startswith(("\\[", "$$"))
    tex = _DOLLARS.sub("", _BLANKS.sub(" ", tex).strip()).strip()
    styled = _STYLE.match(tex)
    if styled and styled[1].count("{") == styled[1].count("}"):
        tex = styled[1].strip()
    dollars = "$$" if display else "$"
    return f"{dollars}{tex}{dollars}" if tex else ""


def _replace(tree: Any, formula: Any, tex: str, displayed: bool) -> None:
    """Replace a formula by its TeX; an element that begins a line stays, so the line stays too."""
    if formula.tag == "div":
        formula.text = _in_dollars(tex, displayed)
    else:
        formula.replace_with(tree.create_text_node(_in_dollars(tex, displayed)))


def _replace_script(tree: Any, script: Any) -> None:
    """Replace a script by its TeX; an unclosed script contains the rest of the page, which stays as text."""
    tex, displayed = script.text, "mode=display" in (script.getattr("type") or "")
    tag = _TAG.search(tex)
    if tag is None:
        _replace(tree, script, tex, displayed)
    else:
        rest = without_tags(tex[tag.start() :]).text
        script.replace_with(tree.create_text_node(f"{_in_dollars(tex[: tag.start()], displayed)} {rest}"))
