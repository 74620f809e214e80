"""Numba's type inference, remembering what it found out.

For every `a + b` of a kernel numba tries, twice each, all implementations of addition that anybody has registered until one takes the
types, and compares all compiler flags at every step. The answer depends on the function and the types alone, so it is kept.

Invariants: inside the block alone, so that other people's kernels meet numba as it is; what numba answers is the same.
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
    """Inside the block, numba remembers the signature that it found for a function of its own and the types of arguments."""
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
    """Return what `Flags.values` returns, without asking for each by name."""
    return {**_DEFAULTS, **flags._values}
