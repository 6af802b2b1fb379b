// A stack asleep has no pages; awake again it has the same bytes at the same addresses.
#include "acre/stack_sleep.h"

#include <cstring>
#include <vector>

#include "acre/page.h"
#include "gtest/gtest.h"
#include "tests/stack/pool.h"
#include "tests/support/run_on.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_WITHOUT_ADVICE("Kinds/Sleep.* SleepMany.*");

bool can_sleep()
{
#ifdef _WIN32
    return false;
#else
    return true;
#endif
}

[[maybe_unused]] const int skips =
    skip_without(can_sleep, "not on Windows", "Kinds/Sleep.* SleepMany.*");

struct Kind {
    const char *name;
    bool of_pool;
    size_t header;
};

class Sleep : public testing::TestWithParam<Kind> {
  protected:
    void SetUp() override
    {
        if (GetParam().of_pool) {
            acre_stack_pool_opts opts = {};
            opts.header_size = GetParam().header;
            ASSERT_OK(acre_stack_pool_create(&opts, &pool_));
            // A colour that moves the top away from the end of a page.
            acre_stack first;
            ASSERT_OK(acre_stack_pool_take(pool_, &first));
            ASSERT_OK(acre_stack_pool_take(pool_, &stack_));
            ASSERT_OK(acre_stack_pool_give(pool_, &first));
        } else {
            acre_stack_opts opts = {};
            opts.header_size = GetParam().header;
            ASSERT_OK(acre_stack_create(64 * 1024, &opts, &stack_));
        }
        // The header's size is rounded up.
        content_ = stack_.size + (GetParam().header + 63) / 64 * 64;
        base_ = static_cast<char *>(stack_.base);
    }
    void TearDown() override
    {
        if (pool_ != nullptr) {
            EXPECT_OK(acre_stack_pool_give(pool_, &stack_));
            EXPECT_OK(acre_stack_pool_destroy(pool_));
        } else if (stack_.base != nullptr) {
            EXPECT_OK(acre_stack_destroy(&stack_));
        }
    }

    // The highest `live` bytes of the stack, and the header, in a pattern.
    void fill(size_t live)
    {
        for (size_t i = stack_.size - live; i < content_; i++)
            base_[i] = static_cast<char>(i * 7 + 1);
    }
    // Where the pattern does not hold, or what lies below it is not zero.
    size_t wrong(size_t live) const
    {
        for (size_t i = 0; i < content_; i++) {
            char expected = i < stack_.size - live ? '\0' : static_cast<char>(i * 7 + 1);
            if (base_[i] != expected)
                return i;
        }
        return content_;
    }
    const void *pointer(size_t live) const
    {
        return base_ + stack_.size - live;
    }
    size_t used() const
    {
        size_t bytes = SIZE_MAX;
        EXPECT_OK(acre_stack_used(&stack_, &bytes));
        return bytes;
    }
    std::vector<char> sleep(size_t live)
    {
        size_t length = 0;
        EXPECT_OK(acre_stack_sleep_size(&stack_, pointer(live), &length));
        std::vector<char> buffer(length);
        size_t used = 0;
        EXPECT_OK(acre_stack_sleep(&stack_, pointer(live), buffer.data(), length, &used));
        EXPECT_EQ(length, used);
        return buffer;
    }

    acre_stack stack_ = {};
    acre_stack_pool *pool_ = nullptr;
    char *base_ = nullptr;
    size_t content_ = 0;
};

TEST_P(Sleep, returns_every_page_and_wakes_to_the_same_bytes)
{
    size_t page = acre_page_size();
    for (size_t live : {size_t{0}, size_t{8}, size_t{256}, page, 3 * page + 40, stack_.size}) {
        if (live > stack_.size)
            continue;  // with large pages
        // Deeper than what stays.
        std::memset(base_, 0x55, stack_.size);
        fill(live);
        std::vector<char> buffer = sleep(live);
        EXPECT_EQ(live + content_ - stack_.size, buffer.size());
        EXPECT_EQ(0u, used());
        ASSERT_OK(acre_stack_wake(&stack_, buffer.data(), buffer.size()));
        EXPECT_EQ(content_, wrong(live)) << live;
    }
}

