// Hot small allocations: what one costs in an arena, with a bare cursor, and elsewhere.
//
// A round allocates 400 blocks of 8 to 64 bytes, keeps the pointers, and takes all back at once
// (malloc: one by one).  After each block the compiler must assume that memory is read and written,
// as by the code of a real program: a cursor goes through memory, also the bare one.
#include "bench/peers.h"

#include <vector>

namespace {

const size_t BLOCKS = 400;
const size_t GROUP = 8;

void *kept[BLOCKS];

void
keep(size_t index, void *block)
{
    kept[index] = block;
    benchmark::ClobberMemory();
}

void
count_blocks(benchmark::State &state)
{
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(BLOCKS));
}

// Sizes and alignments as a program has them: constants at each call.
template <class Region>
void
natural(benchmark::State &state)
{
    if (!peers::is_there<Region>(state))
        return;
    Region region;
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i += GROUP) {
            keep(i + 0, region.template constant<8, 8>());
            keep(i + 1, region.template constant<16, 16>());
            keep(i + 2, region.template constant<24, 8>());
            keep(i + 3, region.template constant<32, 16>());
            keep(i + 4, region.template constant<40, 8>());
            keep(i + 5, region.template constant<48, 16>());
            keep(i + 6, region.template constant<56, 8>());
            keep(i + 7, region.template constant<64, 16>());
        }
        region.take_back(kept, BLOCKS);
    }
    count_blocks(state);
}

// Sizes that only the run knows, aligned to 16.
std::vector<size_t>
some_sizes()
{
    std::vector<size_t> sizes(BLOCKS);
    uint32_t state = 1;
    for (size_t &size : sizes) {
        state = state * 1664525u + 1013904223u;
        size = 8 + (state >> 16) % 57;
    }
    return sizes;
}

template <class Region>
void
any(benchmark::State &state)
{
    if (!peers::is_there<Region>(state))
        return;
    std::vector<size_t> sizes = some_sizes();
    Region region;
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i++)
            keep(i, region.any(sizes[i]));
        region.take_back(kept, BLOCKS);
    }
    count_blocks(state);
}

#define ASK(name, Region)                                  \
    BENCHMARK(natural<Region>)->Name("hot_natural/" name); \
    BENCHMARK(any<Region>)->Name("hot_any/" name);
BENCH_FOR_EACH_PEER(ASK)
#undef ASK

// The same rounds, written in Rust.
void
bumpalo(benchmark::State &state, const char *name)
{
    auto *round = peers::bumpalo<void(void **, const size_t *, size_t)>(state, name);
    if (round == nullptr)
        return;
    std::vector<size_t> sizes = some_sizes();
    for (auto _ : state)
        round(kept, sizes.data(), BLOCKS);
    count_blocks(state);
}
BENCHMARK_CAPTURE(bumpalo, natural, "acre_bumpalo_hot_natural")->Name("hot_natural/bumpalo");
BENCHMARK_CAPTURE(bumpalo, any, "acre_bumpalo_hot_any")->Name("hot_any/bumpalo");

}  // namespace
