// What is demanded of a pool's stacks, as the kernel has it.
#include <cerrno>
#include <cstdint>

#include "acre/area.h"
#include "acre/mmap.h"
#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of areas and locks");

acre_stack_pool_opts with_flags(uint32_t flags)
{
    acre_stack_pool_opts opts = {};
    opts.flags = flags;
    opts.header_size = 64;
    opts.max_stacks = 100;
    return opts;
}

// Of the lowest byte, the top and the header of every stack.
bool everywhere(const std::vector<acre_stack> &stacks, const char *flag)
{
    for (const acre_stack &stack : stacks) {
        const char *base = static_cast<const char *>(stack.base);
        if (!has_vm_flag(base, flag) || !has_vm_flag(base + stack.size - 1, flag) ||
            !has_vm_flag(stack.header, flag))
            return false;
    }
    return true;
}

class PoolFlags : public EachGuard {
  protected:
    void SetUp() override
    {
        if (emulated())
            GTEST_SKIP() << "the emulator shows no VmFlags";
        EachGuard::SetUp();
        if (IsSkipped())
            return;
    }
    // Also of stacks whose memory was returned and came again.
    void expect_flag(uint32_t flags, const char *flag, bool expected)
    {
        acre_stack_pool_opts opts = with_flags(flags);
        Pool pool(&opts);
        for (int round = 0; round < 2; round++) {
            std::vector<acre_stack> stacks = pool.take(20);
            EXPECT_EQ(expected, everywhere(stacks, flag)) << flag << " " << round;
            pool.give(stacks);
            ASSERT_OK(acre_stack_pool_trim(pool, 0));
        }
    }
};

TEST_P(PoolFlags, no_dump)
{
    expect_flag(0, "dd", false);
    expect_flag(ACRE_STACK_NO_DUMP, "dd", true);
}

TEST_P(PoolFlags, dont_fork)
{
    expect_flag(0, "dc", false);
    expect_flag(ACRE_STACK_DONT_FORK, "dc", true);
}

TEST_P(PoolFlags, never_huge_pages)
{
    if (!has_huge_pages())
        GTEST_SKIP() << "this kernel has no transparent huge pages";
    expect_flag(0, "nh", true);
}

TEST_P(PoolFlags, accounted_only_where_the_system_is_strict)
{
    acre_system system;
    ASSERT_OK(acre_system_read(&system));
    expect_flag(0, "ac", system.overcommit_mode == 2);
}

TEST_P(PoolFlags, locked_stacks_are_present_at_once)
{
    if (!acre_can(ACRE_CAN_LOCK))
        GTEST_SKIP() << "nothing can be locked";
    acre_stack_pool_opts opts = with_flags(ACRE_STACK_LOCKED);
    opts.stack_size = 4 * acre_page_size();
    opts.max_stacks = 16;
    Pool pool(&opts);
    size_t before = 16;
    for (int round = 0; round < 2; round++) {
        std::vector<acre_stack> stacks;
        acre_stack stack = {};
        acre_status status = ACRE_OK;
        while (stacks.size() < before && (status = acre_stack_pool_take(pool, &stack)) == ACRE_OK)
            stacks.push_back(stack);
        bool refused = status == -ENOMEM || status == -EPERM || status == -EAGAIN;
        if (round == 0 && refused && stacks.empty())
            GTEST_SKIP() << "this process may not lock so much";
        // As many as it may the first time, as many again the second.
        EXPECT_TRUE(stacks.size() == before || (round == 0 && refused)) << name_of(status);
        before = stacks.size();
        for (const acre_stack &each : stacks) {
            ASSERT_OK(acre_stack_commit(&each, each.size));
            size_t bytes = 0;
            size_t whole = each.size & ~(acre_page_size() - 1);
            ASSERT_OK(acre_port_resident(each.base, whole, &bytes));
            EXPECT_EQ(whole, bytes);
            EXPECT_FALSE(readable(static_cast<char *>(each.base) - 1));
        }
        EXPECT_TRUE(everywhere(stacks, "lo"));
        pool.give(stacks);
        ASSERT_OK(acre_stack_pool_trim(pool, 0));
    }
}

