"""What numba does beside compiling and no kernel needs, left out while a kernel is compiled.

    events      a message to listeners before and after each call of LLVM
    signatures  Python's signature of an implementation, read at each use to learn whether it takes a place in the source
    peepholes   searches for `with` blocks and merged dictionaries

Invariants: only the code inside the block is affected, so other people's kernels get numba unchanged; a kernel's code is the same.
"""

# mypy: allow-untyped-calls
# (numba's own classes and functions have no types)

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import Any

from numba.core import base, event, interpreter

__all__ = ["without_bookkeeping"]

_takes_place = cache(base._has_loc)


@contextmanager
def without_bookkeeping() -> Iterator[None]:
    """Inside the block, numba does less of what surrounds compiling."""
    with ExitStack() as replaced:
        for owner, name, value in (
            (event, "start_event", partial(_tell, event.start_event)),
            (event, "end_event", partial(_tell, event.end_event)),
            (base, "_has_loc", _takes_place),
            (interpreter, "peep_hole_delete_with_exit", _unchanged),
            (interpreter, "peep_hole_fuse_dict_add_updates", _unchanged),
        ):
            replaced.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


def _tell(tell: Callable[..., None], kind: str, *facts: Any, **named: Any) -> None:
    if kind != "numba:llvm_lock":
        tell(kind, *facts, **named)


def _unchanged(function: Any) -> Any:
    return function
