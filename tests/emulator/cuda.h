// Enough of CUDA C++ for the host compiler to run this project's kernels.
//
// The blocks of a grid run one after the other. The threads of a block are coroutines: each runs,
// in turn, to its next barrier. So a missing barrier shows every time, because the first thread
// goes on alone, and a barrier that only some threads reach ends the launch with an error.
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700  // macOS offers ucontext on this condition only
#endif
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#define __CUDACC__
#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(threads)
#define __shared__ static  // one block runs at a time
#define __syncthreads() emulator::reach_barrier()
#define __any_sync(threads, vote) emulator::any_of_warp(vote)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};

dim3 gridDim, blockDim, blockIdx, threadIdx;

inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline double __dsqrt_rn(double x) { return std::sqrt(x); }
inline uint32_t __umulhi(uint32_t x, uint32_t y) { return uint32_t((uint64_t(x) * y) >> 32); }
inline uint32_t __float_as_uint(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __uint_as_float(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

namespace emulator {
namespace {  // several libraries, each with a Market of its own, are loaded at the same time

constexpr size_t STACK = 256 * 1024;

struct Thread {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[STACK]};
  bool finished = false;
  bool voting = false;  // rather than waiting at a barrier of the whole block
  bool round = false;
  bool votes[2] = {false, false};
};

std::vector<Thread> threads;
ucontext_t scheduler;
std::function<void()> kernel;
unsigned running;

void reach_barrier() { swapcontext(&threads[running].context, &scheduler); }

// Votes are kept for this round and the next: a thread may go on to the next before its warp has
// read this one.
bool any_of_warp(bool vote) {
  Thread &self = threads[running];
  const bool round = self.round;
  self.votes[round] = vote;
  self.round = !round;
  self.voting = true;
  swapcontext(&self.context, &scheduler);  // until all of the warp have voted
  bool any = false;
  for (unsigned thread = running / 32 * 32; thread < threads.size(); ++thread)
    if (thread / 32 == running / 32) any = any || threads[thread].votes[round];
  return any;
}

void run_thread() {
  kernel();
  threads[running].finished = true;
  swapcontext(&threads[running].context, &scheduler);
}

// Runs a warp to the next barrier of its block, vote by vote: other warps do not move meanwhile.
// How many of its threads have ended.
unsigned run_warp(unsigned first) {
  const unsigned end = first + 32 < threads.size() ? first + 32 : unsigned(threads.size());
  unsigned voting = 0, finished = 0;
  do {
    voting = finished = 0;
    for (running = first; running < end; ++running) {
      threads[running].voting = false;
      threadIdx = {running, 0, 0};
      if (!threads[running].finished) swapcontext(&scheduler, &threads[running].context);
      voting += threads[running].voting;
      finished += threads[running].finished;
    }
  } while (voting > 0);
  return finished;
}

// Runs a block; false if some of its threads ended while others waited at a barrier.
bool run_block() {
  for (Thread &thread : threads) {
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = STACK;
    thread.context.uc_link = nullptr;
    thread.finished = thread.voting = thread.round = false;
    makecontext(&thread.context, run_thread, 0);
  }
  for (;;) {
    unsigned finished = 0;
    for (unsigned warp = 0; warp < threads.size(); warp += 32) finished += run_warp(warp);
    if (finished == threads.size()) return true;
    if (finished > 0) return false;
  }
}

template <typename... Args> struct Launch {
  // As the driver does it: args holds the address of every argument.
  template <size_t... I>
  static bool run(void (*function)(Args...), const unsigned *grid, unsigned block, void **args,
                  std::index_sequence<I...>) {
    kernel = [=] { function(*static_cast<std::decay_t<Args> *>(args[I])...); };
    threads.resize(block);
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block, 1, 1};
    for (unsigned z = 0; z < grid[2]; ++z)
      for (unsigned y = 0; y < grid[1]; ++y)
        for (unsigned x = 0; x < grid[0]; ++x) {
          blockIdx = {x, y, z};
          if (!run_block()) return false;
        }
    return true;
  }
};

template <typename... Args>
bool launch(void (*function)(Args...), const unsigned *grid, unsigned block, void **args) {
  return Launch<Args...>::run(function, grid, block, args, std::index_sequence_for<Args...>());
}

// The sizes of a kernel's arguments in bytes, ended by 0.
template <typename... Args> const size_t *sizes(void (*)(Args...)) {
  static const size_t found[] = {sizeof(Args)..., 0};
  return found;
}

}  // namespace
}  // namespace emulator

#define EMULATE(name)                                                                  \
  extern "C" bool launch_##name(const unsigned *grid, unsigned block, void **args) {   \
    return emulator::launch(name, grid, block, args);                                  \
  }                                                                                    \
  extern "C" const size_t *sizes_##name() { return emulator::sizes(name); }
