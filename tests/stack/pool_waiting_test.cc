// Threads that wait for a pool give the processor to whoever they wait for, whatever its priority,
// and lend it their own where the system can do that.
#ifdef __linux__

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/timerfd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "mmap/port/thread.h"
#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind runs one thread at a time, in an order of its own");

class PoolWaiting : public EachGuard {};

bool run_on_one_processor()
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return false;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        return sched_setaffinity(0, sizeof one, &one) == 0;
    }
    return false;
}

bool run_first()
{
    sched_param first = {};
    first.sched_priority = 10;
    return pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) == 0;
}

// Expires every 100 us.
int open_timer()
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    itimerspec often = {};
    often.it_interval.tv_nsec = often.it_value.tv_nsec = 100000;
    return timer >= 0 && timerfd_settime(timer, 0, &often, nullptr) == 0 ? timer : -1;
}

bool wait_for_timer(int timer)
{
    uint64_t expirations;
    return read(timer, &expirations, sizeof expirations) == sizeof expirations;
}

// So small that every call takes the lock.
acre_stack_pool *make_pool()
{
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 100;
    acre_stack_pool *pool;
    return acre_stack_pool_create(&opts, &pool) == ACRE_OK ? pool : nullptr;
}

bool take_and_give(acre_stack_pool *pool)
{
    acre_stack stacks[4];
    bool right = true;
    for (acre_stack &stack : stacks)
        right = acre_stack_pool_take(pool, &stack) == ACRE_OK && right;
    for (acre_stack &stack : stacks)
        right = acre_stack_pool_give(pool, &stack) == ACRE_OK && right;
    return right;
}

// Nobody has one of its stacks, and each of max_stacks can be taken once.
int is_whole(acre_stack_pool *pool)
{
    std::vector<acre_stack> stacks(100);
    for (size_t i = 0; i < stacks.size(); i++) {
        STEP(50, acre_stack_pool_take(pool, &stacks[i]) == ACRE_OK);
        for (size_t other = 0; other < i; other++)
            STEP(51, stacks[other].base != stacks[i].base);
    }
    acre_stack none;
    STEP(52, acre_stack_pool_take(pool, &none) == ACRE_FULL);
    for (const acre_stack &stack : stacks)
        STEP(53, acre_stack_pool_give(pool, &stack) == ACRE_OK);
    return acre_stack_pool_destroy(pool) == ACRE_OK ? 0 : 54;
}

