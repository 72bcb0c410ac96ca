"""How many instructions a second the card issues, measured: the roof of every kernel.

A kernel of nothing but multiply-adds in registers, eight chains a thread, so that no instruction
waits for another. Its rate, times what the compiler says a loop holds, is what schedulers issue.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stresscube_kernels.cards import cupy

from . import nvrtc, sass

LOOPS = 4096
THREADS = 256
BLOCKS_A_MULTIPROCESSOR = 8
SOURCE = """
extern "C" __global__ void issue(float *out, int loops, float a, float b) {
  float x[8];
#pragma unroll
  for (int k = 0; k < 8; ++k) x[k] = a * float(threadIdx.x + k);
#pragma unroll 1
  for (int loop = 0; loop < loops; ++loop) {
#pragma unroll
    for (int n = 0; n < 32; ++n) {
#pragma unroll
      for (int k = 0; k < 8; ++k) x[k] = fmaf(x[k], a, b);
    }
  }
  float sum = 0.0f;
#pragma unroll
  for (int k = 0; k < 8; ++k) sum += x[k];
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}
"""


class IssueRate:
    """The measuring kernel on the current card; `measure()` gives thread-instructions a second."""

    def __init__(self, loops: int = LOOPS) -> None:
        device = cupy().cuda.Device()
        self._loops = loops
        self._kernel = cupy().RawModule(code=SOURCE).get_function("issue")
        self._blocks = int(device.attributes["MultiProcessorCount"]) * BLOCKS_A_MULTIPROCESSOR
        self._out = cupy().empty(self._blocks * THREADS, np.float32)
        listing = nvrtc.disassemble(nvrtc.compile_cubin(SOURCE, f"sm_{device.compute_capability}"))
        self.instructions = sass.kernels(listing)["issue"].instructions

    def launch(self) -> None:
        args = (self._out, np.int32(self._loops), np.float32(0.999), np.float32(0.001))
        self._kernel((self._blocks,), (THREADS,), args)

    @property
    def work(self) -> int:
        """Thread-instructions of one launch."""
        return self._blocks * THREADS * self._loops * self.instructions


def seconds_on_card(launch: Any) -> float:
    """Seconds between two events on the current stream around a launch."""
    start, end = cupy().cuda.Event(), cupy().cuda.Event()
    start.record()
    launch()
    end.record()
    end.synchronize()
    return float(cupy().cuda.get_elapsed_time(start, end)) / 1e3
