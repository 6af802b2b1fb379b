// How long does a thread of real-time priority wait for a stack at most, beside an ordinary thread
// that uses the same small pool on the same processor?  Beside it, the same with mutexes of the C
// library's, one of which lends its holder the priority of who waits.  Each by these two threads
// alone, and again beside a third, an ordinary one that never rests.
//
//     bench/stack_wait [ROUNDS]
#include <pthread.h>
#include <sched.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <thread>

#include "acre/stack_pool.h"
#include "bench/check.h"

namespace {

acre_stack_pool *pool;

struct OfPool {
    static void
    use()
    {
        acre_stack stack;
        check(acre_stack_pool_take(pool, &stack));
        check(acre_stack_pool_give(pool, &stack));
    }
};

pthread_mutex_t mutex;
volatile int held;

struct OfMutex {
    static void
    use()
    {
        check(pthread_mutex_lock(&mutex) == 0);
        for (int i = 0; i < 20; i++)
            held = i;
        check(pthread_mutex_unlock(&mutex) == 0);
    }
};

void
make_mutex(int protocol)
{
    pthread_mutexattr_t attributes;
    check(pthread_mutexattr_init(&attributes) == 0 &&
          pthread_mutexattr_setprotocol(&attributes, protocol) == 0 &&
          pthread_mutex_init(&mutex, &attributes) == 0);
}

double
now()
{
    timespec time;
    check(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
}

template <class Shared>
void
measure(const char *name, long rounds, bool beside_a_third)
{
    std::atomic<bool> done{false};
    std::thread third([&] {
        while (beside_a_third && !done)
            continue;
    });
    std::thread ordinary([&] {
        while (!done)
            Shared::use();
    });
    std::thread urgent([&] {
        sched_param first = {};
        first.sched_priority = 10;
        if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &first) != 0) {
            std::fprintf(stderr, "bench: no thread may have real-time priority here\n");
            std::exit(1);
        }
        int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        itimerspec often = {};
        often.it_interval.tv_nsec = often.it_value.tv_nsec = 200000;
        check(timer >= 0 && timerfd_settime(timer, 0, &often, nullptr) == 0);
        double worst = 0, sum = 0;
        for (long i = 0; i < rounds; i++) {
            uint64_t expirations;
            check(read(timer, &expirations, sizeof expirations) == sizeof expirations);
            double before = now();
            Shared::use();
            double took = now() - before;
            sum += took;
            worst = took > worst ? took : worst;
        }
        std::printf("%-24s %-13s %8ld rounds, mean %8.4f ms, worst %9.3f ms\n", name,
                    beside_a_third ? "and a third" : "", rounds, sum / static_cast<double>(rounds),
                    worst);
        check(close(timer) == 0);
        done = true;
    });
    urgent.join();
    ordinary.join();
    third.join();
}

}  // namespace

int
main(int argc, char **argv)
{
    long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 30000;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<size_t>(sched_getcpu()), &one);
    check(rounds > 0 && sched_setaffinity(0, sizeof one, &one) == 0);
    acre_stack_pool_opts opts = {};
    opts.max_stacks = 100;
    check(acre_stack_pool_create(&opts, &pool));
    for (bool beside_a_third : {false, true}) {
        measure<OfPool>("acre's pool", rounds, beside_a_third);
        make_mutex(PTHREAD_PRIO_NONE);
        measure<OfMutex>("pthread_mutex", rounds, beside_a_third);
        make_mutex(PTHREAD_PRIO_INHERIT);
        measure<OfMutex>("pthread_mutex, inherits", rounds, beside_a_third);
    }
    check(acre_stack_pool_destroy(pool));
    return 0;
}
