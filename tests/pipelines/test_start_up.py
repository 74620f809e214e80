"""What a command does not load: importing these libraries takes longer than to look at a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from filters.educational_score import EducationalScore
from tests.verbs import call

NEVER = {"pandas", "ray", "openai", "aiohttp", "sklearn", "tokenizers", "fasttext", "ftfy", "py3langid", "datasketch"}
STAGES = {"fastwarc", "resiliparse", "jinja2", "asyncio", "llvmlite", "pyarrow.compute"}
"""What the modules of the stages import, whose names some looks need."""
COMPILERS = {"numba", "llvmlite", "scipy"}
FOR_COMPILING = {"scipy.linalg", "numba.np.arraymath", "numba.np.linalg"}
"""What numba imports before it compiles, and would import before it loads what it has compiled."""
HEAVY = NEVER | STAGES | COMPILERS | FOR_COMPILING
PACKAGES = {"importlib.metadata", "importlib.resources"}

LOADED = """
import sys
from pipelines.cli import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def loaded(*arguments: object, among: set[str] = HEAVY) -> set[str]:
    """Return what a command loads of the heavy libraries, in a process of its own."""
    ended = subprocess.run([sys.executable, "-c", LOADED, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=300)
    return among & set(ended.stderr.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("looked_at")
    texts = {"lesson": EducationalScore.examples[0][0], "short": "Too short."}
    (folder / "in.jsonl").write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in texts.items()))
    (folder / "recipe.toml").write_text('[[filter]]\nname = "educational_score"\n')
    assert call("run", folder / "recipe.toml", folder / "in.jsonl", "--out", folder / "run").code == 0
    loaded("why", folder / "run", "lesson")  # now its kernels are compiled; this process may have had them from elsewhere
    return folder / "run"


def test_help_loads_nothing_heavy() -> None:
    assert loaded("--help", among=HEAVY | PACKAGES) == set()
    assert loaded("why", "--help") == set()


def test_why_loads_nothing_heavy(made: Path) -> None:
    assert loaded("why", made, "short") == set()


def test_why_loads_the_kernels_that_tell_a_score_but_not_what_compiles_them(made: Path) -> None:
    assert loaded("why", made, "lesson") == COMPILERS


def test_other_looks_load_no_kernel(made: Path) -> None:
    assert loaded("duplicates", made, "lesson") == set()
    for verb in (("inspect", made), ("verify", made), ("diff", made, made)):
        assert loaded(*verb) <= STAGES
