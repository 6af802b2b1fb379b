// At the system's limits: what fails says why, changes nothing, and works later.
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "acre/area.h"
#include "mmap/port/area.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#endif

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

// Takes until the pool refuses; the reason.
acre_status take_all(acre_stack_pool *pool, std::vector<acre_stack> *stacks)
{
    acre_stack stack;
    acre_status status;
    while ((status = acre_stack_pool_take(pool, &stack)) == ACRE_OK)
        stacks->push_back(stack);
    return status;
}

int give_all(acre_stack_pool *pool, const std::vector<acre_stack> &stacks)
{
    for (const acre_stack &stack : stacks)
        STEP(31, acre_stack_pool_give(pool, &stack) == ACRE_OK);
    return 0;
}

TEST(PoolLimit, guard_pages_leave_half_of_the_areas)
{
    if (emulated())
        GTEST_SKIP() << "an emulator needs areas of its own";
    acre_system system;
    ASSERT_OK(acre_system_read(&system));
    if (system.area_limit == 0 || system.area_limit > 200000)
        GTEST_SKIP() << "there is no such limit, or none that is soon reached";
    uint64_t wanted = system.area_limit / 4 * 4 * acre_page_size();
    if (system.commit_limit != 0 && system.commit_limit < system.committed + 2 * wanted)
        GTEST_SKIP() << "the system accounts strictly, and has too little for so many";
    WithoutMarkers without;
    acre_stack_pool_opts opts = {};
    opts.stack_size = acre_page_size();
    Pool pool(&opts);
    uint64_t before = 0, after = 0;
    ASSERT_OK(acre_port_area_count(&before));
    std::vector<acre_stack> stacks;
    stacks.reserve(size_t{1} << 17);
    EXPECT_STATUS(ACRE_TOO_MANY_AREAS, take_all(pool, &stacks));
    ASSERT_OK(acre_port_area_count(&after));
    uint64_t half = (system.area_limit - before) / 2;
    EXPECT_LE(after - before, half + 16);
    EXPECT_GE(after - before, half / 2);
    EXPECT_EQ(uint32_t{ACRE_GUARD_PAGES}, pool.stats().guard_kind);
    for (size_t i = 0; i < stacks.size(); i += 501)
        ASSERT_FALSE(readable(static_cast<char *>(stacks[i].base) - 1));

    // One that is given back can be taken, one that is trimmed made again.
    pool.give(stacks.back());
    stacks.back() = pool.take();
    for (size_t i = stacks.size() / 2; i < stacks.size(); i++)
        pool.give(stacks[i]);
    size_t given = stacks.size() - stacks.size() / 2;
    stacks.resize(stacks.size() / 2);
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    pool.give(pool.take(given / 2));
    pool.give(stacks);
}

TEST(PoolLimit, addresses_are_used_as_far_as_there_are)
{
    if (emulated())
        GTEST_SKIP() << "an emulator needs addresses of its own";
#if SANITIZED
    GTEST_SKIP() << "the sanitizer maps more than any limit";
#endif
    need_fork();
    expect_success(in_child([] {
        std::vector<acre_stack> stacks;
        stacks.reserve(10000);
        size_t limit = status_bytes("VmSize") + (size_t{256} << 20);
        struct rlimit addresses = {limit, limit};
        STEP(1, setrlimit(RLIMIT_AS, &addresses) == 0);
        acre_stack_pool *pool;
        STEP(2, acre_stack_pool_create(nullptr, &pool) == ACRE_OK);
        STEP(3, take_all(pool, &stacks) == -ENOMEM);
        // 256 MiB make about 3000, of which the last regions take what is left.
        STEP(4, stacks.size() * stacks[0].size >= size_t{128} << 20);
        STEP(6, acre_stack_pool_give(pool, &stacks.back()) == ACRE_OK);
        STEP(7, acre_stack_pool_take(pool, &stacks.back()) == ACRE_OK);
        if (int failed = give_all(pool, stacks))
            return failed;
        // Where no room is left to build fresh pages in, memory is returned all the same.
        STEP(8, acre_stack_pool_trim(pool, 0) == ACRE_OK);
        STEP(9, acre_stack_pool_destroy(pool) == ACRE_OK);
        return 0;
    }));
}

