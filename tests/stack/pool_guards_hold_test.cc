// Every stack that a pool hands out has its guard, whatever the program locked before.
//
// The kernel puts no marker on locked pages, and a call that guards many stacks stops at the first
// of those.  So what matters is which stacks of a run are locked.
#include <array>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <cstddef>
#endif

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of areas and locks");

enum { RIGHT = 0, SKIPPED = 77, GUARD_PAGES = 4 };

bool is_refusal(acre_status status)
{
    return status == -ENOMEM || status == -EAGAIN || status == -EPERM;
}

// Tries to write where no signal is raised: the kernel itself writes, and answers EFAULT.
class Probe {
  public:
    Probe()
    {
        works_ = pipe(ends_) == 0 && write(ends_[1], "x", 1) == 1;
    }
    ~Probe()
    {
        close(ends_[0]);
        close(ends_[1]);
    }
    Probe(const Probe &) = delete;
    Probe &operator=(const Probe &) = delete;

    // Whether no page of the stack's guard can be written, and its lowest usable byte can.
    bool finds_guard_of(const acre_stack &stack)
    {
        char *base = static_cast<char *>(stack.base);
        for (size_t page = 1; page <= GUARD_PAGES; page++) {
            if (is_writable(base - page * acre_page_size()))
                return false;
        }
        return !is_writable(base - 1) && is_writable(base);
    }

  private:
    bool is_writable(char *address)
    {
        if (!works_ || read(ends_[0], address, 1) == 1)
            return !works_ || write(ends_[1], "x", 1) == 1;
        return errno != EFAULT;
    }

    int ends_[2] = {-1, -1};
    bool works_ = false;
};

// A pool in a child, with the stacks that are out.
class Taken {
  public:
    Taken(size_t stack_size, size_t most)
    {
        acre_stack_pool_opts opts = {};
        opts.stack_size = stack_size;
        opts.guard_size = GUARD_PAGES * acre_page_size();
        opts.max_stacks = most;
        is_made_ = acre_stack_pool_create(&opts, &pool) == ACRE_OK;
    }

    acre_status take(size_t count)
    {
        acre_status status = is_made_ ? ACRE_OK : ACRE_BAD_STATE;
        for (size_t i = 0; i < count && status == ACRE_OK; i++) {
            acre_stack stack = {};
            status = acre_stack_pool_take(pool, &stack);
            if (status == ACRE_OK)
                stacks.push_back(stack);
        }
        return status;
    }
    // Gives back those that `chosen` says, by their place among the stacks.
    bool give(const std::function<bool(size_t)> &chosen)
    {
        std::vector<acre_stack> kept;
        bool given = true;
        for (size_t i = 0; i < stacks.size(); i++) {
            if (chosen(i))
                given = given && acre_stack_pool_give(pool, &stacks[i]) == ACRE_OK;
            else
                kept.push_back(stacks[i]);
        }
        stacks = kept;
        return given;
    }
    bool give_all()
    {
        return give([](size_t) { return true; });
    }
    bool all_are_guarded()
    {
        Probe probe;
        size_t without = 0;
        for (const acre_stack &stack : stacks)
            without += probe.finds_guard_of(stack) ? 0 : 1;
        if (without != 0)
            std::fprintf(stderr, "%zu of %zu stacks have no guard\n", without, stacks.size());
        return without == 0;
    }

    acre_stack_pool *pool = nullptr;
    std::vector<acre_stack> stacks;

  private:
    bool is_made_ = false;
};

class PoolGuards : public EachGuard {};

void expect_right(const std::function<int()> &body, const char *reason_to_skip)
{
    Ended ended = in_child(body);
    if (ended.exited && ended.code == SKIPPED)
        GTEST_SKIP() << reason_to_skip;
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(RIGHT, ended.code);
}

// ---- stacks locked one by one -------------------------------------------------------------------

