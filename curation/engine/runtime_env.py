"""What nodes are given to run in: Ray's runtime environment, from a YAML file or made of this installation's own packages.

--runtime-env code           send our packages as they are here: a node needs Python, Ray and the packages that we depend on
--runtime-env nodes.yaml     as `ray job submit` reads it: pip, conda, image_uri, env_vars, working_dir, ...
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from curation.arrays import JsonObject
from curation.errors import UsageError
from curation.storage.resources import OWN_PACKAGES
from curation.system_errors import error_in_words

CODE = "code"


@contextmanager
def runtime_environment(asked: str | None, variables: Mapping[str, str]) -> Iterator[JsonObject]:
    """Yield what `ray.init` takes as `runtime_env`, with `variables` in it; what it names locally exists inside the block.

    Raises UsageError for a file that is no runtime environment.
    """
    with tempfile.TemporaryDirectory(prefix="curate-code-") as folder:
        given: JsonObject = {}
        if asked == CODE:
            root = Path(__file__).parents[2]
            for package in OWN_PACKAGES:
                shutil.copytree(root / package, Path(folder, package), ignore=shutil.ignore_patterns("__pycache__"))
            given = {"working_dir": folder}
        elif asked is not None:
            given = _read(Path(asked))
        yield {**given, "env_vars": {**variables, **given.get("env_vars", {})}}


def _read(path: Path) -> JsonObject:
    try:
        given = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"--runtime-env {path} cannot be read as YAML: {error_in_words(error)}; give a file, or `code`") from error
    if not isinstance(given, dict) or not isinstance(given.get("env_vars", {}), dict):
        raise UsageError(f"--runtime-env {path} holds no table of Ray's runtime environment (pip, env_vars, working_dir, ...)")
    return given
