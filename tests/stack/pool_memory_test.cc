// What becomes of the memory of stacks that are given back: deep pages, trim, page tables.
#include <algorithm>
#include <cstdint>

#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of pages");

size_t page()
{
    return acre_page_size();
}

// Whole pages from `depth` below the top to the stack's base that are present.
size_t resident_below(const acre_stack &stack, size_t depth)
{
    auto base = reinterpret_cast<uintptr_t>(stack.base);
    uintptr_t end = (base + stack.size - depth) & ~(page() - 1);
    size_t bytes = 0;
    EXPECT_OK(acre_port_resident(stack.base, end - base, &bytes));
    return bytes;
}

// As frames do: something in every line.
void use(const acre_stack &stack, size_t depth)
{
    for (size_t at = 8; at <= depth; at += 64)
        at_depth(stack, at) = 1;
}

// More than are returned together, and more pages than are kept.
constexpr size_t kMany = 400;
constexpr size_t kDeep = 6;

class PoolMemory : public EachGuard {
  protected:
    void SetUp() override
    {
        EachGuard::SetUp();
        if (IsSkipped())
            return;
        size_.stack_size = 16 * page();
        size_.keep = 3 * page();
        acre_system system;
        ASSERT_OK(acre_system_read(&system));
        if (system.memory_limit != 0 && system.memory_limit < 2 * kMany * kDeep * page())
            GTEST_SKIP() << "pages are too large for this control group";
    }
    acre_stack_pool_opts size_ = {};
};

TEST_P(PoolMemory, guards_every_stack)
{
    Pool pool;
    std::vector<acre_stack> stacks = pool.take(200);
    for (const acre_stack &stack : stacks) {
        const char *base = static_cast<const char *>(stack.base);
        ASSERT_TRUE(readable(base));
        ASSERT_FALSE(readable(base - 1));
        ASSERT_FALSE(readable(base - 16384));
    }
    pool.give(stacks);
}

TEST_P(PoolMemory, deep_stacks_keep_their_top)
{
    Pool pool(&size_);
    std::vector<acre_stack> stacks = pool.take(kMany);
    for (const acre_stack &stack : stacks)
        use(stack, kDeep * page());
    pool.give(stacks);
    size_t returned = 0;
    for (const acre_stack &stack : stacks) {
        // Those that wait for others are not returned yet.
        returned += resident_below(stack, 4 * page()) == 0;
        ASSERT_EQ(1, at_depth(stack, 8));
        ASSERT_EQ(1, at_depth(stack, 8 + page()));
    }
    EXPECT_GE(returned, 256u);
    EXPECT_LT(returned, kMany);
    // They are as good as before, and deep again.
    stacks = pool.take(kMany);
    for (const acre_stack &stack : stacks)
        use(stack, kDeep * page());
    pool.give(stacks);
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    EXPECT_LE(pool.stats().resident, 300 * page());
}

TEST_P(PoolMemory, shallow_stacks_keep_all)
{
    Pool pool(&size_);
    std::vector<acre_stack> stacks = pool.take(kMany);
    for (const acre_stack &stack : stacks)
        use(stack, page() + page() / 2);
    size_t before = pool.stats().resident;
    pool.give(stacks);
    EXPECT_EQ(before, pool.stats().resident);
    EXPECT_GE(before, kMany * page());
}

TEST_P(PoolMemory, a_stack_that_was_taken_out_of_the_deep_ones_is_not_emptied)
{
    size_.max_stacks = kMany;
    Pool pool(&size_);
    std::vector<acre_stack> stacks = pool.take(kMany);
    for (const acre_stack &stack : stacks)
        use(stack, kDeep * page());
    // Each is taken again while others fill the list that is returned.
    for (size_t i = 0; i < stacks.size(); i++) {
        pool.give(stacks[i]);
        stacks[i] = pool.take();
        at_depth(stacks[i], kDeep * page()) = 77;
    }
    for (const acre_stack &stack : stacks)
        ASSERT_EQ(77, at_depth(stack, kDeep * page()));
    pool.give(stacks);
}

// A frame that is larger than what is kept, of which only the beginning is written.
void use_partly(const std::vector<acre_stack> &stacks)
{
    for (const acre_stack &stack : stacks) {
        use(stack, 256);
        for (size_t depth = 50; depth > 40; depth--)
            at_depth(stack, depth * page()) = 1;
    }
}

// Of 200 or fewer stacks of 64 pages, how many have memory far below what is kept.
size_t count_deep(const std::vector<acre_stack> &stacks)
{
    size_t deep = 0;
    for (const acre_stack &stack : stacks)
        deep += resident_below(stack, 5 * page()) != 0;
    return deep;
}

