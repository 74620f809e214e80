"""The run that the tests of exports share; none may change it."""

from pathlib import Path

import pytest

from tests.reexport.corpus import write_corpus


@pytest.fixture(scope="session")
def corpus_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))
