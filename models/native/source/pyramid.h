// Levels 1 and up of SAFM (Eq. 1): pooled, filtered, and joined by their part of the 1x1 convolution at their own size.
// The 1x1 commutes with nearest-neighbour upsampling, so the full size only adds up what it looks up here.
#pragma once

#include <limits>

#include "norm.h"
#include "product.h"

namespace safmn {

struct Pyramid {
    const Level* level;
    float* pooled[LEVELS];  // [height + 2][width + 2][GROUP_STRIDE], zero around
    float* joined[LEVELS];  // [height][width][STRIDE]
    int rows = 0;           // of all levels but the first

    Pyramid(Arena& arena, const Level* levels) : level(levels) {
        for (int l = 1; l < LEVELS; ++l) {
            pooled[l] = arena.take(size_t(level[l].height + 2) * (level[l].width + 2) * GROUP_STRIDE);
            joined[l] = arena.take(size_t(level[l].height) * level[l].width * STRIDE);
            rows += level[l].height;
        }
    }

    // The level of the `row`th of all rows, and its row there.
    int find(int& row) const {
        int l = 1;
        for (; row >= level[l].height; ++l) row -= level[l].height;
        return l;
    }
};

// Row `i` of the pooled level `l`, with the zeros around it.
inline void pool_row(const Pyramid& pyramid, int l, int i, const Features& x, int width, const Block& block,
                     Pooling pooling) {
    const Level& level = pyramid.level[l];
    const int line = (level.width + 2) * GROUP_STRIDE;
    float* out = pyramid.pooled[l] + (i + 1) * line;
    if (i == 0) std::memset(out - line, 0, line * sizeof(float));
    if (i == level.height - 1) std::memset(out + line, 0, line * sizeof(float));
    std::memset(out, 0, GROUP_STRIDE * sizeof(float));
    std::memset(out + line - GROUP_STRIDE, 0, GROUP_STRIDE * sizeof(float));
    const float *scale = block.norm1_scale + l * GROUP, *shift = block.norm1_shift + l * GROUP;
    for (int j = 0; j < level.width; ++j) {
        vec result[GROUP_VECS];
        UNROLL for (int v = 0; v < GROUP_VECS; ++v)
            result[v] = all(pooling == Pooling::mean ? 0.0f : -std::numeric_limits<float>::infinity());
        for (int y = level.row_begin[i]; y < level.row_end[i]; ++y)
            for (int c = level.column_begin[j]; c < level.column_end[j]; ++c) {
                const size_t at = size_t(y) * width + c;
                UNROLL for (int v = 0; v < GROUP_VECS; ++v) {
                    const vec centred = load(x.pixels + at * STRIDE + l * GROUP + v * LANES) - x.mean[at];
                    const vec value = centred * x.factor[at] * load(scale + v * LANES) + load(shift + v * LANES);
                    result[v] = pooling == Pooling::mean ? result[v] + value : larger(value, result[v]);
                }
            }
        const int covered = (level.row_end[i] - level.row_begin[i]) * (level.column_end[j] - level.column_begin[j]);
        UNROLL for (int v = 0; v < GROUP_VECS; ++v)
            store(out + (j + 1) * GROUP_STRIDE + v * LANES,
                  pooling == Pooling::mean ? result[v] / float(covered) : result[v]);
    }
}

// The 3x3 depthwise filter of a level on `count` pixels. above, middle, below: rows of pixels, `pixel` floats apart,
// each from the pixel left of the first on.
ALWAYS_INLINE void filter(const float* above, const float* middle, const float* below, int pixel, int count,
                          const float* weights, const float* bias, float* filtered) {
    for (int x = 0; x < count; ++x)
        UNROLL for (int v = 0; v < GROUP_VECS; ++v) {
            vec total = load(bias + v * LANES);
            UNROLL for (int tap = 0; tap < 3; ++tap) {
                const int at = (x + tap) * pixel + v * LANES;
                total += load(above + at) * load(weights + tap * GROUP_STRIDE + v * LANES);
                total += load(middle + at) * load(weights + (3 + tap) * GROUP_STRIDE + v * LANES);
                total += load(below + at) * load(weights + (6 + tap) * GROUP_STRIDE + v * LANES);
            }
            store(filtered + x * GROUP_STRIDE + v * LANES, total);
        }
}

constexpr Shape AGGREGATE{.depth = GROUP, .columns = STRIDE, .a_stride = GROUP_STRIDE, .c_stride = STRIDE};

// Row `i` of level `l`, filtered and joined; `filtered` has room for SPAN pixels.
inline void join_row(const Pyramid& pyramid, int l, int i, const Block& block, float* filtered) {
    const int width = pyramid.level[l].width, line = (width + 2) * GROUP_STRIDE;
    for (int begin = 0; begin < width; begin += SPAN) {
        const int count = width - begin < SPAN ? width - begin : SPAN;
        const float* above = pyramid.pooled[l] + i * line + begin * GROUP_STRIDE;
        filter(above, above + line, above + 2 * line, GROUP_STRIDE, count, block.filters + l * TAPS * GROUP_STRIDE,
               block.filter_bias + l * GROUP_STRIDE, filtered);
        product<AGGREGATE>(filtered, count, block.aggregate + l * GROUP * STRIDE,
                           pyramid.joined[l] + (size_t(i) * width + begin) * STRIDE);
    }
}

}  // namespace safmn
