"""Numba's type inference with a memory of its answers.

For every `a + b` in a kernel, numba tries all registered implementations of addition, each one twice, until one accepts the types. At every
step it compares all compiler flags. The answer depends only on the function and the types, so this module keeps it.

Invariants: only the code inside the block is affected, so other people's kernels get numba unchanged; numba's answers are the same.
"""

# mypy: allow-untyped-calls, disable-error-code="method-assign, assignment"
# (numba's own classes and functions say no types; some of its methods are replaced for a while)

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core.compiler import Flags
from numba.core.types.functions import BaseFunction

__all__ = ["remembered_types"]

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
