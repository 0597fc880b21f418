// Every norm of the ablations as (x - mean) * factor * scale + shift, mean and factor being the pixel's.
#pragma once

#include <cmath>

#include "layout.h"

namespace safmn {

// Mean and factor of `count` pixels in a row. The affine norms (BatchNorm in evaluation, none) have 0 and 1.
inline void statistics(const float* pixels, int count, Norm norm, float epsilon, float* mean, float* factor) {
    vec real{};  // 1 for channels, 0 for the padding of the last register
    for (int lane = 0; lane < LANES; ++lane) real[lane] = (VECS - 1) * LANES + lane < DIM ? 1.0f : 0.0f;
    for (int i = 0; i < count; ++i) {
        if (norm == Norm::affine) {
            mean[i] = 0.0f, factor[i] = 1.0f;
            continue;
        }
        vec x[VECS], total{}, squares{};
        UNROLL for (int v = 0; v < VECS; ++v) x[v] = load(pixels + i * STRIDE + v * LANES);
        x[VECS - 1] *= real;
        if (norm == Norm::layer)
            UNROLL for (int v = 0; v < VECS; ++v) total += x[v];
        mean[i] = sum(total) / DIM;
        UNROLL for (int v = 0; v < VECS; ++v) x[v] -= mean[i];
        x[VECS - 1] *= real;
        UNROLL for (int v = 0; v < VECS; ++v) squares += x[v] * x[v];
        factor[i] = sum(squares);
    }
    if (norm == Norm::layer)
        for (int i = 0; i < count; ++i) factor[i] = 1.0f / std::sqrt(factor[i] / DIM + epsilon);
    if (norm == Norm::l2)
        for (int i = 0; i < count; ++i) {
            const float length = std::sqrt(factor[i]);
            factor[i] = 1.0f / (length < epsilon ? epsilon : length);
        }
}

inline void normalise(const float* pixels, int count, const float* mean, const float* factor, const float* scale,
                      const float* shift, float* normalised) {
    for (int i = 0; i < count; ++i)
        UNROLL for (int v = 0; v < VECS; ++v) {
            const vec centred = load(pixels + i * STRIDE + v * LANES) - mean[i];
            store(normalised + i * STRIDE + v * LANES,
                  centred * factor[i] * load(scale + v * LANES) + load(shift + v * LANES));
        }
}

}  // namespace safmn