TEST_P(Sleep, touches_only_pages_of_live_bytes_when_it_wakes)
{
    std::memset(base_, 0x55, stack_.size);
    std::vector<char> buffer = sleep(256);
    ASSERT_OK(acre_stack_wake(&stack_, buffer.data(), buffer.size()));
    EXPECT_LE(used(), 2 * acre_page_size());
}

TEST_P(Sleep, keeps_the_guard_and_the_use)
{
    fill(64);
    std::vector<char> buffer = sleep(64);
    EXPECT_FALSE(readable(base_ - 1));
    acre_stack_info info;
    ASSERT_OK(acre_stack_find(base_, &info));
    EXPECT_EQ(ACRE_STACK_USABLE, info.where);
    EXPECT_EQ(stack_.generation, info.generation);
    ASSERT_OK(acre_stack_wake(&stack_, buffer.data(), buffer.size()));
    EXPECT_EQ(content_, wrong(64));
}

TEST_P(Sleep, takes_a_pointer_of_any_alignment_downwards)
{
    fill(64);
    size_t aligned;
    size_t odd;
    ASSERT_OK(acre_stack_sleep_size(&stack_, pointer(64), &aligned));
    ASSERT_OK(acre_stack_sleep_size(&stack_, pointer(61), &odd));
    EXPECT_EQ(aligned, odd);
    // And a buffer of any.
    std::vector<char> buffer(odd + 1);
    size_t length;
    ASSERT_OK(acre_stack_sleep(&stack_, pointer(61), buffer.data() + 1, odd, &length));
    ASSERT_OK(acre_stack_wake(&stack_, buffer.data() + 1, length));
    EXPECT_EQ(content_, wrong(64));
}

TEST_P(Sleep, refuses_what_is_wrong_and_changes_nothing)
{
    fill(stack_.size);
    char buffer[1024];
    size_t length = 77;
    size_t size = 77;
    EXPECT_STATUS(ACRE_BAD_RANGE, acre_stack_sleep_size(&stack_, base_ - 1, &size));
    EXPECT_STATUS(ACRE_BAD_RANGE,
                  acre_stack_sleep(&stack_, base_ + stack_.size + 1, buffer, 1024, &length));
    size_t needed;
    ASSERT_OK(acre_stack_sleep_size(&stack_, pointer(512), &needed));
    EXPECT_STATUS(ACRE_BAD_SIZE,
                  acre_stack_sleep(&stack_, pointer(512), buffer, needed - 1, &length));
    EXPECT_STATUS(ACRE_BAD_SIZE, acre_stack_wake(&stack_, buffer, content_ + sizeof(void *)));
    EXPECT_STATUS(ACRE_BAD_SIZE, acre_stack_wake(&stack_, buffer, needed - 1));
    if (GetParam().header > 0) {
        EXPECT_STATUS(ACRE_BAD_SIZE, acre_stack_wake(&stack_, buffer, 0));
    }
    acre_stack stale = stack_;
    stale.generation += 2;
    EXPECT_STATUS(ACRE_STALE, acre_stack_sleep(&stale, pointer(0), buffer, 1024, &length));
    EXPECT_STATUS(ACRE_STALE, acre_stack_wake(&stale, buffer, needed));
    acre_stack foreign = stack_;
    foreign.base = buffer;
    EXPECT_STATUS(ACRE_NOT_OURS, acre_stack_sleep(&foreign, pointer(0), buffer, 1024, &length));
    EXPECT_EQ(77u, length);
    EXPECT_EQ(77u, size);
    EXPECT_EQ(content_, wrong(stack_.size));
}

// ---- many ---------------------------------------------------------------------------------------

class SleepMany : public testing::Test {
  protected:
    enum { COUNT = 150, LIVE = 100 };  // several calls' worth

