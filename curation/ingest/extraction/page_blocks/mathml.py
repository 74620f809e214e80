"""MathML as linear TeX: a fraction becomes `\\frac{a}{b}`, an exponent `x^2`, so that no formula silently loses its structure.

The same code reads what MathJax 3 draws: its elements are MathML's with the prefix "mjx-", or `<g data-mml-node>` in a graphic, and its
letters are code points in a class or an attribute. Letters and signs stay Unicode; TeX is used only where Unicode has no sign.

Source: MathML Core (W3C); the renderings are those of MathJax 3 and 4.

Invariant: each node is read once; nesting deeper than `DEEPEST` is read as its text.
"""

import re
import unicodedata
from typing import Any

from curation.ingest.extraction.page_blocks.vocabulary import words_of

DEEPEST = 80

_FUNCTIONS = frozenset(
    words_of(
        "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth log ln lg exp lim limsup liminf max min sup inf arg deg det "
        "dim gcd hom ker Pr"
    )
)
_ACCENTS = {
    "¯": "bar", "‾": "overline", "ˉ": "bar", "^": "hat", "ˆ": "hat", "~": "tilde", "˜": "tilde", "→": "vec", "⃗": "vec", "˙": "dot",
    "¨": "ddot", "ˇ": "check", "˘": "breve", "⏞": "overbrace",
}  # fmt: skip
_ESCAPED = str.maketrans({"{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "#": r"\#", "_": r"\_", "$": r"\$"})
_UNSEEN = dict.fromkeys((0x200B, 0x2061, 0x2062, 0x2063, 0x2064, 0xFE0E, 0xFE0F))
_LEFT_OUT = frozenset(words_of("annotation annotation-xml mphantom none mprescripts script style mjx-assistive-mml mjx-speech"))
_DRAWN = frozenset(words_of("surd rule line strut spacer tstrut dstrut nstrut"))
_UNREAD = (_LEFT_OUT | _DRAWN) - {"none", "mprescripts"}
_ROWS = frozenset(words_of("math mrow mstyle mtd"))
_GLYPH = re.compile(r"(?:mjx-c|-)([0-9A-F]{2,5})(?![0-9A-Za-z-])")
_BLANKS = re.compile(r"\s+")
_COMMAND = re.compile(r"\\[A-Za-z]+\Z")


def to_tex(node: Any, depth: int = 0) -> str:
    """Return an element's TeX, without dollars."""
    name = _name(node)
    if name in _LEFT_OUT or name in _DRAWN:
        return ""
    if depth > DEEPEST:
        return _BLANKS.sub(" ", node.text or "").strip()
    if name in ("mi", "mn", "mo", "mtext", "ms"):
        return _token(node, name)
    parts = [_stray(child) if child.tag == "#text" else to_tex(child, depth + 1) for child in _children(node, name in _ROWS)]
    made = _LAYOUTS[name](node, parts) if name in _LAYOUTS and parts else joined_tex(parts)
    return made or ("" if parts else _own_text(node))


def joined_tex(parts: list[str]) -> str:
    """Join pieces of TeX; a blank separates commands from letters, and numbers from numbers."""
    tex = ""
    for part in parts:
        apart = part and tex and ((_COMMAND.search(tex[-32:]) and part[0].isalnum()) or (tex[-1].isdigit() and part[0].isdigit()))
        tex += f" {part}" if apart else part
    return tex


def _name(node: Any) -> str:
    tag = str(node.tag or "").lower()
    if tag == "g":
        return str(node.getattr("data-mml-node") or "g")
    return "scripts" if tag == "mjx-script" else tag.removeprefix("mjx-").removeprefix("m:")


def _stray(node: Any) -> str:
    """Return text between the elements of a row, where MathML allows none."""
    text = _BLANKS.sub(" ", node.value or "").strip()
    return rf"\text{{ {text} }}" if text else ""


def _children(node: Any, strays: bool = False) -> list[Any]:
    """Return the elements inside, and on request the text between them; of semantics and choices only one element counts."""
    nodes = node.child_nodes[:] if node.first_element_child is not None else []
    children = [child for child in nodes if child.tag not in (None, "#text", "#comment") or (strays and child.tag == "#text")]
    children = [child for child in children if _name(child) not in _UNREAD]
    return children[:1] if _name(node) in ("semantics", "maction") else children


def _own_text(node: Any) -> str:
    """Return the text of an element without elements: its characters, or the code points of glyphs."""
    if _name(node) in ("mspace", "space"):
        return " "
    if _name(node) in ("c", "use", "path"):
        named = node.getattr("data-c") or ""
        codes = re.findall(r"[0-9A-F]+", named) or _GLYPH.findall(
            f"{node.getattr('class') or ''} {node.getattr('href') or node.getattr('xlink:href') or ''} "
        )
        return "".join(unicodedata.normalize("NFKC", chr(int(code, 16))) for code in codes[-1:] if int(code, 16) < 0x110000)
    return _BLANKS.sub(" ", (node.text or "").strip(" \t\n\r\f"))  # a no-break space is a blank that is meant


def _glyphs(node: Any) -> str:
    children = _children(node)
    return "".join(map(_glyphs, children)) if children else _own_text(node)


def _token(node: Any, name: str) -> str:
    text = _glyphs(node).translate(_UNSEEN)
    if name in ("mtext", "ms"):
        return rf"\text{{{text}}}" if text.strip() else " " * bool(text)
    text = text.strip()
    if name == "mi" and len(text) > 1 and text.isalpha() and text.isascii():
        return f"\\{text}" if text in _FUNCTIONS else rf"\mathrm{{{text}}}"
    return text.translate(_ESCAPED)


def braced(tex: str) -> str:
    """Return an argument: one character as it is, anything longer in braces."""
    return tex if len(tex) == 1 else f"{{{tex}}}"


def _base(node: Any, tex: str) -> str:
    """Return the base of an exponent, in braces if it has several parts."""
    inner = _children(node)
    while inner and len(_children(inner[0])) == 1 and _name(inner[0]) in ("mrow", "mstyle", "texatom", "box"):
        inner = _children(inner[0])
    compound = bool(inner) and _name(inner[0]) not in ("mi", "mn", "mo", "mtext") and len(tex) > 1 and not tex.startswith(("\\", "(", "["))
    return f"{{{tex}}}" if compound else tex


def _scripts(parts: list[str]) -> list[str]:
    return [part.strip() for part in parts] + ["", ""]


def _below(node: Any, parts: list[str]) -> str:
    base, below, *_ = _scripts(parts)
    return f"{_base(node, base)}_{braced(below)}" if below else base


def _above(node: Any, parts: list[str]) -> str:
    base, above, *_ = _scripts(parts)
    if _name(node) == "mover" and above in _ACCENTS:
        return f"\\{_ACCENTS[above]}{{{base}}}"
    return f"{_base(node, base)}^{braced(above)}" if above else base


def _both(node: Any, parts: list[str]) -> str:
    base, below, above, *_ = _scripts(parts)
    if len(parts) == 2:  # drawn: both stand in one element, the upper first
        drawn = [to_tex(child) for child in _children(_children(node)[1])]
        above, below = ([*drawn, "", ""])[:2]
    return _base(node, base) + (f"_{braced(below)}" if below else "") + (f"^{braced(above)}" if above else "")


def _fraction(node: Any, parts: list[str]) -> str:
    over, under, *_ = _scripts(parts)
    if len(parts) == 1:  # drawn: numerator and denominator stand deeper
        found = [node.query_selector(name) for name in ("mjx-num", "mjx-den")]
        over, under = (to_tex(part).strip() if part is not None else "" for part in found)
    return rf"\{'binom' if node.getattr('linethickness') in ('0', '0px', '0pt') else 'frac'}{{{over}}}{{{under}}}"


def _root(_: Any, parts: list[str]) -> str:
    base, index, *_ = _scripts(parts)
    return rf"\sqrt[{index}]{{{base}}}"


def _table(_: Any, parts: list[str]) -> str:
    return r"\begin{matrix}" + r" \\ ".join(parts) + r"\end{matrix}"


def _fenced(node: Any, parts: list[str]) -> str:
    opens, closes, between = (node.getattr(name) for name in ("open", "close", "separators"))
    comma = (between or ",").strip()[:1] if between != "" else ""
    return (
        ("(" if opens is None else opens).translate(_ESCAPED) + comma.join(parts) + (")" if closes is None else closes).translate(_ESCAPED)
    )


def _many_scripts(node: Any, parts: list[str]) -> str:
    names = [_name(child) for child in _children(node)]
    turn = names.index("mprescripts") if "mprescripts" in names else len(parts)

    def pairs(some: list[str]) -> str:
        """Return pairs of a lower and an upper script, with {} between two pairs: TeX takes one script of a kind at a place."""
        told = [part.strip() for part in some]
        signed = [f"{'^' if place % 2 else '_'}{braced(part)}" if part else "" for place, part in enumerate(told)]
        whole = ["".join(signed[begin : begin + 2]) for begin in range(0, len(signed), 2)]
        return "{}".join(pair for pair in whole if pair)

    before = pairs(parts[turn + 1 :])
    return ("{}" + before if before else "") + _base(node, parts[0].strip()) + pairs(parts[1:turn])


_LAYOUTS = {
    "msup": _above, "mover": _above, "msub": _below, "munder": _below, "msubsup": _both, "munderover": _both, "mfrac": _fraction,
    "msqrt": lambda _, parts: rf"\sqrt{{{joined_tex(parts)}}}", "mroot": _root, "mtable": _table, "mfenced": _fenced,
    "mtr": lambda _, parts: " & ".join(part.strip() for part in parts), "mlabeledtr": lambda _, parts: " & ".join(parts[1:]),
    "mmultiscripts": _many_scripts, "mphantom": lambda *_: "",
}  # fmt: skip
