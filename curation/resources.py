"""Files that a recipe names: those shipped inside our packages, and the user's own.

    sample_data:benchmarks/questions.jsonl    a file of an installed package, wherever it is installed
    evals/gsm8k.jsonl.gz                      a local file, relative to the current folder

Invariant: the same name means the same file on a laptop, in a wheel and on a worker; that the bytes are the same is the digest's task.
"""

from importlib.resources import files
from pathlib import Path

from curation.errors import InputError

PACKAGES = ("curation", "filters", "synth", "pipelines", "sample_data")
"""The packages whose files a recipe may name."""


def resolve(path: str) -> Path:
    """Return the place of a file named in a recipe. Raises InputError where there is none."""
    package, colon, inside = path.partition(":")
    if colon and package in PACKAGES:
        root = Path(str(files(package))).resolve()
        found = (root / inside).resolve()
        if not found.is_relative_to(root):
            raise InputError(f"{path} leads out of the package {package}; name a file inside it")
        if not found.is_file():
            raise InputError(f"{path}: the package {package} ships no file {inside}")
        return found
    found = Path(path).expanduser()
    if not found.is_file():
        raise InputError(
            f"{path}: no such file in {Path.cwd()}; name a local file or <package>:<file>, package one of {', '.join(PACKAGES)}"
        )
    return found
