"""KaTeX's drawings, read back: for pages that contain only the drawing, without its MathML or TeX.

KaTeX stacks parts in lists whose entries are shifted by `top` in their style: a more negative value is higher. Two or three entries in
`msupsub` are scripts; in `mfrac` they are a numerator, a line and a denominator; in `op-limits` they are limits around an operator.

Source: KaTeX's buildHTML (v0.16). Invariant: each node is read once; nesting deeper than `DEEPEST` is read as its text.
"""

import re
from typing import Any

from curation.ingest.extraction.page_blocks.mathml import DEEPEST, braced, joined_tex

_TOP = re.compile(r"top:\s*(-?[\d.]+)em")
_SKIPPED = frozenset({"strut", "pstrut", "vlist-s", "frac-line", "hide-tail", "nulldelimiter", "svg-align"})


def drawn_tex(node: Any, depth: int = 0) -> str:
    """Return the TeX of a drawn formula, without dollars."""
    classes = set((node.getattr("class") or "").split())
    if classes & _SKIPPED:
        return ""
    if "mspace" in classes:
        return " "
    children = [child for child in node.children[:] if child.tag not in (None, "#text", "#comment")]
    if not children or depth > DEEPEST:
        return (node.text or "").replace("\u200b", "").strip()
    if classes & {"msupsub", "mfrac", "op-limits", "sqrt"}:
        stack = _stacked(node, depth)
        if "mfrac" in classes and len(stack) >= 2:
            return rf"\frac{{{stack[0][1]}}}{{{stack[-1][1]}}}"
        if "sqrt" in classes and stack:
            return rf"\sqrt{{{stack[-1][1]}}}"
        if "msupsub" in classes and stack:
            has_below = node.query_selector(".vlist-t2") is not None
            above = stack[0][1] if len(stack) > 1 or not has_below else ""
            below = stack[-1][1] if has_below else ""
            return (f"_{braced(below)}" if below else "") + (f"^{braced(above)}" if above else "")
        if "op-limits" in classes and len(stack) >= 2:
            return _limits(stack)
    return joined_tex([drawn_tex(child, depth + 1) for child in children])


def _limits(stack: list[tuple[float, str]]) -> str:
    """Return an operator with limits: the operator is the middle of three parts, or of two the one nearer to the line."""
    texts = [text for _, text in stack]
    if len(texts) >= 3:
        return f"{texts[1]}_{braced(texts[2])}^{braced(texts[0])}"
    base = 0 if abs(stack[0][0] + 3) <= abs(stack[1][0] + 3) else 1
    return f"{texts[base]}{'^' if base else '_'}{braced(texts[1 - base])}"


def _stacked(node: Any, depth: int) -> list[tuple[float, str]]:
    """Return the entries of the first list inside that have text, from top to bottom."""
    entries = node.query_selector(".vlist")
    found = []
    for entry in entries.children[:] if entries is not None else ():
        if entry.tag in (None, "#text", "#comment"):
            continue
        top = _TOP.search(entry.getattr("style") or "")
        text = drawn_tex(entry, depth + 4).strip()
        if text:
            found.append((float(top[1]) if top else 0.0, text))
    return sorted(found, key=lambda pair: pair[0])
