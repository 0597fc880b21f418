// What lies where: the geometry that is compiled in, the weights and options that are passed, the working memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "activation.h"
#include "vector.h"

namespace safmn {

constexpr int DIM = SAFMN_DIM;        // feature channels
constexpr int HIDDEN = SAFMN_HIDDEN;  // channels within the mixer
constexpr int LEVELS = SAFMN_LEVELS;  // scales of the pyramid
constexpr int GROUP = DIM / LEVELS;   // channels of a level
constexpr int TAPS = 9;               // of a 3x3 filter

// A pixel's channels lie beside each other, followed by zeros up to whole registers.
constexpr int STRIDE = padded(DIM), VECS = STRIDE / LANES;
constexpr int HIDDEN_STRIDE = padded(HIDDEN), HIDDEN_VECS = HIDDEN_STRIDE / LANES;
constexpr int GROUP_STRIDE = padded(GROUP), GROUP_VECS = GROUP_STRIDE / LANES;
constexpr int PATCH_STRIDE = padded(3 * TAPS);  // an RGB pixel with its eight neighbours

// Pixels are worked on in strips of TILES Winograd tiles side by side. A narrower strip reads the transformed filters
// (373 KB with AVX2) more often, a wider one no longer stays in a second-level cache of 512 KB. At 320x180 on a
// thread of a Zen 3, 8, 12, 16, 27 and 40 tiles took 1.06, 1.06, 1.02, 1.05 and 1.03 times as long as 20.
constexpr int TILE = 4;  // pixels
constexpr int TILES = 20;
constexpr int SPAN = TILE * TILES;

enum class Norm : int32_t { affine, layer, l2 };
enum class Pooling : int32_t { largest, mean };
enum class Mixer : int32_t { none, convolutional, pointwise };

// The three structures that the caller passes are mirrored, field by field, in packing.py and maps.py.

// Weights of a block; null where it has no such part. Rows are padded with zeros to the strides above, those of the
// norms by LANES more: a group's channels are read in whole registers from where they begin.
struct Block {
    const float *norm1_scale, *norm1_shift;   // [STRIDE + LANES]
    const float *filters, *filter_bias;       // [LEVELS][TAPS][GROUP_STRIDE], [LEVELS][GROUP_STRIDE]
    const float *aggregate, *aggregate_bias;  // [LEVELS][GROUP][STRIDE], [STRIDE]
    const float *norm2_scale, *norm2_shift;   // [STRIDE + LANES]
    const float *spread, *spread_bias;        // [POSITIONS or 1][DIM][HIDDEN_STRIDE], [HIDDEN_STRIDE]
    const float *merge, *merge_bias;          // [HIDDEN][STRIDE], [STRIDE]
};

struct Network {
    int32_t blocks, scale;
    Norm norm;
    float epsilon;  // of the norm
    Pooling pooling;
    Activation activation;
    Mixer mixer;
    int32_t modulates, has_safm;
    const float *head, *head_bias;  // [3 * TAPS][STRIDE], [STRIDE]
    const float *tail, *tail_bias;  // [POSITIONS][DIM][padded(3 scale^2)], [padded(3 scale^2)]
    const Block* block;
};

// A level of the pyramid at a size of the image: which pixels a pooled one covers, and where a pixel finds its own.
struct Level {
    int32_t height, width;
    const int32_t *row_begin, *row_end, *column_begin, *column_end;  // of `height` and `width` windows
    const int32_t *row_of, *column_of;                               // of every row and column of the image
};

// Hands out pieces of the working memory; given none, it only measures how much is needed.
class Arena {
  public:
    explicit Arena(float* memory) : memory_(memory) {}

    float* take(size_t floats) {
        float* piece = memory_ ? memory_ + used_ : nullptr;
        used_ += (floats + 15) / 16 * 16 + 16;  // whole cache lines; a group's last register may reach into one more
        return piece;
    }

    size_t floats() const { return used_; }

  private:
    float* memory_;
    size_t used_ = 0;
};

// Features of the image, and of each pixel what its norm needs: normalised = (x - mean) * factor * scale + shift.
struct Features {
    float *pixels, *mean, *factor;  // [height][width][STRIDE], [height][width], [height][width]

    Features(Arena& arena, size_t area)
        : pixels(arena.take(area * STRIDE)), mean(arena.take(area)), factor(arena.take(area)) {}
};

}  // namespace safmn
