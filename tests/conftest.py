"""What all tests share: Hypothesis runs the same examples everywhere, and real data is used where it lies beside the project."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
for _name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM"):
    os.environ.pop(_name, None)  # what is printed must not depend on the terminal that the tests are started from

settings.register_profile("project", derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

_LONGEST = ["benchmarks", "cluster", "earlier_runs", "end_to_end", "faults", "procedural", "same_survivors", "signals", "storm", "watchdog"]
LONGEST = frozenset(f"test_{name}.py" for name in _LONGEST)
"""Files that take the longest. They run first, because the workers of `pytest -n` share out whole files: one of these at the end would keep
a single worker busy while the others are idle. xdist's own order, by number of tests, puts them last."""


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


REAL_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real crawls and texts. They are not part of the project; tests that need them skip where they are absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"real data is not here: {REAL_DATA}")
    return REAL_DATA


@pytest.fixture(scope="session")
def peer_python() -> str:
    """The Python in which datatrove is installed: its versions do not go with ours, so parity tests run it as a child process."""
    found = os.environ.get("CURATION_PEER_PYTHON")
    if not found:
        pytest.skip("CURATION_PEER_PYTHON does not name a Python in which datatrove 0.10 is installed")
    return found


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one `curate run demo`, for every test that looks at it; none may change it."""
    from tests.running import curate

    out = tmp_path_factory.mktemp("demo") / "out"
    assert "The books balance" in curate("run", "demo", "--out", out, apart=True)
    return out
