"""Pages as resiliparse sees them: parsing within limits, and rewriting what plain text would otherwise garble.

Before the text is taken, the tree is changed where HTML says by layout what text must say by characters: a data table's row becomes one
cell "a | b", a formula its TeX source, code one text; code and rows get marks. After it, `tidy` reads the marks and sets blank lines. The
marks are Unicode noncharacters (U+FDD0 to U+FDD2), which no text may hold; they are dropped from the page first. It is also changed where
resiliparse's rules would lose content: tables and code in a `<figure>`, lists close to the body, symbols alone between tags.

Limits: resiliparse's main-content search takes time quadratic in the depth of nesting, and its parser in the number of attributes of one
tag (80,000 of them: 20 s) and of elements left open (see `curation.ingest.extraction.page_shape`). Past `Limits` a page's text is what
remains when its tags are cut out (`without_tags`).

Invariants
    - Time is linear in the page, whatever it holds: what the limits let through, and what the patterns here do. No pattern begins to look
      for an end that may not be there from more than one place.
    - This module and the extractors on it are the only ones that import resiliparse's parser.
"""

import html as entities
import re
from dataclasses import dataclass
from typing import Any

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from curation.ingest.extraction import Extracted
from curation.ingest.extraction.page_shape import PageShape, page_shape

