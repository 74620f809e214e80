"""The core stays small enough to be read: its lines of code are counted, without docstrings, comments and blank lines."""

import ast
import io
import tokenize
from pathlib import Path

from tests.running import ROOT

CORE = ("storage", "engine", "shuffle", "duplicates", "repeats", "ledger", "ingest")
"""Rooms of `curation` whose own files (not their subfolders) are the core, beside the four files below."""

FILES = ("filters/contract.py", "filters/measure.py", "filters/judge.py", "pipelines/pipeline.py")
MOST_LINES = 8000
LONGEST_FILE = 400


def lines_of_code(source: str) -> int:
    """Count the lines that hold code."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in layout]
    code = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    statements = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr)]
    strings = [node for node in statements if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)]
    return len(code - {line for node in strings for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)})


def test_docstrings_comments_and_blank_lines_are_no_code() -> None:
    assert lines_of_code('"""Two\nlines."""\n\n# A comment\nvalue = [\n    1,\n]\n"""About it."""\n') == 3


def test_the_core_stays_small() -> None:
    files = [*(path for room in CORE for path in (ROOT / "curation" / room).glob("*.py")), *(ROOT / file for file in FILES)]
    assert len(files) > 50
    assert sum(lines_of_code(path.read_text("utf-8")) for path in files) < MOST_LINES


def test_no_file_is_two_ideas() -> None:
    packages = ("curation", "filters", "synth", "pipelines")
    longest: dict[int, Path] = {
        path.read_text("utf-8").count("\n"): path for package in packages for path in (ROOT / package).rglob("*.py")
    }
    assert max(longest) <= LONGEST_FILE, longest[max(longest)]
