"""What Numba has no word for, as intrinsics: prefetch, population count, first set bit, "which of these 32
half-words are near", and memory by its address. All are plain LLVM IR, so they run on every processor.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.np.arrayobj import make_array

# None of these is typed.
intrinsic: Any = extending.intrinsic
declare: Any = cgutils.get_or_insert_function
view: Any = make_array
_I8, _I16, _I32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
LANES = 32
_LANES_OF_16 = ir.VectorType(_I16, LANES)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, to: Any) -> Any:
    """The address of ``array[index]`` of a contiguous 1-d array, unchecked."""
    data = view(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), to.as_pointer())


def _splat(builder: Any, scalar: Any) -> Any:
    """A vector with ``scalar`` in every lane."""
    undefined = ir.Constant(_LANES_OF_16, ir.Undefined)
    first = builder.insert_element(undefined, scalar, _I32(0))
    zeros = ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, zeros)


@intrinsic
def prefetch(_context, array, _index):  # type: ignore[no-untyped-def]
    """``prefetch(array, index)``: ask for that element's cache line; any index is harmless."""

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        address = _pointer(context, builder, signature.args[0], args[0], args[1], _I8)
        kind = ir.FunctionType(ir.VoidType(), [address.type, _I32, _I32, _I32])
        function = declare(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [address, _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


@intrinsic
def near_mask(_context, array, _index, _want, _limit):  # type: ignore[no-untyped-def]
    """``near_mask(array, i, want, limit)``: bit k is set if ``array[i + k]`` (uint16) differs from ``want``
    in at most ``limit`` bits, for k in 0..31. Reads all 32, unchecked: pad the array.
    """

    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        address = _pointer(context, builder, signature.args[0], args[0], args[1], _LANES_OF_16)
        different = builder.xor(builder.load(address, align=2), _splat(builder, args[2]))
        kind = ir.FunctionType(_LANES_OF_16, [_LANES_OF_16])
        count = declare(builder.module, kind, f"llvm.ctpop.v{LANES}i16")
        near = builder.icmp_unsigned("<=", builder.call(count, [different]), _splat(builder, args[3]))
        return builder.bitcast(near, _I32)

    return types.uint32(array, types.intp, types.uint16, types.uint16), codegen


@intrinsic
def popcount(_context, _word):  # type: ignore[no-untyped-def]
    """``popcount(uint64) -> int64``: how many bits are set."""

    def codegen(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@intrinsic
def first_bit(_context, _word):  # type: ignore[no-untyped-def]
    """``first_bit(uint32) -> uint32``: the index of the lowest set bit; ``word`` must not be 0."""

    def codegen(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.uint32(types.uint32), codegen


@intrinsic
def memory(_context, _address):  # type: ignore[no-untyped-def]
    """``memory(int64)``: what ``carray`` makes an array of. The caller answers for what lies there."""

    def codegen(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), codegen
