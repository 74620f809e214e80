"""Who may import whom: the packages point one way, and each third-party library is confined to the files that say so."""

import ast
import re
import sys
import tomllib
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
    "backports": {"curation/readers/members.py"},
    "charset_normalizer": {"curation/encoding.py"},
    "datasketch": {"curation/minhash.py"},
    "fastwarc": {"curation/readers/heads.py"},
    "fsspec": {"curation/location.py"},
    "fasttext": {"pipelines/fasttext_training.py"},
    "ftfy": {"curation/edits/mojibake.py"},
    "idna": {"filters/hosts.py"},
    "jinja2": {"pipelines/card.py", "pipelines/model_card.py", "pipelines/report.py", "sample_data/build.py", "synth/prompt.py"},
    "llvmlite": {"curation/vector.py"},
    "markupsafe": {"pipelines/charts.py", "pipelines/report.py", "sample_data/build.py"},
    "numba": {"curation/jit.py"},
    "openai": {"synth/openai_teacher.py"},
    "psutil": {"curation/heartbeat.py", "curation/ray_runner.py"},
    "publicsuffixlist": {"curation/edits/identifiers.py", "filters/hosts.py"},
    "py3langid": {"filters/language.py"},
    "pydantic": {"curation/choices.py", "curation/records.py"},
    "ray": {"curation/ray_runner.py"},
    "resiliparse": {"curation/encoding.py", "curation/extraction/dom.py"},
    "rich": {f"pipelines/{name}.py" for name in ("displays", "plan_tables", "sheets", "signal_tables", "tables", "terminal")},
    "tokenizers": {"curation/tokens.py"},
    "typer": {"pipelines/cli.py", "pipelines/ending.py"},
    "warcio": {"sample_data/build.py"},
    "xxhash": {"curation/identifiers.py", "curation/keys.py", "curation/urls.py", "synth/reply_log.py"},
}
EVERYWHERE = {"numpy", "polars", "pyarrow"}
"""What documents are made of; any file may use them."""


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


def test_every_library_is_known() -> None:
    ours_or_standard = set(ALLOWED) | sys.stdlib_module_names
    used = {name.partition(".")[0]: path for path in sources() for name in imports(path)}
    unknown = {name: str(path) for name, path in used.items() if name not in ours_or_standard | EVERYWHERE | set(CONFINED)}
    assert not unknown, f"say in this test which files may import them: {unknown}"


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = {"backports": "backports-zstd", "fasttext": "fasttext-community", "charset_normalizer": "charset-normalizer"}
    declared = {re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]}
    builders_only = {"warcio"}  # the sample crawl is built with the test dependencies
    others_own = {"markupsafe", "llvmlite"}  # jinja2's and numba's
    assert {packages.get(name, name) for name in EVERYWHERE | set(CONFINED)} - builders_only - others_own <= declared
