// arena/roots.h - telling LeakSanitizer where pointers lie: in the memory of each arena.
//
// LeakSanitizer looks for pointers in globals, stacks and malloc's blocks.  Memory that acre maps
// is searched only if it is registered as a root region; else what only an arena points to would be
// reported as leaked.
//
// 1. The whole reservation is registered.  What is inaccessible is passed over, and so is what
//    AddressSanitizer was told to close (watch.h): pointers that a reset, a restore or the cache
//    left behind count for nothing.  In a program of LeakSanitizer alone nothing is closed, and
//    what a reset left behind counts.
// 2. At the end of the program the sanitizer's older versions (gcc 12, LLVM 16) read the whole
//    table of areas once for each region: 2 s for 1000 arenas, 24 s for 3000.  So only ROOTS_EXACT
//    arenas have a region of their own.  Those beyond share one for each 4 TiB of addresses, from
//    the lowest to the highest of them.  It takes in what else is mapped between them: a leak that
//    is pointed to from there is not found.  Nothing is reported wrongly.
// 3. Looked for by a weak reference: an arena that was compiled without a sanitizer works in a
//    program that has one.
#ifndef ACRE_ARENA_ROOTS_H_
#define ACRE_ARENA_ROOTS_H_

#include "arena/core.h"

enum { ROOTS_EXACT = 128 };

// How a range is known: core->root.
enum { ROOT_NONE, ROOT_EXACT, ROOT_SHARED };

#if defined(__ELF__) && defined(__GNUC__)
#define ACRE_ARENA_ROOTS_
__attribute__((weak)) void __lsan_register_root_region(const void *start, size_t size);
__attribute__((weak)) void __lsan_unregister_root_region(const void *start, size_t size);
#endif

uint8_t acre_roots_register(uintptr_t start, size_t size);
void acre_roots_unregister(uintptr_t start, size_t size, uint8_t root);

// The range may hold the only pointer to something, from here on.
static inline uint8_t
root_begin(uintptr_t start, size_t size)
{
#ifdef ACRE_ARENA_ROOTS_
    if (__lsan_register_root_region != NULL && __lsan_unregister_root_region != NULL)
        return acre_roots_register(start, size);
#endif
    (void)start, (void)size;
    return ROOT_NONE;
}

// No longer.  `root` is what root_begin answered for the same range.
static inline void
root_end(uintptr_t start, size_t size, uint8_t root)
{
    if (root != ROOT_NONE)
        acre_roots_unregister(start, size, root);
}

#endif  // ACRE_ARENA_ROOTS_H_
