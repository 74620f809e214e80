"""Marks superscripts with `^` and subscripts with `_` in a page's tree, and puts braces around those longer than one character.

The rules are those of the block extractor's writer (`page_blocks.running_text`). Ordinals, trade marks, note marks and long text stay as
they are. A link becomes a note, "[1]". The two halves of a fraction are not marked. The reading of a ruby annotation is put in parentheses.

Invariant: each such element is visited a fixed number of times.
"""

import re
from typing import Any

LONGEST_SCRIPT = 24
"""Longer text, in bytes, is not a superscript but text that the author wanted small."""

_INLINE = frozenset(["a", "b", "i", "em", "strong", "u", "s", "small", "big", "font", "code", "var", "span", "tt", "abbr", "cite", "q"])
_STROKES = ("/", "\u2044")
_ORDINAL = re.compile(r"[A-Za-z]{2,3}")
_TRADE = re.compile(r"[TS]M", re.IGNORECASE)
_OWN_MARKS = re.compile("[\ufdd0-\ufdd3]")
_MARK = re.compile("[*\x80-\xbf\u2000-\u207f\u2100-\u213f]")
_WORD = re.compile(r"[A-Za-z]{2,}")


def mark_raised(tree: Any) -> None:
    """Insert the marks into a page's tree."""
    for node in tree.body.query_selector_all("sup, sub")[:]:
        opens, closes = _signs(node)
        _wrap(tree, node, opens, closes)
    for node in tree.body.query_selector_all("rt")[:]:
        before = node.previous_element_sibling
        if (node.text or "").strip() and (before is None or before.tag != "rp"):
            _wrap(tree, node, "(", ")")


def _wrap(tree: Any, node: Any, opens: str, closes: str) -> None:
    """Put marks around an element's text. An element without children gets one new text, because creating nodes is slower."""
    if (opens or closes) and node.first_element_child is None:
        node.text = opens + node.text + closes
        return
    if opens:
        node.insert_before(tree.create_text_node(opens), node.first_child)
    if closes:
        node.append_child(tree.create_text_node(closes))


def _signs(node: Any) -> tuple[str, str]:
    """Return the marks to write before and after a superscript or subscript."""
    text = _OWN_MARKS.sub("", node.text or "").strip()
    if not text or len(text.encode()) > LONGEST_SCRIPT or (text[0] == "[" and text[-1] == "]"):
        return "", ""
    if (node.first_element_child is not None and node.query_selector("a") is not None) or (node.prev is None and node.parent.tag == "a"):
        return ("[", "]") if any(map(str.isalnum, text)) and text[0] != "(" else ("", "")
    before, behind = _beside(node, False)[-1:], _beside(node, True)
    if node.tag == "sup":
        if text.isdecimal() and behind in _STROKES and _follows_index(node):
            return (" ", "") if before.isdecimal() else ("", "")
        if _MARK.fullmatch(text) or _TRADE.fullmatch(text) or (before.isdecimal() and _ORDINAL.fullmatch(text)):
            return "", ""
    elif text.isdecimal() and before and before in _STROKES:
        return "", ""
    if before.strip() == "" and (" " in text or _WORD.fullmatch(text) or (not before and behind[:1].strip() == "")):
        return "", ""
    sign = "^" if node.tag == "sup" else "_"
    return (sign, "") if len(text) == 1 else (f"{sign}{{", "}")


def _beside(node: Any, behind: bool) -> str:
    """Return the text next to an element in its line, or "" if the element starts or ends the line."""
    beside = node.next if behind else node.prev
    while beside is None and node.parent is not None and node.parent.tag in _INLINE:
        node = node.parent
        beside = node.next if behind else node.prev
    if beside is None or (beside.tag != "#text" and beside.tag not in _INLINE and beside.tag not in ("sup", "sub")):
        return ""
    return str(beside.text or "")


def _follows_index(node: Any) -> bool:
    following = node.next_element_sibling
    return following is not None and following.tag == "sub"
