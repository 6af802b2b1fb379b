// Fresh memory filled with blocks of 48 bytes: what one costs, and how much memory is in use at the
// peak.  Each time in a process of its own, so that nothing is warm.
#include "acre/mmap.h"
#include "bench/peers.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <ctime>

namespace {

const size_t BLOCK = 48;
const size_t MIB = size_t(1) << 20;

struct Told {
    double seconds;
    size_t bytes;
};

// A line of /proc/self/status, in bytes.
size_t
status(const char *key)
{
    FILE *file = std::fopen("/proc/self/status", "r");
    check(file != nullptr);
    char line[256];
    size_t value = 0;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::strncmp(line, key, std::strlen(key)) == 0)
            value = std::strtoull(line + std::strlen(key) + 1, nullptr, 10) * 1024;
    }
    std::fclose(file);
    return value;
}

// The kernel's part included, other processes' not.
double
processor_time()
{
    timespec time;
    check(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

template <class Fill>
Told
measure(Fill fill)
{
    size_t before = status("VmRSS");
    double start = processor_time();
    fill();
    double end = processor_time();
    size_t peak = status("VmHWM");
    return {end - start, peak > before ? peak - before : 0};
}

// So that the kernel has as much memory at hand that was in use a moment ago: a host may have taken
// back what was free for longer, and gives it again at a price that is nobody's here.
void
warm(size_t size)
{
    acre_mmap map;
    acre_mmap_opts opts = {};
    opts.flags = ACRE_MAP_HUGE_TRANSPARENT;
    check(acre_mmap_anon(size, ACRE_READ_WRITE, &opts, &map));
    std::memset(map.base, 1, map.size);
    check(acre_mmap_unmap(&map));
}

template <class Fill>
Told
in_process(Fill fill)
{
    int ends[2];
    check(pipe(ends) == 0);
    pid_t child = fork();
    check(child >= 0);
    Told told = {};
    if (child == 0) {
        told = measure(fill);
        _exit(write(ends[1], &told, sizeof told) == sizeof told ? 0 : 1);
    }
    check(read(ends[0], &told, sizeof told) == sizeof told);
    check(close(ends[0]) == 0 && close(ends[1]) == 0);
    check(waitpid(child, nullptr, 0) == child);
    return told;
}

template <class Fill>
void
cold(benchmark::State &state, size_t total, Fill fill)
{
    size_t bytes = 0;
    for (auto _ : state) {
        warm(total + total / 2 + 8 * MIB);
        Told told = in_process(fill);
        state.SetIterationTime(told.seconds);
        bytes = told.bytes;
    }
    state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(total / BLOCK));
    state.counters["bytes"] = static_cast<double>(bytes);
}

template <class Region, size_t total>
void
region(benchmark::State &state)
{
    if (!peers::is_there<Region>(state))
        return;
    cold(state, total, [] {
        // Never ended: that would be something else.
        Region *region = new Region;
        for (size_t i = 0; i < total / BLOCK; i++) {
            void *block = region->template constant<BLOCK, 16>();
            std::memset(block, 1, BLOCK);
            benchmark::DoNotOptimize(block);
        }
    });
}

#define ASK(name, Region)                                                         \
    BENCHMARK(region<Region, MIB>)->Name("cold_1M/" name)->UseManualTime();       \
    BENCHMARK(region<Region, 36 * MIB>)->Name("cold_36M/" name)->UseManualTime(); \
    BENCHMARK(region<Region, 256 * MIB>)                                          \
        ->Name("cold_256M/" name)                                                 \
        ->UseManualTime()                                                         \
        ->Iterations(1)                                                           \
        ->Repetitions(4);
BENCH_FOR_EACH_PEER(ASK)
#undef ASK

template <size_t total>
void
bumpalo(benchmark::State &state)
{
    auto *fill = peers::bumpalo<void(size_t)>(state, "acre_bumpalo_fill");
    if (fill != nullptr)
        cold(state, total, [=] { fill(total / BLOCK); });
}
BENCHMARK(bumpalo<MIB>)->Name("cold_1M/bumpalo")->UseManualTime();
BENCHMARK(bumpalo<36 * MIB>)->Name("cold_36M/bumpalo")->UseManualTime();
BENCHMARK(bumpalo<256 * MIB>)
    ->Name("cold_256M/bumpalo")
    ->UseManualTime()
    ->Iterations(1)
    ->Repetitions(4);

}  // namespace
