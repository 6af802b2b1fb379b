// arena/watch.h - telling AddressSanitizer and Valgrind what of an arena may be used.
//
// 1. In a watched arena `limit` is the cursor, so that every request goes out of line, where the
//    checker is told of it.  Code that was compiled without the sanitizer keeps to that, too.
// 2. Behind each block lies a redzone that nobody may touch, up to the next multiple of 64: cursors
//    are such multiples, and what is aligned inline begins at the cursor.
// 3. What was taken back may not be touched either.  Memory that was never handed out is left
//    alone: to close a GiB takes the sanitizer 100 ms.
// 4. Valgrind does not know which of an arena's bytes are zero, so `dirty` goes up with the cursor,
//    and zeroed blocks are cleared where the program can be seen to do it.
// 5. Nothing above `dirty` was closed: so the child of a fork that finds the core gone knows what
//    to forget.
#ifndef ACRE_ARENA_WATCH_H_
#define ACRE_ARENA_WATCH_H_

#include "arena/core.h"

#if defined(ACRE_ARENA_CHECKED_)
void __asan_poison_memory_region(void const volatile *start, size_t size);
void __asan_unpoison_memory_region(void const volatile *start, size_t size);
#elif defined(__has_include)
#if __has_include("valgrind/memcheck.h")
#include <valgrind/memcheck.h>
#ifndef NVALGRIND  // as on processors that it does not know
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

// May be used from here on, and has no contents yet.
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

// Is no arena's any more, or belongs to the arena itself.
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

// Where the next block can begin behind one of `size` bytes at `start`.
static inline uintptr_t
watch_end(const acre_arena_core *core, uintptr_t start, size_t size)
{
    if (!core->watched || size == 0)
        return start + size;
    return round_up(start + size + WATCH_REDZONE, ACRE_ARENA_LINE);
}

#endif  // ACRE_ARENA_WATCH_H_