// Locks those stacks of a trimmed pool that `locked` says, and takes all of them again.
int take_after_locking(const std::function<bool(size_t)> &locked)
{
    enum { COUNT = 24 };
    size_t page = acre_page_size();
    Taken taken(5 * page, COUNT);
    STEP(1, taken.take(COUNT) == ACRE_OK);
    const std::vector<acre_stack> places = taken.stacks;
    STEP(2, taken.give_all());
    STEP(3, acre_stack_pool_trim(taken.pool, 0) == ACRE_OK);
    acre_mmap anonymous = {};
    for (size_t i = 0; i < COUNT; i++) {
        char *lowest = static_cast<char *>(places[i].base) - GUARD_PAGES * page;
        size_t length = (GUARD_PAGES + 5) * page;
        if (!locked(i))
            continue;
        acre_status status = acre_port_lock_on_fault(&anonymous, lowest, length);
        if (status == -ENOTSUP || is_refusal(status))
            return SKIPPED;
        STEP(4, status == ACRE_OK);
    }
    acre_status status = taken.take(COUNT);
    STEP(5, status == ACRE_OK || is_refusal(status));
    STEP(6, taken.all_are_guarded());
    STEP(7, status == ACRE_OK);
    STEP(8, taken.give_all());
    STEP(9, acre_stack_pool_destroy(taken.pool) == ACRE_OK);
    return RIGHT;
}

TEST_P(PoolGuards, hold_when_some_stacks_of_a_run_are_locked)
{
    need_fork();
    // From one that is locked at one end to all of them, in runs of several lengths.
    const std::array<std::function<bool(size_t)>, 8> patterns = {
        [](size_t) { return true; },         [](size_t i) { return i == 0; },
        [](size_t i) { return i == 23; },    [](size_t i) { return i == 10; },
        [](size_t i) { return i >= 10; },    [](size_t i) { return i < 10; },
        [](size_t i) { return i % 2 != 0; }, [](size_t i) { return i % 7 >= 4; },
    };
    for (size_t i = 0; i < patterns.size(); i++) {
        SCOPED_TRACE(i);
        expect_right([&] { return take_after_locking(patterns[i]); },
                     "this process may not lock so much");
    }
}

TEST_P(PoolGuards, leave_unlocked_what_was_not_locked)
{
    if (emulated())
        GTEST_SKIP() << "the emulator shows no VmFlags";
    expect_right(
        [] {
            enum { COUNT = 24 };
            size_t page = acre_page_size();
            Taken taken(5 * page, COUNT);
            STEP(1, taken.take(COUNT) == ACRE_OK);
            const std::vector<acre_stack> places = taken.stacks;
            STEP(2, taken.give_all() && acre_stack_pool_trim(taken.pool, 0) == ACRE_OK);
            acre_mmap anonymous = {};
            acre_status status = acre_port_lock_on_fault(
                &anonymous, static_cast<char *>(places[10].base) - GUARD_PAGES * page,
                (GUARD_PAGES + 5) * page);
            if (status != ACRE_OK)
                return int(SKIPPED);
            STEP(3, taken.take(COUNT) == ACRE_OK && taken.all_are_guarded());
            size_t locked = 0;
            for (const acre_stack &stack : taken.stacks)
                locked += has_vm_flag(stack.base, "lo") ? 1 : 0;
            STEP(4, locked == 1);
            STEP(5, has_vm_flag(places[10].base, "lo"));
            return int(RIGHT);
        },
        "this process may not lock so much");
}

#ifdef __linux__

// ---- mlockall -----------------------------------------------------------------------------------

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

// Instead of flags for mlockall: parts of the pool are locked, which any process may do.
enum { PARTS = 0 };

// False where it may not, or where a sanitizer lets the call do nothing.
bool lock_all(int how)
{
    static char page[65536];
    page[0] = 1;
    return mlockall(how) == 0 && has_vm_flag(page, "lo");
}

