// The first and the last convolution.
#pragma once

#include <algorithm>

#include "norm.h"
#include "strip.h"

namespace safmn {

// Row y of the shallow features: lr [3][height][width] through a 3x3 convolution. patches: room for SPAN pixels.
inline void head_row(const Network& network, const float* lr, int height, int width, int y, const Features& out,
                     float* patches) {
    constexpr Shape HEAD{.depth = 3 * TAPS, .columns = STRIDE, .a_stride = PATCH_STRIDE, .c_stride = STRIDE};
    for (int begin = 0; begin < width; begin += SPAN) {
        const int count = std::min(SPAN, width - begin);
        for (int x = 0; x < count; ++x)
            for (int channel = 0; channel < 3; ++channel)
                for (int tap = 0; tap < TAPS; ++tap) {
                    const int row = y + tap / 3 - 1, column = begin + x + tap % 3 - 1;
                    const bool inside = row >= 0 && row < height && column >= 0 && column < width;
                    patches[x * PATCH_STRIDE + channel * TAPS + tap] =
                        inside ? lr[(size_t(channel) * height + row) * width + column] : 0.0f;
                }
        const size_t at = size_t(y) * width + begin;
        float* pixels = out.pixels + at * STRIDE;
        for (int x = 0; x < count; ++x)
            UNROLL for (int v = 0; v < VECS; ++v)
                store(pixels + x * STRIDE + v * LANES, load(network.head_bias + v * LANES));
        add_product<HEAD>(patches, count, network.head, pixels);
        statistics(pixels, count, network.norm, network.epsilon, out.mean + at, out.factor + at);
    }
}

// Tiles of one row of tiles: the sum of deep and shallow features through a 3x3 convolution and the pixel shuffle into
// sr [3][SCALE height][SCALE width].
template <int SCALE>
void tail_tiles(const Network& network, const Features& deep, const Features& shallow, int height, int width, int top,
                int left, int tiles, float* sr, Scratch& s) {
    constexpr int COLUMNS = padded(3 * SCALE * SCALE);
    const float* rows[WINDOW];
    for (int i = 0; i < WINDOW; ++i) {
        float* row = s.mixing.row(i);
        rows[i] = row;
        const int y = top + i - 1;
        for (int x = 0; x < TILE * tiles + 2; ++x) {
            const int column = left + x - 1;
            const bool inside = y >= 0 && y < height && column >= 0 && column < width;
            const size_t at = inside ? (size_t(y) * width + column) * STRIDE : 0;
            UNROLL for (int v = 0; v < VECS; ++v)
                store(row + x * STRIDE + v * LANES,
                      inside ? load(deep.pixels + at + v * LANES) + load(shallow.pixels + at + v * LANES) : vec{});
        }
    }
    transform_input(rows, tiles, s.transformed);
    multiply<COLUMNS>(s.transformed, tiles, network.tail, s.products);
    for (int t = 0; t < tiles; ++t) {
        float pixels[TILE][TILE][COLUMNS];
        for (int channel = 0; channel < COLUMNS; channel += LANES) {
            vec outputs[TILE][TILE];
            transform_output<COLUMNS>(s.products + t * COLUMNS + channel, outputs);
            const vec bias = load(network.tail_bias + channel);
            UNROLL for (int i = 0; i < TILE; ++i)
                UNROLL for (int j = 0; j < TILE; ++j) store(&pixels[i][j][channel], outputs[i][j] + bias);
        }
        const int columns = std::min(TILE, width - left - TILE * t);
        for (int i = 0; i < std::min(TILE, height - top); ++i)
            for (int line = 0; line < 3 * SCALE; ++line) {  // a row of the SR image within one of the LR, in one colour
                const size_t row = size_t(line / SCALE) * height * SCALE + (top + i) * SCALE + line % SCALE;
                float* out = sr + (row * width + left + TILE * t) * SCALE;
                for (int j = 0; j < columns; ++j)
                    std::memcpy(out + j * SCALE, &pixels[i][j][line * SCALE], SCALE * sizeof(float));
            }
    }
}

}  // namespace safmn
