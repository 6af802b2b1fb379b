// Limits bind to 64 bytes; what cannot be met is refused with its reason, the arena left as it was.
#include <csetjmp>
#include <initializer_list>

#include "tests/arena/arena_test.h"
#include "tests/support/posix.h"

using namespace acre_test;

SKIP_WHERE_APART(
    "Limit.is_exact_to_64_bytes Limit.one_block_may_take_it_all_and_not_a_byte_more "
    "Limit.counts_padding Limit.counts_the_padding_of_nothing "
    "Limit.without_one_the_reservation_is_handed_out "
    "Limit.a_refused_request_changes_nothing_but_the_status "
    "Limit.ensure_and_defer_are_bound_too "
    "LimitSet.binds_from_then_on LimitSet.below_what_is_used_changes_nothing "
    "LimitSet.of_the_callers_memory_and_of_none "
    "Exhaustion.the_handler_hears_of_every_refusal "
    "Exhaustion.the_handler_may_longjmp_and_the_arena_goes_on");

namespace {

// Bytes that an arena hands out one by one.
size_t count_bytes(acre_arena *arena)
{
    size_t count = 0;
    while (bytes(arena, 1) != nullptr)
        count++;
    return count;
}

struct Seen {
    int calls = 0;
    acre_arena *arena = nullptr;
    size_t size = 0;
    acre_status why = ACRE_OK;
    acre_status status = ACRE_OK;
    std::jmp_buf *away = nullptr;
};

void note(acre_arena *arena, size_t size, acre_status why, void *context)
{
    Seen *seen = static_cast<Seen *>(context);
    seen->calls++;
    seen->arena = arena;
    seen->size = size;
    seen->why = why;
    seen->status = arena->status;
    if (seen->away != nullptr)
        std::longjmp(*seen->away, 1);
}

acre_arena_opts noting(Seen *seen, size_t limit)
{
    acre_arena_opts opts = with_limit(limit);
    opts.exhausted = note;
    opts.context = seen;
    return opts;
}

void expect_seen(const Seen &seen, int calls, acre_arena *arena, size_t size, acre_status why)
{
    EXPECT_EQ(calls, seen.calls);
    EXPECT_EQ(arena, seen.arena);
    EXPECT_EQ(size, seen.size);
    EXPECT_EQ(why, seen.why);
    EXPECT_EQ(why, seen.status);
}

}  // namespace

TEST(Limit, is_exact_to_64_bytes)
{
    const size_t cases[][2] = {{64, 64},       {127, 64},        {128, 128},        {1000, 960},
                               {65536, 65536}, {65599, 65536},   {100000, 99968},   {63, 0},
                               {1, 0},         {262144, 262144}, {1048577, 1048576}};
    for (const size_t *c : cases) {
        Arena arena(with_limit(c[0]));
        EXPECT_EQ(c[1], count_bytes(&arena)) << c[0];
        EXPECT_EQ(ACRE_FULL, acre_arena_status(&arena));
        EXPECT_EQ(c[1], used(&arena));
    }
}

TEST(Limit, one_block_may_take_it_all_and_not_a_byte_more)
{
    Arena arena(with_limit(5 * MIB));
    EXPECT_EQ(nullptr, bytes(&arena, 5 * MIB + 1));
    EXPECT_EQ(0u, used(&arena));
    EXPECT_NE(nullptr, bytes(&arena, 5 * MIB));
    EXPECT_EQ(nullptr, bytes(&arena, 1));
    EXPECT_NE(nullptr, bytes(&arena, 0));
}

TEST(Limit, counts_padding)
{
    Arena arena(with_limit(128));
    ASSERT_NE(nullptr, bytes(&arena, 1));
    ASSERT_NE(nullptr, acre_arena_alloc_aligned(&arena, 1, 64));
    EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, 1, 64));
    EXPECT_EQ(63u, count_bytes(&arena));
}

TEST(Limit, counts_the_padding_of_nothing)
{
    Arena arena(with_limit(4096));
    ASSERT_NE(nullptr, bytes(&arena, 4096));
    EXPECT_NE(nullptr, acre_arena_alloc(&arena, 0));
    EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, 0, MIB));
    EXPECT_EQ(ACRE_FULL, acre_arena_status(&arena));
}

