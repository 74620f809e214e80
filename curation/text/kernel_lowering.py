"""How kernels become LLVM code: elements of arrays are a pointer and a load, and a variable that never changes is a value.

Numba makes a copy of the array's description (length, strides, owner) on the stack for every element that a kernel reads or writes, and
leaves it to the optimiser to find that only the pointer matters. Kernels consist of such accesses; to write and optimise all those copies
takes a tenth of the time to compile. The optimised code is the same.

Numba also keeps each variable that several blocks use in memory. It has renamed variables before (SSA), so most are defined once,
before all uses, and the value itself serves.

For `x in (1, 2)` numba types, lowers and optimises a function with a loop; here it is a comparison with each.

Invariants: a negative index counts from the end, as in Python; everything but a number in a contiguous array is left to numba.
"""

# mypy: allow-untyped-calls
# (numba's own classes and functions have no types)

import operator
from collections import Counter
from typing import Any

from llvmlite import ir
from numba.core import ir as numba_ir
from numba.core import types
from numba.core.analysis import compute_use_defs
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from curation.text.kernel_calls import helper_in, passes_whole

__all__ = ["KernelLowering", "PartLowering"]

_INT = ir.IntType(32)


class _Lower(Lower):
    """Numba's lowering of a function, with direct access to elements."""

    def _find_singly_assigned_variable(self) -> None:
        """Find the variables that need no place in memory: those with one definition, which comes before all uses."""
        super()._find_singly_assigned_variable()
        assigned = [(one.target.name, offset) for offset, block in self.blocks.items() for one in block.find_insts(numba_ir.Assign)]
        times, defined = Counter(name for name, _ in assigned), dict(assigned)
        used = compute_use_defs(self.blocks).usemap  # in each block, the variables that are defined in another, or later
        early = {name for offset, names in used.items() for name in names if offset <= defined.get(name, offset)}
        self._singly_assigned_vars |= {name for name in times if times[name] == 1 and name not in early and not self._counts(name)}

    def storevar(self, value: Any, name: str, argidx: int | None = None) -> None:
        """Give a variable a value."""
        if self._counts(name):
            super().storevar(value, name, argidx)
        elif name in self._singly_assigned_vars:
            self._blk_local_varmap[name] = value
        else:
            self.builder.store(value, self.getvar(name))

    def delvar(self, name: str) -> None:
        """End a variable."""
        if self._counts(name):
            super().delvar(name)

    def _counts(self, name: str) -> bool:
        """Return whether a variable holds a reference that is counted."""
        return self.context.enable_nrt and bool(self.context.data_model_manager[self.typeof(name)].contains_nrt_meminfo())

    def lower_binop(self, wanted: Any, expression: Any, function: Any) -> Any:
        """Return the result of an operator; whether a number is in a tuple is a comparison with each, not a function that loops."""
        held, sought = self.typeof(expression.lhs.name), self.typeof(expression.rhs.name)
        if function is not operator.contains or not isinstance(held, types.Tuple | types.UniTuple) or not all(map(_fits, (*held, sought))):
            return super().lower_binop(wanted, expression, function)
        among = self.loadvar(expression.lhs.name)
        number = self.context.cast(self.builder, self.loadvar(expression.rhs.name), sought, types.int64)
        found = self.context.get_constant(types.boolean, False)
        for at, kind in enumerate(held):
            one = self.context.cast(self.builder, self.builder.extract_value(among, at), kind, types.int64)
            found = self.builder.or_(found, self.builder.icmp_signed("==", one, number))
        return self.context.cast(self.builder, found, types.boolean, wanted)

    def lower_getitem(self, wanted: Any, expression: Any, array: Any, index: Any, signature: Any) -> Any:
        """Return an element."""
        place = self._place(array.name, index.name)
        if place is None:
            return super().lower_getitem(wanted, expression, array, index, signature)
        kind = self.typeof(array.name).dtype
        return self.context.cast(self.builder, self.context.unpack_value(self.builder, kind, place), kind, wanted)

    def lower_setitem(self, array: Any, index: Any, value: Any, signature: Any) -> Any:
        """Write an element."""
        given = self.typeof(value.name)
        place = self._place(array.name, index.name) if isinstance(given, types.Number | types.Boolean) else None
        if place is None:
            return super().lower_setitem(array, index, value, signature)
        kind = self.typeof(array.name).dtype
        number = self.context.cast(self.builder, self.loadvar(value.name), given, signature.args[2])
        return self.context.pack_value(self.builder, kind, self.context.cast(self.builder, number, signature.args[2], kind), place)

    def _place(self, array: str, index: str) -> Any:
        """Return a pointer to an element; None if numba has to find it."""
        kind, given = self.typeof(array), self.typeof(index)
        is_tuple = isinstance(given, types.BaseTuple)
        given = list(given.types) if is_tuple else [given]
        if not _is_plain(kind) or len(given) != kind.ndim or not all(isinstance(one, types.Integer) for one in given):
            return None
        value = self.loadvar(index)
        places = [self.builder.extract_value(value, axis) for axis in range(kind.ndim)] if is_tuple else [value]
        at = self._from_start(places[0], given[0], array, 0)
        for axis in range(1, kind.ndim):
            before = self.builder.mul(at, self._size(array, axis))
            at = self.builder.add(before, self._from_start(places[axis], given[axis], array, axis))
        return self.builder.gep(self._field(array, "data"), [at])

    def _from_start(self, place: Any, given: Any, array: str, axis: int) -> Any:
        """Return an index counted from the start of an axis."""
        if not given.signed:
            return self.context.cast(self.builder, place, given, types.uintp)
        place = self.context.cast(self.builder, place, given, types.intp)
        if isinstance(place, ir.Constant) and place.constant >= 0:
            return place
        from_end = self.builder.add(place, self._size(array, axis))
        return self.builder.select(self.builder.icmp_signed("<", place, place.type(0)), from_end, place)

    def _size(self, array: str, axis: int) -> Any:
        return self.builder.extract_value(self._field(array, "shape"), axis)

    def _field(self, array: str, field: str) -> Any:
        """Return a field of an array's description."""
        at = self.context.data_model_manager[self.typeof(array)].get_field_position(field)
        if array in self._blk_local_varmap and not self._disable_sroa_like_opt:  # the description itself, not a pointer to it
            return self.builder.extract_value(self._blk_local_varmap[array], at)
        return self.builder.load(self.builder.gep(self.getvar(array), [_INT(0), _INT(at)], inbounds=True))


