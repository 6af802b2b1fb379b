// One pool and several threads that make calls chosen at random: no stack is out twice, each that
// is taken has its guard and keeps what its owner wrote, and the counts add up; also in the
// children of forks in the middle of it, and with parts of stacks locked.
//
// ACRE_TEST_SEED=n runs one seed, ACRE_SEEDS=n a twentieth of that many instead of 50.  A seed
// chooses the same calls each time, but not how the threads' calls meet.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/random.h"
#include "tests/support/sanitizers.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

const size_t MOST_OWN = 48;  // stacks that a thread has out
const size_t STEPS = 250;    // of a thread, in each of three phases

// Whether the kernel can read a byte; each thread has one.
class Probe {
  public:
    Probe()
    {
        if (pipe(ends_) != 0)
            std::abort();
    }
    ~Probe()
    {
        close(ends_[0]);
        close(ends_[1]);
    }
    Probe(const Probe &) = delete;
    Probe &operator=(const Probe &) = delete;

    bool readable(const char *address)
    {
        char byte;
        return write(ends_[1], address, 1) == 1 && read(ends_[0], &byte, 1) == 1;
    }

  private:
    int ends_[2];
};

// What a seed is about.
struct Shape {
    size_t threads, most, guard;
    bool locks;
    acre_stack_pool_opts opts;
};

Shape shape_of(Random &random)
{
    const uint32_t flags[] = {0, 0, ACRE_STACK_NO_DUMP, ACRE_STACK_LOCKED, ACRE_STACK_DONT_FORK};
    const size_t keeps[] = {0, 1, SIZE_MAX, 40000};
    Shape shape = {};
    shape.threads = 1 + random.below(4);
    // Below 1024 threads keep none ready.
    shape.most = random.one_in(2) ? 1024 + random.below(8000) : 40 + random.below(400);
    shape.guard = (1 + random.below(5)) * acre_page_size();
    shape.locks = random.one_in(3);
    shape.opts.stack_size = (1 + random.below(4)) * 16384;
    shape.opts.guard_size = shape.guard;
    shape.opts.header_size = random.one_in(2) ? 64 : 0;
    shape.opts.max_stacks = shape.most;
    shape.opts.keep = keeps[random.below(4)];
    shape.opts.flags = flags[random.below(5)];
    if (shape.locks)  // all of it at times
        shape.most = shape.opts.max_stacks = 40 + random.below(160);
    if (shape.opts.flags & ACRE_STACK_LOCKED) {
        shape.most = shape.opts.max_stacks = 20 + random.below(20);
        shape.opts.stack_size = 16384;
    }
    return shape;
}

struct Own {
    acre_stack stack;
    uint64_t mark;
};

// A model of the pool: who has which stack is written into the stacks.
class Model {
  public:
    Model(acre_stack_pool *pool, const Shape &shape) : pool_(pool), shape_(shape)
    {
    }

    void run_thread(unsigned seed, std::vector<Own> &own);
    // Nothing else is going on.
    void check_counts(size_t out, Random &random);
    void give_all(std::vector<Own> &own);

    bool has_failed() const
    {
        return failed_;
    }
    const std::string &failure() const
    {
        return failure_;
    }
    void fail(const std::string &what)
    {
        std::lock_guard<std::mutex> lock(mutex_);
        if (!failed_)
            failure_ = what;
        failed_ = true;
    }

  private:
    static std::atomic<uint64_t> &word(const acre_stack &stack)
    {
        void *place = stack.header != nullptr
                          ? stack.header
                          : static_cast<char *>(stack.base) + stack.size - sizeof(uint64_t);
        return *static_cast<std::atomic<uint64_t> *>(place);
    }
    static volatile uint64_t &lowest(const acre_stack &stack)
    {
        return *static_cast<volatile uint64_t *>(stack.base);
    }
    void demand(bool condition, const char *what)
    {
        if (!condition)
            fail(what);
    }
    void demand_ok(acre_status status, const char *call)
    {
        if (status != ACRE_OK)
            fail(std::string(call) + ": " + acre_status_name(status));
    }
    bool locking() const
    {
        return (shape_.opts.flags & ACRE_STACK_LOCKED) != 0;
    }
    void check_guard(const acre_stack &stack, Probe &probe);
    bool take(std::vector<Own> &own, Probe &probe, Random &random);
    void give(Own &own, Random *random);
    void fork_and_check(std::vector<Own> &own, Random &random);

    acre_stack_pool *pool_;
    const Shape &shape_;
    std::atomic<uint64_t> marks_{1};
    std::atomic<bool> failed_{false};
    std::mutex mutex_;
    std::string failure_;
};

