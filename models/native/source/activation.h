// The activations of the network.
#pragma once

#include "vector.h"

namespace safmn {

enum class Activation : int32_t { none, gelu, sigmoid };

// Activations work on N registers at once: a step of one polynomial waits for the step before, N of them fill the gap.
constexpr int AT_ONCE = 4;

// y = c[0] + c[1] x + c[2] x^2 + ...
template <int DEGREE_AND_1, int N>
ALWAYS_INLINE void polynomial(const float (&c)[DEGREE_AND_1], const vec (&x)[N], vec (&y)[N]) {
    UNROLL for (int n = 0; n < N; ++n) y[n] = all(c[DEGREE_AND_1 - 1]);
    UNROLL for (int i = DEGREE_AND_1 - 2; i >= 0; --i)
        UNROLL for (int n = 0; n < N; ++n) y[n] = y[n] * x[n] + c[i];
}

// max(x, 0) - |x| Phi(-|x|), Phi being the normal distribution's: the second term is at most 0.17 and has vanished at
// 5.1, so a polynomial does for it, and no division is needed. Ours is the minimax one of degree 13 around the middle
// of [0, 5.1], weighted by |x|; with rounding it is off by at most 8e-7 (6e-7 of results above 1).
template <int N>
ALWAYS_INLINE void gelu(vec (&x)[N]) {
    constexpr float END = 5.1f;
    constexpr float TAIL[] = {5.3863158e-3f,  -1.5448744e-2f, 1.9694587e-2f,  -1.4170991e-2f, 5.759754e-3f,
                              -8.043959e-4f,  -4.356273e-4f,  2.5040255e-4f,  -2.7973565e-5f, -1.5523254e-5f,
                              5.033359e-6f,   7.028175e-8f,   -2.0812658e-7f, 2.2009367e-8f};
    vec size[N], centred[N], tail[N];
    UNROLL for (int n = 0; n < N; ++n) size[n] = at_most(magnitude(x[n]), END);
    UNROLL for (int n = 0; n < N; ++n) centred[n] = size[n] - END / 2;
    polynomial(TAIL, centred, tail);
    UNROLL for (int n = 0; n < N; ++n) x[n] = at_least(x[n], 0.0f) - size[n] * tail[n];
}

// 1 / (1 + e^-x), e^-x as 2^k e^r with k whole and |r| <= log(2) / 2; e^r by its series.
template <int N>
ALWAYS_INLINE void sigmoid(vec (&x)[N]) {
    constexpr float SERIES[] = {1.0f, 1.0f, 1.0f / 2, 1.0f / 6, 1.0f / 24, 1.0f / 120, 1.0f / 720};
    constexpr float ROUNDER = 12582912.0f;  // 1.5 * 2^23: what is added to it loses its fraction
    vec power[N], rest[N], e[N];
    UNROLL for (int n = 0; n < N; ++n) {
        const vec minus = at_least(at_most(-x[n], 87.0f), -87.0f);
        power[n] = (minus * 1.44269504f + ROUNDER) - ROUNDER;
        rest[n] = (minus - power[n] * 0.693359375f) - power[n] * -2.12194440e-4f;  // log(2) in two parts
    }
    polynomial(SERIES, rest, e);
    UNROLL for (int n = 0; n < N; ++n) {
        const ivec exponent = (__builtin_convertvector(power[n], ivec) + 127) << 23;
        vec scale;
        std::memcpy(&scale, &exponent, sizeof scale);
        x[n] = 1.0f / (1.0f + e[n] * scale);
    }
}

template <int N>
ALWAYS_INLINE void activate(vec (&x)[N], Activation kind) {
    if (kind == Activation::gelu) gelu(x);
    if (kind == Activation::sigmoid) sigmoid(x);
}

}  // namespace safmn
