// A million guarded stacks in one process: what they take, that each is guarded, that all of it is
// returned.  Alone on the machine, since it takes 4.3 GB.
#include <csetjmp>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <random>

#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

// How many, and why not a million.
size_t choose_count(std::string *reason)
{
    size_t few = 10000;
    const uint64_t needed = uint64_t{6} << 30;
    acre_system system = {};
    uint64_t available = number_in("/proc/meminfo", "MemAvailable:") * 1024;
    if (acre_system_read(&system) != ACRE_OK)
        *reason = "the system does not tell its memory";
    else if (sizeof(void *) < 8)
        *reason = "there are not enough addresses";
    else if (SANITIZED)
        *reason = "a sanitizer keeps memory of its own for each byte";
    else if (emulated())
        *reason = "an emulator is too slow";
    else if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        *reason = "guards take areas here";
    else if (available < needed || (system.memory_limit != 0 && system.memory_limit < needed) ||
             (system.commit_limit != 0 && system.commit_limit < uint64_t{128} << 30))
        *reason = "memory is short";
    else
        return 1000000;
    // Each takes a page, and where memory is accounted as it is made ready all of its own.  Guards
    // of pages cost two areas, and a pool uses half of those that are left.
    const size_t page = acre_page_size();
    const uint64_t whole = 128 * 1024 + 2 * page;
    const bool areas = !acre_can(ACRE_CAN_GUARD_WITH_MARKERS) && system.area_limit != 0;
    while (few > 500 &&
           ((areas && 5 * few > system.area_limit) ||
            (system.memory_limit != 0 && few * page > system.memory_limit / 3) ||
            (system.commit_limit != 0 && system.committed + 2 * few * whole > system.commit_limit)))
        few /= 2;
    return few;
}

// ---- faults -------------------------------------------------------------------------------------

sigjmp_buf back;
volatile uintptr_t faulted_at;

void note_fault(int, siginfo_t *info, void *)
{
    faulted_at = reinterpret_cast<uintptr_t>(info->si_addr);
    siglongjmp(back, 1);
}

// Whether a write there faults, at that very address.
bool write_faults(char *address)
{
    faulted_at = 0;
    if (sigsetjmp(back, 1) == 0) {
        *static_cast<volatile char *>(address) = 1;
        return false;
    }
    return faulted_at == reinterpret_cast<uintptr_t>(told_fault(address));
}

void catch_overruns(const std::vector<acre_stack> &stacks)
{
    static char alternate[64 * 1024];
    stack_t signals = {}, signals_before = {};
    signals.ss_sp = alternate;
    signals.ss_size = sizeof alternate;
    struct sigaction action = {}, segv_before = {}, bus_before = {};
    action.sa_sigaction = note_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ASSERT_EQ(0, sigaltstack(&signals, &signals_before));
    ASSERT_EQ(0, sigaction(SIGSEGV, &action, &segv_before));
    ASSERT_EQ(0, sigaction(SIGBUS, &action, &bus_before));
    std::mt19937 random(1);
    for (int i = 0; i < 400; i++) {
        const acre_stack &stack = stacks[random() % stacks.size()];
        char *address = static_cast<char *>(stack.base) - 1 - random() % 16384;
        acre_stack_info info;
        ASSERT_TRUE(write_faults(address));
        ASSERT_OK(acre_stack_find(address, &info));
        ASSERT_EQ(stack.base, info.base);
        ASSERT_EQ(stack.generation, info.generation);
        ASSERT_EQ(uint32_t{ACRE_STACK_GUARD}, info.where);
        ASSERT_FALSE(write_faults(static_cast<char *>(stack.base) + stack.size - 1));
    }
    EXPECT_EQ(0, sigaction(SIGSEGV, &segv_before, nullptr));
    EXPECT_EQ(0, sigaction(SIGBUS, &bus_before, nullptr));
    EXPECT_EQ(0, sigaltstack(&signals_before, nullptr));
}

// ---- sizes --------------------------------------------------------------------------------------

size_t memory()
{
    return status_bytes("VmRSS") + status_bytes("VmPTE");
}

TEST(Million, guarded_stacks_alive_at_once)
{
    std::string reason;
    const size_t count = choose_count(&reason);
    if (!reason.empty())
        std::cout << count << " instead of a million: " << reason << "\n";
    const bool exact = !SANITIZED && !emulated() && acre_can(ACRE_CAN_GUARD_WITH_MARKERS);

    Pool pool;
    std::vector<acre_stack> stacks(count);
    std::fill(stacks.begin(), stacks.end(), pool.take());
    pool.give(stacks[0]);
    const size_t before = memory();
    for (acre_stack &stack : stacks) {
        ASSERT_OK(acre_stack_pool_take(pool, &stack));
        at_depth(stack, 1) = 1;
    }

    const size_t page = acre_page_size();
    if (exact && before != 0) {
        EXPECT_LE((memory() - before) / count, page + 256);
    }
    acre_stack_pool_stats stats = pool.stats();
    EXPECT_EQ(count, stats.out);
    EXPECT_EQ(count * page, stats.resident);
    EXPECT_EQ(page, (stats.deepest + page - 1) / page * page);
    if (exact) {
        EXPECT_LE(stats.areas, 2u);
    }
    for (size_t i = 0; i < count; i += 997) {
        acre_stack_info info;
        ASSERT_OK(acre_stack_find(stacks[i].base, &info));
        ASSERT_EQ(stacks[i].base, info.base);
        ASSERT_EQ(stacks[i].generation, info.generation);
    }
    if (!SANITIZED && !emulated())
        catch_overruns(stacks);

    for (const acre_stack &stack : stacks)
        ASSERT_OK(acre_stack_pool_give(pool, &stack));
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    stats = pool.stats();
    EXPECT_EQ(0u, stats.out);
    EXPECT_EQ(0u, stats.resident);
    if (exact && before != 0) {
        size_t after = memory();
        EXPECT_LE(after > before ? after - before : 0, 16 * count + 64 * page);
    }
}

}  // namespace
