// tests/arena/arena_test.h - what the arena's tests have in common.
#ifndef ACRE_TESTS_ARENA_ARENA_TEST_H_
#define ACRE_TESTS_ARENA_ARENA_TEST_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#include "acre/arena.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

namespace acre_test {

const size_t KIB = 1024;
const size_t MIB = 1024 * KIB;
const size_t GIB = 1024 * MIB;

// Small enough for emulators, which take long over the default, and for eight of them in 2 GiB.
inline acre_arena_opts options()
{
    acre_arena_opts opts = {};
    opts.reserve = (sizeof(void *) > 4 ? 256 : 128) * MIB;
    return opts;
}

inline acre_arena_opts with_limit(size_t limit)
{
    acre_arena_opts opts = options();
    opts.limit = limit;
    return opts;
}

inline acre_arena_opts with_flags(uint32_t flags)
{
    acre_arena_opts opts = options();
    opts.flags = flags;
    return opts;
}

// Nothing of another arena.
inline acre_arena_opts fresh()
{
    return with_flags(ACRE_ARENA_NO_CACHE);
}

// An arena for the length of a scope.
struct Arena : acre_arena {
    explicit Arena(const acre_arena_opts &opts = options()) : acre_arena()
    {
        EXPECT_EQ(ACRE_OK, acre_arena_create(&opts, this));
    }
    ~Arena()
    {
        EXPECT_EQ(ACRE_OK, acre_arena_destroy(this));
    }
    Arena(const Arena &) = delete;
    Arena &operator=(const Arena &) = delete;
};

inline acre_arena_stats stats_of(const acre_arena *arena)
{
    acre_arena_stats stats;
    acre_arena_stats_read(arena, &stats);
    return stats;
}

inline acre_arena_totals totals()
{
    acre_arena_totals now;
    acre_arena_totals_read(&now);
    return now;
}

inline size_t used(const acre_arena *arena)
{
    return stats_of(arena).used;
}

// `size` bytes of alignment 1.
inline unsigned char *bytes(acre_arena *arena, size_t size)
{
    return static_cast<unsigned char *>(acre_arena_alloc_aligned(arena, size, 1));
}

inline uintptr_t address(const void *pointer)
{
    return reinterpret_cast<uintptr_t>(pointer);
}

inline bool all_are(const void *block, size_t size, unsigned char value)
{
    const unsigned char *byte = static_cast<const unsigned char *>(block);
    for (size_t i = 0; i < size; i++) {
        if (byte[i] != value)
            return false;
    }
    return true;
}

inline bool unchanged(const acre_arena &before, const acre_arena &now)
{
    return std::memcmp(&before, &now, sizeof now) == 0;
}

// A copy of the struct as it is, but for the status, which a refusal may change.
inline acre_arena but_status(const acre_arena &arena, acre_status status)
{
    acre_arena copy = arena;
    copy.status = status;
    return copy;
}

// The child's expectations count like the parent's.
inline void in_child_expect(const std::function<void()> &body)
{
    Ended ended = in_child([&] {
        body();
        return testing::Test::HasFailure() ? 1 : 0;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
}

// Whether blocks lie one after the other: under AddressSanitizer and Valgrind they lie apart.
inline bool packs()
{
    static const bool packed = [] {
        acre_arena arena = {};
        acre_arena_opts opts = fresh();
        if (acre_arena_create(&opts, &arena) != ACRE_OK)
            return false;
        bool one_byte = bytes(&arena, 1) != nullptr && arena.cursor - arena.base == 1;
        return acre_arena_destroy(&arena) == ACRE_OK && one_byte;
    }();
    return packed;
}

// Areas of this process; 0 under a sanitizer, whose own come and go.
inline size_t areas_now()
{
    return SANITIZED ? 0 : area_count();
}

}  // namespace acre_test

/// For what counts bytes, or looks at memory that was not handed out.
#define SKIP_WHERE_APART(cases)                    \
    [[maybe_unused]] const int skips_where_apart = \
        acre_test::skip_without(acre_test::packs, "a checker keeps blocks apart", cases)

#endif  // ACRE_TESTS_ARENA_ARENA_TEST_H_