// But for a batch that waits to be returned.
size_t most_deep()
{
    return (4 << 20) / (60 * page()) + 8;
}

TEST_P(PoolMemory, a_large_frame_that_is_partly_written_does_not_stay)
{
    size_.stack_size = 64 * page();
    for (size_t most : {size_t(100), size_t(2000)}) {  // without and with magazines
        size_.max_stacks = most;
        Pool pool(&size_);
        size_t count = most < 200 ? most : 200;
        for (int round = 0; round < 2; round++) {
            std::vector<acre_stack> stacks = pool.take(count);
            use_partly(stacks);
            pool.give(stacks);
        }
        EXPECT_LE(pool.stats().resident, count * 5 * page() + (4 << 20) + 8 * 64 * page());
        std::vector<acre_stack> again = pool.take(count);
        EXPECT_LE(count_deep(again), most_deep());
        pool.give(again);
    }
}

TEST_P(PoolMemory, such_frames_are_noticed_again_after_many_without)
{
    size_.stack_size = 64 * page();
    for (size_t most : {size_t(100), size_t(2000)}) {
        size_.max_stacks = most;
        Pool pool(&size_);
        // Until marks decide again: 64 stacks in a row that were measured, one of 256.
        for (int round = 0; round < 200; round++) {
            std::vector<acre_stack> stacks = pool.take(100);
            if (round == 0)
                use_partly(stacks);
            pool.give(stacks);
        }
        // One in 4096 is looked at.
        for (int round = 0; round < 100; round++) {
            std::vector<acre_stack> stacks = pool.take(100);
            use_partly(stacks);
            pool.give(stacks);
        }
        std::vector<acre_stack> again = pool.take(100);
        EXPECT_LE(count_deep(again), most_deep());
        pool.give(again);
    }
}

TEST_P(PoolMemory, keep_all_keeps_all)
{
    size_.keep = SIZE_MAX;
    Pool pool(&size_);
    std::vector<acre_stack> stacks = pool.take(kMany);
    for (const acre_stack &stack : stacks)
        use(stack, kDeep * page());
    size_t before = pool.stats().resident;
    pool.give(stacks);
    EXPECT_EQ(before, pool.stats().resident);
}

TEST_P(PoolMemory, trim_keeps_as_many_as_asked)
{
    Pool pool(&size_);
    std::vector<acre_stack> stacks = pool.take(500);
    for (const acre_stack &stack : stacks)
        use(stack, 2 * page());
    pool.give(stacks);
    ASSERT_OK(acre_stack_pool_trim(pool, 100));
    acre_stack_pool_stats stats = pool.stats();
    EXPECT_EQ(0u, stats.out);
    EXPECT_GE(stats.free, 100u);
    EXPECT_GE(stats.resident, 100 * 2 * page());
    EXPECT_LE(stats.resident, 100 * 3 * page());
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    EXPECT_EQ(0u, pool.stats().resident);
    // All can be taken again, are zero, and guarded.
    stacks = pool.take(500);
    for (const acre_stack &stack : stacks) {
        ASSERT_EQ(0, at_depth(stack, 8));
        ASSERT_FALSE(readable(static_cast<char *>(stack.base) - 1));
        use(stack, page());
    }
    pool.give(stacks);
}

TEST_P(PoolMemory, trim_leaves_stacks_that_are_out)
{
    Pool pool(&size_);
    std::vector<acre_stack> stacks = pool.take(kMany);
    for (const acre_stack &stack : stacks)
        use(stack, 6 * page());
    std::vector<acre_stack> kept;
    for (size_t i = 0; i < stacks.size(); i++) {
        // Alone, in pairs, in runs of hundreds.
        if (i % 7 == 0 || i % 11 == 0 || i + 20 > kMany)
            kept.push_back(stacks[i]);
        else
            pool.give(stacks[i]);
    }
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    for (const acre_stack &stack : kept) {
        for (size_t at = 8; at <= 6 * page(); at += 64)
            ASSERT_EQ(1, at_depth(stack, at));
        ASSERT_FALSE(readable(static_cast<char *>(stack.base) - 1));
    }
    EXPECT_LE(pool.stats().resident, kept.size() * 7 * page());
    pool.give(kept);
}

