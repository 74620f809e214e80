"""What starting costs: a verb imports what it needs and no more, and kernels are compiled once, in a folder of the user's own."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curation import choices
from curation.storage import digests
from filters.contract import FilterChoice
from filters.measure import Measure

ROOT = Path(__file__).parents[2]
HEAVY = {"numba", "llvmlite", "polars", "pyarrow", "numpy", "rich", "jinja2", "ray", "openai", "fastwarc", "resiliparse"}


def python(code: str, *arguments: str, **environment: str) -> str:
    """Run code in a fresh process; return what it prints."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, check=True, capture_output=True, text=True
    ).stdout


def imported(*arguments: str) -> set[str]:
    """Return the top-level modules that a command has imported at its end."""
    code = """
import contextlib, io, sys
from pipelines.cli import app
with contextlib.redirect_stdout(io.StringIO()):
    app(sys.argv[1:], standalone_mode=False)
print(*{name.partition(".")[0] for name in sys.modules})
"""
    return set(python(code, *arguments).split())


@pytest.mark.parametrize("verb", [[], ["run"], ["why"], ["verify"], ["export"]])
def test_help_imports_only_what_parses_a_command_line(verb: list[str]) -> None:
    assert not imported(*verb, "--help") & HEAVY


LOOKING = (
    "pipelines.inspect.why",
    "pipelines.inspect.views",
    "pipelines.inspect.thresholds",
    "pipelines.inspect.diff",
    "pipelines.inspect.verify",
    "pipelines.inspect.funnel",
    "pipelines.report.tables",
)


@pytest.mark.parametrize(
    "module", [*LOOKING, "pipelines.pipeline", "pipelines.plan.plan", "curation.in_memory.near_duplicates", "filters.language"]
)
def test_numba_waits_for_the_first_kernel_to_be_called(module: str) -> None:
    code = "import importlib, sys; importlib.import_module(sys.argv[1]); print('numba' in sys.modules)"
    assert python(code, module) == "False\n"


@pytest.mark.parametrize(
    "module", ["pipelines.inspect.why", "pipelines.report.tables", "pipelines.inspect.run_folder", "pipelines.inspect.sources"]
)
def test_looking_at_a_document_imports_no_stage_that_reads_or_makes_one(module: str) -> None:
    code = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules)"
    loaded = set(python(code, module).split())
    assert not loaded & {
        "curation.ingest.ingest",
        "curation.duplicates.deduplicate",
        "curation.repeats.repeated_lines",
        "curation.engine.session",
        "pipelines.recipes.recipe",
    }
    assert module in loaded


KERNELS = """
from curation.text import kernels as jit
cold = lambda: not any(jit._cache_folder().rglob("*.nbi"))
print(cold())
import numpy as np
from curation.text.simd import count_byte
counts = np.zeros(2, np.int64)
data = np.frombuffer(b"a-b--", np.uint8)
count_byte(data, np.array([0, 2, 5]), ord("-"), counts)
print(counts.tolist(), cold(), count_byte.__name__)
print(sum(count_byte.for_python.stats.cache_hits.values()))
"""


def test_a_kernel_is_compiled_once_and_the_cache_is_the_users_alone(tmp_path: Path) -> None:
    first = python(KERNELS, XDG_CACHE_HOME=str(tmp_path))
    assert first.splitlines() == ["True", "[1, 2] False count_byte", "0"]
    (folder,) = (tmp_path / "textbook-curation").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    second = python(KERNELS, XDG_CACHE_HOME=str(tmp_path))
    assert second.splitlines() == ["False", "[1, 2] False count_byte", "1"]


OTHERS_FIRST = "import numba\n" + KERNELS


def test_the_cache_is_ours_though_numba_was_imported_before(tmp_path: Path) -> None:
    python(OTHERS_FIRST, XDG_CACHE_HOME=str(tmp_path / "ours"), NUMBA_CACHE_DIR=str(tmp_path / "theirs"))
    assert not (tmp_path / "theirs").exists()
    assert any((tmp_path / "ours").rglob("*.nbi"))


TOGETHER = f"""
import sys
import numba
print("ready", flush=True)
sys.stdin.readline()
{KERNELS}
"""


def test_of_processes_that_need_a_kernel_together_one_compiles_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", TOGETHER]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, bufsize=1) for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
    loaded = [process.communicate()[0].splitlines()[-1] for process in processes]
    assert sorted(loaded) == ["0", "1", "1"]


def test_stages_ask_once_for_a_package_and_for_the_type_of_a_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[Any] = Counter()

    def counted(function: Any) -> Any:
        def call(asking: Any) -> Any:
            asked[asking] += 1
            return function(asking)

        return call

    for module, name, cached in ((digests, "version", digests.version_of), (choices, "TypeAdapter", choices._adapter)):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
        cached.cache_clear()
    stage = Measure((FilterChoice("gopher_quality", {"min_words": 60}),))
    assert stage.identity() == stage.identity()
    assert len(asked) == len(stage.packages) + 1
    assert set(asked.values()) == {1}