class PoolGuardsLocked : public testing::TestWithParam<std::tuple<acre_guard_kind, int>> {
  protected:
    void SetUp() override
    {
        if (emulated())
            GTEST_SKIP() << "the emulator shows no VmFlags";
        if (std::get<0>(GetParam()) == ACRE_GUARD_PAGES)
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        else if (!acre_can(ACRE_CAN_GUARD_WITH_MARKERS))
            GTEST_SKIP() << "this system has no guard markers";
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
    static int how()
    {
        return std::get<1>(GetParam());
    }
};

const char *const MAY_NOT_LOCK = "this process may not lock all it maps";

// Trim maps the deeper stacks of the first region anew, unlocked where only the present was locked;
// those that were never used are locked.
TEST_P(PoolGuardsLocked, hold_after_the_program_locked_all_and_trimmed)
{
    if (how() == PARTS)
        GTEST_SKIP() << "for mlockall only";
    expect_right(
        [] {
            Taken taken(size_t{1} << 20, 100);
            STEP(1, taken.take(32) == ACRE_OK);
            STEP(2, taken.give([](size_t i) { return i >= 22; }));
            if (!lock_all(how()))
                return int(SKIPPED);
            acre_status status = acre_stack_pool_trim(taken.pool, 0);
            STEP(3, status == ACRE_OK || is_refusal(status));
            status = taken.take(30);
            STEP(4, status == ACRE_OK || is_refusal(status));
            STEP(5, taken.all_are_guarded());
            return status == ACRE_OK ? int(RIGHT) : int(SKIPPED);
        },
        MAY_NOT_LOCK);
}

// Every order of what may happen to a pool, drawn by a generator of random numbers.
class Walk {
  public:
    // Small ones where little may be locked.
    Walk(uint32_t seed, int how)
        : seed_(seed),
          how_(how),
          taken_(how == PARTS ? 5 * acre_page_size() : 128 * 1024, how == PARTS ? 32 : 128)
    {
    }

    int run()
    {
        STEP(1, taken_.take(16) == ACRE_OK);
        first_ = taken_.stacks;
        for (int step = 0; step < 40; step++) {
            int failed = go();
            if (failed != RIGHT)
                return failed;
            STEP(2, taken_.all_are_guarded());
        }
        STEP(3, taken_.give_all());
        STEP(4, acre_stack_pool_destroy(taken_.pool) == ACRE_OK);
        return RIGHT;
    }

  private:
    uint32_t draw(uint32_t below)
    {
        seed_ = seed_ * 1664525 + 1013904223;
        return (seed_ >> 8) % below;
    }

    int go()
    {
        acre_status status;
        switch (draw(6)) {
        case 0:
        case 1:
            status = taken_.take(draw(40));
            STEP(5, status == ACRE_OK || status == ACRE_FULL || is_refusal(status));
            return RIGHT;
        case 2: {
            uint32_t whole = draw(8);
            STEP(6, taken_.give([&](size_t i) { return i / 8 % 8 == whole || draw(3) == 0; }));
            return RIGHT;
        }
        case 3:
            // Only whole page tables become cold, or whole regions.
            STEP(12, draw(2) == 0 || taken_.give_all());
            status = acre_stack_pool_trim(taken_.pool, draw(2) * 10);
            STEP(7, status == ACRE_OK || is_refusal(status));
            return RIGHT;
        case 4:
            if (draw(3) == 0)
                return munlockall() == 0 ? int(RIGHT) : 8;
            return lock();
        default:
            return fork_now();
        }
    }

    int lock()
    {
        if (how_ != PARTS)
            return lock_all(how_) ? int(RIGHT) : int(SKIPPED);
        // A few neighbours, whatever they are at the moment.
        size_t stride = (GUARD_PAGES + 5) * acre_page_size();
        const acre_stack &stack = first_[draw(static_cast<uint32_t>(first_.size()))];
        char *lowest = static_cast<char *>(stack.base) - GUARD_PAGES * acre_page_size();
        acre_mmap anonymous = {};
        for (size_t i = draw(6); i > 0; i--, lowest -= stride) {
            acre_stack_info info;
            if (acre_stack_find(lowest, &info) != ACRE_OK)
                break;
            acre_status status = acre_port_lock_on_fault(&anonymous, lowest, stride);
            if (is_refusal(status))
                return SKIPPED;
            STEP(11, status == ACRE_OK);
        }
        return RIGHT;
    }