// Rounds of a thread that runs before all others whenever its timer says so, wherever these are.
int make_rounds(acre_stack_pool *pool, int rounds)
{
    int timer = open_timer();
    if (timer < 0 || !run_first())
        return 77;
    for (int i = 0; i < rounds; i++) {
        STEP(1, wait_for_timer(timer));
        acre_stack stack;
        STEP(2, acre_stack_pool_take(pool, &stack) == ACRE_OK);
        STEP(3, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        if (i % 100 == 0)
            STEP(4, acre_stack_pool_trim(pool, 0) == ACRE_OK);
    }
    return close(timer) == 0 ? 0 : 5;
}

int use_from_both_priorities(acre_stack_pool *pool, int rounds)
{
    std::atomic<bool> done{false};
    std::atomic<bool> right{true};
    std::thread ordinary([&] {
        while (!done)
            right = take_and_give(pool) && right;
    });
    int result = 0;
    std::thread urgent([&] { result = make_rounds(pool, rounds); });
    urgent.join();
    done = true;
    ordinary.join();
    STEP(11, right);
    return result != 0 ? result : is_whole(pool);
}

void expect_success_with_priority(const std::function<int()> &body)
{
    if (emulated())
        GTEST_SKIP() << "priorities are the kernel's own";
    Ended ended = in_child([&] { return run_on_one_processor() ? body() : 77; });
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "no thread may have real-time priority here";
    expect_success(ended);
}

// If it only let others run, this would take minutes, or for ever: those that hold what it waits
// for would not run.
TEST_P(PoolWaiting, of_a_real_time_thread_for_an_ordinary_one_ends)
{
    expect_success_with_priority([] {
        acre_stack_pool *pool = make_pool();
        STEP(10, pool != nullptr);
        return use_from_both_priorities(pool, 20000);
    });
}

FOR_EACH_GUARD(PoolWaiting);

// ---- the priority that is lent ------------------------------------------------------------------

#define SKIP_WITHOUT_LENDING()                                                         \
    if (emulated() || !acre_can(ACRE_CAN_WIPE_ON_FORK) || !acre_port_lends_priority()) \
    GTEST_SKIP() << "no priority is lent here"

// As the kernel shows it: below 0 for real-time priorities, of its own or lent.
int priority_of(long thread)
{
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    std::istringstream fields(text.substr(text.rfind(')') + 1));
    std::string field;
    for (int i = 3; i <= 18; i++)
        fields >> field;
    return field.empty() ? 99 : std::stoi(field);
}

TEST(PoolLock, holder_has_the_priority_of_who_waits)
{
    SKIP_WITHOUT_LENDING();
    expect_success_with_priority([] {
        static std::atomic<uint32_t> word;
        const uint32_t process = 1;
        const long self = syscall(SYS_gettid);
        word = acre_port_thread_number(process);
        STEP(1, word == static_cast<uint32_t>(self) && priority_of(self) >= 0);
        std::atomic<int> result{-1};
        std::thread urgent([&] {
            if (!run_first()) {
                result = 77;
                return;
            }
            while (!acre_port_lock_wait(&word))
                continue;
            result = (word & ~PORT_LOCK_AWAITED) == acre_port_thread_number(process) ? 0 : 2;
        });
        while (priority_of(self) >= 0 && result == -1)
            sched_yield();
        STEP(3, result == -1 || result == 77);
        acre_port_lock_hand_over(&word);
        STEP(4, priority_of(self) >= 0);
        urgent.join();
        return result.load();
    });
}

// How often the thread has given the processor away by itself.
long waits_of_this_thread()
{
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_nvcsw : -1;
}

// In how many of its calls a thread that runs before all others waited, and during how many of
// these the one that counts `steps` ran.
int count_waits(acre_stack_pool *pool, const std::atomic<long> &steps, int *waits, int *ran)
{
    int timer = open_timer();
    if (timer < 0 || !run_first())
        return 77;
    for (int i = 0; i < 100000 && *waits < 200; i++) {
        STEP(1, wait_for_timer(timer));
        acre_stack stack;
        long waits_before = waits_of_this_thread();
        long steps_before = steps;
        STEP(2, acre_stack_pool_take(pool, &stack) == ACRE_OK);
        STEP(3, acre_stack_pool_give(pool, &stack) == ACRE_OK);
        long steps_after = steps;
        if (waits_of_this_thread() == waits_before)
            continue;
        ++*waits;
        *ran += steps_after != steps_before;
    }
    return close(timer) == 0 ? 0 : 4;
}

TEST(PoolLock, no_third_thread_runs_while_one_of_real_time_priority_waits)
{
    SKIP_WITHOUT_LENDING();
    expect_success_with_priority([] {
        acre_stack_pool *pool = make_pool();
        STEP(10, pool != nullptr);
        std::atomic<bool> done{false};
        std::atomic<bool> right{true};
        std::atomic<long> steps{0};
        std::thread ordinary([&] {
            while (!done)
                right = take_and_give(pool) && right;
        });
        std::thread busy([&] {
            while (!done)
                steps++;
        });
        int result = 0, waits = 0, ran = 0;
        std::thread urgent([&] { result = count_waits(pool, steps, &waits, &ran); });
        urgent.join();
        done = true;
        ordinary.join();
        busy.join();
        if (result != 0)
            return result;
        std::fprintf(stderr, "waited in %d calls; the third thread ran in %d of them\n", waits,
                     ran);
        STEP(11, right);
        STEP(12, waits >= 20);
        STEP(13, ran <= waits / 10);
        return is_whole(pool);
    });
}

// ---- where the system refuses to lend it --------------------------------------------------------

#ifdef SYS_futex
const uint32_t futex_call = SYS_futex;
#else
const uint32_t futex_call = SYS_futex_time64;
#endif

// From here on the calling thread, and those that it starts, can neither wait for a lock that lends
// priority nor hand one over.
bool refuse_to_lend(uint32_t error)
{
    const uint32_t high = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, futex_call, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + high),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FUTEX_CMD_MASK & 0xff),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_LOCK_PI, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_UNLOCK_PI, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    uint32_t word = 0;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           syscall(futex_call, &word, FUTEX_LOCK_PI_PRIVATE, 0, nullptr, nullptr, 0) == -1 &&
           errno == static_cast<int>(error);
}

