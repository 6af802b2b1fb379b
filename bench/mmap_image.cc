// What does a fresh copy of a state cost, and a reset of it after some of its pages were written?
//
// Peers: a clone of an image; memcpy into memory that is there; fork, whose child has a copy of the
// whole process.
#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "acre/image.h"
#include "acre/page.h"
#include "bench/check.h"

namespace {

constexpr size_t kMiB = 1 << 20;

// The state, as an image and as plain memory.
struct State {
    explicit State(size_t bytes) : size(bytes)
    {
        acre_mmap fill;
        acre_mmap_opts opts = {};
        opts.flags = ACRE_MAP_NO_HUGE;
        check(acre_image_begin(size, &image, &fill));
        std::memset(fill.base, 1, size);
        check(acre_image_finish(&image, &fill));
        check(acre_mmap_anon(size, ACRE_READ_WRITE, &opts, &plain));
        std::memset(plain.base, 1, size);
    }
    State(const State &) = delete;
    State &operator=(const State &) = delete;
    ~State()
    {
        check(acre_image_close(&image));
        check(acre_mmap_unmap(&plain));
    }
    size_t size;
    acre_image image;
    acre_mmap plain;
};

// Writes a byte to so many of a hundred pages, spread evenly.
void
write_pages(void *base, size_t size, size_t percent)
{
    size_t page = acre_page_size();
    size_t pages = size / page;
    size_t count = (pages * percent + 99) / 100;
    for (size_t i = 0; i < count; i++)
        static_cast<volatile char *>(base)[i * pages / count * page] = 2;
}

// ---- a copy of its own --------------------------------------------------------------------------

void
copy_by_clone(benchmark::State &run, size_t size, size_t percent)
{
    State state(size);
    for (auto _ : run) {
        acre_mmap clone;
        check(acre_image_clone(&state.image, ACRE_READ_WRITE, nullptr, &clone));
        write_pages(clone.base, size, percent);
        check(acre_mmap_unmap(&clone));
    }
}

void
copy_by_memcpy(benchmark::State &run, size_t size, size_t percent)
{
    State state(size);
    for (auto _ : run) {
        acre_mmap copy;
        check(acre_mmap_anon(size, ACRE_READ_WRITE, nullptr, &copy));
        std::memcpy(copy.base, state.plain.base, size);
        write_pages(copy.base, size, percent);
        check(acre_mmap_unmap(&copy));
    }
}

void
copy_by_fork(benchmark::State &run, size_t size, size_t percent)
{
    State state(size);
    for (auto _ : run) {
        pid_t child = fork();
        if (child == 0) {
            write_pages(state.plain.base, size, percent);
            _exit(0);
        }
        check(child > 0 && waitpid(child, nullptr, 0) == child);
    }
}

// ---- back to the first state --------------------------------------------------------------------

void
reset_by_discard(benchmark::State &run, size_t size, size_t percent)
{
    State state(size);
    acre_mmap clone;
    check(acre_image_clone(&state.image, ACRE_READ_WRITE, nullptr, &clone));
    for (auto _ : run) {
        write_pages(clone.base, size, percent);
        check(acre_mmap_discard(&clone, 0, size, ACRE_DISCARD_NOW));
    }
    check(acre_mmap_unmap(&clone));
}

void
reset_by_memcpy(benchmark::State &run, size_t size, size_t percent)
{
    State state(size);
    acre_mmap copy;
    check(acre_mmap_anon(size, ACRE_READ_WRITE, nullptr, &copy));
    std::memcpy(copy.base, state.plain.base, size);
    for (auto _ : run) {
        write_pages(copy.base, size, percent);
        std::memcpy(copy.base, state.plain.base, size);
    }
    check(acre_mmap_unmap(&copy));
}

using Peer = void (*)(benchmark::State &, size_t, size_t);

void
add(const std::string &question, const char *name, Peer peer, size_t size, size_t percent)
{
    benchmark::RegisterBenchmark((question + "/" + name).c_str(),
                                 [=](benchmark::State &run) { peer(run, size, percent); });
}

const int registered = [] {
    for (size_t size : {1 * kMiB, 16 * kMiB, 128 * kMiB}) {
        for (size_t percent : {size_t{1}, size_t{10}, size_t{100}}) {
            std::string what = " of " + std::to_string(size / kMiB) + " MiB, " +
                               std::to_string(percent) + "% written";
            add("copy" + what, "acre", copy_by_clone, size, percent);
            add("copy" + what, "memcpy", copy_by_memcpy, size, percent);
            add("copy" + what, "fork", copy_by_fork, size, percent);
            add("reset" + what, "acre", reset_by_discard, size, percent);
            add("reset" + what, "memcpy", reset_by_memcpy, size, percent);
        }
    }
    return 0;
}();

}  // namespace
