// A request: 200 blocks of 16 bytes to 16 KiB, most of them small, then all of them go.
//
// `request` writes the first word of each block, `request_touched` every cache line, `request_of_2`
// is the first by two threads at once, each with an arena of its own.
#include "bench/peers.h"

#include <array>

namespace {

const size_t BLOCKS = 200;

// Most are small: of 100 blocks 85 have up to 128 bytes, 13 up to 1 KiB, 2 up to 16 KiB.
const std::array<size_t, BLOCKS> &
sizes()
{
    static const std::array<size_t, BLOCKS> made = [] {
        std::array<size_t, BLOCKS> result;
        uint32_t state = 7;
        auto below = [&state](size_t bound) {
            state = state * 1664525u + 1013904223u;
            return (state >> 8) % bound;
        };
        for (size_t &size : result) {
            size_t kind = below(100);
            size_t most = kind < 85 ? 128 : kind < 98 ? 1024 : 16384;
            size = 16 + below(most - 15);
        }
        return result;
    }();
    return made;
}

template <class Region, size_t step>
void
request(benchmark::State &state)
{
    if (!peers::is_there<Region>(state))
        return;
    const std::array<size_t, BLOCKS> &wanted = sizes();
    void *blocks[BLOCKS];
    Region region;
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i++) {
            char *block = static_cast<char *>(region.any(wanted[i]));
            benchmark::DoNotOptimize(block);
            blocks[i] = block;
            for (size_t at = 0; at < wanted[i]; at += step)
                block[at] = 1;
            benchmark::ClobberMemory();
        }
        region.take_back(blocks, BLOCKS);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(BLOCKS));
}

#define ASK(name, Region)                                            \
    BENCHMARK(request<Region, SIZE_MAX / 2>)->Name("request/" name); \
    BENCHMARK(request<Region, 64>)->Name("request_touched/" name);   \
    BENCHMARK(request<Region, SIZE_MAX / 2>)->Name("request_of_2/" name)->Threads(2)->UseRealTime();
BENCH_FOR_EACH_PEER(ASK)
#undef ASK

template <size_t step>
void
bumpalo(benchmark::State &state)
{
    auto *round =
        peers::bumpalo<void(void *, const size_t *, size_t, size_t)>(state, "acre_bumpalo_request");
    if (round == nullptr)
        return;
    peers::Bump bump(state);
    for (auto _ : state)
        round(bump, sizes().data(), BLOCKS, step);
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(BLOCKS));
}
BENCHMARK(bumpalo<SIZE_MAX / 2>)->Name("request/bumpalo");
BENCHMARK(bumpalo<64>)->Name("request_touched/bumpalo");
BENCHMARK(bumpalo<SIZE_MAX / 2>)->Name("request_of_2/bumpalo")->Threads(2)->UseRealTime();

}  // namespace
