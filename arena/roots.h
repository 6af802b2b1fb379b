// arena/roots.h - shows LeakSanitizer where pointers lie: in the memory of each arena.
//
// LeakSanitizer looks for pointers in globals, stacks and malloc's blocks.  It searches memory that
// acre maps only if that is registered as a root region; otherwise it would report as leaked what
// only an arena points to.
//
// 1. The whole reservation is registered.  The sanitizer skips inaccessible pages and memory that
//    AddressSanitizer has poisoned (watch.h), so pointers left behind by a reset, a restore or the
//    cache do not count.  A program with LeakSanitizer alone poisons nothing, and there such
//    pointers do count.
// 2. At the end of the program, older versions of the sanitizer (gcc 12, LLVM 16) read the whole
//    table of memory areas once for each region: 2 s for 1000 arenas, 24 s for 3000.  So only
//    ROOTS_EXACT arenas have a region of their own.  Those beyond share one for each 4 TiB of
//    addresses, from the lowest to the highest of them.  A shared region also covers whatever else
//    is mapped in between: a leak that is pointed to from there is missed.  Nothing is reported
//    wrongly.
// 3. The references to the sanitizer are weak: an arena compiled without a sanitizer works in a
//    program that has one.
#ifndef ACRE_ARENA_ROOTS_H_
#define ACRE_ARENA_ROOTS_H_

#include "arena/core.h"

enum { ROOTS_EXACT = 128 };

// How a range is registered: core->root.
enum { ROOT_NONE, ROOT_EXACT, ROOT_SHARED };

#if defined(__ELF__) && defined(__GNUC__)
#define ACRE_ARENA_ROOTS_
__attribute__((weak)) void __lsan_register_root_region(const void *start, size_t size);
__attribute__((weak)) void __lsan_unregister_root_region(const void *start, size_t size);
#endif

uint8_t acre_roots_register(uintptr_t start, size_t size);
void acre_roots_unregister(uintptr_t start, size_t size, uint8_t root);

// From here on, the range may hold the only pointer to something.
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

// Unregisters the range.  `root` is what root_begin returned for the same range.
static inline void
root_end(uintptr_t start, size_t size, uint8_t root)
{
    if (root != ROOT_NONE)
        acre_roots_unregister(start, size, root);
}

#endif  // ACRE_ARENA_ROOTS_H_
