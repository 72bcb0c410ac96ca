// The operations of a traced step, in C++. REAL is float or double.
// Included first in every generated unit, on the host and on the GPU.
#pragma once
#ifdef __CUDACC_RTC__  // the run-time compiler brings no headers
typedef unsigned int uint32_t;
typedef long long int64_t;
#else
#include <cmath>
#include <cstdint>
#include <cstring>
#endif

#ifdef __CUDACC__
#define STEP __device__ __forceinline__
#else
#define STEP static inline __attribute__((always_inline))
#endif

typedef REAL real;

#ifdef __CUDACC__
typedef bool mask;
STEP real where(mask chosen, real yes, real no) { return chosen ? yes : no; }
STEP uint32_t where(mask chosen, uint32_t yes, uint32_t no) { return chosen ? yes : no; }
#else
// All ones or all zeros. With bool and ?: GCC builds branches first and then fails to turn
// them back into the selections that vector units have.
struct mask {
  uint32_t bits;
  inline __attribute__((always_inline)) mask(bool set) : bits(-uint32_t(set)) {}
  inline __attribute__((always_inline)) mask(uint32_t bits) : bits(bits) {}
};
STEP mask operator&(mask x, mask y) { return mask(x.bits & y.bits); }
STEP mask operator|(mask x, mask y) { return mask(x.bits | y.bits); }
STEP mask operator!(mask x) { return mask(~x.bits); }
STEP uint32_t where(mask chosen, uint32_t yes, uint32_t no) {
  return (chosen.bits & yes) | (~chosen.bits & no);
}
template <typename Real, typename Bits> STEP Real blend(Bits chosen, Real yes, Real no) {
  static_assert(sizeof(Real) == sizeof(Bits), "one mask bit for every bit of a real");
  Bits first, second;
  std::memcpy(&first, &yes, sizeof first);
  std::memcpy(&second, &no, sizeof second);
  first = (chosen & first) | (~chosen & second);
  std::memcpy(&yes, &first, sizeof first);
  return yes;
}
STEP float where(mask chosen, float yes, float no) { return blend(chosen.bits, yes, no); }
STEP double where(mask chosen, double yes, double no) {
  return blend(uint64_t(int64_t(int32_t(chosen.bits))), yes, no);
}
#endif

#ifdef __CUDACC__
// In float one instruction each (the sign goes with the next operation); in double, where NaN
// must not be asked about, a comparison is the shorter way.
STEP float minimum(float x, float y) { return fminf(x, y); }
STEP float maximum(float x, float y) { return fmaxf(x, y); }
STEP float magnitude(float x) { return fabsf(x); }
STEP double minimum(double x, double y) { return x < y ? x : y; }
STEP double maximum(double x, double y) { return x > y ? x : y; }
STEP double magnitude(double x) { return fabs(x); }
STEP real root(float x) { return __fsqrt_rn(x); }
STEP real root(double x) { return __dsqrt_rn(x); }
STEP uint32_t mulhi(uint32_t x, uint32_t y) { return __umulhi(x, y); }
STEP uint32_t bits_of(float x) { return __float_as_uint(x); }
STEP float float32_of(uint32_t x) { return __uint_as_float(x); }
#else
STEP real minimum(real x, real y) { return x < y ? x : y; }
STEP real maximum(real x, real y) { return x > y ? x : y; }
STEP real magnitude(real x) { return x < real(0) ? -x : x; }
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
