"""Who may import whom: rooms point one way without a circle, and each third-party library is confined to the files that say so."""

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("curation", "filters", "synth", "pipelines", "sample_data")

_GROUND = {"curation"}


def _curation(*rooms: str) -> set[str]:
    return _GROUND | {f"curation.{room}" for room in rooms}


def _pipelines(*rooms: str) -> set[str]:
    return {f"pipelines.{room}" for room in rooms}


ARROWS: Mapping[str, set[str]] = {
    # the ground: errors, schema, arrays, plugins, choices, counting
    "curation": set(),
    "curation.storage": _GROUND,
    "curation.text": _curation("storage"),
    "curation.engine": _curation("storage"),
    "curation.shuffle": _curation("storage", "engine"),
    "curation.ingest": _curation("storage", "text", "engine", "shuffle"),
    "curation.duplicates": _curation("storage", "text", "engine", "shuffle"),
    "curation.repeats": _curation("storage", "text", "engine", "shuffle"),
    "curation.ledger": _curation("storage", "engine", "shuffle", "ingest"),
    "curation.in_memory": _curation("storage", "text", "ingest", "duplicates"),
    "filters.support": _curation("storage", "text"),
    "filters": _curation("storage", "text", "engine") | {"filters.support"},
    "synth.ask": _curation("storage"),
    "synth": _curation("storage", "engine") | {"synth.ask"},
    "synth.sandbox": {"synth"},
    "synth.tasks": _curation("storage") | {"synth", "synth.sandbox"},
    "pipelines.terminal": _GROUND,
    "pipelines.export": _curation("storage", "text", "engine", "ingest", "repeats"),
    "pipelines.recipes": _curation("storage", "ingest", "duplicates", "repeats")
    | {"filters", "synth.ask", "synth"}
    | _pipelines("terminal", "export"),
    "pipelines.progress": _curation("storage", "text", "engine") | _pipelines("terminal", "recipes"),
    "pipelines.inspect": _curation("storage", "engine", "shuffle", "ingest", "duplicates", "repeats", "ledger")
    | {"filters.support", "filters", "synth"}
    | _pipelines("terminal", "recipes"),
    "pipelines.report": _curation("storage", "ingest", "ledger") | _pipelines("terminal", "export", "recipes", "inspect"),
    "pipelines.pipeline": _curation("storage", "text", "engine", "ingest", "duplicates", "repeats", "ledger")
    | {"filters", "synth.ask", "synth"}
    | _pipelines("terminal", "export", "recipes", "progress", "inspect", "report"),
    "pipelines.plan": _curation("storage", "text", "engine", "shuffle", "ingest", "duplicates", "ledger")
    | {"filters", "synth.ask", "synth"}
    | _pipelines("terminal", "recipes", "progress", "inspect", "pipeline"),
    "pipelines.reexport": _curation("storage", "text", "engine", "ingest", "repeats", "ledger")
    | {"filters.support", "filters", "synth"}
    | _pipelines("export", "inspect", "report"),
    "pipelines.train": _curation("storage", "text", "engine", "ingest", "in_memory") | {"filters.support"} | _pipelines("terminal"),
    "pipelines.annotate": _curation("storage", "text", "ingest")
    | {"filters.support", "synth.ask", "synth"}
    | _pipelines("terminal", "inspect", "train"),
    "pipelines.notebook": _curation("storage", "ingest", "duplicates", "in_memory")
    | {"filters"}
    | _pipelines("recipes", "progress", "inspect", "pipeline"),
    "pipelines.closed_pipes": set(),
    "pipelines.ending": _curation("engine") | _pipelines("terminal", "progress", "closed_pipes"),
    "pipelines.showing": _pipelines("terminal", "inspect", "report"),
    "pipelines.serve": _curation("storage", "ingest") | {"filters.support", "filters"} | _pipelines("terminal", "inspect", "report"),
    "pipelines.cluster_cli": _pipelines("terminal", "recipes", "showing"),
    "pipelines.serve_cli": _GROUND | _pipelines("serve"),
    "pipelines.export_cli": _pipelines("report", "reexport", "showing"),
    "pipelines.train_cli": _pipelines("inspect", "report", "train", "annotate", "showing"),
    "pipelines.cli": _curation("storage")
    | _pipelines(
        "recipes", "inspect", "report", "pipeline", "plan", "ending", "showing", "cluster_cli", "serve_cli", "export_cli", "train_cli"
    ),
    "pipelines": set(),
    "sample_data": set(),
}
"""Room -> the rooms that it imports beside itself: no other, and each of these."""