TEST(Limit, holds_again_after_reset_and_trim)
{
    Arena arena(with_limit(300000));
    size_t most = count_bytes(&arena);
    acre_arena_reset(&arena);
    EXPECT_EQ(most, count_bytes(&arena));
    acre_arena_reset(&arena);
    ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena, 0));
    EXPECT_EQ(most, count_bytes(&arena));
}

TEST(LimitSet, binds_from_then_on)
{
    Arena arena(with_limit(4096));
    ASSERT_NE(nullptr, bytes(&arena, 4096));
    EXPECT_EQ(nullptr, bytes(&arena, 1));
    ASSERT_EQ(ACRE_OK, acre_arena_limit_set(&arena, 8192 + 63));
    EXPECT_EQ(4096u, count_bytes(&arena));
    acre_arena_reset(&arena);
    ASSERT_EQ(ACRE_OK, acre_arena_limit_set(&arena, 1024));
    EXPECT_EQ(1024u, count_bytes(&arena));
    ASSERT_EQ(ACRE_OK, acre_arena_limit_set(&arena, 3 * MIB));
    EXPECT_EQ(3 * MIB - 1024, count_bytes(&arena));
    acre_arena_reset(&arena);
    ASSERT_EQ(ACRE_OK, acre_arena_limit_set(&arena, 0));
    EXPECT_NE(nullptr, bytes(&arena, stats_of(&arena).reserved - 64 * KIB));
}

TEST(LimitSet, below_what_is_used_changes_nothing)
{
    Arena arena(with_limit(8192));
    ASSERT_NE(nullptr, bytes(&arena, 4097));
    acre_arena before = arena;
    EXPECT_EQ(ACRE_FULL, acre_arena_limit_set(&arena, 4096 + 63));
    before.status = ACRE_FULL;
    EXPECT_TRUE(unchanged(before, arena));
    EXPECT_EQ(8192u - 4097, count_bytes(&arena));
    EXPECT_EQ(ACRE_OK, acre_arena_limit_set(&arena, 8192));
}

TEST(LimitSet, of_the_callers_memory_and_of_none)
{
    alignas(64) static char memory[8192];
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_over(memory, sizeof memory, &arena));
    size_t all = count_bytes(&arena);
    acre_arena_reset(&arena);
    ASSERT_EQ(ACRE_OK, acre_arena_limit_set(&arena, 640));
    EXPECT_EQ(640u, count_bytes(&arena));
    ASSERT_EQ(ACRE_OK, acre_arena_limit_set(&arena, 0));
    EXPECT_EQ(all - 640, count_bytes(&arena));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
    EXPECT_EQ(ACRE_EMPTY_HANDLE, acre_arena_limit_set(&arena, 640));
}

TEST(Limit, without_one_the_reservation_is_handed_out)
{
    acre_arena_opts opts = {};
    opts.reserve = MIB;
    Arena arena(opts);
    size_t count = count_bytes(&arena);
    EXPECT_EQ(MIB, stats_of(&arena).reserved);
    EXPECT_LE(count, MIB);
    EXPECT_GE(count, MIB - 34 * KIB);
    EXPECT_EQ(ACRE_FULL, acre_arena_status(&arena));
}

TEST(Limit, above_the_reservation_changes_nothing)
{
    acre_arena_opts opts = {};
    opts.reserve = MIB;
    opts.limit = SIZE_MAX;
    Arena arena(opts);
    EXPECT_LE(count_bytes(&arena), MIB);
}

TEST(Limit, a_refused_request_changes_nothing_but_the_status)
{
    Arena arena(with_limit(1000));
    ASSERT_NE(nullptr, bytes(&arena, 100));
    acre_arena before = arena;
    EXPECT_EQ(nullptr, bytes(&arena, 861));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_FULL), arena));
    EXPECT_EQ(nullptr, acre_arena_zalloc(&arena, 861, 1));
    EXPECT_EQ(nullptr, acre_arena_memdup(&arena, &before, 1000));
    EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, 1, 64 * MIB));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_FULL), arena));
    EXPECT_NE(nullptr, bytes(&arena, 860));
    EXPECT_EQ(ACRE_FULL, acre_arena_status(&arena));
}

