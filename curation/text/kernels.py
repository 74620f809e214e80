"""Kernels: one decorator compiles them, one folder caches them, and numba is imported only when a kernel is called.

A kernel is a plain Python function over numpy arrays that numba compiles to machine code: integer maths, no fastmath, no parallel
reductions, so that every machine gets the same bits. Importing numba and compiling kernels take seconds, so both wait for the first call;
a command that calls no kernel pays for neither.

Compiled code is cached in a folder of mode 0700, named by the digest of all kernel sources, numba's version and the CPU: numba itself does
not notice when a kernel *called* by a cached kernel has changed. Only kernels that Python calls are cached; a kernel that other kernels
call is compiled for them alone, without the wrapper that Python needs, and becomes part of its caller. Of many processes that need a kernel
at the same time, one compiles it and the others wait.

Invariant: this module and those named `kernel_...` are the only ones that import numba (a test reads the imports), so the cache folder is
always set first.
"""

import fcntl
import functools
import hashlib
import os
import platform
import tempfile
import threading
import types
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from curation.arrays import Array

__all__ = ["inline_kernel", "intrinsic", "kernel", "numba_types", "stored", "while_compiling"]

_KERNEL_MARK = b"from curation.text.kernels import"
_ROOT = Path(__file__).parents[2]
_COMPILING = threading.RLock()
_TOLD: list[Callable[[bool], None]] = []
"""Callbacks for the start and end of compiling."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: _Function) -> _Function:
    """Compile a kernel on its first call, from the cache if possible; it releases the GIL and does not check bounds."""
    return cast(_Function, _Compilable(function))


def inline_kernel(function: _Function) -> _Function:
    """Compile a small helper that is inlined into the kernels that call it."""
    return cast(_Function, _Inline(function))


def intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function that returns types and an LLVM code generator into one that kernels can call."""
    return cast(Callable[..., Any], _Intrinsic(function))


def numba_types() -> Any:
    """Return numba's types, for intrinsics."""
    return _numba().types


@contextmanager
def while_compiling(tell: Callable[[bool], None]) -> Iterator[None]:
    """Inside the block, call `tell(True)` when compiling a kernel starts in this process and `tell(False)` when it ends.

    Kernels from the cache are not reported.
    """
    _TOLD.append(tell)
    try:
        yield
    finally:
        _TOLD.remove(tell)


def stored(name: str, make: Callable[[], Array]) -> Array:
    """Return a read-only table for kernels, made once and kept in the cache folder under the Unicode version it was made from.

    The folder's name contains a digest of the sources that make the table. An unreadable file is rebuilt.
    """
    path = _cache_folder() / f"{name}-{unicodedata.unidata_version}.npy"
    try:
        table: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        table = make()
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            np.save(file, table)
        Path(file.name).replace(path)
    table.flags.writeable = False
    return table


class _Compilable:
    """A function that numba compiles on first use, separately for Python and for kernels."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any) -> Any:
        """Run the compiled function."""
        return self.for_python(*arguments)

    @cached_property
    def for_python(self) -> Any:
        """The version that Python calls."""
        return _quick_to_load(_compiled_once(_made(self._function, cache=True, nogil=True, boundscheck=False, no_cfunc_wrapper=True)))

    @cached_property
    def for_kernels(self) -> Any:
        """The version that kernels call."""
        return _part(self._function)


class _Inline(_Compilable):
    """A helper that becomes part of its callers, as LLVM code: numba would otherwise type and lower it again at every call."""

    @cached_property
    def for_python(self) -> Any:
        """The version that Python calls."""
        return _made(self._function)

    @cached_property
    def for_kernels(self) -> Any:
        """The version that kernels call."""
        return _part(self._function, forceinline=True)


class _Intrinsic(_Compilable):
    """LLVM code in place of a call; only kernels can use it."""

    @cached_property
    def for_kernels(self) -> Any:
        """The version that kernels call."""
        with _COMPILING:
            return _numba().extending.intrinsic(self._function)


def _made(function: Callable[..., Any], **options: Any) -> Any:
    """Return the compiled function; functions that it calls by name are prepared for kernels, in a separate namespace."""
    with _COMPILING:
        numba = _numba()
        from curation.text.kernel_parts import KernelCompiler

        options = {"pipeline_class": KernelCompiler, **options}
        called = {name: value for name in _names(function.__code__) if isinstance(value := function.__globals__.get(name), _Compilable)}
        namespace = {**function.__globals__, **{name: value.for_kernels for name, value in called.items()}}
        linked = types.FunctionType(function.__code__, namespace, function.__name__, function.__defaults__, function.__closure__)
        linked.__qualname__, linked.__module__, linked.__doc__ = function.__qualname__, function.__module__, function.__doc__
        return numba.njit(error_model="numpy", **options)(linked)


def _part(function: Callable[..., Any], **options: Any) -> Any:
    """Return the function as kernels call it: code that is optimised and becomes machine code with its caller."""
    with _COMPILING:
        _numba()
        from curation.text.kernel_parts import WITHOUT_WRAPPERS, PartCompiler, without_constants

        return without_constants(_made(function, nogil=True, boundscheck=False, pipeline_class=PartCompiler, **WITHOUT_WRAPPERS, **options))


def _compiled_once(compiled: Any) -> Any:
    """Make other processes wait while one compiles a kernel; they then load it from the cache."""
    compile_now = compiled.compile

    def compile_or_load(signature: Any) -> Any:
        with ExitStack() as held:
            with suppress(OSError):  # a full disk, or a file system without locks: then each process compiles for itself
                file = held.enter_context(
                    (_cache_folder() / f"{compiled.py_func.__module__}.{compiled.py_func.__qualname__}.lock").open("wb")
                )
                fcntl.flock(file, fcntl.LOCK_EX)
            return compile_now(signature)

    compiled.compile = compile_or_load
    return compiled


def _quick_to_load(compiled: Any) -> Any:
    """Load a cached kernel without what only compiling needs: numba would first import and index all its own libraries, and scipy's."""
    from numba.core.runtime.nrt import rtsys

    cache = compiled._cache

    def load(signature: Any, context: Any) -> Any:
        rtsys.initialize(context)  # a kernel may allocate arrays
        with cache._guard_against_spurious_io_errors():
            return cache._load_overload(signature, context)

    cache.load_overload = load
    return compiled


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


@lru_cache(maxsize=1)
def _numba() -> Any:
    """Import numba with its cache in our folder."""
    os.environ["NUMBA_CACHE_DIR"] = str(_cache_folder())
    import numba
    import numba.extending

    # Numba reads the environment once, and may already be imported.
    numba.config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]
    _listen()
    return numba


def _listen() -> None:
    """Make numba report when it compiles; it does not report kernels from its cache."""
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, _: Any) -> None:
            for tell in _TOLD:
                tell(True)

        def on_end(self, _: Any) -> None:
            for tell in _TOLD:
                tell(False)

    event.register("numba:compile", Listener())  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def _cache_folder() -> Path:
    """Return the private cache folder, or a temporary one if the user's cache cannot be written or is not private."""
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


def _sources_digest() -> str:
    digest = hashlib.sha256((version("numba") + _cpu_name() + platform.python_version()).encode())
    for package in ("curation", "filters", "synth"):
        for path in sorted((_ROOT / package).rglob("*.py")):
            source = path.read_bytes()
            if _KERNEL_MARK in source or path.stem.startswith("kernel_"):
                digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + source)
    return digest.hexdigest()[:16]


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line for line in lines if line.startswith(("model name", "flags", "Features"))) + platform.machine()
    except (OSError, StopIteration):
        return platform.processor() + platform.machine()
