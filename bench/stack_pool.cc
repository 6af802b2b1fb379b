// What does a stack of a pool cost, beside one that is mapped, allocated or pooled otherwise?
//
// Peers, all with 64 KiB: boost.context's allocators (fixedsize: malloc; protected: mmap and
// mprotect; pooled: boost::pool, no guard, one thread), mmap and mprotect by hand, malloc.
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "acre/page.h"
#include "acre/stack_pool.h"
#include "bench/check.h"

#ifndef ACRE_WITHOUT_BOOST_CONTEXT
#include <boost/context/fixedsize_stack.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#define HAS_BOOST 1
#else
#define HAS_BOOST 0
#endif

namespace {

const size_t kSize = 64 * 1024;
const size_t kHeld = 256;

acre_stack_pool *
create(const acre_stack_pool_opts *opts = nullptr)
{
    acre_stack_pool *pool;
    check(acre_stack_pool_create(opts, &pool));
    return pool;
}

// ---- peers: take() makes a stack, top() is its end, give() ends it -----------------------------

struct Acre {
    using Stack = acre_stack;
    static acre_stack_pool *
    shared_pool()
    {
        static acre_stack_pool *pool = create();
        return pool;
    }
    acre_stack_pool *pool = shared_pool();
    void
    take(Stack *stack)
    {
        check(acre_stack_pool_take(pool, stack));
    }
    char *
    top(const Stack &stack)
    {
        return static_cast<char *>(stack.base) + stack.size;
    }
    void
    give(const Stack &stack)
    {
        check(acre_stack_pool_give(pool, &stack));
    }
    void
    forget()
    {
        check(acre_stack_pool_trim(pool, 0));
    }
};

struct Mapped {
    using Stack = char *;
    size_t guard = acre_page_size();
    void
    take(Stack *stack)
    {
        void *base = mmap(nullptr, guard + kSize, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        check(base != MAP_FAILED && mprotect(base, guard, PROT_NONE) == 0);
        *stack = static_cast<char *>(base);
    }
    char *
    top(Stack stack)
    {
        return stack + guard + kSize;
    }
    void
    give(Stack stack)
    {
        check(munmap(stack, guard + kSize) == 0);
    }
    void
    forget()
    {
    }
};

struct Malloc {
    using Stack = char *;
    void
    take(Stack *stack)
    {
        void *base = std::malloc(kSize);
        check(base != nullptr);
        *stack = static_cast<char *>(base);
    }
    char *
    top(Stack stack)
    {
        return stack + kSize;
    }
    void
    give(Stack stack)
    {
        std::free(stack);
    }
    void
    forget()
    {
    }
};

#if HAS_BOOST
template <class Allocator>
struct Boost {
    using Stack = boost::context::stack_context;
    std::unique_ptr<Allocator> allocator{new Allocator(kSize)};
    void
    take(Stack *stack)
    {
        *stack = allocator->allocate();
    }
    char *
    top(const Stack &stack)
    {
        return static_cast<char *>(stack.sp);
    }
    void
    give(Stack stack)
    {
        allocator->deallocate(stack);
    }
    void
    forget()
    {
    }
};
#endif

// ---- take and give, warm -----------------------------------------------------------------------

template <class Peer>
void
warm(benchmark::State &state)
{
    Peer peer;
    typename Peer::Stack stack;
    for (auto _ : state) {
        peer.take(&stack);
        // Compilers remove a malloc whose block is only freed, also within boost's.
        benchmark::DoNotOptimize(stack);
        peer.give(stack);
    }
    // Of each thread, what it waits for.
    state.SetItemsProcessed(state.iterations() / state.threads());
}

template <class Peer>
void
ask_warm(const std::string &peer, int threads)
{
    std::string question = "take + give, " + std::to_string(threads) + " thread(s)/";
    auto *asked = benchmark::RegisterBenchmark((question + peer).c_str(), warm<Peer>);
    if (threads > 1)
        asked->Threads(threads)->UseRealTime();
}

// ---- take, cold, with the first touch ----------------------------------------------------------

template <class Peer>
void
cold(benchmark::State &state)
{
    using Clock = std::chrono::steady_clock;
    Peer peer;
    std::vector<typename Peer::Stack> stacks(kHeld);
    for (auto _ : state) {
        auto start = Clock::now();
        for (auto &stack : stacks) {
            peer.take(&stack);
            *static_cast<volatile char *>(peer.top(stack) - 64) = 1;
        }
        state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
        for (auto &stack : stacks)
            peer.give(stack);
        peer.forget();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kHeld));
}

template <class Peer>
void
ask_cold(const std::string &peer)
{
    benchmark::RegisterBenchmark(("take cold + first touch/" + peer).c_str(), cold<Peer>)
        ->UseManualTime();
}

// ---- memory returned ---------------------------------------------------------------------------

// As frames do: something in every line of the top page, and half of the next.
void
use(char *top, size_t page)
{
    for (size_t depth = 64; depth <= page + page / 2; depth += 64)
        *static_cast<volatile char *>(top - depth) = 1;
}

void
returned_in_batches(benchmark::State &state, bool batches)
{
    using Clock = std::chrono::steady_clock;
    const size_t page = acre_page_size();
    acre_stack_pool_opts opts = {};
    opts.keep = batches ? 1 : SIZE_MAX;  // the top page
    acre_stack_pool *pool = create(&opts);
    const size_t count = 2 * kHeld;
    std::vector<acre_stack> stacks(count);
    for (auto _ : state) {
        for (acre_stack &stack : stacks) {
            check(acre_stack_pool_take(pool, &stack));
            use(static_cast<char *>(stack.base) + stack.size, page);
        }
        auto start = Clock::now();
        for (const acre_stack &stack : stacks) {
            if (!batches)
                check(madvise(stack.base, (stack.size - 1) & ~(page - 1), MADV_DONTNEED) == 0);
            check(acre_stack_pool_give(pool, &stack));
        }
        state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(count));
    check(acre_stack_pool_destroy(pool));
}

// ---- hot tops ----------------------------------------------------------------------------------

// A walk over the tops in random order, each of which leads to the next.
void
walk(benchmark::State &state, std::vector<char *> tops)
{
    std::shuffle(tops.begin(), tops.end(), std::mt19937(1));
    for (size_t i = 0; i < tops.size(); i++)
        *reinterpret_cast<char **>(tops[i]) = tops[(i + 1) % tops.size()];
    char *at = tops[0];
    for (auto _ : state) {
        for (size_t i = 0; i < tops.size(); i++)
            at = *reinterpret_cast<char **>(at);
        benchmark::DoNotOptimize(at);
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(tops.size()));
}

void
tops_of_acre(benchmark::State &state)
{
    acre_stack_pool *pool = create();
    std::vector<acre_stack> stacks(static_cast<size_t>(state.range(0)));
    std::vector<char *> tops;
    for (acre_stack &stack : stacks) {
        check(acre_stack_pool_take(pool, &stack));
        tops.push_back(static_cast<char *>(stack.base) + stack.size - 64);
    }
    walk(state, tops);
    for (const acre_stack &stack : stacks)
        check(acre_stack_pool_give(pool, &stack));
    check(acre_stack_pool_destroy(pool));
}

void
tops_of_powers(benchmark::State &state)
{
    auto count = static_cast<size_t>(state.range(0));
    void *base = mmap(nullptr, count * kSize, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    check(base != MAP_FAILED);
    std::vector<char *> tops;
    for (size_t i = 1; i <= count; i++)
        tops.push_back(static_cast<char *>(base) + i * kSize - 64);
    walk(state, tops);
    check(munmap(base, count * kSize) == 0);
}

const int registered = [] {
    for (int threads : {1, 2}) {
        ask_warm<Acre>("acre", threads);
        ask_warm<Mapped>("mmap + mprotect", threads);
        ask_warm<Malloc>("malloc", threads);
#if HAS_BOOST
        ask_warm<Boost<boost::context::fixedsize_stack>>("boost fixedsize", threads);
        ask_warm<Boost<boost::context::protected_fixedsize_stack>>("boost protected", threads);
#endif
    }
    ask_cold<Acre>("acre");
    ask_cold<Mapped>("mmap + mprotect");
    ask_cold<Malloc>("malloc");
#if HAS_BOOST
    ask_warm<Boost<boost::context::pooled_fixedsize_stack>>("boost pooled", 1);
    ask_cold<Boost<boost::context::fixedsize_stack>>("boost fixedsize");
    ask_cold<Boost<boost::context::protected_fixedsize_stack>>("boost protected");
#endif
    benchmark::RegisterBenchmark("memory returned/acre", returned_in_batches, true)
        ->UseManualTime();
    benchmark::RegisterBenchmark("memory returned/madvise for each", returned_in_batches, false)
        ->UseManualTime();
    for (int count : {64, 256, 512, 1024, 2048, 16384}) {
        std::string question = "touch " + std::to_string(count) + " tops/";
        benchmark::RegisterBenchmark((question + "acre").c_str(), tops_of_acre)->Arg(count);
        benchmark::RegisterBenchmark((question + "stride of 64 KiB").c_str(), tops_of_powers)
            ->Arg(count);
    }
    return 0;
}();

}  // namespace
