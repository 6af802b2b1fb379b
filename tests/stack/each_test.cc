// acre_stack_each and the reports: every stack that somebody has, each once.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "acre/stack.h"
#include "acre/stack_pool.h"
#include "gtest/gtest.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"

namespace {

using acre_test::Pool;
using Seen = std::map<void *, acre_stack_info>;

acre_status note(const acre_stack_info *stack, void *context)
{
    bool added = static_cast<Seen *>(context)->emplace(stack->base, *stack).second;
    EXPECT_TRUE(added) << "visited twice";
    return ACRE_OK;
}

Seen all_stacks()
{
    Seen seen;
    EXPECT_EQ(acre_stack_each(note, &seen), ACRE_OK);
    return seen;
}

acre_stack single(size_t header_size, uintptr_t tag)
{
    acre_stack_opts opts = {};
    opts.header_size = header_size;
    opts.tag = tag;
    acre_stack stack = {};
    EXPECT_EQ(acre_stack_create(64 * 1024, &opts, &stack), ACRE_OK);
    return stack;
}

void expect_as_found(const acre_stack_info &seen)
{
    acre_stack_info found;
    ASSERT_EQ(acre_stack_find(seen.base, &found), ACRE_OK);
    EXPECT_EQ(seen.base, found.base);
    EXPECT_EQ(seen.size, found.size);
    EXPECT_EQ(seen.header, found.header);
    EXPECT_EQ(seen.pool, found.pool);
    EXPECT_EQ(seen.tag, found.tag);
    EXPECT_EQ(seen.where, uint32_t{ACRE_STACK_USABLE});
    EXPECT_EQ(seen.generation, found.generation);
    EXPECT_EQ(seen.guard_kind, found.guard_kind);
    EXPECT_EQ(seen.padding, 0u);
}

TEST(Each, visits_nothing_where_there_is_nothing)
{
    EXPECT_TRUE(all_stacks().empty());
}

TEST(Each, visits_single_stacks_while_they_live)
{
    acre_stack a = single(100, 1);
    acre_stack b = single(0, 2);
    Seen seen = all_stacks();
    ASSERT_EQ(seen.size(), 2u);
    ASSERT_EQ(seen.count(a.base), 1u);
    EXPECT_EQ(seen[a.base].tag, 1u);
    EXPECT_EQ(seen[a.base].header, a.header);
    expect_as_found(seen[a.base]);
    expect_as_found(seen[b.base]);
    void *gone = a.base;
    ASSERT_EQ(acre_stack_destroy(&a), ACRE_OK);
    seen = all_stacks();
    EXPECT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen.count(gone), 0u);
    ASSERT_EQ(acre_stack_destroy(&b), ACRE_OK);
    EXPECT_TRUE(all_stacks().empty());
}

TEST(Each, visits_stacks_of_pools_that_are_out)
{
    acre_stack_pool_opts opts = {};
    opts.tag = 77;
    opts.header_size = 64;
    Pool one(&opts);
    Pool two;
    std::vector<acre_stack> ones = one.take(100);
    std::vector<acre_stack> twos = two.take(3);
    Seen seen = all_stacks();
    EXPECT_EQ(seen.size(), 103u);
    for (const acre_stack &stack : ones) {
        ASSERT_EQ(seen.count(stack.base), 1u);
        EXPECT_EQ(seen[stack.base].pool, static_cast<acre_stack_pool *>(one));
        EXPECT_EQ(seen[stack.base].tag, 77u);
        expect_as_found(seen[stack.base]);
    }
    for (const acre_stack &stack : twos)
        expect_as_found(seen[stack.base]);
    one.give(ones);
    seen = all_stacks();
    EXPECT_EQ(seen.size(), 3u);
    two.give(twos);
    EXPECT_TRUE(all_stacks().empty());
}

