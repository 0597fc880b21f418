// A register of floats, and the few functions on it that the network needs.
//
// GCC's and Clang's vector types stand for the registers: one source becomes AVX-512, AVX2, SSE or NEON by the flags
// that it is compiled with. Products and sums are contracted to FMA (-ffp-contract=fast) and nothing else is reordered,
// so a value does not depend on how the work is cut into strips, bands and threads.
#pragma once

#include <cstdint>
#include <cstring>

#define ALWAYS_INLINE __attribute__((always_inline)) inline
#define UNROLL _Pragma("GCC unroll 16")

namespace safmn {

constexpr int LANES = SAFMN_LANES;          // floats in a register: 16 (AVX-512), 8 (AVX2), 4 (SSE, NEON)
constexpr int REGISTERS = SAFMN_REGISTERS;  // of them: 32 (AVX-512, NEON), else 16

typedef float vec __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t ivec __attribute__((vector_size(LANES * sizeof(int32_t))));

// Floats up to whole registers.
constexpr int padded(int floats) { return (floats + LANES - 1) / LANES * LANES; }

// The same at any address. Vectors may alias their floats and nothing else: past a store of one the compiler keeps
// pointers and sizes in registers. Past a memcpy it would read them again.
typedef float unaligned_vec __attribute__((vector_size(LANES * sizeof(float)), aligned(alignof(float))));

ALWAYS_INLINE vec load(const float* p) { return *reinterpret_cast<const unaligned_vec*>(p); }
ALWAYS_INLINE void store(float* p, vec v) { *reinterpret_cast<unaligned_vec*>(p) = v; }

ALWAYS_INLINE vec all(float a) { return a - vec{}; }

// NaN stays NaN in each of these but `larger`, which gives b if one of the two is NaN.
ALWAYS_INLINE vec larger(vec a, vec b) { return a > b ? a : b; }
ALWAYS_INLINE vec at_most(vec a, float limit) { return a > limit ? all(limit) : a; }
ALWAYS_INLINE vec at_least(vec a, float limit) { return a < limit ? all(limit) : a; }
ALWAYS_INLINE vec magnitude(vec a) { return larger(a, -a); }

// The sum of the lanes, halves first.
ALWAYS_INLINE float sum(vec v) {
    float part[LANES];
    store(part, v);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) part[i] += part[i + half];
    return part[0];
}

}  // namespace safmn