TEST(PoolLimit, memory_is_used_as_far_as_it_is_granted)
{
    if (emulated())
        GTEST_SKIP() << "an emulator needs memory of its own";
#if SANITIZED
    GTEST_SKIP() << "the sanitizer maps more than any limit";
#endif
    need_fork();
    Ended ended = in_child([] {
        const size_t size = size_t{8} << 20;
        rlim_t most = status_bytes("VmData") + 25 * size;  // what is there counts, too
        struct rlimit data = {most, most};
        if (setrlimit(RLIMIT_DATA, &data) != 0 ||
            mmap(nullptr, 26 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                MAP_FAILED)
            return 77;
        acre_stack_pool_opts opts = {};
        opts.stack_size = size;
        acre_stack_pool *pool;
        STEP(1, acre_stack_pool_create(&opts, &pool) == ACRE_OK);
        std::vector<acre_stack> stacks;
        stacks.reserve(100);
        STEP(2, take_all(pool, &stacks) == -ENOMEM);
        // One less for what the program has itself.
        STEP(3, stacks.size() >= 23 && stacks.size() <= 25);
        for (const acre_stack &stack : stacks)
            STEP(4, !readable(static_cast<char *>(stack.base) - 1));
        size_t before = stacks.size();
        for (size_t i = 0; i < 10; i++, stacks.pop_back())
            STEP(5, acre_stack_pool_give(pool, &stacks.back()) == ACRE_OK);
        STEP(6, acre_stack_pool_trim(pool, 0) == ACRE_OK);
        STEP(7, take_all(pool, &stacks) == -ENOMEM && stacks.size() == before);
        if (int failed = give_all(pool, stacks))
            return failed;
        STEP(8, acre_stack_pool_destroy(pool) == ACRE_OK);
        return 0;
    });
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "this limit does not count private memory here";
    expect_success(ended);
}

#ifdef __linux__
// From here on the call does not exist, as far as this process can tell.
bool forget_call(uint32_t number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(PoolLimit, works_without_vectored_advice)
{
    if (emulated())
        GTEST_SKIP() << "the emulator filters no calls";
    const uint32_t process_madvise = 440;
    expect_success(in_child([] {
        if (!forget_call(process_madvise))
            return 0;  // this kernel has no filters
        acre_stack_pool_opts opts = {};
        opts.keep = 1;
        opts.stack_size = 5 * acre_page_size();
        acre_stack_pool *pool;
        STEP(1, acre_stack_pool_create(&opts, &pool) == ACRE_OK);
        std::vector<acre_stack> stacks(300);
        for (acre_stack &stack : stacks) {
            STEP(2, acre_stack_pool_take(pool, &stack) == ACRE_OK);
            STEP(3, !readable(static_cast<char *>(stack.base) - 1));
            for (size_t at = 8; at < 4 * acre_page_size(); at += 64)
                at_depth(stack, at) = 1;
        }
        acre_stack_pool_stats before, after;
        STEP(4, acre_stack_pool_stats_read(pool, &before) == ACRE_OK);
        if (int failed = give_all(pool, stacks))
            return failed;
        STEP(5, acre_stack_pool_stats_read(pool, &after) == ACRE_OK);
        STEP(6, after.resident < before.resident * 2 / 3);
        STEP(7, acre_stack_pool_destroy(pool) == ACRE_OK);
        return 0;
    }));
}
#endif

TEST(PoolLimit, stacks_of_both_kinds_of_guards_are_told_apart)
{
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
        GTEST_SKIP() << "this system has no guard markers";
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 100;
    Pool pool(&opts);
    std::vector<acre_stack> marked = pool.take(40);
    // As in a sandbox that refuses markers.
    acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    std::vector<acre_stack> paged = pool.take(60);
    acre_port_pretend_nothing();
    acre_stack one_more;
    EXPECT_STATUS(ACRE_FULL, acre_stack_pool_take(pool, &one_more));
    size_t pages = 0;
    for (const std::vector<acre_stack> *stacks : {&marked, &paged}) {
        for (const acre_stack &stack : *stacks) {
            char *below = static_cast<char *>(stack.base) - 1;
            acre_stack_info info;
            ASSERT_OK(acre_stack_find(below, &info));
            EXPECT_EQ(stack.guard_kind, info.guard_kind);
            // Only protected pages are an area of their own.
            acre_area area;
            ASSERT_OK(acre_area_at(below, &area));
            EXPECT_EQ(stack.guard_kind == ACRE_GUARD_PAGES, area.access == ACRE_NONE);
            EXPECT_FALSE(readable(below));
            pages += stack.guard_kind == ACRE_GUARD_PAGES;
        }
    }
    EXPECT_GE(pages, 36u);  // made in batches of 32
    pool.give(marked);
    pool.give(paged);
    ASSERT_OK(acre_stack_pool_trim(pool, 0));
    pool.give(pool.take(100));
}

// A sandbox may end the process for a look at how many areas there are.
TEST(PoolLimit, pages_in_place_of_refused_markers_leave_areas_without_a_look)
{
    acre_system system;
    ASSERT_OK(acre_system_read(&system));
    if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS) || system.area_limit < 65530)
        GTEST_SKIP() << "no guard markers, or fewer areas than are common";
    if (SANITIZED)
        GTEST_SKIP() << "a sanitizer needs areas of its own";
    acre_stack_pool_opts opts = {};
    opts.stack_size = 1;
    Pool pool(&opts);
    std::vector<acre_stack> stacks = pool.take(1);
    acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    acre_status status = take_all(pool, &stacks);
    acre_port_pretend_nothing();
    EXPECT_STATUS(ACRE_TOO_MANY_AREAS, status);
    size_t pages = 0;
    for (const acre_stack &stack : stacks)
        pages += stack.guard_kind == ACRE_GUARD_PAGES;
    EXPECT_EQ(16382u, pages);
    EXPECT_EQ(0, give_all(pool, stacks));
}

