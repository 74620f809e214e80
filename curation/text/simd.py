"""SIMD reading inside kernels: eight bytes as one number, sixty-four bytes as a bit mask.

A byte scan that branches at every byte pays for each misprediction. Kernels here read blocks of BLOCK bytes instead: one comparison gives
64 bits, bit i for byte i; rules between neighbours become shifts; and only set bits are visited (Lemire and Langdale 2019, "Parsing
Gigabytes of JSON per Second").

The intrinsics are plain LLVM vector instructions, so they run on every processor, faster with wider registers. They do not check bounds: if
less than a block of data is left, `copy_block` makes a full one.

Invariant: bits and numbers do not depend on the processor; words are read little-endian.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir

from curation.arrays import Array, Bytes, Integers, Integers32, Scalar
from curation.text.kernels import inline_kernel, intrinsic, kernel, numba_types

BLOCK = 64
"""Number of bytes that a mask covers."""

LANES = 32
"""Number of numbers that are compared at once."""

Context: TypeAlias = Any
"""One of numba's contexts."""
Type: TypeAlias = Any
"""A numba type or signature."""
Generator: TypeAlias = Callable[..., ir.Value]
"""Writes the LLVM code of a call: `(context, builder, signature, arguments)`."""
Splat: TypeAlias = Callable[[ir.Value], ir.Value]
"""Makes a block of which each byte is the same number."""

_BYTE, _EIGHT_BYTES = ir.IntType(8), ir.IntType(64)


def _pointer(context: Context, builder: ir.IRBuilder, array_type: Type, array: ir.Value, place: ir.Value) -> ir.Value:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [place])


@intrinsic
def load_eight_bytes(typing_context: Context, data: Type, place: Type) -> tuple[Type, Generator]:  # noqa: ARG001  (numba calls it so)
    """Return data[place : place + 8] as one number (uint64); place + 8 <= len(data)."""

    def generate(context: Context, builder: ir.IRBuilder, signature: Type, arguments: Sequence[ir.Value]) -> ir.Value:
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        return builder.load(builder.bitcast(pointer, _EIGHT_BYTES.as_pointer()), align=1)

    types = numba_types()
    return types.uint64(data, types.intp), generate


@intrinsic
def mask_where_above(
    _context: Context, words: Type, _place: Type, numbers: Type, _start: Type, _limit: Type, _mask: Type
) -> tuple[Type, Generator]:
    """Apply a mask to those of words[place : place + LANES] (uint32) whose number in numbers[start : start + LANES] (float32) is above a
    limit."""

    def generate(context: Context, builder: ir.IRBuilder, signature: Type, arguments: Sequence[ir.Value]) -> ir.Value:
        words, place, numbers, start, limit, mask = arguments
        pointers = (
            _pointer(context, builder, signature.args[0], words, place),
            _pointer(context, builder, signature.args[2], numbers, start),
        )
        whole, real = (ir.VectorType(kind, LANES) for kind in (ir.IntType(32), ir.FloatType()))
        target = builder.bitcast(pointers[0], whole.as_pointer())
        number = builder.load(builder.bitcast(pointers[1], real.as_pointer()), align=4)
        above = builder.fcmp_ordered(">", number, _splat(builder, limit, LANES))
        kept = builder.select(above, _splat(builder, mask, LANES), ir.Constant(whole, [0xFFFFFFFF] * LANES))
        builder.store(builder.and_(builder.load(target, align=4), kept), target, align=4)
        return context.get_dummy_value()

    types = numba_types()
    return types.none(words, types.intp, numbers, types.intp, types.float32, types.uint32), generate


def _splat(builder: ir.IRBuilder, scalar: ir.Value, lanes: int) -> ir.Value:
    """Return a vector of which each lane is the scalar."""
    nothing, index = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined), ir.IntType(32)
    one = builder.insert_element(nothing, scalar, ir.Constant(index, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(index, lanes), [0] * lanes))


def _mask(generate_bits: Callable[..., ir.Value]) -> Generator:
    """Return a code generator for a mask: `generate_bits(builder, block, splat, *scalars)` gives the 64 bits of a block of bytes."""

    def generate(context: Context, builder: ir.IRBuilder, signature: Type, arguments: Sequence[ir.Value]) -> ir.Value:
        array, place, *scalars = arguments
        vector = ir.VectorType(_BYTE, BLOCK)

        def splat(scalar: ir.Value) -> ir.Value:
            return _splat(builder, scalar, BLOCK)

        pointer = _pointer(context, builder, signature.args[0], array, place)
        block = builder.load(builder.bitcast(pointer, vector.as_pointer()), align=1)
        return builder.bitcast(generate_bits(builder, block, splat, *scalars), _EIGHT_BYTES)

    return generate


