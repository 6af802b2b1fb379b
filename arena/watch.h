// arena/watch.h - reports to AddressSanitizer and Valgrind which memory of an arena may be used.
//
// 1. In a watched arena `limit` is the cursor, so that every request goes out of line, where it is
//    reported to the checker.  This holds for callers compiled without the sanitizer, too.
// 2. Behind each block lies a redzone that must not be touched, up to the next multiple of 64:
//    cursors are such multiples, and inline requests with an alignment begin at the cursor.
// 3. Memory that was taken back must not be touched either.  Memory that was never handed out is
//    not poisoned: poisoning a GiB takes the sanitizer 100 ms.
// 4. Valgrind does not know which of an arena's bytes are zero, so `dirty` rises with the cursor,
//    and zeroed blocks are cleared where Valgrind sees the program do it.
// 5. Nothing above `dirty` was ever poisoned: that is how the child of a fork that finds the core
//    gone knows which range to forget.
#ifndef ACRE_ARENA_WATCH_H_
#define ACRE_ARENA_WATCH_H_

#include "arena/core.h"

#if defined(ACRE_ARENA_CHECKED_)
void __asan_poison_memory_region(void const volatile *start, size_t size);
void __asan_unpoison_memory_region(void const volatile *start, size_t size);
int __asan_address_is_poisoned(void const volatile *address);
#elif defined(__has_include)
#if __has_include("valgrind/memcheck.h")
#include <valgrind/memcheck.h>
#ifndef NVALGRIND  // defined on processors that Valgrind does not support
#define ACRE_WATCH_BY_VALGRIND
#endif
#endif
#endif

enum { WATCH_REDZONE = 16 };

// Whether this process runs under a checker.
static inline int
watch_is_on(void)
{
#if defined(ACRE_ARENA_CHECKED_)
    return 1;
#elif defined(ACRE_WATCH_BY_VALGRIND)
    return RUNNING_ON_VALGRIND != 0;
#else
    return 0;
#endif
}

// The range may be used from here on; its contents are undefined.
static inline void
watch_open(uintptr_t start, size_t size)
{
#if defined(ACRE_ARENA_CHECKED_)
    __asan_unpoison_memory_region((const void *)start, size);
#elif defined(ACRE_WATCH_BY_VALGRIND)
    (void)VALGRIND_MAKE_MEM_UNDEFINED(start, size);
#else
    (void)start, (void)size;
#endif
}

static inline void
watch_close(uintptr_t start, size_t size)
{
#if defined(ACRE_ARENA_CHECKED_)
    __asan_poison_memory_region((const void *)start, size);
#elif defined(ACRE_WATCH_BY_VALGRIND)
    (void)VALGRIND_MAKE_MEM_NOACCESS(start, size);
#else
    (void)start, (void)size;
#endif
}

// The range no longer belongs to any arena, or the arena itself uses it.
static inline void
watch_forget(uintptr_t start, size_t size)
{
#if defined(ACRE_ARENA_CHECKED_)
    __asan_unpoison_memory_region((const void *)start, size);
#elif defined(ACRE_WATCH_BY_VALGRIND)
    (void)VALGRIND_MAKE_MEM_DEFINED(start, size);
#else
    (void)start, (void)size;
#endif
}

// The range was mapped or committed anew.  In the child of a fork, an arena of the parent's that
// the child did not get may have left marks of AddressSanitizer there.
static inline void
watch_renew(uintptr_t start, size_t size)
{
#if defined(ACRE_ARENA_CHECKED_)
    __asan_unpoison_memory_region((const void *)start, size);
#else
    (void)start, (void)size;
#endif
}

// Marks a position between blocks.  What lies before it is a redzone, or a gap that nobody may use.
static inline void
watch_boundary(const acre_arena_core *core, uintptr_t position)
{
    if (core->watched && position != core->base)
        watch_close(position - 8, 8);
}

// Whether a position that was marked lies inside a block: then the mark was saved before that
// block's memory was taken back and handed out again.
static inline int
watch_is_inside(const acre_arena_core *core, uintptr_t position)
{
    if (!core->watched || position == core->base)
        return 0;
#if defined(ACRE_ARENA_CHECKED_)
    return !__asan_address_is_poisoned((const void *)(position - 1));
#elif defined(ACRE_WATCH_BY_VALGRIND)
    unsigned char bits;
    return VALGRIND_GET_VBITS(position - 1, &bits, 1) != 3;  // 3: not addressable
#else
    return 0;
#endif
}

// Where the next block can begin after one of `size` bytes at `start`.
static inline uintptr_t
watch_end(const acre_arena_core *core, uintptr_t start, size_t size)
{
    if (!core->watched || size == 0)
        return start + size;
    return round_up(start + size + WATCH_REDZONE, ACRE_ARENA_LINE);
}

#endif  // ACRE_ARENA_WATCH_H_
