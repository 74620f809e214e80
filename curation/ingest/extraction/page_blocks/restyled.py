"""Elements in place of styles: lines of code in tables and `<div>`, and text that a style raises or lowers.

Code in the rows of a table (GitHub), or with an element for each line (Crayon, SyntaxHighlighter, CodeMirror), becomes one `<pre>` without
its line numbers. `<span style="vertical-align: super">` becomes a `<sup>`.

Invariant: each element is visited a fixed number of times.
"""

from typing import Any

from curation.ingest.extraction.page_blocks.vocabulary import words_of

_LINES = {
    "table": ".blob-code, .js-file-line",
    ".crayon-main, .crayon-table": ".crayon-line",
    ".syntaxhighlighter": "td.code .line, .code > .line",
    ".CodeMirror-code": ".CodeMirror-line",
}
"""Selector of elements that hold code -> selector of their lines."""

_NUMBERS = ".blob-num, .crayon-nums, .gutter, .CodeMirror-linenumber"
_RAISED = "[style*='vertical-align'], .superscript, .subscript"
_BLOCKS = frozenset(words_of("p div li td th h1 h2 h3 h4 h5 h6 table ul ol img svg"))
_LONGEST = 12


def restyle(tree: Any) -> None:
    """Rewrite such elements of a page's tree."""
    body = tree.body
    if body.query_selector(".blob-code, .crayon-line, .syntaxhighlighter, .CodeMirror-line") is not None:
        for holder, lines in _LINES.items():
            for code in body.query_selector_all(holder)[:]:
                _join_lines(tree, code, code.query_selector_all(lines)[:])
    for node in body.query_selector_all(_RAISED)[:]:
        name = _raised_by(node)
        if name:
            raised = tree.create_element(name)
            for child in node.child_nodes[:]:
                raised.append_child(child)
            node.append_child(raised)


def _join_lines(tree: Any, code: Any, lines: list[Any]) -> None:
    """Replace the lines of code by one `<pre>`; other content of their holder, except line numbers, stays before it."""
    if not lines or code.closest("pre") is not None:
        return
    text = "\n".join(line.text.replace("\xa0", " ").rstrip("\n") for line in lines)
    for node in [*lines, *code.query_selector_all(_NUMBERS)[:]]:
        node.decompose()
    joined = tree.create_element("pre")
    joined.text = text
    if code.next is None:
        code.parent.append_child(joined)
    else:
        code.parent.insert_before(joined, code.next)


def _raised_by(node: Any) -> str:
    """Return "sup" or "sub" if a style raises or lowers short text within a line, else ""."""
    if (
        node.tag in _BLOCKS
        or node.tag in ("sup", "sub")
        or len(node.text) > _LONGEST
        or " " in node.text.strip()
        or node.first_element_child is not None
    ):
        return ""
    style = (node.getattr("style") or "").replace(" ", "").lower()
    classes = set((node.getattr("class") or "").split())
    if "vertical-align:super" in style or "superscript" in classes:
        return "sup"
    return "sub" if "vertical-align:sub" in style or "subscript" in classes else ""
