// A short life: a region is made, hands out 64 blocks of 64 bytes, and is gone.  Malloc: 64 pairs.
#include "bench/peers.h"

namespace {

const size_t BLOCKS = 64;

template <class Region>
void
life(benchmark::State &state)
{
    if (!peers::is_there<Region>(state))
        return;
    void *blocks[BLOCKS];
    for (auto _ : state) {
        Region region;
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = region.template constant<64, 16>();
            benchmark::ClobberMemory();
        }
        benchmark::DoNotOptimize(blocks);
        // What ends all at once does so in the destructor.
        if (peers::is_family<Region>)
            region.take_back(blocks, BLOCKS);
    }
    state.SetItemsProcessed(state.iterations());
}

#define ASK(name, Region) BENCHMARK(life<Region>)->Name("life/" name);
BENCH_FOR_EACH_PEER(ASK)
#undef ASK

// Only what surrounds the allocations.
void
nothing(benchmark::State &state)
{
    for (auto _ : state)
        peers::Acre region;
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(nothing)->Name("life_of_none/acre");

void
bumpalo(benchmark::State &state)
{
    auto *round = peers::bumpalo<void(size_t)>(state, "acre_bumpalo_life");
    if (round == nullptr)
        return;
    for (auto _ : state)
        round(BLOCKS);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bumpalo)->Name("life/bumpalo");

}  // namespace
