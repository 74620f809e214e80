"""What identifies things: digests of canonical JSON, of a file, of a set of source files; the version of a package.

A digest is a SHA-256 in lower-case hex. `canonical` is the one form in which values are hashed: JSON with sorted keys, no spaces, tuples as
lists, dataclasses as objects of their fields. A value without a stable form (a function, a set, a float NaN) is refused.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Hashable, Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from curation.arrays import JsonValue

_PACKAGES = ("curation", "filters", "synth", "pipelines")


def plain(value: Any) -> JsonValue:
    """Return a value as JSON types only. Raises TypeError for a value without a stable form."""
    if value is None or isinstance(value, (str, int)):  # first, because units of many files consist of these
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) for name in value):
            raise TypeError("only text keys have a stable form")
        return {name: plain(value[name]) for name in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise TypeError(f"{value!r} has no stable form to hash")


@lru_cache(maxsize=64)
def shared(value: Hashable) -> JsonValue:
    """Return `plain` of a frozen value that many objects share, computed once; callers must not change the result."""
    return plain(value)


def canonical(value: Any) -> str:
    """Return the canonical JSON text of a value."""
    return json_of(plain(value))


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def json_of(value: JsonValue) -> str:
    """Return the canonical JSON text of a value that is plain already."""
    return _ENCODER.encode(value)


def digest_of(value: Any) -> str:
    """Return the SHA-256 of the canonical form of a value."""
    return digest_of_plain(plain(value))


def digest_of_plain(value: JsonValue) -> str:
    """Return the same for a value that is plain already."""
    return hashlib.sha256(json_of(value).encode("utf-8", "surrogatepass")).hexdigest()


def digest_of_file(path: str | Path) -> str:
    """Return the SHA-256 of a local file's bytes, read in constant memory."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def version_of(package: str) -> str:
    """Return the version of an installed package, looked up once: the code of the package that this process loads stays the same."""
    return version(package)


@cache
def code_digest() -> str:
    """Return the SHA-256 of the project's packages: their sources, and the models, prompts and templates that they read."""
    root = Path(__file__).parents[2]
    paths = sorted(path for package in _PACKAGES for path in (root / package).rglob("*") if path.is_file() and path.suffix != ".pyc")
    return digest_of([[path.relative_to(root).as_posix(), digest_of_file(path)] for path in paths])
