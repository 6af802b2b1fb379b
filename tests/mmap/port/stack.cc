// Stacks, threads and faults.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/mmap/port/port.h"

using namespace acre_test;

namespace {

TEST(Port, the_lowest_touched_page_of_each_of_many_ranges)
{
    Mapped map(request_for(64 * unit(), ACRE_READ_WRITE, ACRE_MAP_NO_HUGE));
    ASSERT_OK(map.status);
    for (size_t page : {2u, 9u, 10u, 11u, 12u, 13u, 14u, 15u, 17u, 40u})
        *map.at(page * unit()) = 1;
    // Untouched; from within; one run over several; up to a run, from a run; nothing behind it.
    const size_t ranges[][3] = {{0, 2, 2},    {2, 8, 2},    {8, 10, 9},
                                {10, 12, 10}, {12, 13, 12}, {14, 20, 14},
                                {18, 40, 40}, {41, 50, 50}, {50, 64, 64}};
    std::vector<acre_range> asked;
    for (const size_t *range : ranges)
        asked.push_back({map.at(range[0] * unit()), (range[1] - range[0]) * unit()});
    std::vector<const void *> lowest(asked.size());
    ASSERT_OK(acre_port_lowest_touched_many(asked.data(), asked.size(), lowest.data()));
    for (size_t i = 0; i < asked.size(); i++)
        EXPECT_EQ(map.at(ranges[i][2] * unit()), lowest[i]) << i;
    ASSERT_OK(acre_port_lowest_touched_many(&asked[3], 1, lowest.data()));
    EXPECT_EQ(map.at(10 * unit()), lowest[0]);
}

TEST(Port, guards_many_ranges_and_counts_them)
{
    Mapped map(request_for(1024 * acre_port_page_size(), ACRE_READ_WRITE, ACRE_MAP_NO_HUGE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    std::vector<acre_range> ranges;
    for (size_t at = 0; at < map.size; at += 2 * acre_port_page_size())
        ranges.push_back({map.at(at), acre_port_page_size()});
    size_t done = 77;  // never read
    if (acre_port_can(ACRE_CAN_GUARD_WITH_MARKERS) == 0) {
        EXPECT_STATUS(-ENOTSUP, acre_port_guard_many(ranges.data(), ranges.size(), &done));
        EXPECT_EQ(0u, done);
        return;
    }
    uint64_t before = 0, after = 0;
    ASSERT_OK(acre_port_area_count(&before));
    ASSERT_OK(acre_port_guard_many(ranges.data(), ranges.size(), &done));
    ASSERT_OK(acre_port_area_count(&after));
    EXPECT_EQ(ranges.size(), done);
    EXPECT_LE(after, before + 2);
    for (const acre_range &range : ranges) {
        ASSERT_FALSE(readable(range.base));
        ASSERT_EQ(1, static_cast<char *>(range.base)[acre_port_page_size()]);
    }
    // Where nothing is mapped it stops.
    Mapped gone(request_for(acre_port_page_size(), ACRE_READ_WRITE));
    ASSERT_OK(gone.status);
    ranges.resize(8);
    ranges[5].base = gone.base;
    gone.unmap();
    EXPECT_GT(0, acre_port_guard_many(ranges.data(), ranges.size(), &done));
    EXPECT_EQ(5u, done);

    acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    EXPECT_STATUS(-ENOTSUP, acre_port_guard_many(ranges.data(), ranges.size(), &done));
    acre_port_pretend_nothing();
    EXPECT_EQ(0u, done);
}

TEST(Port, stops_at_a_locked_range_and_guards_the_rest_when_it_is_unlocked)
{
    if (acre_port_can(ACRE_CAN_GUARD_WITH_MARKERS) == 0)
        GTEST_SKIP() << "this system has no guard markers";
    const size_t page = acre_port_page_size();
    Mapped map(request_for(32 * page, ACRE_READ_WRITE, ACRE_MAP_NO_HUGE));
    ASSERT_OK(map.status);
    std::vector<acre_range> ranges;
    for (size_t at = 0; at < map.size; at += 2 * page)
        ranges.push_back({map.at(at), page});
    acre_status status = acre_port_lock_on_fault(&map, map.at(10 * page), 2 * page);
    if (status == -ENOMEM || status == -EPERM || status == -EAGAIN)
        GTEST_SKIP() << "this process may not lock so much";
    ASSERT_OK(status);
    size_t done = 77;
    EXPECT_STATUS(-EINVAL, acre_port_guard_many(ranges.data(), ranges.size(), &done));
    EXPECT_EQ(5u, done);
    ASSERT_OK(acre_port_unlock(&map, map.at(10 * page), 2 * page));
    // The same variable again, for what is left.
    ASSERT_OK(acre_port_guard_many(&ranges[5], ranges.size() - 5, &done));
    EXPECT_EQ(ranges.size() - 5, done);
    for (const acre_range &range : ranges)
        EXPECT_FALSE(readable(range.base));
}

TEST(Port, stacks_are_committed_from_their_end_and_shrunk_to_it)
{
    const size_t guard = 4 * unit();
    const size_t size = 16 * unit();
    Mapped map(request_for(guard + size, ACRE_READ_WRITE, ACRE_IS_RESERVATION));
    ASSERT_OK(map.status);
    char *start = map.at(guard);
    ASSERT_OK(acre_port_commit_stack(&map, start, size, unit()));
    map.private_[0] |= map.size;  // changed up to there
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(start - 1));
    for (int round = 0; round < 2; round++) {
        // Not by who runs there, which is what the system lets a stack grow for.
        ASSERT_OK(acre_port_commit_stack(&map, start, size, size));
        for (size_t at = size; at > 0; at -= acre_port_page_size())
            start[at - acre_port_page_size()] = 1;
        EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(start - 1));
        ASSERT_OK(acre_port_shrink_stack(&map, start, size, 2 * unit()));
        EXPECT_EQ(1, start[size - acre_port_page_size()]);
        EXPECT_EQ(1, start[size - 2 * unit()]);
        size_t resident = 0;
        ASSERT_OK(acre_port_resident(start, size, &resident));
        EXPECT_LE(resident, 4 * unit());
    }
    ASSERT_OK(acre_port_commit_stack(&map, start, size, size));
    EXPECT_EQ(1, start[size - 2 * unit()]);
    for (size_t at = size - 2 * unit(); at > 0; at -= acre_port_page_size())
        ASSERT_EQ(0, start[at - acre_port_page_size()]);
    if (acre_port_stacks_grow()) {
        ASSERT_OK(acre_port_shrink_stack(&map, start, size, 0));
        EXPECT_TRUE(is_reserved(start, unit()));
    }
}

TEST(Port, a_stack_has_bounds_that_the_system_may_want_to_know)
{
    const size_t guard = 4 * unit();
    const size_t size = 4 * unit();
    Mapped map(request_for(guard + size, ACRE_READ_WRITE, ACRE_IS_RESERVATION));
    ASSERT_OK(map.status);
    char *start = map.at(guard);
    ASSERT_OK(acre_port_commit_stack(&map, start, size, unit()));
    port_bounds bounds;
    ASSERT_OK(acre_port_stack_bounds(map.base, start, start + size - 64, &bounds));
    EXPECT_EQ(start + size - 64, bounds.top);
    EXPECT_GE(bounds.limit, start);
    EXPECT_TRUE(readable(bounds.limit));
    EXPECT_FALSE(readable(static_cast<char *>(bounds.limit) - 1));
    EXPECT_GE(bounds.lowest, map.base);
    EXPECT_LT(bounds.lowest, static_cast<void *>(start));

    // What was known comes back as it was.
    port_bounds own = {}, other = {}, again = {};
    if (acre_port_stack_exchange(&bounds, &own) == 0)
        return;
    acre_port_stack_exchange(&own, &other);
    acre_port_stack_exchange(&own, &again);
    EXPECT_EQ(bounds.top, other.top);
    EXPECT_EQ(bounds.limit, other.limit);
    EXPECT_EQ(own.top, again.top);
    EXPECT_EQ(own.lowest, again.lowest);
    EXPECT_EQ(own.guaranteed, again.guaranteed);
    EXPECT_EQ(own.handlers, again.handlers);
}

TEST(Port, tells_this_process)
{
    EXPECT_NE(0, acre_port_process_id());
    EXPECT_EQ(acre_port_process_id(), acre_port_process_id());
    errno = 77;
    EXPECT_EQ(77, errno);
}

int ended_words[4];

// Answers a word that is not NULL, and is handed that again on some systems.
void *end_thread(void *word)
{
    ended_words[*static_cast<int *>(word)]++;
    static int last = 3;
    return &last;
}

TEST(Port, threads_have_words_of_their_own_and_their_end_is_told)
{
    constexpr port_thread_word which = PORT_THREAD_POOL;
    acre_status status = acre_port_thread_hook(which, end_thread);
    if (status != ACRE_OK) {
        EXPECT_TRUE(status == -ENOTSUP || status == -EAGAIN) << name_of(status);
        EXPECT_EQ(nullptr, acre_port_thread_get(which));
        GTEST_SKIP() << "threads have no words here";
    }
    ASSERT_OK(acre_port_thread_hook(which, end_thread));
    static int numbers[3] = {0, 1, 2};
    std::vector<std::thread> threads;
    for (int &number : numbers) {
        threads.emplace_back([&number] {
            EXPECT_EQ(nullptr, acre_port_thread_get(which));
            if (number == 2)
                return;  // without a word: nobody is told
            EXPECT_OK(acre_port_thread_set(which, &number));
            EXPECT_EQ(&number, acre_port_thread_get(which));
            EXPECT_EQ(nullptr, acre_port_thread_get(PORT_THREAD_OVERFLOW));
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(1, ended_words[0]);
    EXPECT_EQ(1, ended_words[1]);
    EXPECT_EQ(0, ended_words[2]);
    EXPECT_EQ(nullptr, acre_port_thread_get(which));
}

TEST(Port, threads_have_numbers_of_their_own_where_priority_is_lent)
{
    if (!acre_port_lends_priority())
        GTEST_SKIP() << "no priority is lent here";
    errno = 77;
    const uint32_t process = 1;
    uint32_t own = acre_port_thread_number(process);
    uint32_t other = 0;
    std::thread([&] { other = acre_port_thread_number(process); }).join();
    EXPECT_NE(own, other);
    for (uint32_t number : {own, other}) {
        EXPECT_NE(0U, number);
        EXPECT_LT(number, 1U << 30);
    }
    EXPECT_EQ(own, acre_port_thread_number(process));
    need_fork();
    EXPECT_EQ(0,
              in_child([&] { return acre_port_thread_number(process + 1) != own ? 0 : 1; }).code);
    EXPECT_EQ(77, errno);
}

TEST(Port, a_lock_is_held_by_one_thread_at_a_time)
{
    if (!acre_port_lends_priority())
        GTEST_SKIP() << "no priority is lent here";
    static std::atomic<uint32_t> word;
    static volatile size_t sum;
    std::vector<std::thread> threads;
    word = acre_port_thread_number(1);
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([] {
            uint32_t number = acre_port_thread_number(1);
            for (size_t round = 0; round < rounds(20000); round++) {
                uint32_t none = 0;
                if (!word.compare_exchange_strong(none, number))
                    while (!acre_port_lock_wait(&word))
                        continue;
                EXPECT_EQ(number, word & ~PORT_LOCK_AWAITED);
                sum = sum + 1;
                uint32_t held = number;
                if (word.compare_exchange_strong(held, 0))
                    continue;
                EXPECT_EQ(number | PORT_LOCK_AWAITED, held);
                acre_port_lock_hand_over(&word);
            }
        });
    }
    while ((word & PORT_LOCK_AWAITED) == 0)
        std::this_thread::yield();
    EXPECT_EQ(0U, sum);
    acre_port_lock_hand_over(&word);
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(4 * rounds(20000), sum);
    EXPECT_EQ(0U, word);
}

const char *touched;
bool is_asked;

void look(const void *address, size_t length, const void *)
{
    is_asked = address == touched && length == 1;
}

void look_and_end(const void *address, size_t length, const void *)
{
    _exit(address == touched && length == 1 ? 42 : 43);
}

// In a child: with a handler installed, touches what may not be touched.
Ended touch(port_fault_fn handler, void (*before)())
{
    Mapped map(request_for(unit(), ACRE_NONE));
    EXPECT_OK(map.status);
    touched = map.at();
    return in_child([&] {
        before();
        if (acre_port_fault_install(handler) != ACRE_OK)
            return 1;
        return *const_cast<const volatile char *>(touched) & 0;
    });
}

TEST(Port, a_fault_is_looked_at_with_its_address)
{
    Ended ended = touch(look_and_end, [] {});
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(42, ended.code);
}

TEST(Port, a_fault_that_was_looked_at_goes_to_the_earlier_handler)
{
    Ended ended = touch(look, [] {
        const int signals[] = {SIGSEGV, SIGBUS};
        for (int signal : signals)
            std::signal(signal, [](int) { _exit(is_asked ? 42 : 43); });
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(42, ended.code);
    EXPECT_FALSE(touch(look, [] {}).exited);
}

TEST(Port, a_look_that_was_removed_is_not_asked)
{
    Mapped map(request_for(unit(), ACRE_NONE));
    ASSERT_OK(map.status);
    touched = map.at();
    Ended ended = in_child([] {
        if (acre_port_fault_install(look_and_end) != ACRE_OK || acre_port_fault_remove() != ACRE_OK)
            return 1;
        return *const_cast<const volatile char *>(touched) & 0;
    });
    EXPECT_FALSE(ended.exited);
}

TEST(Port, a_thread_has_the_signal_stack_that_it_was_given)
{
    // Where stacks grow (Windows) nobody sets one.
    if (acre_port_stacks_grow())
        GTEST_SKIP() << "handlers run on the stack that faulted";
    std::thread([] {
        void *before;
        size_t size_before;
        ASSERT_OK(acre_port_signal_stack_get(&before, &size_before));
        std::vector<char> own(acre_port_signal_stack_size());
        EXPECT_LE(size_t{65536}, own.size());
        ASSERT_OK(acre_port_signal_stack_set(own.data(), own.size()));
        void *base;
        size_t size;
        ASSERT_OK(acre_port_signal_stack_get(&base, &size));
        EXPECT_EQ(own.data(), base);
        EXPECT_EQ(own.size(), size);
        ASSERT_OK(acre_port_signal_stack_set(nullptr, 0));
        ASSERT_OK(acre_port_signal_stack_get(&base, &size));
        EXPECT_EQ(0u, size);
        // A sanitizer takes back what it gave.
        if (size_before != 0) {
            ASSERT_OK(acre_port_signal_stack_set(before, size_before));
        }
    }).join();
}

}  // namespace