void Model::check_guard(const acre_stack &stack, Probe &probe)
{
    const char *base = static_cast<const char *>(stack.base);
    for (size_t below = acre_page_size(); below <= shape_.guard; below += acre_page_size())
        demand(!probe.readable(base - below), "a taken stack has no guard");
    demand(!probe.readable(base - 1), "a taken stack has no guard");
    demand(probe.readable(base), "a taken stack is not readable");
    acre_stack_info info;
    demand_ok(acre_stack_find(base - 1, &info), "find of a guard");
    demand(info.where == ACRE_STACK_GUARD, "find does not know a guard");
    demand_ok(acre_stack_find(base, &info), "find of a stack");
    demand(info.where == ACRE_STACK_USABLE && info.base == stack.base &&
               info.generation == stack.generation && stack.generation % 2 == 1,
           "find tells of another stack");
}

bool Model::take(std::vector<Own> &own, Probe &probe, Random &random)
{
    Own taken = {{}, marks_++ << 8 | 1};
    acre_status status = acre_stack_pool_take(pool_, &taken.stack);
    if (status == ACRE_FULL || (locking() && status < 0))
        return false;
    demand_ok(status, "take");
    if (status != ACRE_OK)
        return false;
    demand((word(taken.stack).exchange(taken.mark) & 0xff) != 1, "a stack is out twice");
    check_guard(taken.stack, probe);
    // To its very end, or hardly.
    lowest(taken.stack) = random.one_in(4) ? taken.mark : lowest(taken.stack);
    own.push_back(taken);
    if (shape_.locks && random.one_in(4))
        (void)mlock(taken.stack.base, acre_page_size() * (1 + random.below(3)));
    return true;
}

void Model::give(Own &own, Random *random)
{
    demand(word(own.stack).exchange(2) == own.mark, "another owner wrote to a stack");
    demand_ok(acre_stack_pool_give(pool_, &own.stack), "give");
    if (random != nullptr && random->one_in(4))
        demand(acre_stack_pool_give(pool_, &own.stack) == ACRE_STALE, "giving twice is not told");
}

// The child has the same stacks out, and the pool works there.
void Model::fork_and_check(std::vector<Own> &own, Random &random)
{
    // Another thread may hold what a sanitizer's allocator locks, and the child would wait for it.
    if (TSAN || (SANITIZED && shape_.threads > 1))
        return;
    bool absent = (shape_.opts.flags & ACRE_STACK_DONT_FORK) != 0;
    Ended ended = in_child([&] {
        acre_stack stack;
        if (absent)
            return acre_stack_pool_take(pool_, &stack) == ACRE_BAD_STATE ? 0 : 1;
        failed_ = false;  // and the mutex is not used: nobody else is there to use it
        Probe probe;
        std::vector<Own> more;
        more.reserve(8);
        for (const Own &each : own) {
            STEP(2, word(each.stack) == each.mark);
            STEP(3, !probe.readable(static_cast<char *>(each.stack.base) - 1));
        }
        for (int i = 0; i < 8; i++)
            take(more, probe, random);
        STEP(4, !failed_);
        acre_status status = acre_stack_pool_trim(pool_, random.below(20));
        STEP(5, status == ACRE_OK);
        for (Own &each : more)
            STEP(6, acre_stack_pool_give(pool_, &each.stack) == ACRE_OK);
        for (Own &each : own)
            STEP(7, acre_stack_pool_give(pool_, &each.stack) == ACRE_OK);
        acre_stack_pool_stats stats;
        STEP(8, acre_stack_pool_stats_read(pool_, &stats) == ACRE_OK);
        STEP(9, stats.out + stats.free + stats.cold == shape_.most);
        return 0;
    });
    if (!ended.exited || ended.code != 0)
        fail(std::string("in a child: ") + (ended.exited ? "step " : "signal ") +
             std::to_string(ended.code));
}

void Model::run_thread(unsigned seed, std::vector<Own> &own)
{
    Random random(seed);
    Probe probe;
    for (size_t step = 0; step < STEPS && !failed_; step++) {
        size_t choice = random.below(64);
        if (choice < 30 && own.size() < MOST_OWN) {
            take(own, probe, random);
        } else if (choice < 52 && !own.empty()) {
            size_t which = random.below(own.size());
            std::swap(own[which], own.back());
            give(own.back(), &random);
            own.pop_back();
        } else if (choice < 54) {
            // Bursts that come to the shared lists.
            while (own.size() < MOST_OWN && take(own, probe, random)) {}
        } else if (choice < 56) {
            give_all(own);
        } else if (choice < 58) {
            acre_status status = acre_stack_pool_trim(pool_, random.below(2) * random.below(40));
            demand_ok(status, "trim");
        } else if (choice < 59) {
            acre_status status = acre_stack_pool_prewarm(pool_, random.below(shape_.most / 4));
            if (status != ACRE_FULL && !(locking() && status < 0))
                demand_ok(status, "prewarm");
        } else if (choice < 61) {
            demand_ok(acre_stack_pool_flush(pool_), "flush");
        } else if (choice < 62) {
            acre_stack_pool_stats stats;
            demand_ok(acre_stack_pool_stats_read(pool_, &stats), "stats_read");
        } else if (choice < 63 && !own.empty()) {
            check_guard(own[random.below(own.size())].stack, probe);
        } else if (random.one_in(4)) {
            fork_and_check(own, random);
        }
    }
}

