// acre_stack_find: whose stack or guard an address lies in.

#include <cstdint>
#include <cstring>
#include <vector>

#include "acre/page.h"
#include "acre/stack.h"
#include "acre/stack_pool.h"
#include "gtest/gtest.h"
#include "tests/stack/guards.h"
#include "tests/support/posix.h"

namespace {

char *bytes(const acre_stack &stack)
{
    return static_cast<char *>(stack.base);
}

acre_stack_info untouched()
{
    acre_stack_info info;
    std::memset(&info, 0x5a, sizeof(info));
    return info;
}

void expect_found(const void *address, const acre_stack &stack, uintptr_t tag, uint32_t where)
{
    acre_stack_info info = untouched();
    ASSERT_EQ(acre_stack_find(address, &info), ACRE_OK);
    EXPECT_EQ(info.base, stack.base);
    EXPECT_EQ(info.size, stack.size);
    EXPECT_EQ(info.header, stack.header);
    EXPECT_EQ(info.pool, nullptr);
    EXPECT_EQ(info.tag, tag);
    EXPECT_EQ(info.where, where);
    EXPECT_EQ(info.generation, stack.generation);
    EXPECT_EQ(info.guard_kind, stack.guard_kind);
    EXPECT_EQ(info.padding, 0u);
}

void expect_not_found(const void *address)
{
    acre_stack_info info = untouched();
    acre_stack_info before = info;
    EXPECT_EQ(acre_stack_find(address, &info), ACRE_NOT_OURS);
    EXPECT_EQ(std::memcmp(&info, &before, sizeof(info)), 0);
}

// Runs first in this program: nothing has been created.
TEST(Find, knows_nothing_before_the_first_stack)
{
    int local = 0;
    expect_not_found(&local);
    expect_not_found(nullptr);
    expect_not_found(reinterpret_cast<void *>(UINTPTR_MAX));
}

class Edges : public acre_test::EachGuard {};

TEST_P(Edges, answers_for_first_and_last_byte_and_no_further)
{
    const size_t page = acre_page_size();
    for (size_t header_size : {size_t{64}, size_t{640}, 2 * page}) {
        acre_stack_opts opts = {};
        opts.guard_size = 3 * page;
        opts.header_size = header_size;
        opts.tag = 7 + header_size;
        acre_stack stack;
        ASSERT_EQ(acre_stack_create(10 * page, &opts, &stack), ACRE_OK);

        expect_found(bytes(stack), stack, opts.tag, ACRE_STACK_USABLE);
        expect_found(bytes(stack) + stack.size - 1, stack, opts.tag, ACRE_STACK_USABLE);
        expect_found(stack.header, stack, opts.tag, ACRE_STACK_USABLE);
        char *end = static_cast<char *>(stack.header) + header_size;
        expect_found(end - 1, stack, opts.tag, ACRE_STACK_USABLE);
        expect_not_found(end);
        expect_found(bytes(stack) - 1, stack, opts.tag, ACRE_STACK_GUARD);
        expect_found(bytes(stack) - 3 * page, stack, opts.tag, ACRE_STACK_GUARD);
        expect_not_found(bytes(stack) - 3 * page - 1);

        acre_stack gone = stack;
        ASSERT_EQ(acre_stack_destroy(&stack), ACRE_OK);
        expect_not_found(bytes(gone) - 3 * page);
        expect_not_found(bytes(gone));
        expect_not_found(bytes(gone) + gone.size - 1);
        expect_not_found(gone.header);
    }
}

TEST_P(Edges, tells_neighbours_apart)
{
    std::vector<acre_stack> stacks(200);
    for (size_t i = 0; i < stacks.size(); i++) {
        acre_stack_opts opts = {};
        opts.tag = i;
        ASSERT_EQ(acre_stack_create(1 + i * 333, &opts, &stacks[i]), ACRE_OK);
    }
    // Every other one goes; the rest is found as before.
    for (size_t i = 0; i < stacks.size(); i += 2) {
        acre_stack gone = stacks[i];
        ASSERT_EQ(acre_stack_destroy(&stacks[i]), ACRE_OK);
        expect_not_found(gone.base);
        expect_not_found(bytes(gone) - 1);
    }
    for (size_t i = 1; i < stacks.size(); i += 2) {
        for (size_t at = 0; at < stacks[i].size; at += acre_page_size())
            expect_found(bytes(stacks[i]) + at, stacks[i], i, ACRE_STACK_USABLE);
        expect_found(bytes(stacks[i]) - 1, stacks[i], i, ACRE_STACK_GUARD);
        EXPECT_EQ(acre_stack_destroy(&stacks[i]), ACRE_OK);
    }
}

FOR_EACH_GUARD(Edges);

TEST(Find, spans_many_leaves_of_its_table)
{
    if (sizeof(void *) < 8)
        GTEST_SKIP() << "a stack of gigabytes does not fit 32 bits";
    acre_system system;
    ASSERT_EQ(acre_system_read(&system), ACRE_OK);
    if (system.overcommit_mode == 2 && system.commit_limit - system.committed < size_t{6} << 30)
        GTEST_SKIP() << "under overcommit mode 2 a stack of gigabytes needs as much memory";
    acre_stack stack;
    ASSERT_EQ(acre_stack_create(size_t{5} << 30, nullptr, &stack), ACRE_OK);
    for (size_t at = 0; at < stack.size; at += size_t{1} << 29)
        expect_found(bytes(stack) + at, stack, 0, ACRE_STACK_USABLE);
    expect_found(bytes(stack) + stack.size - 1, stack, 0, ACRE_STACK_USABLE);
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

const void *asked;
acre_stack_info answer;
acre_status answered;

void ask(int)
{
    answered = acre_stack_find(asked, &answer);
}

TEST(Find, answers_a_signal_handler)
{
    acre_stack stack;
    ASSERT_EQ(acre_stack_create(65536, nullptr, &stack), ACRE_OK);
    struct sigaction action = {};
    struct sigaction before = {};
    action.sa_handler = ask;
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);

    asked = bytes(stack) - 1;
    answered = 1;
    ASSERT_EQ(raise(SIGUSR1), 0);
    EXPECT_EQ(answered, ACRE_OK);
    EXPECT_EQ(answer.base, stack.base);
    EXPECT_EQ(answer.where, static_cast<uint32_t>(ACRE_STACK_GUARD));

    asked = &stack;
    ASSERT_EQ(raise(SIGUSR1), 0);
    EXPECT_EQ(answered, ACRE_NOT_OURS);
    ASSERT_EQ(sigaction(SIGUSR1, &before, nullptr), 0);
    EXPECT_EQ(acre_stack_destroy(&stack), ACRE_OK);
}

TEST(At, an_address_suffices_to_destroy_a_stack)
{
    acre_stack_opts opts = {};
    opts.header_size = 64;
    acre_stack made;
    ASSERT_EQ(acre_stack_create(65536, &opts, &made), ACRE_OK);
    for (char *address :
         {static_cast<char *>(made.base), static_cast<char *>(made.base) + made.size - 1,
          static_cast<char *>(made.header), static_cast<char *>(made.base) - 1}) {
        acre_stack found = {};
        ASSERT_EQ(acre_stack_at(address, &found), ACRE_OK);
        EXPECT_EQ(std::memcmp(&made, &found, sizeof made), 0);
    }
    size_t header;
    ASSERT_EQ(acre_stack_header_size(&made, &header), ACRE_OK);
    EXPECT_EQ(header, 64u);
    acre_stack found = {};
    ASSERT_EQ(acre_stack_at(made.base, &found), ACRE_OK);
    void *base = made.base;
    EXPECT_EQ(acre_stack_destroy(&found), ACRE_OK);
    EXPECT_EQ(acre_stack_destroy(&made), ACRE_STALE);
    EXPECT_EQ(acre_stack_header_size(&found, &header), ACRE_EMPTY_HANDLE);
    std::memset(&found, 0x5a, sizeof found);
    acre_stack before = found;
    EXPECT_EQ(acre_stack_at(base, &found), ACRE_NOT_OURS);
    EXPECT_EQ(acre_stack_at(nullptr, &found), ACRE_NOT_OURS);
    EXPECT_EQ(acre_stack_at(&found, &found), ACRE_NOT_OURS);
    EXPECT_EQ(std::memcmp(&before, &found, sizeof found), 0);
}

TEST(At, an_address_suffices_to_give_a_stack_back)
{
    acre_stack_pool_opts opts = {};
    opts.header_size = 200;
    acre_stack_pool *pool;
    ASSERT_EQ(acre_stack_pool_create(&opts, &pool), ACRE_OK);
    acre_stack first, second;
    ASSERT_EQ(acre_stack_pool_take(pool, &first), ACRE_OK);
    ASSERT_EQ(acre_stack_pool_take(pool, &second), ACRE_OK);
    size_t header;
    ASSERT_EQ(acre_stack_header_size(&second, &header), ACRE_OK);
    EXPECT_EQ(header, 256u);
    acre_stack found = {};
    ASSERT_EQ(acre_stack_at(static_cast<char *>(second.base) + 100, &found), ACRE_OK);
    EXPECT_EQ(std::memcmp(&second, &found, sizeof found), 0);
    EXPECT_EQ(acre_stack_pool_give(pool, &found), ACRE_OK);
    EXPECT_EQ(acre_stack_pool_give(pool, &second), ACRE_STALE);
    EXPECT_EQ(acre_stack_at(second.base, &found), ACRE_STALE);
    EXPECT_EQ(acre_stack_header_size(&second, &header), ACRE_STALE);
    EXPECT_EQ(acre_stack_pool_give(pool, &first), ACRE_OK);
    EXPECT_EQ(acre_stack_pool_destroy(pool), ACRE_OK);
}

}  // namespace
