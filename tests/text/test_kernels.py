"""What compiling a kernel costs: helpers are compiled once, without machine code; kernels ask for no library that is dear to compile."""

import ast
import fcntl
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from curation.text import kernels
from curation.text.kernels import _made, inline_kernel, kernel

ROOT = Path(__file__).parents[2]
DEAR = {"arange", "argsort", "concatenate", "cumsum", "nonzero", "searchsorted", "sort", "unique", "where"}
"""Functions of numpy each of which numba compiles from many of its own."""


@inline_kernel
def _next(values: Any, at: int) -> int:
    return int(values[at]) + 1


@kernel
def _apart(values: Any, at: int) -> int:
    return int(values[at]) * 3


@kernel
def _chase(values: Any, steps: int) -> int:
    at = 0
    for _ in range(steps):
        at = _next(values, at)
    return _next(values, 0) * 1000 + _apart(values, 1) * 10 + at


def test_a_helper_is_compiled_once_though_constants_are_passed_to_it_and_makes_no_machine_code() -> None:
    chase = _made(_chase._function)  # type: ignore[attr-defined]  # a kernel from the cache compiles no helper
    assert chase(np.array([0, 1, 2, 3, 4]), 3) == 1 * 1000 + 3 * 10 + 3
    for helper in (_next, _apart):
        (compiled,) = helper.for_kernels.overloads.values()  # type: ignore[attr-defined]
        assert not _has_machine_code(compiled)
        assert compiled.signature.args[1].name == "int64"
    (caller,) = chase.overloads.values()
    assert _has_machine_code(caller)


def test_of_a_kernel_its_machine_code_is_kept_and_of_its_llvm_code_the_names() -> None:
    from llvmlite.binding import parse_bitcode

    chase = _made(_chase._function)  # type: ignore[attr-defined]
    chase(np.array([0, 1, 2, 3, 4]), 3)
    (compiled,) = chase.overloads.values()
    _, kind, (code, stubs) = compiled.library.serialize_using_object_code()
    assert kind == "object"
    assert code
    kept = {
        function.name: [str(line).strip() for block in function.blocks for line in block.instructions]
        for function in parse_bitcode(stubs).functions
    }
    assert compiled.fndesc.llvm_func_name in kept
    assert set(map(tuple, kept.values())) == {("ret void",)}


@kernel
def _mixed(small: Any, large: Any, share: float) -> float:
    total = share
    for at in range(len(small)):
        total += small[at] * large[at] // 3 - min(large[at], at) % 7
        total -= (small[at] < large[at]) + (np.uint64(at) >> np.uint64(1))
    return total + max(small[0], 2) / 4


def test_remembered_types_are_those_that_numba_finds_and_end_with_the_kernel() -> None:
    import numba
    from numba.core.types.functions import BaseFunction

    asked, flags = BaseFunction.get_call_type, numba.core.compiler.Flags.values
    for small, large in itertools.product((np.uint8, np.int32, np.int64), (np.int64, np.uint32, np.float64)):
        arguments = np.arange(1, 9, dtype=small), np.arange(20, 28, dtype=large), 0.5
        plain = numba.njit(_mixed._function, error_model="numpy")  # type: ignore[attr-defined]
        assert _mixed(*arguments) == plain(*arguments)
        made = {compiled.signature for compiled in _mixed.for_python.overloads.values()}  # type: ignore[attr-defined]
        assert {compiled.signature for compiled in plain.overloads.values()} <= made
    assert len(made) == 9
    assert (BaseFunction.get_call_type, numba.core.compiler.Flags.values) == (asked, flags)


