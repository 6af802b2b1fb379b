// What does each of many stacks cost, as a function of their number?
//
// No ratios: a table of nanoseconds and bytes for each stack, from a thousand to as many as the
// argument says (100000 without one; a million takes 4.3 GB).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "acre/stack_pool.h"
#include "bench/check.h"

namespace {

size_t
status_bytes(const char *key)
{
    std::FILE *file = std::fopen("/proc/self/status", "r");
    check(file != nullptr);
    char line[256];
    size_t bytes = 0;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::strncmp(line, key, std::strlen(key)) == 0)
            bytes = std::strtoull(line + std::strlen(key), nullptr, 10) * 1024;
    }
    check(std::fclose(file) == 0);
    return bytes;
}

// Nanoseconds since the last call.
double
lap()
{
    using Clock = std::chrono::steady_clock;
    static Clock::time_point last = Clock::now();
    Clock::time_point now = Clock::now();
    double passed = std::chrono::duration<double, std::nano>(now - last).count();
    last = now;
    return passed;
}

double
each(size_t before, size_t after, size_t count)
{
    return after > before ? static_cast<double>(after - before) / static_cast<double>(count) : 0;
}

void
measure(size_t count)
{
    std::vector<acre_stack> stacks(count);
    std::memset(static_cast<void *>(stacks.data()), 1, count * sizeof(acre_stack));
    acre_stack_pool *pool;
    check(acre_stack_pool_create(nullptr, &pool));
    size_t resident = status_bytes("VmRSS:");
    size_t tables = status_bytes("VmPTE:");
    auto of = static_cast<double>(count);

    (void)lap();
    for (acre_stack &stack : stacks)
        check(acre_stack_pool_take(pool, &stack));
    double take = lap() / of;
    for (const acre_stack &stack : stacks)
        static_cast<volatile char *>(stack.base)[stack.size - 64] = 1;
    double touch = lap() / of;
    double pages = each(resident, status_bytes("VmRSS:"), count);
    double entries = each(tables, status_bytes("VmPTE:"), count);

    std::mt19937 random(1);
    acre_stack_info info;
    const size_t finds = 100000;
    (void)lap();
    for (size_t i = 0; i < finds; i++)
        check(acre_stack_find(static_cast<char *>(stacks[random() % count].base) - 1, &info));
    double find = lap() / static_cast<double>(finds);
    for (const acre_stack &stack : stacks)
        check(acre_stack_pool_give(pool, &stack));
    double give = lap() / of;
    check(acre_stack_pool_trim(pool, 0));
    double trim = lap() / of;
    double left = each(resident + tables, status_bytes("VmRSS:") + status_bytes("VmPTE:"), count);
    check(acre_stack_pool_destroy(pool));
    std::printf("%9zu %9.0f %9.0f %9.0f %9.0f %9.0f %12.1f %12.1f %12.1f\n", count, take, touch,
                find, give, trim, pages, entries, left);
    std::fflush(stdout);
}

}  // namespace

int
main(int count, char **arguments)
{
    size_t most = 100000;
    // Arguments of other benchmarks are not for this one.
    if (count > 1 && std::strtoull(arguments[1], nullptr, 10) != 0)
        most = std::strtoull(arguments[1], nullptr, 10);
    std::printf("%9s %9s %9s %9s %9s %9s %12s %12s %12s\n", "", "ns", "", "", "", "", "bytes", "",
                "");
    std::printf("%9s %9s %9s %9s %9s %9s %12s %12s %12s\n", "stacks", "take", "touch", "find",
                "give", "trim", "memory", "page tables", "after trim");
    for (size_t stacks = 1000; stacks <= most; stacks *= 10) {
        measure(stacks);
        if (stacks * 3 < most || stacks * 3 == most)
            measure(stacks * 3);
    }
    return 0;
}
