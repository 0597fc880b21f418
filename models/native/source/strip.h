// A block of the network on one strip of the image, from top to bottom, without its features leaving the cache between
// SAFM and mixer: rows enter at the bottom of three rings, and each step of four rows is mixed and stored.
#pragma once

#include <algorithm>

#include "pyramid.h"
#include "winograd.h"

namespace safmn {

// Rows of a strip and MARGIN pixels on either side; only the last ROWS of them are there.
template <int ROWS, int MARGIN>
class Ring {
  public:
    static constexpr int WIDTH = SPAN + 2 * MARGIN;

    explicit Ring(Arena& arena) : memory_(arena.take(size_t(ROWS) * WIDTH * STRIDE)) {}

    // Row y, from -ROWS up; begins MARGIN pixels left of the strip.
    float* row(int y) const { return memory_ + (y + ROWS) % ROWS * WIDTH * STRIDE; }

  private:
    float* memory_;
};

// What a thread works in.
struct Scratch {
    Ring<3, 2> normalised;    // what SAFM sees: three rows for its filter
    Ring<WINDOW, 1> refined;  // what SAFM gave, with its residual
    Ring<WINDOW, 1> mixing;   // the same after the second norm: what the mixer sees
    float *filtered, *attention, *mean, *factor;
    float *transformed, *products, *hidden, *merged;

    explicit Scratch(Arena& arena, int widest)
        : normalised(arena), refined(arena), mixing(arena),
          filtered(arena.take((SPAN + 2) * GROUP_STRIDE)), attention(arena.take((SPAN + 2) * STRIDE)),
          mean(arena.take(SPAN + 2)), factor(arena.take(SPAN + 2)),
          transformed(arena.take(POSITIONS * TILES * STRIDE)), products(arena.take(size_t(POSITIONS) * TILES * widest)),
          hidden(arena.take(TILE * TILE * HIDDEN_STRIDE)), merged(arena.take(TILE * TILE * STRIDE)) {}
};

class Strip {
  public:
    Strip(const Network& network, const Block& block, const Pyramid& pyramid, int height, int width, int left,
          int tiles, Scratch& scratch)
        : network_(network), block_(block), pyramid_(pyramid), height_(height), width_(width), left_(left),
          tiles_(tiles), s_(scratch) {}

    // The rows of tiles from `begin` to `end`.
    void run(const Features& in, const Features& out, int begin, int end) {
        int normalised = TILE * begin - 2, refined = TILE * begin - 1;  // the next row of each ring
        for (int tile_row = begin; tile_row < end; ++tile_row) {
            for (; refined <= TILE * tile_row + TILE; ++refined) {
                if (network_.has_safm)
                    for (; normalised <= refined + 1; ++normalised) normalise_row(in, normalised);
                refine_row(in, refined);
            }
            if (network_.mixer == Mixer::convolutional)
                mix_tiles(out, TILE * tile_row);
            else
                for (int y = TILE * tile_row; y < std::min(TILE * tile_row + TILE, height_); ++y) mix_row(out, y);
        }
    }

  private:
    // Columns of the image that a ring holds: from `begin`, `count` of them, `at` pixels into the ring's row.
    struct Columns {
        int begin, count, at;
    };

    Columns columns(int margin) const {
        const int from = left_ - margin, begin = std::max(from, 0);
        return {begin, std::min(left_ + TILE * tiles_ + margin, width_) - begin, begin - from};
    }

    // Zeros in a row of a ring where it lies outside of the image, as the convolutions pad. Returns the place of the
    // first pixel inside.
    template <class R>
    float* padded_row(const R& ring, int y, const Columns& inside) const {
        float* row = ring.row(y);
        const bool outside = y < 0 || y >= height_;
        if (outside || inside.at > 0 || inside.count < R::WIDTH) std::fill(row, row + R::WIDTH * STRIDE, 0.0f);
        return row + inside.at * STRIDE;
    }

    void normalise_row(const Features& in, int y) {
        const Columns inside = columns(2);
        float* row = padded_row(s_.normalised, y, inside);
        if (y < 0 || y >= height_) return;
        const size_t at = size_t(y) * width_ + inside.begin;
        normalise(in.pixels + at * STRIDE, inside.count, in.mean + at, in.factor + at, block_.norm1_scale,
                  block_.norm1_shift, row);
    }

    // Row y after SAFM and, where a mixer follows, after the second norm.
    void refine_row(const Features& in, int y) {
        const Columns inside = columns(1);
        float* mixing = padded_row(s_.mixing, y, inside);
        if (y < 0 || y >= height_) return;
        float* refined = s_.refined.row(y) + inside.at * STRIDE;
        const float* pixels = in.pixels + (size_t(y) * width_ + inside.begin) * STRIDE;
        if (network_.has_safm)
            modulate(pixels, y, inside, refined);
        else
            std::copy(pixels, pixels + inside.count * STRIDE, refined);
        if (network_.mixer == Mixer::none) return;
        statistics(refined, inside.count, network_.norm, network_.epsilon, s_.mean, s_.factor);
        normalise(refined, inside.count, s_.mean, s_.factor, block_.norm2_scale, block_.norm2_shift, mixing);
    }

