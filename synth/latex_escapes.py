r"""LaTeX inside JSON: models forget to double its backslashes, so that `\frac` reads as a form feed and `rac`.

In a JSON string a backslash that starts no escape is meant as itself (`\(`, `\alpha`, `\underline`). One that does start an escape may
still be the beginning of a command: `\b` and `\f` always are, since nobody writes backspaces and form feeds; `\n`, `\r` and `\t` are if a
command of LaTeX follows (`\nabla`, `\right`, `\times`), and for names that are as likely a word or a variable on a new line (`\nu`, `\to`)
only between signs that begin and end mathematics.
"""

import re
from bisect import bisect_right

_STRING_OR_COMMA = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|,(?=\s*[}\]])', re.DOTALL)
_ESCAPE = re.compile(r'\\(?:(["\\/])|(u[0-9A-Fa-f]{4})|([bfnrt])([A-Za-z]*)|)', re.DOTALL)
_MATHS = re.compile(r"\$\$?[^$]{1,2000}\$\$?|\\{1,2}\(.{1,2000}?\\{1,2}\)|\\{1,2}\[.{1,2000}?\\{1,2}\]", re.DOTALL)
_COMMANDS = frozenset(
    re.findall(
        r"\w+",
        """
    nabla natural nearrow neg neq newcommand newline ngeq nleq nmid nolimits nonumber not notin nsubseteq nwarrow rVert
    rangle rbrace rbrack rceil rfloor rho right rightarrow rightleftharpoons root rvert tag tanh tau tbinom text textbf
    textit textrm textsf textstyle texttt tfrac therefore theta tilde times triangle triangleleft triangleq triangleright
        """,
    )
)
_IN_MATHS_ONLY = frozenset(["nu", "ne", "ni", "to", "top", "tan", "tt", "rm"])


def repaired_latex(candidate: str) -> str:
    """Return JSON text with such backslashes doubled and trailing commas dropped."""
    return _STRING_OR_COMMA.sub(lambda found: "" if found[0] == "," else _string(found[0]), candidate)


def _string(written: str) -> str:
    if "\\" not in written:
        return written
    spans = [found.span() for found in _MATHS.finditer(written)] if "$" in written or "\\(" in written or "\\[" in written else []

    def escape(found: re.Match[str]) -> str:
        if found[1] or found[2]:
            return found[0]
        if not found[3]:
            return rf"\\{found[0][1:]}"
        command = found[3] + found[4]
        in_maths = command in _IN_MATHS_ONLY and _within(found.start(), spans)
        meant = in_maths or command in _COMMANDS or (found[3] in "bf" and found[4] != "")
        return rf"\\{command}" if meant else found[0]

    return _ESCAPE.sub(escape, written)


def _within(place: int, spans: list[tuple[int, int]]) -> bool:
    """Return whether a place lies in one of the spans, which are in order and do not overlap."""
    number = bisect_right(spans, place, key=lambda span: span[0]) - 1
    return number >= 0 and place < spans[number][1]
