// Loops of allocations whose size and alignment are constant; hot_path_test.sh counts the
// instructions between the marks.
#include "acre/arena.h"

// A directive that changes nothing, where the compiler's output shows it.
#define MARK(text, ...) __asm__ volatile(".globl " text ::__VA_ARGS__ : "memory")

// The loop's counter seems to change before the first mark and behind the last, so that nothing of
// it lies between them.
#define LOOP(name, size, alignment)                                             \
    void name(acre_arena *arena, unsigned count);                               \
    void name(acre_arena *arena, unsigned count)                                \
    {                                                                           \
        while (count-- != 0) {                                                  \
            __asm__ volatile("" : "+r"(count));                                 \
            MARK("begin_" #name, );                                             \
            void *block = acre_arena_alloc_aligned(arena, (size), (alignment)); \
            MARK("end_" #name, "r"(block));                                     \
            __asm__ volatile("" : "+r"(count));                                 \
        }                                                                       \
    }

LOOP(size_1_alignment_1, 1, 1)
LOOP(size_13_alignment_1, 13, 1)
LOOP(size_8_alignment_8, 8, 8)
LOOP(size_24_alignment_8, 24, 8)
LOOP(size_32_alignment_16, 32, 16)
LOOP(size_100_alignment_64, 100, 64)
LOOP(size_4096_alignment_16, 4096, 16)