_CODE_BEGINS, _CODE_ENDS, _ROW = "\ufdd0\ufdd0", "\ufdd1\ufdd1", "\ufdd2"
"""Those of code are doubled: resiliparse takes a lone symbol between tags for decoration and drops it."""
_MARKS = re.compile("[\ufdd0-\ufdd2]")
_SKIPPED = [".gutter", ".lineno", ".linenos", ".linenumbers", ".katex-html", ".MathJax_Preview", ".MathJax", ".MathJax_Display"]
_BLOCKS_IN_CELLS = "br, p, div, li, dt, dd, h1, h2, h3, h4"
_UNSEEN_IN_CELLS = "script, style, template, noscript, [hidden], [style*='display:none'], [style*='display: none']"
_NO_TEXT = re.compile(r"<(script|style|template|noscript)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL)
_BLOCK_TAG = re.compile(r"</?(?:p|div|br|li|tr|h[1-6]|pre|section|article|table|ul|ol|blockquote)\b[^>]*+(?:>|\Z)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^>]*+(?:>|\Z)")
"""A tag without an end goes on to the end of the page, as it does for a browser."""
_TITLE = re.compile(r"<title\b[^>]*+>", re.IGNORECASE)
_TITLE_ENDS = re.compile(r"</title", re.IGNORECASE)
_LONG_REFERENCE = re.compile(r"&#(?=\d{8})0*+(\d*+);?")
_FURNITURE = frozenset({"nav", "header", "footer", "aside"})
_SHALLOW_LISTS = "body > ul, body > * > ul"
_LONGEST_CELL = 400
_BLANKS = re.compile(r"\s+")
_BULLET = re.compile(r"^( *)• ", re.MULTILINE)
_ORDERED = re.compile(r"^  ( *\d+\. )", re.MULTILINE)
_ROWS = re.compile(f"(?:^{_ROW}.*(?:\\n+|\\Z))+", re.MULTILINE)
_LINE_ENDS = re.compile(r"(?<![^\S\n])[^\S\n]++$", re.MULTILINE)
_GAPS = re.compile(r"\n{3,}")


@dataclass(frozen=True)
class Limits:
    """Sizes past which a page is not parsed: characters, tags, attributes of one tag, elements open at once and those made again, and
    the open elements added up over all tags, for each character of the page but no less than `fewest_steps`.

    Real pages: of 1,231, one tag has 63 attributes at most, 44 elements are open, 1,836 made again, and steps are fewer than 3 a character.
    """

    characters: int = 16 << 20
    tags: int = 400_000
    attributes: int = 2_000
    depth: int = 1_000
    remade: int = 400_000
    steps: int = 20
    fewest_steps: int = 1_000_000
    small: int = 16 << 10
    """A page of no more characters, and no more tags than a 32nd of these, cannot cost much and is not measured."""


def parse(html: str, limits: Limits) -> HTMLTree | None:
    """Return the page's tree without text marks of our own, or None where it is past a limit."""
    tags = html.count("<")
    if len(html) > limits.characters or tags > limits.tags:
        return None
    if (len(html) > limits.small or 32 * tags > limits.small) and not _is_cheap(page_shape(html, limits.depth), len(html), limits):
        return None
    if any(mark in html for mark in "\ufdd0\ufdd1\ufdd2"):
        html = _MARKS.sub("", html)
    tree = HTMLTree.parse(html)
    return None if tree.body is None else tree


def _is_cheap(shape: PageShape, characters: int, limits: Limits) -> bool:
    return (
        shape.attributes <= limits.attributes
        and shape.depth <= limits.depth
        and shape.remade <= limits.remade
        and shape.steps <= max(limits.fewest_steps, limits.steps * characters)
    )


def _all(node: Any, selector: str) -> list[Any]:
    """Return the descendants that match. The slice makes a list at once; to iterate over the collection itself takes quadratic time."""
    found: list[Any] = node.query_selector_all(selector)[:]
    return found


def rewrite(tree: HTMLTree) -> None:
    """Change formulas, tables and code, in place, into what plain text can say."""
    for formula in _all(tree.body, "math, script[type^='math/tex']"):
        _rewrite_formula(tree, formula)
    for table in _all(tree.body, "table"):
        _unwrap_figure(table)
        if table.query_selector("table, pre") is None:
            _rewrite_table(tree, table)
    for code in _all(tree.body, "pre"):
        _unwrap_figure(code)
        if code.first_element_child is None or code.query_selector("pre") is None:
            _rewrite_code(tree, code)
    for items in _all(tree.body, _SHALLOW_LISTS):
        _deepen_list(tree, items)


def _deepen_list(tree: HTMLTree, items: Any) -> None:
    """Put a shallow list three `<div>` deeper: the main-content search takes lists near the body for menus. Menus, all links, stay."""
    linked = sum(len(link.text) for link in _all(items, "a"))
    if 2 * linked > len(items.text) or items.parent.tag in _FURNITURE:
        return
    place: Any = tree.create_element("div")
    items.parent.insert_before(place, items)
    for _ in range(2):
        inner = tree.create_element("div")
        place.append_child(inner)
        place = inner
    place.append_child(items)


def _rewrite_code(tree: HTMLTree, code: Any) -> None:
    """Make code one marked text: highlighters put every bracket into an element, and the search drops lone symbols between tags."""
    if code.first_element_child is not None:
        for numbers in _all(code, ", ".join(_SKIPPED)):
            numbers.decompose()
        for line in _all(code, "br"):
            line.replace_with(tree.create_text_node("\n"))
        for line in _all(code, "div, p, li"):
            if not line.text.endswith("\n"):
                line.append_child(tree.create_text_node("\n"))
    text = code.text
    if text.strip():
        code.text = _CODE_BEGINS + text + _CODE_ENDS


def _unwrap_figure(content: Any) -> None:
    """Move a table or code out of its `<figure>`, which the main-content search takes for a picture and drops."""
    figure = content.closest("figure")
    if figure is not None:
        figure.parent.insert_before(content, figure)


def _rewrite_formula(tree: HTMLTree, formula: Any) -> None:
    """Put TeX for a formula that has it; MathML without TeX stays, and reads as its symbols."""
    if formula.tag == "script":
        tex, display = formula.text, "mode=display" in (formula.getattr("type") or "")
    else:
        annotation = formula.query_selector("annotation[encoding='application/x-tex']")
        tex = annotation.text if annotation is not None else formula.getattr("alttext")
        display = formula.getattr("display") == "block"
        if not tex:
            for extra in _all(formula, "annotation, annotation-xml"):
                extra.decompose()
    if tex and tex.strip():
        dollars = "$$" if display else "$"
        hidden = formula.closest(".mwe-math-element")
        (hidden if hidden is not None else formula).replace_with(tree.create_text_node(f"{dollars}{tex.strip()}{dollars}"))


def _rewrite_table(tree: HTMLTree, table: Any) -> None:
    """Make each row of a data table one cell of one line; a table with a long cell lays out a page and stays as it is."""
    for unseen in _all(table, _UNSEEN_IN_CELLS):
        unseen.decompose()
    for block in _all(table, _BLOCKS_IN_CELLS):
        block.parent.insert_before(tree.create_text_node(" "), block)
    rows = [(row, [cell for cell in row.children[:] if cell.tag in ("td", "th")]) for row in _all(table, "tr")]
    texts = [[_BLANKS.sub(" ", cell.text).strip() for cell in cells] for _, cells in rows]
    if max(map(len, texts), default=0) < 2 or any(len(text) > _LONGEST_CELL for row in texts for text in row):
        return
    for (_, cells), row in zip(rows, texts, strict=True):
        if any(row):
            cells[0].text = _ROW + " | ".join(row).rstrip(" |")
        for cell in cells[1 if any(row) else 0 :]:
            cell.decompose()


def text_of(tree: HTMLTree, main_content: bool) -> str:
    """Return the text of a rewritten tree: the main content, or the whole body."""
    text = extract_plain_text(
        tree, preserve_formatting=True, main_content=main_content, list_bullets=True, alt_texts=False, skip_elements=_SKIPPED
    )
    return tidy(text)


def tidy(text: str) -> str:
    """Set bullets and blank lines, and take the marks out; between code marks nothing changes."""
    parts = []
    for i, piece in enumerate(text.split(_CODE_BEGINS)):
        code, ends, prose = piece.partition(_CODE_ENDS)
        if i and ends:
            parts.append(code.strip("\n").rstrip())
        else:
            prose = piece
        part = _BULLET.sub(lambda match: match[1][2:] + "- ", prose)
        part = _ORDERED.sub(r"\1", part)
        part = _ROWS.sub(lambda match: "\n" + re.sub(r"\n+", "\n", match[0]) + "\n", part)
        parts.append(_GAPS.sub("\n\n", _LINE_ENDS.sub("", part)).strip("\n"))
    return _MARKS.sub("", "\n\n".join(part for part in parts if part)).strip("\n")


def extracted(html: str, main_content: bool, limits: Limits | None = None) -> Extracted:
    """Return the text (main content or whole body), the title and the declared language of a page."""
    tree = parse(html, limits or Limits())
    if tree is None:
        return without_tags(html)
    root = tree.document.query_selector("html") if tree.document is not None else None
    title = _BLANKS.sub(" ", tree.title or "").strip()
    rewrite(tree)
    return Extracted(text_of(tree, main_content), title, (root.getattr("lang") if root is not None else None) or None)


def without_tags(html: str) -> Extracted:
    """Return the text between tags by pattern matching alone, in time linear in the page: for pages past the limits."""
    text = _TAG.sub(" ", _BLOCK_TAG.sub("\n\n", _NO_TEXT.sub(" ", html)))
    lines = (_BLANKS.sub(" ", _unescaped(line)).strip() for line in text.split("\n"))
    text = "\n\n".join(line for line in lines if line)
    begins = _TITLE.search(html)
    ends = _TITLE_ENDS.search(html, begins.end()) if begins else None
    return Extracted(text, _BLANKS.sub(" ", _unescaped(html[begins.end() : ends.start()])).strip() if begins and ends else "")


def _unescaped(text: str) -> str:
    """Return text with its character references resolved; numbers that name no character are not read, for long ones cost the square."""
    return entities.unescape(_LONG_REFERENCE.sub(lambda match: f"&#{match[1]};" if len(match[1]) < 8 else "\ufffd", text))