void Model::give_all(std::vector<Own> &own)
{
    for (Own &each : own)
        give(each, nullptr);
    own.clear();
}

void Model::check_counts(size_t out, Random &random)
{
    acre_stack_pool_stats stats = {};
    demand_ok(acre_stack_pool_stats_read(pool_, &stats), "stats_read");
    if (stats.out != out)
        fail("stats: " + std::to_string(stats.out) + " are out instead of " + std::to_string(out));
    demand(stats.out + stats.free + stats.cold == shape_.most, "stats do not add up to max_stacks");
    demand(stats.peak >= out, "stats: the peak is lower than what is out");
    if (out != 0)
        demand(acre_stack_pool_destroy(pool_) == ACRE_BUSY, "a pool is destroyed while in use");
    // All that are left, and not one more.
    if (!random.one_in(4) || locking())
        return;
    Probe probe;
    std::vector<Own> rest;
    while (rest.size() <= shape_.most && take(rest, probe, random)) {}
    if (out + rest.size() != shape_.most)
        fail(std::to_string(out + rest.size()) + " can be taken instead of " +
             std::to_string(shape_.most));
    give_all(rest);
}

// The first thing that is wrong, or "".
std::string run_seed(unsigned seed)
{
    Random random(seed);
    Shape shape = shape_of(random);
    bool pages = random.one_in(3);
    if (pages)
        acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    acre_stack_pool *pool = nullptr;
    acre_status status = acre_stack_pool_create(&shape.opts, &pool);
    if (status != ACRE_OK) {
        acre_port_pretend_nothing();
        bool may_refuse = acre_status_unsupported(status) || shape.opts.flags & ACRE_STACK_LOCKED;
        return may_refuse ? "" : std::string("create: ") + acre_status_name(status);
    }
    Model model(pool, shape);
    std::vector<std::vector<Own>> own(shape.threads);
    for (int phase = 0; phase < 3 && !model.has_failed(); phase++) {
        std::vector<std::thread> threads;
        for (size_t i = 0; i < shape.threads; i++) {
            auto its_seed = static_cast<unsigned>(random.below(1u << 30));
            threads.emplace_back([&, i, its_seed] { model.run_thread(its_seed, own[i]); });
        }
        for (std::thread &thread : threads)
            thread.join();
        size_t out = 0;
        for (const std::vector<Own> &each : own)
            out += each.size();
        if (!model.has_failed())
            model.check_counts(out, random);
        // What is made after that is guarded among locked pages.
        if (shape.locks && random.one_in(2))
            (void)mlockall(MCL_CURRENT);
        if (random.one_in(2)) {
            model.give_all(own[0]);
            (void)!acre_stack_pool_trim(pool, 0);
        }
        // Given by other threads than those that took them.
        std::rotate(own.begin(), own.begin() + 1, own.end());
    }
    for (std::vector<Own> &each : own)
        model.give_all(each);
    if (!model.has_failed() && acre_stack_pool_destroy(pool) != ACRE_OK)
        model.fail("destroy");
    acre_port_pretend_nothing();
    return model.failure();
}

TEST(RandomPool, does_as_its_threads_expect)
{
    if (emulated())
        GTEST_SKIP() << "an emulator runs one thread at a time, and slowly";
    Seeds seeds = seeds_to_run(20);
    for (unsigned seed = seeds.first; seed < seeds.end; seed++) {
        // A failed seed leaves its pool behind: each has a process of its own.
        Ended ended = in_child([seed] {
            std::string wrong = run_seed(seed);
            if (!wrong.empty())
                std::printf("seed %u: %s\n", seed, wrong.c_str());
            std::fflush(stdout);
            return wrong.empty() ? 0 : 1;
        });
        EXPECT_TRUE(ended.exited) << "signal " << ended.code << "; ACRE_TEST_SEED=" << seed;
        EXPECT_EQ(0, ended.code) << "ACRE_TEST_SEED=" << seed;
    }
}

}  // namespace