    // A child has the stacks, and no locks; it takes the rest, and the parent goes on.
    int fork_now()
    {
        pid_t child = fork();
        if (child == 0) {
            acre_status status = taken_.take(200);
            bool right = (status == ACRE_FULL || is_refusal(status)) && taken_.all_are_guarded();
            _exit(right ? RIGHT : 1);
        }
        int how = 0;
        STEP(9, child > 0 && waitpid(child, &how, 0) == child);
        STEP(10, WIFEXITED(how) && WEXITSTATUS(how) == RIGHT);
        return RIGHT;
    }

    uint32_t seed_;
    int how_;
    Taken taken_;
    std::vector<acre_stack> first_;
};

TEST_P(PoolGuardsLocked, hold_whatever_happens_in_whatever_order)
{
    uint32_t seeds = how() == PARTS ? 16 : 4;
    for (uint32_t seed = 1; seed <= seeds; seed++) {
        SCOPED_TRACE(seed);
        expect_right([seed] { return Walk(seed, how()).run(); }, MAY_NOT_LOCK);
        if (IsSkipped())
            return;
    }
}

// ---- markers refused ----------------------------------------------------------------------------

// From here on the kernel refuses markers, and any advice on many ranges at once.
bool refuse_markers(int error)
{
    enum { GUARD_INSTALL = 102, PROCESS_MADVISE = 440 };
    // The low half of an argument; the test needs no other.
    enum { LOW = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0 };
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROCESS_MADVISE, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]) + LOW),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, GUARD_INSTALL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<uint32_t>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_P(PoolGuards, hold_where_the_system_begins_to_refuse_markers)
{
    need_fork();
    for (int error : {EPERM, EINVAL, ENOMEM, ENOSYS}) {
        SCOPED_TRACE(error);
        bool markers = GetParam() == ACRE_GUARD_MARKER;
        expect_right(
            [error, markers] {
                Taken taken(5 * acre_page_size(), 100);
                STEP(1, taken.take(40) == ACRE_OK);
                if (!refuse_markers(error))
                    return int(SKIPPED);
                // What was ready stays so; others are guarded by pages, if not memory is short.
                acre_status status = taken.take(60);
                STEP(2, status == (error == ENOMEM && markers ? -ENOMEM : ACRE_OK));
                STEP(3, taken.all_are_guarded());
                STEP(4, taken.give_all());
                status = acre_stack_pool_trim(taken.pool, 0);
                STEP(5, status == ACRE_OK);
                status = taken.take(100);
                STEP(6, taken.all_are_guarded());
                return int(RIGHT);
            },
            "calls are not filtered here");
    }
}

INSTANTIATE_TEST_SUITE_P(Guards, PoolGuardsLocked,
                         testing::Combine(testing::Values(ACRE_GUARD_MARKER, ACRE_GUARD_PAGES),
                                          testing::Values(PARTS, MCL_CURRENT,
                                                          MCL_CURRENT | MCL_FUTURE,
                                                          MCL_CURRENT | MCL_ONFAULT,
                                                          MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)),
                         [](const testing::TestParamInfo<std::tuple<acre_guard_kind, int>> &each) {
                             int how = std::get<1>(each.param);
                             std::string name =
                                 std::get<0>(each.param) == ACRE_GUARD_MARKER ? "Markers" : "Pages";
                             if (how == PARTS)
                                 return name + "Parts";
                             name += how & MCL_FUTURE ? "AlsoFuture" : "Current";
                             return name + (how & MCL_ONFAULT ? "OnFault" : "");
                         });

#endif  // __linux__

FOR_EACH_GUARD(PoolGuards);

}  // namespace
