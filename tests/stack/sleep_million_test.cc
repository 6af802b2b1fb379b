// A million coroutines asleep take less than half a gigabyte, page tables included.
#include <cstring>

#include "acre/mmap.h"
#include "acre/page.h"
#include "acre/stack_sleep.h"
#include "gtest/gtest.h"
#include "tests/stack/pool.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_EMULATED("memory and page tables are the kernel's to count", "MillionAsleep.*");

// Sanitizers keep memory of their own about every byte.
#if SANITIZED
const bool COUNTS = false;
const size_t MOST = 10000;
#else
const bool COUNTS = true;
const size_t MOST = 1000000;
#endif

// What a coroutine needs while it waits, in this test.
const size_t LIVE = 256;
const size_t BATCH = 256;

// As many as this machine has room for, with a wide margin.
size_t count_for_this_machine()
{
    acre_system system = {};
    EXPECT_OK(acre_system_read(&system));
    uint64_t memory = system.physical_memory;
    if (system.memory_limit != 0 && system.memory_limit < memory)
        memory = system.memory_limit;
    size_t fit = static_cast<size_t>(memory / 4 / 1024);
    // Addresses are few, or pages large and tables with them.
    if ((sizeof(void *) == 4 || acre_page_size() > 4096) && fit > 10000)
        fit = 10000;
    return fit < MOST ? fit : MOST;
}

size_t memory_now()
{
    return status_bytes("VmRSS") + status_bytes("VmPTE");
}

char *live_bytes(const acre_stack &stack)
{
    return static_cast<char *>(stack.base) + stack.size - LIVE;
}

TEST(MillionAsleep, takes_less_than_half_a_gigabyte)
{
    size_t count = count_for_this_machine();
    acre_stack_pool_opts opts = {};
    opts.max_stacks = count;
    acre_stack_pool *pool;
    ASSERT_OK(acre_stack_pool_create(&opts, &pool));
    acre_mmap buffers;
    acre_mmap stacks;
    ASSERT_OK(acre_mmap_anon(count * LIVE, ACRE_READ_WRITE, nullptr, &buffers));
    ASSERT_OK(acre_mmap_anon(count * sizeof(acre_stack), ACRE_READ_WRITE, nullptr, &stacks));
    acre_stack *all = static_cast<acre_stack *>(stacks.base);
    char *asleep = static_cast<char *>(buffers.base);

    // The handles are the test's own way to keep them; a scheduler has them somewhere already.
    std::memset(all, 1, count * sizeof *all);
    size_t before = memory_now();
    for (size_t i = 0; i < count; i += BATCH) {
        size_t batch = count - i < BATCH ? count - i : BATCH;
        acre_stack_sleeper sleepers[BATCH];
        for (size_t j = i; j < i + batch; j++) {
            ASSERT_EQ(ACRE_OK, acre_stack_pool_take(pool, &all[j]));
            std::memset(live_bytes(all[j]), static_cast<char>(j | 1), LIVE);
            sleepers[j - i] = {&all[j], live_bytes(all[j]), asleep + j * LIVE, LIVE, 0};
        }
        size_t done;
        ASSERT_EQ(ACRE_OK, acre_stack_sleep_many(sleepers, batch, &done));
        ASSERT_EQ(batch, done);
    }
    size_t each = (memory_now() - before) / count;
    RecordProperty("bytes", static_cast<int>(each));
    if (COUNTS) {
        EXPECT_LE(each, 500u) << count << " coroutines";
    }

    // Some of them, and then all others, go on.
    for (size_t i = 0; i < count; i += 997) {
        ASSERT_EQ(ACRE_OK, acre_stack_wake(&all[i], asleep + i * LIVE, LIVE));
        for (size_t byte = 0; byte < LIVE; byte++)
            ASSERT_EQ(static_cast<char>(i | 1), live_bytes(all[i])[byte]);
    }
    for (size_t i = 0; i < count; i++)
        ASSERT_EQ(ACRE_OK, acre_stack_pool_give(pool, &all[i]));
    ASSERT_OK(acre_stack_pool_destroy(pool));
    ASSERT_OK(acre_mmap_unmap(&stacks));
    ASSERT_OK(acre_mmap_unmap(&buffers));
    if (count < MOST)
        GTEST_SKIP() << "checked with " << count << ": this machine has no memory for more";
}

}  // namespace