FACE = {"curation": "pipelines.notebook"}
"""The one arrow upwards: the face of the whole names what notebooks use, and imports it when it is first used (`curation/__init__.py`)."""

CONFINED = {
    "backports": {"curation/ingest/readers/members.py"},
    "charset_normalizer": {"curation/ingest/encoding.py"},
    "datasketch": {"curation/duplicates/minhash.py"},
    "fastwarc": {"curation/ingest/readers/heads.py"},
    "fsspec": {"curation/storage/location.py"},
    "huggingface_hub": {"curation/storage/hub.py", "pipelines/reexport/push.py"},
    "fasttext": {"pipelines/train/fasttext_training.py"},
    "ftfy": {"curation/ingest/edits/mojibake.py"},
    "idna": {"filters/support/hosts.py"},
    "jinja2": {
        "pipelines/cluster_cli.py",
        "pipelines/report/card.py",
        "pipelines/train/model_card.py",
        "pipelines/report/report.py",
        "pipelines/serve/app.py",
        "sample_data/build.py",
        "synth/prompt.py",
    },
    "lightgbm": {"pipelines/train/extractor/fitting.py"},
    "llvmlite": {"curation/text/kernel_lowering.py", "curation/text/kernel_parts.py", "curation/text/simd.py"},
    "markupsafe": {"pipelines/report/charts.py", "pipelines/report/report.py", "pipelines/serve/app.py", "sample_data/build.py"},
    "numba": {
        "curation/text/kernels.py",
        "curation/text/kernel_bookkeeping.py",
        "curation/text/kernel_calls.py",
        "curation/text/kernel_lowering.py",
        "curation/text/kernel_parts.py",
        "curation/text/kernel_references.py",
        "curation/text/kernel_typing.py",
    },
    "obstore": {"curation/storage/store_lock.py"},
    "openai": {"synth/openai_teacher.py", "synth/ask/batch.py"},
    "psutil": {"curation/engine/heartbeat.py", "curation/engine/ray_local.py", "curation/engine/ray_runner.py"},
    "publicsuffixlist": {"curation/ingest/edits/identifiers.py", "filters/support/hosts.py"},
    "py3langid": {"filters/language.py"},
    "pydantic": {"curation/choices.py", "curation/storage/records.py"},
    "ray": {"curation/engine/on_node.py", "curation/engine/ray_nodes.py", "curation/engine/ray_runner.py"},
    "resiliparse": {
        "curation/ingest/encoding.py",
        "curation/ingest/extraction/dom.py",
        "curation/ingest/extraction/tree_text.py",
    },
    "rich": {
        "pipelines/plan/plan_tables.py",
        "pipelines/progress/displays.py",
        "pipelines/report/score_tables.py",
        "pipelines/report/signal_tables.py",
        "pipelines/report/tables.py",
        "pipelines/terminal/sheets.py",
        "pipelines/terminal/terminal.py",
    },
    "starlette": {
        "pipelines/serve/app.py",
        "pipelines/serve/document.py",
        "pipelines/serve/guard.py",
        "pipelines/serve/served.py",
        "pipelines/serve/views.py",
        "pipelines/serve/waiting.py",
    },
    "tokenizers": {"curation/text/tokens.py"},
    "trafilatura": {"curation/ingest/extraction/trafilatura.py"},
    "typer": {
        "pipelines/cli.py",
        "pipelines/cluster_cli.py",
        "pipelines/ending.py",
        "pipelines/export_cli.py",
        "pipelines/serve_cli.py",
        "pipelines/showing.py",
        "pipelines/train_cli.py",
    },
    "uvicorn": {"pipelines/serve/serving.py"},
    "warcio": {"sample_data/build.py"},
    "yaml": {"curation/engine/runtime_env.py"},
    "xxhash": {"curation/ingest/record_ids.py", "curation/storage/record_keys.py", "curation/duplicates/urls.py", "synth/ask/reply_log.py"},
}
EVERYWHERE = {"numpy", "polars", "pyarrow"}
"""What documents are made of; any file may use them."""


