"""The few operations that numba lacks, as LLVM instructions. Generated modules import them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj


@intrinsic(prefer_literal=True)
def local(typingctx: Any, count: Any, dtype: Any) -> Any:
    """An array of a literal count of numbers on the stack, not filled.

    Nothing else can point into it, and LLVM knows: beside stores to an `np.empty` it takes a load
    from a table for one that may see them, and does not vectorise the loop.
    """
    size = count.literal_value
    array = types.Array(dtype.dtype, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = context.get_data_type(array.dtype)
        with builder.goto_entry_block():
            buffer = builder.alloca(ir.ArrayType(real, size))
        buffer.align = 64  # a vector of any processor, a cache line
        width = context.get_constant(types.intp, context.get_abi_sizeof(real))
        made = arrayobj.make_array(array)(context, builder)
        arrayobj.populate_array(
            made,
            data=builder.bitcast(buffer, real.as_pointer()),
            shape=[context.get_constant(types.intp, size)],
            strides=[width],
            itemsize=width,
            meminfo=None,
        )
        return made._getvalue()  # pyright: ignore[reportUnknownVariableType]

    return array(count, dtype), codegen


@intrinsic
def canonical(typingctx: Any, value: Any) -> Any:
    """The value itself, through llvm.canonicalize.

    Without it LLVM turns `state = choice if condition else state` into a masked store, and
    masked stores (vmaskmovps) halve the speed of the whole loop.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        real = args[0].type
        function = builder.module.declare_intrinsic("llvm.canonicalize", [real])
        return builder.call(function, args)

    return value(value), codegen


@intrinsic
def select(typingctx: Any, condition: Any, yes: Any, no: Any) -> Any:
    """Yes where the condition holds, else no.

    As an instruction. Of `yes if condition else no` numba makes four basic blocks, and several of
    its passes take time by the square of these: they were half of all that compiling took.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return yes(types.boolean, yes, yes), codegen


@intrinsic
def bits_of(typingctx: Any, value: Any) -> Any:
    """The bits of the float32 nearest to a real."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (real,) = args
        if signature.args[0] == types.float64:
            real = builder.fptrunc(real, ir.FloatType())
        return builder.bitcast(real, ir.IntType(32))

    return types.uint32(value), codegen


@intrinsic
def float32_of(typingctx: Any, bits: Any) -> Any:
    """The float32 whose bits these are."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.uint32), codegen
