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
    "backports": {"curation/ingest/readers/members.py"},
    "charset_normalizer": {"curation/ingest/encoding.py"},
    "datasketch": {"curation/duplicates/minhash.py"},
    "fastwarc": {"curation/ingest/readers/heads.py"},
    "fsspec": {"curation/storage/location.py"},
    "fasttext": {"pipelines/train/fasttext_training.py"},
    "ftfy": {"curation/ingest/edits/mojibake.py"},
    "idna": {"filters/support/hosts.py"},
    "jinja2": {
        "pipelines/report/card.py",
        "pipelines/train/model_card.py",
        "pipelines/report/report.py",
        "sample_data/build.py",
        "synth/prompt.py",
    },
    "llvmlite": {"curation/text/simd.py"},
    "markupsafe": {"pipelines/report/charts.py", "pipelines/report/report.py", "sample_data/build.py"},
    "numba": {"curation/text/kernels.py"},
    "openai": {"synth/openai_teacher.py"},
    "psutil": {"curation/engine/heartbeat.py", "curation/engine/ray_runner.py"},
    "publicsuffixlist": {"curation/ingest/edits/identifiers.py", "filters/support/hosts.py"},
    "py3langid": {"filters/language.py"},
    "pydantic": {"curation/choices.py", "curation/storage/records.py"},
    "ray": {"curation/engine/ray_runner.py"},
    "resiliparse": {"curation/ingest/encoding.py", "curation/ingest/extraction/dom.py"},
    "rich": {
        "pipelines/plan/plan_tables.py",
        "pipelines/progress/displays.py",
        "pipelines/report/signal_tables.py",
        "pipelines/report/tables.py",
        "pipelines/terminal/sheets.py",
        "pipelines/terminal/terminal.py",
    },
    "tokenizers": {"curation/text/tokens.py"},
    "typer": {"pipelines/cli.py", "pipelines/ending.py"},
    "warcio": {"sample_data/build.py"},
    "xxhash": {"curation/ingest/record_ids.py", "curation/storage/record_keys.py", "curation/duplicates/urls.py", "synth/reply_log.py"},
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
