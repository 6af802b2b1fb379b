// What is declared and not built yet is there, checks its arguments, and says so.
#include <cerrno>
#include <cstring>

#include "acre/stack_overflow.h"
#include "acre/stack_pool.h"
#include "gtest/gtest.h"
#include "tests/support/posix.h"

namespace {

void ignore(const acre_stack_info *, const void *, const void *, void *)
{
}

TEST(Unbuilt, PoolChecksItsOptions)
{
    acre_stack_pool_opts opts = {};
    acre_stack_pool *const untouched = reinterpret_cast<acre_stack_pool *>(&opts);
    acre_stack_pool *pool = untouched;
    EXPECT_EQ(acre_stack_pool_create(nullptr, &pool), -ENOTSUP);
    EXPECT_EQ(acre_stack_pool_create(&opts, &pool), -ENOTSUP);
    opts.flags = ACRE_STACK_NO_DUMP;
    EXPECT_EQ(acre_stack_pool_create(&opts, &pool), -ENOTSUP);
    opts.flags = 1u << 31;
    EXPECT_EQ(acre_stack_pool_create(&opts, &pool), ACRE_BAD_OPTION);
    for (size_t i = 0; i < 9; i++) {
        opts = {};
        opts.reserved[i] = 1;
        EXPECT_EQ(acre_stack_pool_create(&opts, &pool), ACRE_BAD_OPTION);
    }
    EXPECT_EQ(pool, untouched);
}

TEST(Unbuilt, PoolCallsSaySo)
{
    acre_stack stack = {};
    acre_stack_pool_stats stats;
    std::memset(&stats, 0x5a, sizeof(stats));
    const acre_stack_pool_stats before = stats;
    EXPECT_EQ(acre_stack_pool_take(nullptr, &stack), -ENOTSUP);
    EXPECT_EQ(stack.base, nullptr);
    EXPECT_EQ(acre_stack_pool_give(nullptr, &stack), -ENOTSUP);
    EXPECT_EQ(acre_stack_pool_flush(nullptr), -ENOTSUP);
    EXPECT_EQ(acre_stack_pool_prewarm(nullptr, 1), -ENOTSUP);
    EXPECT_EQ(acre_stack_pool_trim(nullptr, 0), -ENOTSUP);
    EXPECT_EQ(acre_stack_pool_stats_read(nullptr, &stats), -ENOTSUP);
    EXPECT_EQ(std::memcmp(&stats, &before, sizeof(stats)), 0);
    EXPECT_EQ(acre_stack_pool_destroy(nullptr), -ENOTSUP);
}

TEST(Unbuilt, OverflowReportsSaySoAndInstallNothing)
{
    struct sigaction before = {};
    struct sigaction after = {};
    ASSERT_EQ(sigaction(SIGSEGV, nullptr, &before), 0);
    EXPECT_EQ(acre_stack_overflow_install(nullptr, nullptr), ACRE_BAD_OPTION);
    EXPECT_EQ(acre_stack_overflow_install(ignore, nullptr), -ENOTSUP);
    EXPECT_EQ(acre_stack_overflow_thread_enter(), -ENOTSUP);
    EXPECT_EQ(acre_stack_overflow_thread_leave(), -ENOTSUP);
    EXPECT_EQ(acre_stack_overflow_remove(), -ENOTSUP);
    ASSERT_EQ(sigaction(SIGSEGV, nullptr, &after), 0);
    EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