@kernel
def _touch(flat: Any, square: Any, flags: Any, at: Any, below: int, places: Any) -> int:
    """Read and write elements by literals, signed and unsigned numbers, negative numbers and pairs of them, and through slices."""
    flat[at] = flat[0] + flat[below] + flat[-1]
    square[at, below] = square[below, 1] + flat[1:][at]
    square[-1, 0] += places[below][at]
    flags[below] = not flags[at]
    row = square[at]
    row[below] += 2 * flags[0] + 1 * flags[below]
    return int(row[2]) * 1000 + int(square[at][below]) + len(flat[at:below])


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("at", [1, np.int32(2), np.uint8(1), np.uint64(2)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_elements_are_those_of_python(kind: Any, at: Any, order: Any) -> None:
    def arguments() -> list[Any]:
        square = np.array(np.arange(12).reshape(3, 4), dtype=kind, order=order)
        return [np.arange(9, 3, -1, dtype=kind), square, np.array([True, False, True]), at, -2, np.arange(6, dtype=kind).reshape(2, 3)]

    ours, pythons = arguments(), arguments()
    pythons[3] = int(at)
    assert _touch(*ours) == _touch._function(*pythons)  # type: ignore[attr-defined]
    for mine, theirs in zip(ours, pythons, strict=True):
        np.testing.assert_array_equal(mine, theirs)


class _Pair(NamedTuple):
    left: Any
    right: Any


@kernel
def _copied(values: Any, times: int) -> Any:
    """Return a new array; between, arrays are made and let go in a loop, some of them never."""
    copy = np.zeros(len(values), np.int64)
    for turn in range(times):
        before = copy
        if turn % 3:
            copy = np.zeros(len(values), np.int64)
        part = before[1:]
        pair = _Pair(part, values)
        for at in range(len(values)):
            copy[at] = before[at] + pair.right[at]
    return copy


@kernel
def _doubled(values: Any, times: int) -> int:
    """Use new arrays and none that it gets."""
    return int(_copied(values, times)[1:].sum()) + int(_copied(values, 1)[0])


@kernel
def _borrowing(pair: _Pair, times: int) -> int:
    """Pass arrays on in tuples and slices; values that are defined in one branch, before a loop, in it, or by its last turn."""
    total, first = 0, pair.left
    for turn in range(times):
        view = first if turn % 2 else pair.right[1:]
        found = -1
        for at in range(len(view)):
            if view[at] > turn:
                found = at
                break
        else:
            total += 100
        last = turn * 2
        if found < 0:
            continue
        total += found * last + len(_swapped(_Pair(view, first)).left)
        while found > 0:
            half = found // 2
            total += half
            found = half
    return total


@inline_kernel
def _swapped(pair: _Pair) -> _Pair:
    return _Pair(pair.right, pair.left)


def test_the_function_that_python_calls_is_not_optimised_and_its_kernel_is() -> None:
    doubled = _made(_chase._function)  # type: ignore[attr-defined]
    values = np.array([0, 1, 2, 3, 4])
    assert doubled(values, 3) == _chase._function(values, 3)  # type: ignore[attr-defined]
    (made,) = doubled.overloads.values()
    functions = {function.name: "optnone" in set(_attributes(function)) for function in made.library._final_module.functions}
    assert functions[made.fndesc.llvm_cpython_wrapper_name]
    assert not functions[made.fndesc.llvm_func_name]


def _attributes(function: Any) -> Iterator[str]:
    for attributes in function.attributes:
        yield from attributes.decode().split()


def test_a_kernel_that_makes_no_array_counts_no_references() -> None:
    chase, copied = (_made(function._function) for function in (_chase, _copied))  # type: ignore[attr-defined]
    values = np.array([0, 1, 2, 3, 4])
    chase(values, 3)
    copied(values, 3)
    assert not _counts(chase)
    assert _counts(copied)


def test_an_array_is_freed_once_and_those_of_the_caller_stay() -> None:
    from numba.core.runtime import _nrt_python, rtsys

    _nrt_python.memsys_enable_stats()
    values, others = np.arange(1, 6), np.arange(3, 9)
    held = sys.getrefcount(values), sys.getrefcount(others)
    _copied(values, 2)
    before = rtsys.get_allocation_stats()
    for times in range(5):
        plain = _copied._function(values, times)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(_copied(values, times), plain)
        assert _doubled(values, times) == plain[1:].sum() + _copied._function(values, 1)[0]  # type: ignore[attr-defined]
        for pair in (_Pair(values, others), _Pair(others, values)):
            assert _borrowing(pair, times) == _borrowing._function(pair, times)  # type: ignore[attr-defined]
    del pair
    after = rtsys.get_allocation_stats()
    assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free > 0
    assert after.alloc - before.alloc == after.free - before.free > 0
    assert (sys.getrefcount(values), sys.getrefcount(others)) == held


@inline_kernel
def _checked(value: int, limit: int = 7) -> int:
    if value > limit:
        raise ValueError("too large")
    return value


@inline_kernel
def _perhaps(value: int) -> int | None:
    return _checked(value) if value else None


@kernel
def _careful(pair: _Pair, flag: bool) -> tuple[int, int, _Pair]:
    missing = 0
    for at in range(len(pair.left)):
        found = _perhaps(pair.left[at])
        missing += found is None
    mixed = _mirrored(_swapped(pair), flag, 0.5)
    return missing, int(mixed[1] * 10), _swapped(pair)


@inline_kernel
def _mirrored(pair: _Pair, flag: bool, share: float) -> tuple[bool, float]:
    return not flag, pair.left[0] * share if flag else share


def test_a_helper_gets_whole_arguments_and_its_failure_reaches_python() -> None:
    pair = _Pair(np.array([3, 0, 7]), np.array([6, 8]))
    for flag in (False, True):
        *ours, swapped = _careful(pair, flag)
        *pythons, _ = _careful._function(pair, flag)  # type: ignore[attr-defined]
        assert ours == pythons
        np.testing.assert_array_equal(swapped.left, pair.right)
    with pytest.raises(ValueError, match="too large"):
        _careful(_Pair(np.array([3, 8]), pair.right), True)


def test_variables_are_renamed_as_numba_renames_them() -> None:
    _made(_chase._function)  # type: ignore[attr-defined]  # numba is imported with its cache in our folder

    from numba.core.compiler import run_frontend
    from numba.core.ssa import reconstruct_ssa

    from curation.text.kernel_typing import RenamingWhereNamed

    renamed = 0
    for function in (_borrowing, _copied, _touch, _chase):
        theirs, ours = (run_frontend(function._function) for _ in range(2))  # type: ignore[attr-defined]
        reconstruct_ssa(theirs)
        RenamingWhereNamed().run_pass(_State(func_ir=ours))
        lines = [{label: list(map(str, block.body)) for label, block in one.blocks.items()} for one in (theirs, ours)]
        assert lines[0] == lines[1]
        renamed += str(lines[0]).count("phi(")
    assert renamed > 5


class _State(dict[str, Any]):
    """The part of a compiler's state that renaming reads."""

    __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__  # type: ignore[assignment]


def _counts(compiled: Any) -> bool:
    (made,) = compiled.overloads.values()
    return "NRT_decref" in made.library.get_llvm_str()


def _has_machine_code(compiled: Any) -> bool:
    return bool(compiled.library.codegen._engine.is_symbol_defined(compiled.fndesc.llvm_func_name))


def _kernels() -> Iterator[tuple[Path, ast.FunctionDef]]:
    for package in ("curation", "filters", "synth"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and {"kernel", "inline_kernel"} & {ast.unparse(mark) for mark in node.decorator_list}:
                    yield path, node


def test_kernels_neither_sort_nor_fill_slices() -> None:
    met, dear = 0, []
    for path, function in _kernels():
        met += 1
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DEAR:
                dear.append(f"{path.name}: {function.name}: {ast.unparse(node)}")
            if isinstance(node, ast.Assign):
                slices = [part for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Slice)]
                if slices and not isinstance(node.value, ast.Constant | ast.Name):
                    dear.append(f"{path.name}: {function.name}: {ast.unparse(node)}")
    assert met > 100
    assert not dear


@kernel
def _among(small: Any, large: Any, wide: Any) -> int:
    """Look for numbers of several widths, also where one must not be taken for another."""
    found = 0
    for at in range(len(small)):
        found = found * 2 + (small[at] in (0, 200, 255))
        found = found * 2 + (small[at] not in (-56, 7))
        found = found * 2 + (large[at] in (at, -1, 2))
        found = found * 2 + (wide[at] in (np.uint64(2**64 - 1), np.uint64(5)))
    return found


def test_a_number_is_looked_for_in_a_tuple_without_a_function_of_its_own() -> None:
    among = _made(_among._function)  # type: ignore[attr-defined]
    arrays = np.array([0, 200, 7, 255], np.uint8), np.array([0, -56, 3, -1]), np.array([5, 2**64 - 1, 4, 0], np.uint64)
    assert among(*arrays) == _among._function(*arrays)  # type: ignore[attr-defined]
    chase = _made(_tagged._function)  # type: ignore[attr-defined]
    assert [chase(tag) for tag in (-1, 2, 9)] == [True, False, True]
    (made,) = chase.overloads.values()
    assert "seq_contains" not in made.library.get_llvm_str()


@kernel
def _tagged(tag: int) -> bool:
    return tag in (-1, 9)


def test_numba_tells_of_what_it_compiles_but_not_of_each_call_of_llvm() -> None:
    import numba
    from numba.core import event

    def heard(compiled: Any) -> tuple[int, int]:
        with event.install_recorder("numba:llvm_lock") as calls, event.install_recorder("numba:compile") as compiling:
            compiled(np.array([0, 1, 2, 3, 4]), 3)
        return len(calls.buffer), len(compiling.buffer)

    def plain(values: Any, steps: int) -> int:
        return int(values[steps])

    ours, theirs = heard(_made(_chase._function)), heard(numba.njit(plain))  # type: ignore[attr-defined]
    assert ours[0] < 50 < theirs[0]
    assert ours[1] >= 2


def test_other_processes_wait_while_one_compiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A lock of the operating system is held while a kernel is compiled, and only then; without one, each compiles for itself."""
    lock = tmp_path / f"{__name__}.{SimpleNamespace.__qualname__}.lock"
    held = list[bool]()

    def is_held() -> bool:
        with lock.open("wb") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def compile_now(signature: str) -> str:
        held.append(lock.exists() and is_held())
        return signature

    monkeypatch.setattr(kernels, "_cache_folder", lambda: tmp_path)
    named = SimpleNamespace(__module__=__name__, __qualname__=SimpleNamespace.__qualname__)
    compiled = kernels._compiled_once(SimpleNamespace(compile=compile_now, py_func=named))
    assert compiled.compile("(int64,)") == "(int64,)"
    assert (held, is_held()) == ([True], False)
    monkeypatch.setattr(kernels, "_cache_folder", lambda: tmp_path / "not there")
    assert compiled.compile("()") == "()"
    assert held == [True, False]
