"""Structure: is code verbatim, is a table's row one line with all its cells, are powers and formulas what the page says?

    python tests/benchmark/structure.py PAGES.parquet... [--kind KIND] [--show N]

PAGES have the column html, and perhaps page_type and url or id; `--kind` takes the pages of one type where a file has types. Each page's
own tree is the measure: `<pre>` without line numbers, tables of data without cells that span, `<sup>` that holds a number, TeX in
annotations. Judged is the text of all that a page shows (extractor `plain`), so that nothing counts as damaged for not being chosen.

Prints Markdown. `--show` prints so many of what was not as it should be, a kind, on stderr.
"""

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from resiliparse.parse.html import HTMLTree

from curation.ingest.encoding import decode_text
from curation.ingest.extraction import extractor_named

_NUMBERED = ".lineno, .ln, .lnt, .gutter, .linenos, .line-numbers-rows, style, button, [style*='user-select']"
_NO_DATA = "table, pre, ul, ol, .blob-code"
_MARKS = re.compile(r"[\^_{}$\[\]\\]")
_LONGEST_CELL = 400

Found = Iterator[tuple[str, bool, str]]
"""A kind, whether the text has it as the page does, and what it is."""


def _squeezed(text: str) -> str:
    """Return a text without blanks."""
    return re.sub(r"\s+", "", text)


def code(body: Any, text: str) -> Found:
    """Code in `<pre>`: line by line as the page has it; or with line ends added that only a style sheet makes on the page."""
    lines = "\n".join(line.rstrip() for line in text.replace("\xa0", " ").split("\n"))
    joined, squeezed = lines.replace("\n", ""), _squeezed(text)
    for pre in body.query_selector_all("pre")[:]:
        if pre.query_selector(f"{_NO_DATA}, {_NUMBERED}") is not None or pre.closest("table") is not None:
            continue
        own = [line.rstrip() for line in pre.text.replace("\xa0", " ").strip("\n").split("\n")]
        if _squeezed("".join(own)) in squeezed and any(own):  # shown at all
            wanted = "\n".join(own).strip()
            yield "code, verbatim", wanted in lines, wanted
            yield "code, verbatim or with line ends added", "".join(own).strip() in joined, wanted


def rows(body: Any, text: str) -> Found:
    """Rows of tables of data: one line, each cell in its place."""
    written = {_MARKS.sub("", " | ".join(_squeezed(cell) for cell in re.split(r" ?\| ?", line))) for line in text.split("\n")}
    for table in body.query_selector_all("table")[:]:
        cells = [[cell for cell in row.children[:] if cell.tag in ("td", "th")] for row in table.query_selector_all("tr")[:]]
        width = max(map(len, cells), default=0)
        spans = any(cell.getattr("colspan") or cell.getattr("rowspan") for row in cells for cell in row)
        if len(cells) < 2 or width < 2 or spans or table.query_selector(_NO_DATA) is not None or table.parent.closest("table") is not None:
            continue
        texts = [[_squeezed(cell.text) for cell in row] for row in cells]
        if all(len(cell) <= _LONGEST_CELL and "|" not in cell for row in texts for cell in row):
            for row in texts:
                if any(row):
                    wanted = _MARKS.sub("", " | ".join(row + [""] * (width - len(row))))
                    yield "rows of tables on one line, with all cells", wanted in written, wanted


def signs(body: Any, text: str) -> Found:
    """Numbers that are raised, outside of links, behind `^`; TeX of annotations as it is."""
    squeezed = _squeezed(text)
    for raised in body.query_selector_all("sup")[:]:
        power = raised.text.strip()
        if re.fullmatch(r"[-−+]?[0-9n]+", power) and raised.query_selector("a") is None and raised.closest("a") is None:
            before = _squeezed(raised.prev.text if raised.prev is not None else "")[-6:]
            wanted = f"{before}^{power if len(power) == 1 else '{' + power + '}'}"
            yield "numbers raised, behind ^", wanted in squeezed, wanted
    for annotation in body.query_selector_all("annotation[encoding='application/x-tex']")[:]:
        tex = re.sub(r"^\{?\\displaystyle|\}$", "", _squeezed(annotation.text))
        yield "TeX of annotations", tex in squeezed, tex


def main() -> None:
    """Judge the pages that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+", metavar="PAGES")
    parser.add_argument("--kind", help="pages of this page_type only, where a file has the column")
    parser.add_argument("--show", type=int, default=0, metavar="N")
    asked = parser.parse_args()
    plain = extractor_named("plain")()
    right: Counter[str] = Counter()
    all_of: Counter[str] = Counter()
    pages = 0
    for path in asked.paths:
        for row in pq.read_table(path).to_pylist():
            if asked.kind and row.get("page_type", asked.kind) != asked.kind:
                continue
            html = row["html"] if isinstance(row["html"], str) else decode_text(row["html"], "text/html").text
            body = HTMLTree.parse(html).body
            pages += body is not None
            text = plain.extract(html).text
            for kind, holds, what in (*code(body, text), *rows(body, text), *signs(body, text)) if body is not None else ():
                all_of[kind] += 1
                right[kind] += holds
                if not holds and all_of[kind] - right[kind] <= asked.show:
                    print(f"{kind}: {row.get('url') or row.get('id')}: {what[:200]!r}", file=sys.stderr)
    print(f"## Structure of {pages} pages\n\n| what | number | as the page says | share |\n|---|--:|--:|--:|")
    for kind, number in all_of.items():
        print(f"| {kind} | {number} | {right[kind]} | {right[kind] / number:.3f} |")


if __name__ == "__main__":
    main()
