"""Numba's preparation of a kernel's variables and types, without asking again what it knows.

For every `a + b` in a kernel, numba tries all registered implementations of addition, each one twice, until one accepts the types. At every
step it compares all compiler flags. The answer depends only on the function and the types, so this module keeps it.

Before that, numba gives each variable that is assigned twice a new name for each assignment (SSA), one variable after the other, and reads
the whole function twice for each. Only the blocks in which the variable stands can change.

Invariants: only the code inside the block is affected, so other people's kernels get numba unchanged; numba's answers are the same.
"""

# mypy: allow-untyped-calls, disable-error-code="method-assign, assignment"
# (numba's own classes and functions say no types; some of its methods are replaced for a while)

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import ssa
from numba.core.compiler import Flags
from numba.core.compiler_machinery import register_pass
from numba.core.types.functions import BaseFunction
from numba.core.untyped_passes import ReconstructSSA

__all__ = ["RenamingWhereNamed", "remembered_types"]

_ASKED = BaseFunction.get_call_type
_FOUND: dict[Any, Any] = {}
_DEFAULTS = Flags().values()


@contextmanager
def remembered_types() -> Iterator[None]:
    """Inside the block, numba remembers which signature it found for one of its own functions and the types of the arguments."""
    before = BaseFunction.get_call_type, Flags.values
    BaseFunction.get_call_type, Flags.values = _get_call_type, _flags
    try:
        yield
    finally:
        BaseFunction.get_call_type, Flags.values = before


def _get_call_type(function: Any, context: Any, arguments: Any, named: Any) -> Any:
    asked = function, context, tuple(arguments), tuple(named.items())
    found = _FOUND.get(asked)
    if found is None:
        found = _FOUND[asked] = _ASKED(function, context, arguments, named)
    return found


def _flags(flags: Any) -> dict[str, Any]:
    """Return the same as `Flags.values`, without a look-up of each flag by its name."""
    return {**_DEFAULTS, **flags._values}


@register_pass(mutates_CFG=True, analysis_only=False)
class RenamingWhereNamed(ReconstructSSA):
    """The pass that renames variables, which leaves blocks alone that do not name the variable in question."""

    _name = "renaming_where_named"

    def run_pass(self, state: Any) -> bool:
        """Rename the variables."""
        named = {
            label: {variable.name for statement in block.body for variable in statement.list_vars()}
            for label, block in state.func_ir.blocks.items()
        }
        rewrite = ssa._run_block_rewrite

        def rewrite_some(blocks: dict[int, Any], states: dict[str, Any], handler: Any) -> dict[int, Any]:
            touched = {label: block for label, block in blocks.items() if states["varname"] in named[label]}
            return {**blocks, **rewrite(touched, states, handler)}

        ssa._run_block_rewrite = rewrite_some
        try:
            return bool(super().run_pass(state))
        finally:
            ssa._run_block_rewrite = rewrite
