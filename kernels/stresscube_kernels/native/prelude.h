// The operations of a traced step, in C++. REAL is float or double.
// Included first in every generated unit, on the host and on the GPU.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define STEP static __device__ __forceinline__
#else
#define STEP static inline __attribute__((always_inline))
#endif

typedef REAL real;

STEP real minimum(real x, real y) { return x < y ? x : y; }
STEP real maximum(real x, real y) { return x > y ? x : y; }
STEP real magnitude(real x) { return x < real(0) ? -x : x; }

#ifdef __CUDACC__
STEP real root(float x) { return __fsqrt_rn(x); }
STEP real root(double x) { return __dsqrt_rn(x); }
STEP uint32_t mulhi(uint32_t x, uint32_t y) { return __umulhi(x, y); }
STEP uint32_t bits_of(float x) { return __float_as_uint(x); }
STEP float float32_of(uint32_t x) { return __uint_as_float(x); }
#else
STEP real root(real x) { return std::sqrt(x); }
STEP uint32_t mulhi(uint32_t x, uint32_t y) { return uint32_t((uint64_t(x) * y) >> 32); }
STEP uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
STEP float float32_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
#endif
