"""The few operations that numba lacks, as LLVM instructions. Generated modules import them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_REALS = {"float32": ir.FloatType(), "float64": ir.DoubleType()}


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