TEST(PoolLock, waits_without_lending_where_that_is_refused)
{
    for (uint32_t error : {uint32_t{EPERM}, uint32_t{ENOSYS}}) {
        expect_success_with_priority([error] {
            if (!refuse_to_lend(error))
                return 77;
            STEP(9, !acre_port_lends_priority());
            acre_stack_pool *pool = make_pool();
            STEP(10, pool != nullptr);
            return use_from_both_priorities(pool, 10000);
        });
    }
}

TEST(PoolLock, waits_without_lending_when_that_is_refused_later)
{
    SKIP_WITHOUT_LENDING();
    expect_success_with_priority([] {
        acre_stack_pool *pool = make_pool();
        STEP(10, pool != nullptr && take_and_give(pool));
        if (!refuse_to_lend(EPERM))
            return 77;
        return use_from_both_priorities(pool, 10000);
    });
}

TEST(PoolLock, waits_for_an_ordinary_thread_that_is_refused_later)
{
    SKIP_WITHOUT_LENDING();
    expect_success_with_priority([] {
        acre_stack_pool *pool = make_pool();
        STEP(10, pool != nullptr);
        std::atomic<bool> done{false}, right{true};
        std::thread ordinary([&] {
            right = take_and_give(pool) && refuse_to_lend(EPERM);
            while (!done)
                right = take_and_give(pool) && right;
        });
        int result = 0;
        std::thread urgent([&] { result = make_rounds(pool, 10000); });
        urgent.join();
        done = true;
        ordinary.join();
        if (result != 0)
            return result;
        STEP(11, right);
        return is_whole(pool);
    });
}

// The stacks carry their owner's mark.
bool owns_what_it_takes(acre_stack_pool *pool, long owner)
{
    acre_stack stacks[3];
    bool right = true;
    for (acre_stack &stack : stacks) {
        right = acre_stack_pool_take(pool, &stack) == ACRE_OK && right;
        *reinterpret_cast<volatile long *>(&at_depth(stack, 64)) = owner;
    }
    for (acre_stack &stack : stacks) {
        right = *reinterpret_cast<volatile long *>(&at_depth(stack, 64)) == owner && right;
        right = acre_stack_pool_give(pool, &stack) == ACRE_OK && right;
    }
    return right;
}

TEST(PoolLock, excludes_others_while_some_threads_are_refused_and_end)
{
    if (emulated())
        GTEST_SKIP() << "the emulator filters no calls";
    expect_success(in_child([] {
        acre_stack_pool *pool = make_pool();
        STEP(10, pool != nullptr);
        std::atomic<bool> done{false}, right{true}, filters{true};
        std::vector<std::thread> others;
        for (long owner = 1; owner <= 3; owner++)
            others.emplace_back([&, owner] {
                while (!done)
                    right = owns_what_it_takes(pool, owner) && right;
            });
        for (size_t i = 0; i < rounds(100); i++) {
            std::thread([&] {
                right = owns_what_it_takes(pool, 4) && right;
                filters = refuse_to_lend(EPERM) && filters;
                for (int round = 0; round < 200; round++)
                    right = owns_what_it_takes(pool, 4) && right;
            }).join();
        }
        done = true;
        for (std::thread &other : others)
            other.join();
        if (!filters)
            return 77;
        STEP(11, right);
        return is_whole(pool);
    }));
}

}  // namespace

#endif  // __linux__