TEST(Limit, sizes_that_overflow_are_refused_as_such)
{
    Arena arena;
    bytes(&arena, 100);
    acre_arena before = arena;
    volatile size_t huge = SIZE_MAX;  // unknown to the compiler, which warns of such sizes
    for (size_t less : std::initializer_list<size_t>{0, 1, 15, 16, 63, 64, 4095}) {
        for (size_t alignment : std::initializer_list<size_t>{1, 16, 64, 4096}) {
            EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, huge - less, alignment));
            EXPECT_TRUE(unchanged(but_status(before, ACRE_BAD_SIZE), arena));
        }
    }
    const size_t half = SIZE_MAX / 2 + 1;
    EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, huge, half));
    EXPECT_EQ(nullptr, acre_arena_calloc(&arena, half, 2, 8));
    EXPECT_EQ(nullptr, acre_arena_calloc(&arena, SIZE_MAX, SIZE_MAX, 8));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_BAD_SIZE), arena));
}

TEST(Limit, alignments_that_are_no_power_of_two_are_refused_as_such)
{
    Arena arena;
    acre_arena before = arena;
    for (size_t alignment :
         {size_t(0), size_t(3), size_t(48), size_t(65), size_t(4097), SIZE_MAX}) {
        EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, 8, alignment));
        EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, 0, alignment));
        EXPECT_EQ(nullptr, acre_arena_zalloc(&arena, 8, alignment));
        EXPECT_EQ(nullptr, acre_arena_calloc(&arena, 2, 8, alignment));
        EXPECT_TRUE(unchanged(but_status(before, ACRE_BAD_ALIGNMENT), arena));
    }
}

TEST(Limit, ensure_and_defer_are_bound_too)
{
    Arena arena(with_limit(1000));
    bytes(&arena, 900);
    acre_arena before = arena;
    EXPECT_EQ(ACRE_FULL, acre_arena_ensure(&arena, 61));
    EXPECT_EQ(ACRE_BAD_SIZE, acre_arena_ensure(&arena, SIZE_MAX));
    EXPECT_EQ(ACRE_OK, acre_arena_ensure(&arena, 60));
    bytes(&arena, 40);
    before = arena;
    EXPECT_EQ(ACRE_FULL, acre_arena_defer(
                             &arena, [](void *) {}, nullptr));
    EXPECT_TRUE(unchanged(but_status(before, ACRE_FULL), arena));
}

TEST(Exhaustion, the_handler_hears_of_every_refusal)
{
    Seen seen;
    Arena arena(noting(&seen, 1024));
    ASSERT_NE(nullptr, bytes(&arena, 1000));
    EXPECT_EQ(0, seen.calls);

    EXPECT_EQ(nullptr, bytes(&arena, 25));
    expect_seen(seen, 1, &arena, 25, ACRE_FULL);
    EXPECT_EQ(nullptr, acre_arena_zalloc(&arena, 26, 1));
    expect_seen(seen, 2, &arena, 26, ACRE_FULL);
    EXPECT_EQ(nullptr, acre_arena_calloc(&arena, SIZE_MAX / 2, 3, 1));
    expect_seen(seen, 3, &arena, SIZE_MAX, ACRE_BAD_SIZE);
    EXPECT_EQ(nullptr, acre_arena_alloc_slow(&arena, SIZE_MAX - 100, 1));
    expect_seen(seen, 4, &arena, SIZE_MAX, ACRE_BAD_SIZE);
    EXPECT_EQ(nullptr, acre_arena_alloc_aligned(&arena, 5, 3));
    expect_seen(seen, 5, &arena, 5, ACRE_BAD_ALIGNMENT);
    EXPECT_EQ(nullptr, acre_arena_strdup(&arena, "longer than what is left"));
    expect_seen(seen, 6, &arena, 25, ACRE_FULL);
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, nullptr, 0, 100));
    expect_seen(seen, 7, &arena, 100, ACRE_FULL);
    void *newest = bytes(&arena, 8);
    EXPECT_EQ(nullptr, acre_arena_resize(&arena, newest, 8, 50));
    expect_seen(seen, 8, &arena, 50, ACRE_FULL);
    EXPECT_NE(nullptr, bytes(&arena, 16));
    EXPECT_EQ(8, seen.calls);
}