    void SetUp() override
    {
        ASSERT_OK(acre_stack_pool_create(nullptr, &pool_));
        for (size_t i = 0; i < COUNT; i++) {
            ASSERT_OK(acre_stack_pool_take(pool_, &stacks_[i]));
            std::memset(stacks_[i].base, 0x55, stacks_[i].size);
            std::memset(top(i) - LIVE, static_cast<int>(i), LIVE);
            sleepers_[i] = {&stacks_[i], top(i) - LIVE, buffers_[i], sizeof buffers_[i], 0};
        }
    }
    void TearDown() override
    {
        for (acre_stack &stack : stacks_)
            EXPECT_OK(acre_stack_pool_give(pool_, &stack));
        EXPECT_OK(acre_stack_pool_destroy(pool_));
    }
    char *top(size_t i) const
    {
        return static_cast<char *>(stacks_[i].base) + stacks_[i].size;
    }
    bool sleeps(size_t i) const
    {
        size_t used = SIZE_MAX;
        EXPECT_OK(acre_stack_used(&stacks_[i], &used));
        return used == 0;
    }
    bool is_whole(size_t i) const
    {
        for (char *at = top(i) - LIVE; at < top(i); at++) {
            if (*at != static_cast<char>(i))
                return false;
        }
        return true;
    }

    acre_stack_pool *pool_ = nullptr;
    acre_stack stacks_[COUNT] = {};
    acre_stack_sleeper sleepers_[COUNT] = {};
    alignas(16) char buffers_[COUNT][LIVE + 16] = {};
};

TEST_F(SleepMany, puts_all_to_sleep)
{
    size_t done = 77;
    ASSERT_OK(acre_stack_sleep_many(sleepers_, COUNT, &done));
    EXPECT_EQ(size_t{COUNT}, done);
    for (size_t i = 0; i < COUNT; i++) {
        EXPECT_TRUE(sleeps(i));
        ASSERT_OK(acre_stack_wake(&stacks_[i], buffers_[i], sleepers_[i].length));
        EXPECT_TRUE(is_whole(i));
    }
}

TEST_F(SleepMany, stops_at_the_first_that_is_refused)
{
    for (size_t refused : {size_t{0}, size_t{3}, size_t{64}, size_t{100}}) {
        sleepers_[refused].capacity = 1;
        size_t done = 77;
        EXPECT_STATUS(ACRE_BAD_SIZE, acre_stack_sleep_many(sleepers_, COUNT, &done));
        EXPECT_EQ(refused, done);
        for (size_t i = 0; i < COUNT; i++) {
            EXPECT_EQ(i < refused, sleeps(i)) << i;
            if (i < refused) {
                ASSERT_OK(acre_stack_wake(&stacks_[i], buffers_[i], sleepers_[i].length));
            }
            EXPECT_TRUE(is_whole(i)) << i;
        }
        sleepers_[refused].capacity = sizeof buffers_[refused];
    }
}

TEST_F(SleepMany, of_none_does_nothing)
{
    size_t done = 77;
    EXPECT_OK(acre_stack_sleep_many(nullptr, 0, &done));
    EXPECT_EQ(0u, done);
}

// ---- the running one ----------------------------------------------------------------------------

acre_stack own;
acre_status asleep;
acre_status awake;

TEST_P(Sleep, is_refused_to_the_running_stack)
{
    own = stack_;
    asleep = awake = ACRE_OK;
    ASSERT_TRUE(run_on(stack_, [] {
        static char buffer[4096];
        size_t length;
        char *near_top = static_cast<char *>(own.base) + own.size - 64;
        asleep = acre_stack_sleep(&own, near_top, buffer, sizeof buffer, &length);
        ASSERT_OK(acre_stack_sleep_size(&own, near_top, &length));
        awake = acre_stack_wake(&own, buffer, length);
    }));
    EXPECT_STATUS(ACRE_BAD_STATE, asleep);
    EXPECT_STATUS(ACRE_BAD_STATE, awake);
}

TEST_P(Sleep, may_end_by_giving_the_stack_back)
{
    if (pool_ == nullptr)
        GTEST_SKIP() << "destroyed as any other";
    std::memset(base_, 0x55, stack_.size);
    sleep(64);
    ASSERT_OK(acre_stack_pool_give(pool_, &stack_));
    ASSERT_OK(acre_stack_pool_take(pool_, &stack_));
    base_ = static_cast<char *>(stack_.base);
    std::memset(base_, 0x55, stack_.size);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Sleep,
                         testing::Values(Kind{"Single", false, 0},
                                         Kind{"SingleWithHeader", false, 100},
                                         Kind{"Pool", true, 0}, Kind{"PoolWithHeader", true, 100}),
                         [](const testing::TestParamInfo<Kind> &kind) { return kind.param.name; });

}  // namespace
