"""Extracts main content by resiliparse's rules, from a tree in which characters express what HTML expresses by layout.

Before extraction, `rewrite` turns each row of a data table into one cell, "a | b", a formula into TeX, an exponent into "^2", and code into
one text; it marks code and rows. After extraction, `tidy` reads the marks and sets blank lines. `rewrite` also protects content that the
rules would lose: tables and code in a `<figure>`, lists close to the body, and single symbols between tags.

Invariant: only this module and `dom` import resiliparse's parser and extractor.
"""

import re
from typing import Any

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from curation.ingest.extraction import Extracted
from curation.ingest.extraction.dom import PageLimits, many_nodes, parse, without_tags
from curation.ingest.extraction.page_blocks.formulas import rewrite_formulas
from curation.ingest.extraction.raised import mark_raised

_CODE_BEGINS, _CODE_ENDS, _ROW, _GUARD = "\ufdd0\ufdd0", "\ufdd1\ufdd1", "\ufdd2", "\ufdd3"
"""The marks of code are doubled: resiliparse takes a lone symbol between tags for decoration and drops it."""
_MARKS = re.compile("[\ufdd0-\ufdd3]")
_LONE_SIGN = re.compile(r"(>\s*+(?:[^\x00-\x7f]|&#?\w{1,9};))(?=\s*+<)")
_SKIPPED = [".gutter", ".lineno", ".linenos", ".linenumbers", ".katex-html", ".MathJax_Preview", ".MathJax", ".MathJax_Display"]
_BLOCKS_IN_CELLS = "br, p, div, li, dt, dd, h1, h2, h3, h4"
_UNSEEN_IN_CELLS = "script, style, template, noscript, [hidden], [style*='display:none'], [style*='display: none']"
_FURNITURE = frozenset({"nav", "header", "footer", "aside"})
_SHALLOW_LISTS = "body > ul, body > * > ul"
_LONGEST_CELL = 400
_BLANKS = re.compile(r"\s+")
_BULLET = re.compile(r"^( *)• ", re.MULTILINE)
_ORDERED = re.compile(r"^  ( *\d+\. )", re.MULTILINE)
_ROWS = re.compile(f"(?:^{_ROW}.*(?:\\n+|\\Z))+", re.MULTILINE)
_LINE_ENDS = re.compile(r"(?<![^\S\n])[^\S\n]++$", re.MULTILINE)
_GAPS = re.compile(r"\n{3,}")


def _all(node: Any, selector: str) -> list[Any]:
    """Return the descendants that match. The slice makes a list at once; iterating over the collection itself takes quadratic time."""
    found: list[Any] = node.query_selector_all(selector)[:]
    return found


def rewrite(tree: HTMLTree) -> None:
    """Replace formulas, tables and code, in place, by what plain text can express."""
    rewrite_formulas(tree)
    mark_raised(tree)
    for table in _all(tree.body, "table"):
        _unwrap_figure(table)
        if table.query_selector("table, pre") is None:
            _rewrite_table(tree, table)
    has_skipped = bool(_all(tree.body, ", ".join(_SKIPPED)))
    for code in _all(tree.body, "pre"):
        _unwrap_figure(code)
        if code.first_element_child is None or code.query_selector("pre") is None:
            _rewrite_code(tree, code, has_skipped)
    frame = _frame(tree)
    for items in _all(tree.body, _SHALLOW_LISTS):
        _deepen_list(frame, items)


def _frame(tree: Any) -> Any:
    """Return three nested `<div>`."""
    outer, middle = tree.create_element("div"), tree.create_element("div")
    middle.append_child(tree.create_element("div"))
    outer.append_child(middle)
    return outer


def _deepen_list(frame: Any, items: Any) -> None:
    """Put a shallow list into a copy of a frame: the main-content search takes lists near the body for menus. Lists of links stay."""
    linked = sum(len(link.text) for link in _all(items, "a")) if items.first_element_child is not None else 0
    parent = items.parent
    if (linked and 2 * linked > len(items.text)) or parent.tag in _FURNITURE:
        return
    copy = frame.clone_node(True)  # takes half the time of three new elements
    parent.insert_before(copy, items)
    copy.first_child.first_child.append_child(items)


def _rewrite_code(tree: HTMLTree, code: Any, has_skipped: bool) -> None:
    """Make code one marked text: highlighters put every bracket into an element, and the search drops lone symbols between tags."""
    if code.first_element_child is not None:
        if has_skipped:  # found once a page: on a page with 50,000 short pieces of code, this query costs most
            for numbers in _all(code, ", ".join(_SKIPPED)):
                numbers.decompose()
        for line in _all(code, "br"):
            line.text = "\n"
        for line in _all(code, "div, p, li"):
            text = line.text
            if not text.endswith("\n"):
                if line.first_element_child is None:
                    line.text = text + "\n"  # a quarter of what a text node of its own costs
                else:
                    line.append_child(tree.create_text_node("\n"))
    text = code.text
    if text.strip():
        code.text = _CODE_BEGINS + text + _CODE_ENDS


def _unwrap_figure(content: Any) -> None:
    """Move a table or code out of its `<figure>`, which the main-content search takes for a picture and drops."""
    figure = content.closest("figure")
    if figure is not None:
        figure.parent.insert_before(content, figure)


def _rewrite_table(tree: HTMLTree, table: Any) -> None:
    """Turn each row of a data table into one cell of one line. A table with a long cell is page layout and stays as it is."""
    for unseen in _all(table, _UNSEEN_IN_CELLS):
        unseen.decompose()
    for block in _all(table, _BLOCKS_IN_CELLS):
        block.parent.insert_before(tree.create_text_node(" "), block)
    rows = [(row, [cell for cell in row.children[:] if cell.tag in ("td", "th")]) for row in _all(table, "tr")]
    texts = [[_BLANKS.sub(" ", cell.text).strip() for cell in cells] for _, cells in rows]
    if max(map(len, texts), default=0) < 2 or any(len(text) > _LONGEST_CELL for row in texts for text in row):
        return
    width = max(map(len, texts))
    for (_, cells), row in zip(rows, texts, strict=True):
        if any(row):
            cells[0].text = _ROW + " | ".join(row + [""] * (width - len(row))).rstrip()
        for cell in cells[1 if any(row) else 0 :]:
            cell.decompose()


def text_of(tree: HTMLTree) -> str:
    """Return the text of a rewritten tree's main content."""
    text = extract_plain_text(tree, preserve_formatting=True, main_content=True, list_bullets=True, alt_texts=False, skip_elements=_SKIPPED)
    return tidy(text)


def tidy(text: str) -> str:
    """Set bullets and blank lines, and remove the marks; code does not change."""
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


def extracted(html: str, limits: PageLimits | None = None) -> Extracted:
    """Return the main content, the title and the declared language of a page."""
    tree = parse(html, limits or PageLimits(), _guard_signs)
    if tree is None:
        return without_tags(html)
    root = tree.document.query_selector("html") if tree.document is not None else None
    title = _MARKS.sub("", _BLANKS.sub(" ", tree.title or "")).strip()
    with many_nodes():
        rewrite(tree)
    return Extracted(text_of(tree), title, (root.getattr("lang") if root is not None else None) or None)


def _guard_signs(html: str) -> str:
    """Return the page with a mark beside every lone symbol between tags: resiliparse takes such symbols for decoration and drops them."""
    return _LONE_SIGN.sub(rf"\1{_GUARD}", html)