TEST(Exhaustion, the_handler_may_longjmp_and_the_arena_goes_on)
{
    Seen seen;
    std::jmp_buf away;
    seen.away = &away;
    acre_arena_opts opts = noting(&seen, 1024);
    acre_arena arena;
    ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &arena));
    if (setjmp(away) == 0) {
        for (;;)
            bytes(&arena, 100);
    }
    EXPECT_EQ(1, seen.calls);
    EXPECT_EQ(1000u, used(&arena));
    EXPECT_NE(nullptr, bytes(&arena, 24));
    acre_arena_reset(&arena);
    EXPECT_NE(nullptr, bytes(&arena, 1024));
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&arena));
}

// Out of line: what is inlined into a function that calls setjmp may be clobbered, gcc warns.
[[gnu::noinline]] bool jumps(std::jmp_buf &away, const std::function<void()> &call)
{
    if (setjmp(away) != 0)
        return true;
    call();
    return false;
}

TEST(Exhaustion, the_handler_may_longjmp_out_of_any_call)
{
    Seen seen;
    std::jmp_buf away;
    seen.away = &away;
    Arena arena(noting(&seen, 1024));
    unsigned char *old = bytes(&arena, 100);
    unsigned char *newest = bytes(&arena, 100);
    std::memset(old, 7, 100);
    std::memset(newest, 8, 100);
    const acre_arena before = arena;
    const std::function<void()> calls[] = {
        [&] { acre_arena_resize(&arena, newest, 100, 2000); },
        [&] { acre_arena_resize(&arena, old, 100, 2000); },
        [&] { acre_arena_resize_aligned(&arena, newest, 100, 200, MIB); },
        [&] { acre_arena_resize(&arena, nullptr, 0, 2000); },
        [&] { acre_arena_calloc(&arena, 2000, 1, 1); },
        [&] { acre_arena_calloc(&arena, SIZE_MAX, 2, 1); },
        [&] { acre_arena_memdup(&arena, newest, 2000); },
        [&] { acre_arena_alloc_aligned(&arena, 2000, 4096); },
    };
    const int count = sizeof calls / sizeof calls[0];
    for (int i = 0; i < count; i++) {
        EXPECT_TRUE(jumps(away, calls[i])) << i << " came back";
        EXPECT_EQ(i + 1, seen.calls);
        EXPECT_TRUE(unchanged(but_status(before, seen.why), arena)) << i;
    }
    EXPECT_TRUE(all_are(old, 100, 7));
    EXPECT_TRUE(all_are(newest, 100, 8));
    EXPECT_EQ(newest, acre_arena_resize(&arena, newest, 100, 200));
}

TEST(Exhaustion, the_handler_gets_the_arena_where_it_is_now)
{
    Seen seen;
    acre_arena_opts opts = noting(&seen, 64);
    acre_arena first;
    ASSERT_EQ(ACRE_OK, acre_arena_create(&opts, &first));
    acre_arena moved = first;
    EXPECT_EQ(nullptr, bytes(&moved, 65));
    expect_seen(seen, 1, &moved, 65, ACRE_FULL);
    EXPECT_EQ(ACRE_OK, acre_arena_destroy(&moved));
}

TEST(Limit, on_the_size_of_files_does_not_bind_arenas)
{
    need_fork();
    Ended ended = in_child([] {
        struct rlimit none = {0, 0};
        if (setrlimit(RLIMIT_FSIZE, &none) != 0)
            return 1;
        acre_arena arena;
        if (acre_arena_create(nullptr, &arena) != ACRE_OK || bytes(&arena, MIB) == nullptr)
            return 2;
        return acre_arena_destroy(&arena) == ACRE_OK ? 0 : 3;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
}
