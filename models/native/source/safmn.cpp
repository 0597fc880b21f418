// SAFMN on a CPU as one function; form.py is its only caller.
//
// Features are channels-last. A block is three steps, each shared out among the threads: pool the coarse levels, filter
// and join them at their own size, run down the strips of the image (strip.h). Head and tail are steps of their own. No
// step's result depends on how many threads share it.

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <vector>

#include "ends.h"
#include "strip.h"

namespace safmn {
namespace {

int thread_number() {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

int ceil_div(int a, int b) { return (a + b - 1) / b; }

// Where the `part`th of `parts` even shares of `whole` begins.
int share(int whole, int part, int parts) { return int(int64_t(whole) * part / parts); }

// How an image is cut for the threads: strips, as even as tiles allow, and bands of rows of tiles, four pieces a
// thread. A row of SAFM on either side of a cut is computed twice, so there are no more bands than that.
struct Cut {
    int tile_rows, tile_columns, strips, bands;

    Cut(int height, int width, int threads) {
        tile_rows = ceil_div(height, TILE);
        tile_columns = ceil_div(width, TILE);
        strips = ceil_div(tile_columns, TILES);
        bands = threads == 1 ? 1 : std::min(ceil_div(4 * threads, strips), ceil_div(tile_rows, 2));
    }

    int first_tile(int strip) const { return share(tile_columns, strip, strips); }
    int first_row(int band) const { return share(tile_rows, band, bands); }
};

struct Memory {
    Features shallow, even, odd;
    Pyramid pyramid;
    std::vector<Scratch> scratch;  // of each thread

    Memory(Arena& arena, const Network& network, const Level* levels, int height, int width, int threads)
        : shallow(arena, size_t(height) * width), even(arena, size_t(height) * width),
          odd(arena, size_t(height) * width), pyramid(arena, levels) {
        const int widest = std::max(HIDDEN_STRIDE, padded(3 * network.scale * network.scale));
        for (int i = 0; i < threads; ++i) scratch.emplace_back(arena, widest);
    }
};

// Called by every thread of a team, as are the loops in it.
void run_block(const Network& network, const Block& block, const Memory& memory, const Cut& cut, const Features& in,
               const Features& out, int height, int width, Scratch& scratch) {
    const Pyramid& pyramid = memory.pyramid;
    const int rows = network.has_safm ? pyramid.rows : 0;
    const int coarsest = network.has_safm ? pyramid.level[LEVELS - 1].height : 0;
#pragma omp for schedule(dynamic, 1)
    for (int band = 0; band < coarsest; ++band)  // the rows of all levels that look at the same rows of the image
        for (int l = 1; l < LEVELS; ++l) {
            const int pooled = pyramid.level[l].height, end = share(pooled, band + 1, coarsest);
            for (int i = share(pooled, band, coarsest); i < end; ++i)
                pool_row(pyramid, l, i, in, width, block, network.pooling);
        }
#pragma omp for schedule(dynamic, 4)
    for (int i = 0; i < rows; ++i) {
        int row = i;
        const int l = pyramid.find(row);
        join_row(pyramid, l, row, block, scratch.filtered);
    }
#pragma omp for schedule(dynamic, 1)
    for (int i = 0; i < cut.strips * cut.bands; ++i) {
        const int strip = i % cut.strips, band = i / cut.strips, first = cut.first_tile(strip);
        Strip(network, block, pyramid, height, width, TILE * first, cut.first_tile(strip + 1) - first, scratch)
            .run(in, out, cut.first_row(band), cut.first_row(band + 1));
    }
}

template <int SCALE>
void run_tail(const Network& network, const Memory& memory, const Cut& cut, const Features& deep, int height, int width,
              float* sr, Scratch& scratch) {
#pragma omp for schedule(dynamic, 1)
    for (int i = 0; i < cut.strips * cut.tile_rows; ++i) {
        const int strip = i % cut.strips, first = cut.first_tile(strip);
        tail_tiles<SCALE>(network, deep, memory.shallow, height, width, TILE * (i / cut.strips), TILE * first,
                          cut.first_tile(strip + 1) - first, sr, scratch);
    }
}

void run(const Network& network, const Memory& memory, const Cut& cut, const float* lr, float* sr, int height,
         int width, Scratch& scratch) {
#pragma omp for schedule(dynamic, 4)
    for (int y = 0; y < height; ++y) head_row(network, lr, height, width, y, memory.shallow, scratch.transformed);
    const Features* deep = &memory.shallow;
    for (int k = 0; k < network.blocks; ++k) {
        const Features* next = k % 2 ? &memory.odd : &memory.even;
        run_block(network, network.block[k], memory, cut, *deep, *next, height, width, scratch);
        deep = next;
    }
    if (network.scale == 2) run_tail<2>(network, memory, cut, *deep, height, width, sr, scratch);
    if (network.scale == 3) run_tail<3>(network, memory, cut, *deep, height, width, sr, scratch);
    if (network.scale == 4) run_tail<4>(network, memory, cut, *deep, height, width, sr, scratch);
}

}  // namespace
}  // namespace safmn

#pragma GCC visibility push(default)
extern "C" {

// Bytes of Block, Network and Level, for the caller to compare with its own.
int32_t safmn_block_bytes() { return sizeof(safmn::Block); }
int32_t safmn_network_bytes() { return sizeof(safmn::Network); }
int32_t safmn_level_bytes() { return sizeof(safmn::Level); }

// Floats of working memory for an image.
int64_t safmn_memory(const safmn::Network* network, const safmn::Level* levels, int32_t height, int32_t width,
                     int32_t threads) {
    safmn::Arena arena(nullptr);
    safmn::Memory(arena, *network, levels, height, width, threads);
    return int64_t(arena.floats());
}

// lr [images][3][height][width] to sr [images][3][scale height][scale width]; `memory`: as much as safmn_memory says.
void safmn_run(const safmn::Network* network, const safmn::Level* levels, const float* lr, float* sr, int32_t images,
               int32_t height, int32_t width, float* memory, int32_t threads) {
    safmn::Arena arena(memory);
    safmn::Memory parts(arena, *network, levels, height, width, threads);
    const safmn::Cut cut(height, width, threads);
    const size_t lr_floats = size_t(3) * height * width, sr_floats = lr_floats * network->scale * network->scale;
#pragma omp parallel num_threads(threads)
    for (int i = 0; i < images; ++i)
        safmn::run(*network, parts, cut, lr + i * lr_floats, sr + i * sr_floats, height, width,
                   parts.scratch[safmn::thread_number()]);
}
}
#pragma GCC visibility pop