TEST_P(PoolFlags, locked_stacks_are_returned_by_trim)
{
    if (!acre_can(ACRE_CAN_LOCK))
        GTEST_SKIP() << "nothing can be locked";
    acre_stack_pool_opts opts = with_flags(ACRE_STACK_LOCKED);
    opts.stack_size = 4 * acre_page_size();
    opts.max_stacks = 40;
    Pool pool(&opts);
    std::vector<acre_stack> stacks(30);
    for (acre_stack &stack : stacks) {
        acre_status status = acre_stack_pool_take(pool, &stack);
        if (status == -ENOMEM || status == -EPERM || status == -EAGAIN) {
            stacks.resize(static_cast<size_t>(&stack - stacks.data()));
            break;
        }
        ASSERT_OK(status);
    }
    if (stacks.size() == 30) {
        // Two of three go, so that there are no long runs.
        size_t locked = status_bytes("VmLck");
        for (size_t i = 0; i < 30; i++) {
            if (i % 3 != 0)
                pool.give(stacks[i]);
        }
        ASSERT_OK(acre_stack_pool_trim(pool, 0));
        EXPECT_EQ(0u, pool.stats().free);
        EXPECT_LE(status_bytes("VmLck") + 20 * opts.stack_size, locked);
        for (size_t i = 0; i < 30; i += 3)
            EXPECT_TRUE(has_vm_flag(stacks[i].base, "lo"));
        for (size_t i = 0; i < 30; i++) {
            if (i % 3 != 0) {
                ASSERT_OK(acre_stack_pool_take(pool, &stacks[i]));
                EXPECT_FALSE(readable(static_cast<char *>(stacks[i].base) - 1));
            }
        }
        EXPECT_TRUE(everywhere(stacks, "lo"));
    }
    bool refused = stacks.size() < 30;
    pool.give(stacks);
    if (refused)
        GTEST_SKIP() << "this process may not lock so much";
}

TEST_P(PoolFlags, depths_of_locked_stacks_are_not_told)
{
    if (!acre_can(ACRE_CAN_LOCK))
        GTEST_SKIP() << "nothing can be locked";
    acre_stack_pool_opts opts = with_flags(ACRE_STACK_LOCKED);
    opts.stack_size = 4 * acre_page_size();
    opts.max_stacks = 1;
    Pool pool(&opts);
    acre_stack stack;
    acre_status status = acre_stack_pool_take(pool, &stack);
    if (status == -ENOMEM || status == -EPERM || status == -EAGAIN)
        GTEST_SKIP() << "this process may not lock so much";
    ASSERT_OK(status);
    size_t untouched = 77;
    EXPECT_STATUS(-ENOTSUP, acre_stack_used(&stack, &untouched));
    EXPECT_STATUS(-ENOTSUP, acre_stack_pool_suggest(pool, &untouched));
    EXPECT_EQ(77u, untouched);
    EXPECT_EQ(0u, pool.stats().deepest);
    pool.give(stack);
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    EXPECT_STATUS(-ENOTSUP, acre_stack_pool_suggest(pool, &untouched));
}

