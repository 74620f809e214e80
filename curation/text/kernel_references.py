"""Reference counts and lifetimes of variables: only where a kernel makes an array.

Numba counts who refers to an array: each time when a kernel passes an array on, takes it out of a tuple or lets it go, it unpacks the
array's whole description to find the counter, and it writes zeros over every variable, also a number, that is not used any more. This is a
quarter of the LLVM code of our kernels, which the optimiser then has to remove. Nearly all kernels only read and write arrays that their
caller holds until they return, so nothing has to be counted.

Invariants: a function counts if it calls something that returns an array, or returns one itself, because a new array must be freed;
everything else borrows. To a function that does not count, Python passes an array without a counter, which numba's own code skips.
"""

# mypy: allow-untyped-calls, disable-error-code="method-assign, assignment"
# (numba's own classes and functions have no types; one of its methods is replaced temporarily)

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import ir, types
from numba.core.compiler_machinery import register_pass
from numba.core.postproc import PostProcessor, VariableLifetime
from numba.core.transforms import canonicalize_cfg
from numba.core.typed_passes import IRLegalization

__all__ = ["DeletionsWhereCounted", "without_lifetimes"]

_RUN = PostProcessor.run
_BORROWING = {"build_tuple", "cast", "exhaust_iter", "getattr", "getitem", "getiter", "iternext", "null", "pair_first", "pair_second"}
_BORROWING |= {"phi", "static_getitem", "typed_getitem"}


@register_pass(mutates_CFG=True, analysis_only=False)
class DeletionsWhereCounted(IRLegalization):
    """The pass that marks where variables end; functions that make no array need neither marks nor counts."""

    _name = "deletions_where_counted"

    def run_pass(self, state: Any) -> bool:
        """Mark where variables end, or turn counting off."""
        if _makes_arrays(state):
            return bool(super().run_pass(state))
        state.targetctx.enable_nrt = False  # this context is the function's own
        return False


def _makes_arrays(state: Any) -> bool:
    """Return whether a value of the function may be an array that nobody else holds."""
    models = state.targetctx.data_model_manager

    def new(assigned: Any) -> bool:
        value = assigned.value
        if not isinstance(value, ir.Expr) or value.op in _BORROWING:
            return False
        makes_tuple = value.op == "call" and isinstance(state.typemap[value.func.name], types.NamedTupleClass)
        return not makes_tuple and bool(models[state.typemap[assigned.target.name]].contains_nrt_meminfo())

    assigned = (one for block in state.func_ir.blocks.values() for one in block.find_insts(ir.Assign))
    return models[state.return_type].contains_nrt_meminfo() or any(map(new, assigned))


@contextmanager
def without_lifetimes() -> Iterator[None]:
    """Inside the block, numba does not compute after every pass which variables live where; only generators and object mode ask."""
    before = PostProcessor.run
    PostProcessor.run = _canonical
    try:
        yield
    finally:
        PostProcessor.run = before


def _canonical(processor: Any, emit_dels: bool = False, extend_lifetimes: bool = False) -> None:
    function = processor.func_ir
    if function.is_generator:
        _RUN(processor, emit_dels, extend_lifetimes)
        return
    function.blocks = canonicalize_cfg(function.blocks)
    function.variable_lifetime = VariableLifetime(function.blocks)
    function.generator_info = None
    if emit_dels:
        processor._insert_var_dels(extend_lifetimes=extend_lifetimes)
