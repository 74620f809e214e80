"""Compiling kernels: one decorator, one cache folder, chosen before numba is imported.

A kernel is a plain Python function over numpy arrays that numba compiles to machine code: integer maths, no fastmath, no parallel
reductions, so that every machine gets the same bits. Compiled code is cached in a folder of mode 0700 that is named by the digest of all
kernel sources, numba's version and the CPU: numba itself does not notice when a kernel *called* by a cached kernel has changed.

Invariant: this is the only module that imports numba (a test reads the imports), so the cache folder is always set first.
"""

import hashlib
import importlib
import os
import platform
import sys
import tempfile
import unicodedata
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_KERNEL_MARK = b"from curation.jit import"
_ROOT = Path(__file__).parent.parent


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("model name", "flags", "Features"))) + platform.machine()
    except (OSError, StopIteration):
        return platform.processor() + platform.machine()


def _sources_digest() -> str:
    digest = hashlib.sha256((version("numba") + _cpu_name() + platform.python_version()).encode())
    for package in ("curation", "filters", "synth"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            source = path.read_bytes()
            if _KERNEL_MARK in source:
                digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + source)
    return digest.hexdigest()[:16]


def _cache_folder() -> Path:
    """Return the private cache folder, made when missing; a temporary one where the user's cache cannot be written or is not ours alone."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textbook-curation"
    folder = base / f"kernels-{_sources_digest()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.stat()
        if state.st_uid == os.getuid() and not state.st_mode & 0o077 and os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="kernels-"))


os.environ["NUMBA_CACHE_DIR"] = str(_cache_folder())

import numba  # noqa: E402  (only after the cache folder is set)
import numba.extending  # noqa: E402
from numba.core import types  # noqa: E402


def _settle_that_there_is_no_blas() -> None:
    """Keep numba from importing all of SciPy's linear algebra (a third of a second, 15 MiB) to see whether kernels may call it.

    None of ours does. Whoever imports `scipy.linalg` elsewhere has it as ever, and other people's kernels get BLAS when they ask for it,
    but for inner products, which numba then makes by a loop.
    """
    if "scipy.linalg" not in sys.modules:
        sys.modules["scipy.linalg"] = None  # type: ignore[assignment]  # so Python is told that a module cannot be imported
        try:
            importlib.import_module("numba.np.arraymath")
        finally:
            del sys.modules["scipy.linalg"]


_settle_that_there_is_no_blas()

__all__ = ["inline_kernel", "intrinsic", "kernel", "stored", "types"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def stored(name: str, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return a table that kernels read, made once and kept in the cache folder under the Unicode version it was made from; read-only.

    The folder's name has a digest of the sources that make it. A file that cannot be read, or is no array, is made again.
    """
    path = Path(os.environ["NUMBA_CACHE_DIR"]) / f"{name}-{unicodedata.unidata_version}.npy"
    try:
        table: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        table = make()
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.save(file, table)
        Path(file.name).replace(path)
    table.flags.writeable = False
    return table


def kernel(function: _Function) -> _Function:
    """Compile a kernel on first call, from the cache where possible; it releases the GIL and does not check bounds."""
    compiled: _Function = numba.njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")(function)
    return compiled


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that gives types and a generator of LLVM code into one that kernels can call."""
    made: Callable[..., Any] = numba.extending.intrinsic(function)
    return made


def inline_kernel(function: _Function) -> _Function:
    """Compile a small helper that is merged into the kernels that call it."""
    compiled: _Function = numba.njit(inline="always", error_model="numpy")(function)
    return compiled
