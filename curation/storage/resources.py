"""Resources are the files that a recipe names: files shipped inside our packages, and the user's own files.

    sample_data:benchmarks/questions.jsonl    a file of an installed package, wherever it is installed
    evals/gsm8k.jsonl.gz                      a local file, relative to the folder of the recipe that names it (`beside`)
    OUT/files/<sha256>/gsm8k.jsonl.gz         its copy in the folder of a run, for workers elsewhere (`curation.storage.carried`)

Invariant: the same name means the same file on a laptop, in a wheel and on a worker; the digest checks that the bytes are the same.
"""

import os.path
import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from curation.errors import InputError
from curation.storage.carried import at_hand
from curation.storage.digests import digest_of_file

OWN_PACKAGES = ("curation", "filters", "synth", "pipelines", "sample_data")
"""The packages whose files a recipe may name."""


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def beside(folder: str, path: str) -> str:
    """Return a path from a recipe in `folder`, relative to the current folder; anything but a relative file path is returned unchanged.

    A recipe without a folder ("": it is shipped, or lies in the current folder) names paths relative to the current folder.
    """
    if not folder or not path or path.startswith(("/", "~")) or is_shipped(path) or _SCHEME.match(path):
        return path
    return os.path.normpath(Path(folder, path))


def is_shipped(path: str) -> bool:
    """Return whether a path names a file of one of our packages."""
    package, colon, _ = path.partition(":")
    return bool(colon) and package in OWN_PACKAGES


def resolve(path: str) -> Path:
    """Return the path of a file named in a recipe. Raises InputError where the file does not exist."""
    if is_shipped(path):
        package, _, inside = path.partition(":")
        root = Path(str(files(package))).resolve()
        found = (root / inside).resolve()
        if not found.is_relative_to(root):
            raise InputError(f"{path} is outside the package {package}; name a file inside it")
        if not found.is_file():
            raise InputError(f"{path}: the package {package} ships no file {inside}")
        return found
    found = Path(at_hand(path)).expanduser()
    if not found.is_file():
        raise InputError(
            f"{path}: no such file (current folder: {Path.cwd()}); "
            f"name a local file, or <package>:<file> with package one of {', '.join(OWN_PACKAGES)}"
        )
    return found


def resolve_at_most(path: str, most: int, what: str) -> Path:
    """Return the path of a file that is read whole. Raises InputError where it is missing or larger than `most` bytes.

    The limit is far above any real file: a larger one is probably the wrong file, and reading it would fill the memory.
    """
    found = resolve(path)
    size = found.stat().st_size
    if size > most:
        raise InputError(f"{path} has {size:,} bytes, but {what} may have at most {most:,}; is it the right file?")
    return found


def digest(path: str) -> str:
    """Return the SHA-256 of a file named in a recipe, cached until the file changes. Raises InputError where it does not exist."""
    state = resolve(path).stat()
    return _digest(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest(path: str, size: int, modified: int) -> str:  # noqa: ARG001  (part of the cache key: a changed file is read again)
    return digest_of_file(resolve(path))
