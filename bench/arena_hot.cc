// Hot small allocations: what one costs in an arena, with a bare cursor, and in jemalloc.
//
// A round allocates 400 blocks of 8 to 64 bytes, keeps the pointers, and takes all back at once
// (malloc: one by one).  After each block the compiler must assume that memory is read and written,
// as by the code of a real program: a cursor goes through memory, also the bare one.  All in one
// process; Debian's jemalloc takes the place of malloc for the whole program, which is checked.
#include <benchmark/benchmark.h>
#include <jemalloc/jemalloc.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "acre/arena.h"

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

// Sizes and alignments as a program has them: constants at each call.
#define FOR_EACH_SIZE(CALL) \
    CALL(0, 8, 8)           \
    CALL(1, 16, 16)         \
    CALL(2, 24, 8)          \
    CALL(3, 32, 16)         \
    CALL(4, 40, 8)          \
    CALL(5, 48, 16)         \
    CALL(6, 56, 8)          \
    CALL(7, 64, 16)

void
count_blocks(benchmark::State &state)
{
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(BLOCKS));
}

void
arena_natural(benchmark::State &state)
{
    acre_arena arena;
    if (acre_arena_create(nullptr, &arena) != ACRE_OK) {
        state.SkipWithError("no arena");
        return;
    }
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i += GROUP) {
#define CALL(index, size, alignment) \
    keep(i + (index), acre_arena_alloc_aligned(&arena, (size), (alignment)));
            FOR_EACH_SIZE(CALL)
#undef CALL
        }
        acre_arena_reset(&arena);
    }
    count_blocks(state);
    if (acre_arena_destroy(&arena) != ACRE_OK)
        state.SkipWithError("destroy");
}
BENCHMARK(arena_natural)->Name("hot_natural/acre");

// A cursor that is never checked: the least that can be done.
struct Bare {
    uintptr_t cursor;
};

inline void *
bump(Bare *bare, size_t size, size_t alignment)
{
    uintptr_t block = (bare->cursor + (alignment - 1)) & ~(uintptr_t{alignment} - 1);
    bare->cursor = block + size;
    return reinterpret_cast<void *>(block);
}

void
bare_natural(benchmark::State &state)
{
    std::vector<char> memory(64 * BLOCKS + 64);
    const uintptr_t base = reinterpret_cast<uintptr_t>(memory.data());
    Bare bare = {base};
    benchmark::DoNotOptimize(&bare);
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i += GROUP) {
#define CALL(index, size, alignment) keep(i + (index), bump(&bare, (size), (alignment)));
            FOR_EACH_SIZE(CALL)
#undef CALL
        }
        bare.cursor = base;
    }
    count_blocks(state);
}
BENCHMARK(bare_natural)->Name("hot_natural/bare");

// That malloc is jemalloc's is not taken for granted.
bool
malloc_is_jemalloc()
{
    uint64_t before = 0;
    uint64_t after = 0;
    size_t size = sizeof before;
    if (mallctl("thread.allocated", &before, &size, nullptr, 0) != 0)
        return false;
    void *block = std::malloc(100);
    benchmark::DoNotOptimize(block);
    bool counted = mallctl("thread.allocated", &after, &size, nullptr, 0) == 0 && after > before;
    std::free(block);
    return counted;
}

void
jemalloc_natural(benchmark::State &state)
{
    if (!malloc_is_jemalloc()) {
        state.SkipWithError("malloc is not jemalloc's");
        return;
    }
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i += GROUP) {
#define CALL(index, size, alignment) keep(i + (index), std::malloc(size));
            FOR_EACH_SIZE(CALL)
#undef CALL
        }
        for (void *block : kept)
            std::free(block);
    }
    count_blocks(state);
}
BENCHMARK(jemalloc_natural)->Name("hot_natural/jemalloc");

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

void
arena_any(benchmark::State &state)
{
    std::vector<size_t> sizes = some_sizes();
    acre_arena arena;
    if (acre_arena_create(nullptr, &arena) != ACRE_OK) {
        state.SkipWithError("no arena");
        return;
    }
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i++)
            keep(i, acre_arena_alloc(&arena, sizes[i]));
        acre_arena_reset(&arena);
    }
    count_blocks(state);
    if (acre_arena_destroy(&arena) != ACRE_OK)
        state.SkipWithError("destroy");
}
BENCHMARK(arena_any)->Name("hot_any/acre");

void
bare_any(benchmark::State &state)
{
    std::vector<size_t> sizes = some_sizes();
    std::vector<char> memory(80 * BLOCKS + 64);
    const uintptr_t base = reinterpret_cast<uintptr_t>(memory.data());
    Bare bare = {base};
    benchmark::DoNotOptimize(&bare);
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i++)
            keep(i, bump(&bare, sizes[i], 16));
        bare.cursor = base;
    }
    count_blocks(state);
}
BENCHMARK(bare_any)->Name("hot_any/bare");

void
jemalloc_any(benchmark::State &state)
{
    if (!malloc_is_jemalloc()) {
        state.SkipWithError("malloc is not jemalloc's");
        return;
    }
    std::vector<size_t> sizes = some_sizes();
    for (auto _ : state) {
        for (size_t i = 0; i < BLOCKS; i++)
            keep(i, std::malloc(sizes[i]));
        for (void *block : kept)
            std::free(block);
    }
    count_blocks(state);
}
BENCHMARK(jemalloc_any)->Name("hot_any/jemalloc");

}  // namespace
