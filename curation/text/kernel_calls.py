"""How kernels call their helpers: an array is one argument, and a failure goes straight on to the caller.

Numba passes an array as seven numbers: its length, strides, owner and so on, one by one. To take an array apart and put it together again
takes eighteen instructions for each array of each call, and a helper of ours gets ten of them. After each call numba also tests the result
for every way in which a function can end, and whether the call stands in a `try`. No kernel has a `try`: what is not zero is a failure.

Invariant: who calls a helper and who compiles it ask the same function, `passes_whole`. Python calls kernels in numba's way.
"""

# mypy: allow-untyped-calls
# (numba's own classes and functions have no types)

from collections.abc import Callable, Sequence
from typing import Any

from numba.core import cgutils, types
from numba.core.callconv import CPUCallConv

__all__ = ["call_of", "helper_in", "passes_whole"]


def passes_whole(function: Any) -> bool:
    """Return whether a helper is called in this way: if all arguments are given, and it returns no None for a number."""
    return not isinstance(function.restype, types.Optional) and not any(isinstance(kind, types.Omitted) for kind in function.argtypes)


def helper_in(context: Any, module: Any, function: Any) -> Any:
    """Return a helper in a module, called with whole arguments."""
    convention = _Whole(context)
    kind = convention.get_function_type(function.restype, function.argtypes)
    made = cgutils.get_or_insert_function(module, kind, function.mangled_name)
    convention.decorate_function(made, function.args, function.argtypes)
    if function.inline:
        made.attributes.add("alwaysinline")
    return made


def call_of(function: Any, libraries: Sequence[Any]) -> Callable[..., Any]:
    """Return what writes a call of a helper, as numba wants it."""

    def write(context: Any, builder: Any, _: Any, arguments: Sequence[Any]) -> Any:
        called = helper_in(context, builder.module, function)
        result = cgutils.alloca_once(builder, called.args[0].type.pointee)
        failure = context.call_conv._get_excinfo_argument(builder.function)
        status = builder.call(called, [result, failure, *arguments])
        with cgutils.if_unlikely(builder, cgutils.is_not_null(builder, status)):
            builder.ret(status)
        return context.get_returned_value(builder, function.restype, builder.load(result))

    write.signature, write.libs = function.argtypes, tuple(libraries)  # type: ignore[attr-defined]
    return write


class _Whole(CPUCallConv):
    """Numba's way to call a function, with arguments as they are."""

    def _get_arg_packer(self, kinds: Sequence[Any]) -> "_Arguments":
        return _Arguments([self.context.get_value_type(kind) for kind in kinds])


class _Arguments:
    """What numba asks about arguments; nothing is packed."""

    def __init__(self, kinds: list[Any]) -> None:
        self.argument_types = kinds

    def assign_names(self, arguments: Sequence[Any], names: Sequence[str]) -> None:
        """Name a function's arguments."""
        for argument, name in zip(arguments, names, strict=True):
            argument.name = name