@intrinsic
def mask_of(typing_context: Context, data: Type, place: Type, byte: Type) -> tuple[Type, Generator]:  # noqa: ARG001
    """Return which of data[place : place + 64] equal `byte`."""

    def bits(builder: ir.IRBuilder, block: ir.Value, splat: Splat, byte: ir.Value) -> ir.Value:
        return builder.icmp_unsigned("==", block, splat(byte))

    types = numba_types()
    return types.uint64(data, types.intp, types.uint8), _mask(bits)


@intrinsic
def mask_of_letter(typing_context: Context, data: Type, place: Type, letter: Type) -> tuple[Type, Generator]:  # noqa: ARG001
    """Return which of data[place : place + 64] are an ASCII letter, given small, in either case; bit 5 of every byte is ignored."""

    def bits(builder: ir.IRBuilder, block: ir.Value, splat: Splat, letter: ir.Value) -> ir.Value:
        return builder.icmp_unsigned("==", builder.or_(block, splat(ir.Constant(_BYTE, 0x20))), splat(letter))

    types = numba_types()
    return types.uint64(data, types.intp, types.uint8), _mask(bits)


@intrinsic
def mask_between(typing_context: Context, data: Type, place: Type, first: Type, last: Type) -> tuple[Type, Generator]:  # noqa: ARG001
    """Return which of data[place : place + 64] are from `first` to `last`."""

    def bits(builder: ir.IRBuilder, block: ir.Value, splat: Splat, first: ir.Value, last: ir.Value) -> ir.Value:
        return builder.icmp_unsigned("<=", builder.sub(block, splat(first)), splat(builder.sub(last, first)))

    types = numba_types()
    return types.uint64(data, types.intp, types.uint8, types.uint8), _mask(bits)


def _of_eight_bytes(name: str) -> Generator:
    """Return a code generator for an LLVM function of one 64-bit number."""

    def generate(context: Context, builder: ir.IRBuilder, signature: Type, arguments: Sequence[ir.Value]) -> ir.Value:  # noqa: ARG001
        if name == "llvm.cttz":
            return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))
        return builder.ctpop(arguments[0])

    return generate


@intrinsic
def lowest_bit(typing_context: Context, word: Type) -> tuple[Type, Generator]:  # noqa: ARG001
    """Return the position of the lowest set bit; 64 if no bit is set."""
    types = numba_types()
    return types.int64(types.uint64), _of_eight_bytes("llvm.cttz")


@intrinsic
def count_bits(typing_context: Context, word: Type) -> tuple[Type, Generator]:  # noqa: ARG001
    """Return the number of set bits."""
    types = numba_types()
    return types.int64(types.uint64), _of_eight_bytes("llvm.ctpop")


@inline_kernel
def mask_of_three(data: Bytes, place: Scalar, one: int, two: int, three: int) -> Scalar:
    """Return at which of data[place : place + 64] the three letters begin, in either case; this reads 66 bytes."""
    return mask_of_letter(data, place, one) & mask_of_letter(data, place + 1, two) & mask_of_letter(data, place + 2, three)


@kernel
def count_byte(data: Bytes, offsets: Integers, byte: int, counts: Integers32) -> None:
    """Write how often a byte occurs in each text data[offsets[i]:offsets[i + 1]]."""
    for text in range(len(offsets) - 1):
        found = 0
        for unit in data[offsets[text] : offsets[text + 1]]:
            found += unit == byte
        counts[text] = found


@kernel
def copy_block(data: Bytes, place: int, end: int, spare: Bytes) -> None:
    """Copy data[place:end], at most BLOCK bytes, to the beginning of `spare`: at the end of the data, less than a block is left."""
    for at in range(min(end - place, BLOCK)):
        spare[at] = data[place + at]


@inline_kernel
def lower_bound(values: Array, value: Scalar) -> Scalar:
    """Return the position of the first of some ascending values that is not below `value`; their number if there is none."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@inline_kernel
def load_part(data: Bytes, place: Scalar, end: Scalar) -> Scalar:
    """Return data[place:end], at most eight bytes, as one number (uint64); the bytes after them are 0."""
    if place + 8 <= len(data):
        half = np.uint64(4 * (end - place))  # a shift by 64 is undefined, so two shifts are used
        return load_eight_bytes(data, place) & ~((np.uint64(0xFFFFFFFFFFFFFFFF) << half) << half)
    word = np.uint64(0)
    for at in range(end - 1, place - 1, -1):
        word = word << np.uint64(8) | np.uint64(data[at])
    return word
