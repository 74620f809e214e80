"""The runtime environment of nodes: variables of ours, those of the file, and our own packages as they are here."""

from pathlib import Path

import pytest

from curation.engine.runtime_env import CODE, runtime_environment
from curation.errors import UsageError


def test_the_file_s_variables_come_last_and_the_rest_stays(tmp_path: Path) -> None:
    given = tmp_path / "nodes.yaml"
    given.write_text("pip: [polars]\nenv_vars: {A: theirs, B: theirs}\n")
    with runtime_environment(str(given), {"A": "ours", "C": "ours"}) as made:
        assert made == {"pip": ["polars"], "env_vars": {"A": "theirs", "B": "theirs", "C": "ours"}}
    with runtime_environment(None, {"A": "ours"}) as made:
        assert made == {"env_vars": {"A": "ours"}}


def test_our_code_is_there_as_long_as_it_is_needed() -> None:
    with runtime_environment(CODE, {}) as made:
        folder = Path(made["working_dir"])
        assert (folder / "curation/engine/runtime_env.py").is_file()
        assert (folder / "pipelines/cli.py").is_file()
        assert not list(folder.rglob("__pycache__"))
    assert not folder.exists()


@pytest.mark.parametrize("content", ["[a", "- a\n", "env_vars: 3\n", "", None])
def test_what_is_no_runtime_environment_is_refused(tmp_path: Path, content: str | None) -> None:
    given = tmp_path / "nodes.yaml"
    if content is not None:
        given.write_text(content)
    with pytest.raises(UsageError, match=r"--runtime-env .*nodes\.yaml"), runtime_environment(str(given), {}):
        pass