def _fits(kind: Any) -> bool:
    """Return whether 64 signed bits hold all values of a type."""
    return isinstance(kind, types.Integer) and kind != types.uint64


def _is_plain(kind: Any) -> bool:
    return isinstance(kind, types.Array) and kind.layout == "C" and kind.aligned and isinstance(kind.dtype, types.Number | types.Boolean)


@register_pass(mutates_CFG=True, analysis_only=False)
class KernelLowering(NativeLowering):
    """The pass that makes LLVM code."""

    _name = "kernel_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        """The class that lowers a function."""
        return _Lower


class _LowerPart(_Lower):
    """The lowering of a helper, which gets whole arguments."""

    def setup_function(self, fndesc: Any) -> None:
        """Begin the function."""
        if not passes_whole(fndesc):
            super().setup_function(fndesc)
            return
        self.function = helper_in(self.context, self.module, fndesc)
        self.entry_block = self.function.append_basic_block("entry")
        self.builder = ir.IRBuilder(self.entry_block)
        self.call_helper = None

    def extract_function_arguments(self) -> Any:
        """Take the arguments."""
        if not passes_whole(self.fndesc):
            return super().extract_function_arguments()
        self.fnargs = self.call_conv.get_arguments(self.function)
        return self.fnargs


@register_pass(mutates_CFG=True, analysis_only=False)
class PartLowering(NativeLowering):
    """The pass that makes LLVM code of a helper."""

    _name = "part_lowering"

    @property
    def lowering_class(self) -> type[Lower]:
        """The class that lowers a function."""
        return _LowerPart