TEST_P(PoolFlags, more_than_may_be_locked_is_refused)
{
    if (!acre_can(ACRE_CAN_LOCK))
        GTEST_SKIP() << "nothing can be locked";
    Ended ended = in_child([] {
        const size_t page = acre_page_size();
        acre_stack_pool_opts opts = with_flags(ACRE_STACK_LOCKED);
        opts.stack_size = 4 * page;
        acre_stack_pool *pool;
        STEP(1, acre_stack_pool_create(&opts, &pool) == ACRE_OK);
        if (!limit_locks(300))
            return 77;
        std::vector<acre_stack> stacks;
        acre_stack stack;
        acre_status status;
        while ((status = acre_stack_pool_take(pool, &stack)) == ACRE_OK)
            stacks.push_back(stack);
        STEP(2, status == -ENOMEM || status == -EAGAIN || status == -EPERM);
        STEP(3, stacks.size() >= 10 && stacks.size() < 100);
        STEP(4, status_bytes("VmLck") <= 300 * page);
        for (const acre_stack &taken : stacks)
            STEP(5, acre_stack_pool_give(pool, &taken) == ACRE_OK);
        STEP(6, acre_stack_pool_take(pool, &stack) == ACRE_OK);
        STEP(7, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        STEP(8, acre_stack_pool_destroy(pool) == ACRE_OK);
        return 0;
    });
    EXPECT_TRUE(ended.exited);
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "the limit does not bind this user";
    EXPECT_EQ(0, ended.code);
}

TEST_P(PoolFlags, a_refused_lock_is_no_refusal_of_markers)
{
    if (!acre_can(ACRE_CAN_LOCK))
        GTEST_SKIP() << "nothing can be locked";
    Ended ended = in_child([] {
        acre_stack_pool_opts opts = with_flags(ACRE_STACK_LOCKED);
        acre_stack_pool *pool;
        acre_stack_pool_stats before, after;
        STEP(1, acre_stack_pool_create(&opts, &pool) == ACRE_OK);
        STEP(2, acre_stack_pool_stats_read(pool, &before) == ACRE_OK);
        if (!limit_locks(0))
            return 77;
        acre_stack stack;
        acre_status status = acre_stack_pool_take(pool, &stack);
        STEP(3, status == -ENOMEM || status == -EAGAIN || status == -EPERM);
        STEP(4, acre_stack_pool_stats_read(pool, &after) == ACRE_OK);
        STEP(5, after.guard_kind == before.guard_kind);
        STEP(6, acre_stack_pool_destroy(pool) == ACRE_OK);
        return 0;
    });
    EXPECT_TRUE(ended.exited);
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "the limit does not bind this user";
    EXPECT_EQ(0, ended.code);
}

#ifdef __linux__
TEST_P(PoolFlags, a_program_that_locks_all_it_maps_has_guards_too)
{
    Ended ended = in_child([] {
        if (mlockall(MCL_FUTURE) != 0)
            return 77;
        acre_mmap map;
        STEP(9, acre_mmap_anon(1, ACRE_READ_WRITE, nullptr, &map) == ACRE_OK);
        if (!has_vm_flag(map.base, "lo"))
            return 77;  // sanitizers let the call do nothing
        acre_stack_pool_opts opts = with_flags(0);
        opts.stack_size = 4 * acre_page_size();
        opts.max_stacks = 20;
        acre_stack_pool *pool;
        acre_status status = acre_stack_pool_create(&opts, &pool);
        std::vector<acre_stack> stacks(20);
        for (acre_stack &stack : stacks) {
            status = status == ACRE_OK ? acre_stack_pool_take(pool, &stack) : status;
            if (status == -ENOMEM || status == -EAGAIN)
                return 77;
            STEP(1, status == ACRE_OK);
            STEP(2, !readable(static_cast<char *>(stack.base) - 1));
            at_depth(stack, 1) = 1;
            STEP(3, has_vm_flag(stack.base, "lo"));
        }
        for (const acre_stack &stack : stacks)
            STEP(4, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        STEP(5, acre_stack_pool_trim(pool, 0) == ACRE_OK);
        STEP(6, acre_stack_pool_destroy(pool) == ACRE_OK);
        return 0;
    });
    EXPECT_TRUE(ended.exited);
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "this process may not lock all it maps";
    EXPECT_EQ(0, ended.code);
}
#endif

TEST(PoolGuardFlags, page_guards_are_protected_pages)
{
    acre_stack_pool_opts opts = with_flags(ACRE_STACK_PAGE_GUARDS);
    Pool pool(&opts);
    for (int round = 0; round < 2; round++) {
        std::vector<acre_stack> stacks = pool.take(40);
        for (const acre_stack &stack : stacks) {
            EXPECT_EQ(static_cast<uint32_t>(ACRE_GUARD_PAGES), stack.guard_kind);
            acre_area area;
            ASSERT_OK(acre_area_at(static_cast<char *>(stack.base) - 1, &area));
            EXPECT_EQ(static_cast<uint32_t>(ACRE_NONE), area.access);
        }
        pool.give(stacks);
        ASSERT_OK(acre_stack_pool_trim(pool, 0));
    }
    EXPECT_EQ(static_cast<uint32_t>(ACRE_GUARD_PAGES), pool.stats().guard_kind);
}

TEST(PoolGuardFlags, page_guards_of_a_single_stack)
{
    acre_stack_opts opts = {};
    opts.flags = ACRE_STACK_PAGE_GUARDS;
    acre_stack stack;
    ASSERT_OK(acre_stack_create(65536, &opts, &stack));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_GUARD_PAGES), stack.guard_kind);
    acre_area area;
    ASSERT_OK(acre_area_at(static_cast<char *>(stack.base) - 1, &area));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_NONE), area.access);
    EXPECT_OK(acre_stack_destroy(&stack));
}

TEST(PoolGuardFlags, without_colour_a_page_of_use_takes_a_page)
{
    for (uint32_t flags : {uint32_t(0), uint32_t(ACRE_STACK_NO_COLOUR)}) {
        acre_stack_pool_opts opts = {};
        opts.max_stacks = 100;
        opts.flags = flags;
        Pool pool(&opts);
        std::vector<acre_stack> stacks = pool.take(64);
        size_t pages = 0;
        for (const acre_stack &stack : stacks) {
            at_depth(stack, 1) = 1;
            at_depth(stack, acre_page_size() - 64) = 1;
            auto top = reinterpret_cast<uintptr_t>(stack.base) + stack.size;
            pages += (top - 1) / acre_page_size() -
                     (top - (acre_page_size() - 64)) / acre_page_size() + 1;
        }
        if (flags != 0) {
            EXPECT_EQ(stacks.size(), pages);
            EXPECT_EQ(acre_page_size(), pool.stats().deepest);
        } else {
            EXPECT_GT(pages, stacks.size());
        }
        pool.give(stacks);
    }
}

FOR_EACH_GUARD(PoolFlags);

}  // namespace
