// 3x3 convolutions by Winograd's F(4x4, 3x3) (Lavin and Gray, arXiv:1509.09308) with the points 0, 1, -1, 2, -2 and
// infinity: a tile of 4x4 outputs costs 36 products per pair of channels instead of 144. F(6x6, 3x3) would save another
// fifth of them, but loses two digits of its 24 bits; F(2x2, 3x3) costs 1.8 times as many.
#pragma once

#include "layout.h"
#include "product.h"

namespace safmn {

constexpr int WINDOW = TILE + 2, POSITIONS = WINDOW * WINDOW;

// V = B^T d of one line.
ALWAYS_INLINE void transform_input_line(const vec (&d)[WINDOW], vec (&v)[WINDOW]) {
    const vec a = d[4] - 4 * d[2], b = d[3] - 4 * d[1];
    const vec c = d[4] - d[2], e = 2 * (d[3] - d[1]);
    v[0] = 4 * d[0] - 5 * d[2] + d[4];
    v[1] = a + b;
    v[2] = a - b;
    v[3] = c + e;
    v[4] = c - e;
    v[5] = 4 * d[1] - 5 * d[3] + d[5];
}

// y = A^T m of one line.
ALWAYS_INLINE void transform_output_line(const vec (&m)[WINDOW], vec (&y)[TILE]) {
    const vec a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
    y[0] = m[0] + a + c;
    y[1] = b + 2 * d;
    y[2] = a + 4 * c;
    y[3] = b + 8 * d + m[5];
}

// rows: six rows of pixels, from the one left of the first tile on. transformed: [POSITIONS][TILES][STRIDE].
inline void transform_input(const float* const (&rows)[WINDOW], int tiles, float* transformed) {
    for (int t = 0; t < tiles; ++t)
        for (int channel = 0; channel < STRIDE; channel += LANES) {
            vec half[WINDOW][WINDOW];
            UNROLL for (int j = 0; j < WINDOW; ++j) {
                vec column[WINDOW], line[WINDOW];
                UNROLL for (int i = 0; i < WINDOW; ++i) column[i] = load(rows[i] + (TILE * t + j) * STRIDE + channel);
                transform_input_line(column, line);
                UNROLL for (int i = 0; i < WINDOW; ++i) half[i][j] = line[i];
            }
            UNROLL for (int i = 0; i < WINDOW; ++i) {
                vec line[WINDOW];
                transform_input_line(half[i], line);
                UNROLL for (int j = 0; j < WINDOW; ++j)
                    store(transformed + ((i * WINDOW + j) * TILES + t) * STRIDE + channel, line[j]);
            }
        }
}

// products: [POSITIONS][TILES][COLUMNS]; weights: [POSITIONS][DIM][COLUMNS], transformed once in packing.py.
template <int COLUMNS>
void multiply(const float* transformed, int tiles, const float* weights, float* products) {
    constexpr Shape shape{.depth = DIM, .columns = COLUMNS, .a_stride = STRIDE, .c_stride = COLUMNS};
    for (int p = 0; p < POSITIONS; ++p)
        product<shape>(transformed + p * TILES * STRIDE, tiles, weights + p * DIM * COLUMNS,
                       products + p * TILES * COLUMNS);
}

// The 4x4 outputs of a tile in one register of channels; `products` points at these within the first position.
template <int COLUMNS>
ALWAYS_INLINE void transform_output(const float* products, vec (&y)[TILE][TILE]) {
    vec half[TILE][WINDOW];
    UNROLL for (int j = 0; j < WINDOW; ++j) {
        vec column[WINDOW], line[TILE];
        UNROLL for (int i = 0; i < WINDOW; ++i) column[i] = load(products + (i * WINDOW + j) * TILES * COLUMNS);
        transform_output_line(column, line);
        UNROLL for (int i = 0; i < TILE; ++i) half[i][j] = line[i];
    }
    UNROLL for (int i = 0; i < TILE; ++i) transform_output_line(half[i], y[i]);
}

}  // namespace safmn