    // Eq. 2 and 3 and the residual on row y: x + act(aggregated) * normalised.
    void modulate(const float* pixels, int y, const Columns& inside, float* refined) {
        const float* normalised = s_.normalised.row(y) + (inside.at + 1) * STRIDE;
        const float* joined[LEVELS];
        for (int l = 1; l < LEVELS; ++l)
            joined[l] = pyramid_.joined[l] + size_t(pyramid_.level[l].row_of[y]) * pyramid_.level[l].width * STRIDE;
        for (int x = 0; x < inside.count; ++x)
            UNROLL for (int v = 0; v < VECS; ++v) {
                vec total = load(block_.aggregate_bias + v * LANES);
                UNROLL for (int l = 1; l < LEVELS; ++l)
                    total += load(joined[l] + pyramid_.level[l].column_of[inside.begin + x] * STRIDE + v * LANES);
                store(s_.attention + x * STRIDE + v * LANES, total);
            }
        filter(s_.normalised.row(y - 1) + inside.at * STRIDE, normalised - STRIDE,
               s_.normalised.row(y + 1) + inside.at * STRIDE, STRIDE, inside.count, block_.filters, block_.filter_bias,
               s_.filtered);
        add_product<AGGREGATE>(s_.filtered, inside.count, block_.aggregate, s_.attention);
        for (int x = 0; x < inside.count * STRIDE; x += STRIDE) {
            vec attention[VECS];
            UNROLL for (int v = 0; v < VECS; ++v) attention[v] = load(s_.attention + x + v * LANES);
            activate(attention, network_.activation);
            if (network_.modulates)
                UNROLL for (int v = 0; v < VECS; ++v) attention[v] *= load(normalised + x + v * LANES);
            UNROLL for (int v = 0; v < VECS; ++v)
                store(refined + x + v * LANES, attention[v] + load(pixels + x + v * LANES));
        }
    }

    static constexpr Shape MERGE{.depth = HIDDEN, .columns = STRIDE, .a_stride = HIDDEN_STRIDE, .c_stride = STRIDE};

    // The four rows from y on: 3x3 to the hidden channels, GELU, 1x1 back, residual.
    void mix_tiles(const Features& out, int y) {
        const float* rows[WINDOW];
        for (int i = 0; i < WINDOW; ++i) rows[i] = s_.mixing.row(y + i - 1);
        transform_input(rows, tiles_, s_.transformed);
        multiply<HIDDEN_STRIDE>(s_.transformed, tiles_, block_.spread, s_.products);
        for (int t = 0; t < tiles_; ++t) {
            for (int channel = 0; channel < HIDDEN_STRIDE; channel += LANES) {
                vec outputs[TILE][TILE];
                transform_output<HIDDEN_STRIDE>(s_.products + t * HIDDEN_STRIDE + channel, outputs);
                const vec bias = load(block_.spread_bias + channel);
                UNROLL for (int i = 0; i < TILE; ++i) {
                    UNROLL for (int j = 0; j < TILE; ++j) outputs[i][j] += bias;
                    gelu(outputs[i]);
                    UNROLL for (int j = 0; j < TILE; ++j)
                        store(s_.hidden + (TILE * i + j) * HIDDEN_STRIDE + channel, outputs[i][j]);
                }
            }
            product<MERGE>(s_.hidden, TILE * TILE, block_.merge, s_.merged);
            for (int i = 0; i < std::min(TILE, height_ - y); ++i)
                add_merged(out, y + i, TILE * t, std::min(TILE, width_ - left_ - TILE * t), i * TILE);
        }
        for (int i = 0; i < std::min(TILE, height_ - y); ++i) finish_row(out, y + i);
    }

    // `count` pixels of row y from column x of the strip: out = refined + merged + bias.
    ALWAYS_INLINE void add_merged(const Features& out, int y, int x, int count, int from) {
        const float* refined = s_.refined.row(y) + (x + 1) * STRIDE;
        float* pixels = out.pixels + (size_t(y) * width_ + left_ + x) * STRIDE;
        for (int j = 0; j < count; ++j)
            UNROLL for (int v = 0; v < VECS; ++v)
                store(pixels + j * STRIDE + v * LANES,
                      load(refined + j * STRIDE + v * LANES) + load(s_.merged + (from + j) * STRIDE + v * LANES) +
                          load(block_.merge_bias + v * LANES));
    }

    // Row y without a mixer, or with one that sees single pixels.
    void mix_row(const Features& out, int y) {
        constexpr Shape SPREAD{.depth = DIM, .columns = HIDDEN_STRIDE, .a_stride = STRIDE, .c_stride = HIDDEN_STRIDE};
        const int width = columns(0).count;
        if (network_.mixer == Mixer::none) {
            const float* refined = s_.refined.row(y) + STRIDE;
            std::copy(refined, refined + width * STRIDE, out.pixels + (size_t(y) * width_ + left_) * STRIDE);
        } else
            for (int x = 0; x < width; x += TILE * TILE) {
                const int count = std::min(TILE * TILE, width - x);
                product<SPREAD>(s_.mixing.row(y) + (x + 1) * STRIDE, count, block_.spread, s_.hidden);
                for (int j = 0; j < count; ++j) {
                    vec hidden[HIDDEN_VECS];
                    float* pixel = s_.hidden + j * HIDDEN_STRIDE;
                    UNROLL for (int v = 0; v < HIDDEN_VECS; ++v)
                        hidden[v] = load(pixel + v * LANES) + load(block_.spread_bias + v * LANES);
                    gelu(hidden);
                    UNROLL for (int v = 0; v < HIDDEN_VECS; ++v) store(pixel + v * LANES, hidden[v]);
                }
                product<MERGE>(s_.hidden, count, block_.merge, s_.merged);
                add_merged(out, y, x, count, 0);
            }
        finish_row(out, y);
    }

    // What the next norm needs of row y.
    void finish_row(const Features& out, int y) {
        const size_t at = size_t(y) * width_ + left_;
        statistics(out.pixels + at * STRIDE, columns(0).count, network_.norm, network_.epsilon, out.mean + at,
                   out.factor + at);
    }

    const Network& network_;
    const Block& block_;
    const Pyramid& pyramid_;
    const int height_, width_, left_, tiles_;
    Scratch& s_;
};

}  // namespace safmn