TEST(PoolLimit, refused_options_make_nothing)
{
    acre_stack_pool *const untouched = reinterpret_cast<acre_stack_pool *>(uintptr_t{64});
    acre_stack_pool *pool = untouched;
    acre_stack_pool_opts opts = {};
    for (size_t i = 0; i < sizeof opts.reserved / sizeof opts.reserved[0]; i++) {
        opts = {};
        opts.reserved[i] = 1;
        EXPECT_STATUS(ACRE_BAD_OPTION, acre_stack_pool_create(&opts, &pool));
    }
    opts = {};
    opts.flags = 1u << 5;
    EXPECT_STATUS(ACRE_BAD_OPTION, acre_stack_pool_create(&opts, &pool));
    for (size_t acre_stack_pool_opts::*size :
         {&acre_stack_pool_opts::stack_size, &acre_stack_pool_opts::guard_size,
          &acre_stack_pool_opts::header_size, &acre_stack_pool_opts::max_stacks}) {
        for (size_t value : {SIZE_MAX, SIZE_MAX - 4096, SIZE_MAX / 2 + 1}) {
            opts = {};
            opts.*size = value;
            EXPECT_STATUS(ACRE_BAD_SIZE, acre_stack_pool_create(&opts, &pool));
        }
    }
    EXPECT_EQ(untouched, pool);
}

TEST(PoolLimit, smallest_and_largest_stacks)
{
    for (size_t size : {size_t{1}, acre_page_size(), size_t{1} << 20, size_t{8} << 20}) {
        for (size_t guard : {size_t{1}, size_t{1} << 20}) {
            acre_stack_pool_opts opts = {};
            opts.stack_size = size;
            opts.guard_size = guard;
            opts.header_size = size == 1 ? 5000 : 0;
            opts.max_stacks = 10;
            Pool pool(&opts);
            std::vector<acre_stack> stacks = pool.take(10);
            for (const acre_stack &stack : stacks) {
                EXPECT_GE(stack.size, size);
                at_depth(stack, stack.size) = 1;
                at_depth(stack, 1) = 1;
                EXPECT_FALSE(readable(static_cast<char *>(stack.base) - guard));
            }
            pool.give(stacks);
            pool.give(pool.take(10));
        }
    }
}

}  // namespace