TEST(Each, ends_when_the_visitor_says_so)
{
    acre_stack a = single(0, 0);
    Pool pool;
    acre_stack taken = pool.take();
    int calls = 0;
    auto stop = [](const acre_stack_info *stack, void *context) -> acre_status {
        ++*static_cast<int *>(context);
        return stack->pool == nullptr ? acre_status{ACRE_OK} : acre_status{ACRE_FULL};
    };
    EXPECT_EQ(acre_stack_each(stop, &calls), ACRE_FULL);
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(acre_stack_each(nullptr, nullptr), ACRE_NULL_ARGUMENT);
    pool.give(taken);
    ASSERT_EQ(acre_stack_destroy(&a), ACRE_OK);
}

// A walk goes by numbers, not by what the visitor may change.
TEST(Each, visitor_may_end_what_it_sees)
{
    Pool pool;
    std::vector<acre_stack> taken = pool.take(70);
    for (int i = 0; i < 5; i++)
        ASSERT_NE(single(0, 0).base, nullptr);
    auto end = [](const acre_stack_info *info, void *context) -> acre_status {
        acre_stack stack;
        acre_status status = acre_stack_at(info->base, &stack);
        if (status != ACRE_OK)
            return status;
        return info->pool != nullptr
                   ? acre_stack_pool_give(static_cast<acre_stack_pool *>(context), &stack)
                   : acre_stack_destroy(&stack);
    };
    EXPECT_EQ(acre_stack_each(end, static_cast<acre_stack_pool *>(pool)), ACRE_OK);
    EXPECT_TRUE(all_stacks().empty());
}