@cache
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
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in sources()}


@cache
def modules_imported(path: Path) -> set[str]:
    """Return our own modules that a file imports: `from package import module` names the module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {name if (name := f"{node.module}.{alias.name}") in MODULES else node.module for alias in node.names}
    return (found & set(MODULES)) - {name_of(path)}


def room_of(module: str) -> str:
    """Return the room that a module lies in: of the table's names the longest that it lies under."""
    return max((room for room in ARROWS if f"{module}.".startswith(f"{room}.")), key=len)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_arrows_point_one_way(module: str) -> None:
    room = room_of(module)
    rooms = {room_of(imported) for imported in modules_imported(MODULES[module])} - {FACE.get(module)}
    assert rooms <= ARROWS[room] | {room}, f"{room} may not import {sorted(rooms - ARROWS[room] - {room})}"


def test_every_arrow_is_drawn_by_an_import() -> None:
    drawn = {(room_of(module), room_of(imported)) for module in MODULES for imported in modules_imported(MODULES[module])}
    assert {(room, other) for room, others in ARROWS.items() for other in others} <= drawn


def test_no_circle_of_rooms_is_allowed() -> None:
    order = list(TopologicalSorter(ARROWS).static_order())
    assert order.index("curation.storage") < order.index("curation.ingest") < order.index("pipelines.cli")


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: modules_imported(path) for module, path in MODULES.items()}
    assert sum(map(len, graph.values())) > 800
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_every_room_has_files() -> None:
    used: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        used.setdefault(room_of(module), set()).update(room_of(imported) for imported in modules_imported(path))
    empty = {room for room in ARROWS if room not in used}
    assert not empty, f"rooms without a file: {sorted(empty)}"


@pytest.mark.parametrize("library", CONFINED)
def test_libraries_are_confined(library: str) -> None:
    users = {p.relative_to(ROOT).as_posix() for p in sources() if library in {name.partition(".")[0] for name in imports(p)}}
    assert users <= CONFINED[library]
    assert users, f"nothing uses {library} any more: take it out of this test and of pyproject.toml"


def test_every_library_is_known() -> None:
    ours_or_standard = set(PACKAGES) | sys.stdlib_module_names
    used = {name.partition(".")[0]: path for path in sources() for name in imports(path)}
    unknown = {name: str(path) for name, path in used.items() if name not in ours_or_standard | EVERYWHERE | set(CONFINED)}
    assert not unknown, f"say in this test which files may import them: {unknown}"


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = {
        "yaml": "pyyaml",
        "backports": "backports-zstd",
        "fasttext": "fasttext-community",
        "charset_normalizer": "charset-normalizer",
    }
    declared = {re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]}
    builders_only = {"warcio"}  # the sample crawl is built with the test dependencies
    extras = {"huggingface_hub", "lightgbm", "starlette", "trafilatura", "uvicorn"}  # installed by those who ask for them
    others_own = {"markupsafe", "llvmlite"}  # jinja2's and numba's
    assert {packages.get(name, name) for name in EVERYWHERE | set(CONFINED)} - builders_only - extras - others_own <= declared


def test_measuring_depends_on_no_verdict() -> None:
    """A gate applies rules while it measures; the rules are applied in the contract, not in the stage that writes verdicts."""
    assert "filters.judge" not in imports(MODULES["filters.measure"])
    assert "filters.judge" in imports(MODULES["pipelines.pipeline"])
