"""Who may import whom: the packages point one way, and each third-party library is confined to the files that say so."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "curation": {"curation"},
    "filters": {"filters", "curation"},
    "synth": {"synth", "curation"},
    "pipelines": {"pipelines", "filters", "synth", "curation"},
    "sample_data": {"sample_data"},
}
CONFINED = {
    "ray": {"curation/ray_runner.py"},
    "fasttext": {"pipelines/fasttext_training.py"},
    "openai": {"synth/openai_teacher.py"},
    "numba": {"curation/jit.py"},
    "fastwarc": {"curation/readers/warc.py", "curation/readers/arc.py"},
    "py3langid": {"filters/language.py"},
    "ftfy": {"curation/edits/mojibake.py"},
    "typer": {"pipelines/cli.py"},
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
        elif isinstance(node, ast.ImportFrom):
            pytest.fail(f"{path} has a relative import; the project's imports are absolute")
    return found


def sources() -> list[Path]:
    return sorted(path for package in ALLOWED for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_arrows_point_one_way(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = {name.partition(".")[0] for name in imports(path)} & set(ALLOWED)
    assert ours <= ALLOWED[package], f"{package} may not import {sorted(ours - ALLOWED[package])}"


@pytest.mark.parametrize("library", CONFINED)
def test_libraries_are_confined(library: str) -> None:
    users = {p.relative_to(ROOT).as_posix() for p in sources() if library in {name.partition(".")[0] for name in imports(p)}}
    assert users <= CONFINED[library]
    assert users, f"nothing uses {library} any more: take it out of this test and of pyproject.toml"
