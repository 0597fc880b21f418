// The matrix product that every convolution ends in, on pieces that lie in the nearest caches.
#pragma once

#include "vector.h"

namespace safmn {

// c[rows][columns] (+)= a[rows][depth] b[depth][columns]; everything but `rows` is known to the compiler.
struct Shape {
    int depth, columns;      // `columns` is a multiple of LANES
    int a_stride, c_stride;  // floats from row to row; b's rows follow each other
};

// ROWS x COLUMNS registers of sums stay in place over the whole depth: a step loads COLUMNS registers of b, broadcasts
// ROWS factors of a, and does ROWS * COLUMNS multiply-adds. A sum runs over the depth in order whatever the block is,
// so its bits do not depend on where the row stands.
template <Shape S, int ROWS, int COLUMNS, bool ADD>
ALWAYS_INLINE void product_block(const float* a, const float* b, float* c) {
    vec sums[ROWS][COLUMNS];
    UNROLL for (int r = 0; r < ROWS; ++r)
        UNROLL for (int v = 0; v < COLUMNS; ++v) sums[r][v] = ADD ? load(c + r * S.c_stride + v * LANES) : vec{};
    for (int k = 0; k < S.depth; ++k) {
        vec row[COLUMNS];
        UNROLL for (int v = 0; v < COLUMNS; ++v) row[v] = load(b + k * S.columns + v * LANES);
        UNROLL for (int r = 0; r < ROWS; ++r) {
            const float factor = a[r * S.a_stride + k];
            UNROLL for (int v = 0; v < COLUMNS; ++v) sums[r][v] += factor * row[v];
        }
    }
    UNROLL for (int r = 0; r < ROWS; ++r)
        UNROLL for (int v = 0; v < COLUMNS; ++v) store(c + r * S.c_stride + v * LANES, sums[r][v]);
}

template <Shape S, int ROWS, int COLUMNS, bool ADD>
ALWAYS_INLINE void product_rows(const float* a, int rows, const float* b, float* c) {
    for (; rows >= ROWS; rows -= ROWS, a += ROWS * S.a_stride, c += ROWS * S.c_stride)
        product_block<S, ROWS, COLUMNS, ADD>(a, b, c);
    if constexpr (ROWS > 1)
        if (rows > 0) product_rows<S, (ROWS > 4 ? 4 : ROWS / 2), COLUMNS, ADD>(a, rows, b, c);
}

// Registers of columns at once. Sums, a row of b and one factor must fit: 4 x 3 of 16 registers, 5 x 5 of 32.
constexpr int WIDEST = REGISTERS == 32 ? 5 : 3;

template <Shape S, int COLUMN, bool ADD>
ALWAYS_INLINE void product_from(const float* a, int rows, const float* b, float* c) {
    if constexpr (COLUMN < S.columns) {
        constexpr int left = (S.columns - COLUMN) / LANES, width = left < WIDEST ? left : WIDEST;
        constexpr int fitting = (REGISTERS - 1 - width) / width, height = fitting < 8 ? fitting : 8;
        product_rows<S, height, width, ADD>(a, rows, b + COLUMN, c + COLUMN);
        product_from<S, COLUMN + width * LANES, ADD>(a, rows, b, c);
    }
}

template <Shape S>
void product(const float* a, int rows, const float* b, float* c) {
    product_from<S, 0, false>(a, rows, b, c);
}

template <Shape S>
void add_product(const float* a, int rows, const float* b, float* c) {
    product_from<S, 0, true>(a, rows, b, c);
}

}  // namespace safmn