TEST_P(PoolMemory, staleness_survives_trim)
{
    Pool pool(&size_);
    std::vector<acre_stack> stacks = pool.take(500);
    pool.give(stacks);
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    for (const acre_stack &stack : stacks)
        ASSERT_STATUS(ACRE_STALE, acre_stack_pool_give(pool, &stack));
    std::vector<acre_stack> again = pool.take(500);
    for (const acre_stack &stack : stacks)
        ASSERT_STATUS(ACRE_STALE, acre_stack_pool_give(pool, &stack));
    pool.give(again);
}

TEST_P(PoolMemory, prewarmed_stacks_are_ready)
{
    size_.max_stacks = 5000;
    Pool pool(&size_);
    ASSERT_OK(acre_stack_pool_prewarm(pool, 0));
    EXPECT_EQ(0u, pool.stats().free);
    ASSERT_OK(acre_stack_pool_prewarm(pool, 333));
    acre_stack_pool_stats stats = pool.stats();
    EXPECT_GE(stats.free, 333u);
    EXPECT_EQ(0u, stats.resident);
    EXPECT_EQ(5000u, stats.out + stats.free + stats.cold);
    ASSERT_OK(acre_stack_pool_prewarm(pool, 10));
    EXPECT_EQ(stats.free, pool.stats().free);
    pool.give(pool.take(333));
}

TEST_P(PoolMemory, prewarm_beyond_the_limit_is_full)
{
    size_.max_stacks = 50;
    Pool pool(&size_);
    EXPECT_STATUS(ACRE_FULL, acre_stack_pool_prewarm(pool, 51));
    acre_stack stack = pool.take();
    EXPECT_STATUS(ACRE_FULL, acre_stack_pool_prewarm(pool, 50));
    EXPECT_OK(acre_stack_pool_prewarm(pool, 49));
    pool.give(stack);
    EXPECT_OK(acre_stack_pool_prewarm(pool, 50));
}

FOR_EACH_GUARD(PoolMemory);

TEST(PoolPageTables, go_with_trim)
{
#if TSAN
    GTEST_SKIP() << "the sanitizer's own memory has page tables, too";
#endif
    if (emulated() || status_bytes("VmPTE") == 0)
        GTEST_SKIP() << "no page tables are told";
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        GTEST_SKIP() << "this system has no guard markers";
    Pool pool;
    pool.give(pool.take(1));
    size_t before = status_bytes("VmPTE");
    pool.give(pool.take(5000));
    size_t with = status_bytes("VmPTE");
    EXPECT_GE(with, before + 5000 * 64);
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    EXPECT_LE(status_bytes("VmPTE"), before + 256 * 1024);
}

TEST(PoolUsed, a_size_is_suggested_from_the_depths_seen)
{
    acre_stack_pool_opts opts = {};
    opts.stack_size = 64 * page();
    Pool pool(&opts);
    size_t size = 0;
    ASSERT_OK(acre_stack_pool_suggest(pool, &size));
    EXPECT_GE(size, 64 * page());
    EXPECT_LE(size, 67 * page());

    std::vector<acre_stack> stacks = pool.take(300);
    at_depth(stacks[17], 10 * page()) = 1;
    ASSERT_OK(acre_stack_pool_suggest(pool, &size));
    EXPECT_GE(size, 15 * page());
    EXPECT_LE(size, 17 * page());
    EXPECT_EQ(0u, size % page());

    // Also of stacks whose memory is returned since then.
    for (const acre_stack &stack : stacks)
        use(stack, 20 * page());
    pool.give(stacks);
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    EXPECT_EQ(0u, pool.stats().deepest);
    ASSERT_OK(acre_stack_pool_suggest(pool, &size));
    EXPECT_GE(size, 30 * page());
    EXPECT_LE(size, 32 * page());
}

TEST(PoolUsed, counts_since_the_pages_were_returned)
{
    acre_stack_pool_opts opts = {};
    opts.keep = SIZE_MAX;
    Pool pool(&opts);
    acre_stack stack = pool.take();
    size_t used = 1;
    ASSERT_OK(acre_stack_used(&stack, &used));
    EXPECT_EQ(0u, used);
    at_depth(stack, 30000) = 1;
    ASSERT_OK(acre_stack_used(&stack, &used));
    EXPECT_GE(used, 30000u);
    EXPECT_LT(used, 30000u + page());
    EXPECT_EQ(used, pool.stats().deepest);
    pool.give(stack);
    EXPECT_STATUS(ACRE_STALE, acre_stack_used(&stack, &used));
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    stack = pool.take();
    ASSERT_OK(acre_stack_used(&stack, &used));
    EXPECT_EQ(0u, used);
    pool.give(stack);
}

}  // namespace