// What comes up during a walk does not make it endless.
TEST(Each, visitor_may_make_stacks)
{
    struct Made {
        acre_stack_pool *pool;
        std::vector<acre_stack> single, taken;
    };
    Pool pool;
    Made made = {pool, {}, pool.take(70)};
    made.single.push_back(single(0, 0));
    auto make = [](const acre_stack_info *info, void *context) -> acre_status {
        Made *all = static_cast<Made *>(context);
        acre_stack stack;
        acre_status status = info->pool != nullptr ? acre_stack_pool_take(all->pool, &stack)
                                                   : acre_stack_create(64 * 1024, nullptr, &stack);
        if (status == ACRE_OK)
            (info->pool != nullptr ? all->taken : all->single).push_back(stack);
        return status;
    };
    ASSERT_EQ(acre_stack_each(make, &made), ACRE_OK);
    EXPECT_GE(made.single.size(), 2u);
    EXPECT_GE(made.taken.size(), 140u);
    EXPECT_EQ(all_stacks().size(), made.single.size() + made.taken.size());
    pool.give(made.taken);
    for (acre_stack &stack : made.single)
        ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

#ifndef _WIN32
TEST(Each, leaves_out_what_a_child_does_not_have)
{
    acre_stack_opts opts = {};
    opts.flags = ACRE_STACK_DONT_FORK;
    acre_stack stack;
    acre_status status = acre_stack_create(64 * 1024, &opts, &stack);
    if (status == -ENOTSUP)
        GTEST_SKIP() << "this system copies everything to children";
    ASSERT_EQ(status, ACRE_OK);
    acre_stack kept = single(0, 9);
    acre_test::expect_success(acre_test::in_child([&] {
        Seen seen = all_stacks();
        STEP(1, seen.size() == 1);
        STEP(2, seen.count(kept.base) == 1);
        return 0;
    }));
    EXPECT_EQ(all_stacks().size(), 2u);
    ASSERT_EQ(acre_stack_destroy(&kept), ACRE_OK);
    ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}
#endif

// ---- reports ------------------------------------------------------------------------------------

acre_status append(const char *text, size_t count, void *context)
{
    EXPECT_GE(count, 1u);
    EXPECT_LE(count, 256u);
    static_cast<std::string *>(context)->append(text, count);
    return ACRE_OK;
}

acre_status stop_writing(const char *, size_t, void *calls)
{
    ++*static_cast<int *>(calls);
    return -EIO;
}

std::string hex(uintptr_t value)
{
    std::ostringstream text;
    text << "\"0x" << std::hex << value << '"';
    return text.str();
}

std::string hex(const void *pointer)
{
    return hex(reinterpret_cast<uintptr_t>(pointer));
}

std::string expected_stack(const acre_stack &stack, const void *pool, uintptr_t tag)
{
    std::ostringstream text;
    text << "\n{\"base\":" << hex(stack.base) << ",\"size\":" << stack.size
         << ",\"header\":" << hex(stack.header) << ",\"pool\":" << hex(pool)
         << ",\"tag\":" << hex(tag) << ",\"generation\":" << stack.generation
         << ",\"guard_kind\":\"" << (stack.guard_kind == ACRE_GUARD_MARKER ? "marker" : "pages")
         << "\"}";
    return text.str();
}

TEST(Report, has_every_stack)
{
    std::string text;
    ASSERT_EQ(acre_stack_report(append, &text), ACRE_OK);
    EXPECT_EQ(text, "{\"stacks\":[]}\n");

    acre_stack a = single(64, UINTPTR_MAX);
    acre_stack_pool_opts opts = {};
    opts.tag = 5;
    Pool pool(&opts);
    acre_stack taken = pool.take();
    text.clear();
    ASSERT_EQ(acre_stack_report(append, &text), ACRE_OK);
    EXPECT_EQ(text, "{\"stacks\":[" + expected_stack(a, nullptr, UINTPTR_MAX) + "," +
                        expected_stack(taken, static_cast<acre_stack_pool *>(pool), 5) + "]}\n");
    pool.give(taken);
    ASSERT_EQ(acre_stack_destroy(&a), ACRE_OK);
}

#ifndef _WIN32
char reported[4096];
size_t reported_bytes;

acre_status keep_text(const char *text, size_t count, void *)
{
    if (count > sizeof reported - reported_bytes)
        return ACRE_FULL;
    std::memcpy(reported + reported_bytes, text, count);
    reported_bytes += count;
    return ACRE_OK;
}

TEST(Report, may_be_written_by_a_signal_handler)
{
    static acre_status status;
    acre_stack a = single(0, 0);
    Pool pool;
    acre_stack taken = pool.take();
    std::string text;
    ASSERT_EQ(acre_stack_report(append, &text), ACRE_OK);
    struct sigaction action = {}, former;
    action.sa_handler = [](int) { status = acre_stack_report(keep_text, nullptr); };
    ASSERT_EQ(sigaction(SIGUSR1, &action, &former), 0);
    status = -1;
    ASSERT_EQ(raise(SIGUSR1), 0);
    ASSERT_EQ(sigaction(SIGUSR1, &former, nullptr), 0);
    EXPECT_EQ(status, ACRE_OK);
    EXPECT_EQ(std::string(reported, reported_bytes), text);
    pool.give(taken);
    ASSERT_EQ(acre_stack_destroy(&a), ACRE_OK);
}
#endif

TEST(Report, of_a_pool_has_what_is_read)
{
    Pool pool;
    std::vector<acre_stack> taken = pool.take(2);
    acre_stack_pool_stats stats;
    ASSERT_EQ(acre_stack_pool_stats_read(pool, &stats), ACRE_OK);
    std::string text;
    ASSERT_EQ(acre_stack_pool_report(pool, append, &text), ACRE_OK);
    std::ostringstream expected;
    expected << "{\"pool\":" << hex(static_cast<acre_stack_pool *>(pool)) << ",\"out\":2"
             << ",\"free\":" << stats.free << ",\"cold\":" << stats.cold
             << ",\"peak\":" << stats.peak << ",\"areas\":" << stats.areas
             << ",\"resident\":" << stats.resident << ",\"deepest\":" << stats.deepest
             << ",\"guard_kind\":\"" << (stats.guard_kind == ACRE_GUARD_MARKER ? "marker" : "pages")
             << "\"}\n";
    EXPECT_EQ(text, expected.str());
    pool.give(taken);
}

TEST(Report, ends_when_the_writer_says_so)
{
    Pool pool;
    std::vector<acre_stack> taken = pool.take(50);
    int calls = 0;
    EXPECT_EQ(acre_stack_report(stop_writing, &calls), -EIO);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(acre_stack_pool_report(pool, stop_writing, &calls), -EIO);
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(acre_stack_report(nullptr, nullptr), ACRE_NULL_ARGUMENT);
    EXPECT_EQ(acre_stack_pool_report(pool, nullptr, nullptr), ACRE_NULL_ARGUMENT);
    pool.give(taken);
}

}  // namespace
