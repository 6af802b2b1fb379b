// What does a call of //mmap cost beside the bare system calls that it needs?
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "acre/mmap.h"
#include "acre/page.h"
#include "bench/check.h"

namespace {

constexpr size_t kRange = 64 * 1024;
constexpr int kGuardInstall = 102;
constexpr int kGuardRemove = 103;
constexpr int kPopulateWrite = 23;

void *
map_bare(size_t size, int protection, int extra = 0, void *address = nullptr)
{
    void *base = mmap(address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | extra, -1, 0);
    check(base != MAP_FAILED);
    return base;
}

acre_mmap
anon(size_t size)
{
    acre_mmap map;
    check(acre_mmap_anon(size, ACRE_READ_WRITE, nullptr, &map));
    return map;
}

acre_mmap
reserve(size_t size)
{
    acre_mmap map;
    check(acre_mmap_reserve(size, ACRE_READ_WRITE, nullptr, &map));
    return map;
}

// ---- map and unmap ------------------------------------------------------------------------------

void
map_unmap_bare(benchmark::State &state)
{
    for (auto _ : state)
        check(munmap(map_bare(kRange, PROT_READ | PROT_WRITE), kRange) == 0);
}
BENCHMARK(map_unmap_bare)->Name("map + unmap 64 KiB/bare");

void
map_unmap_acre(benchmark::State &state)
{
    for (auto _ : state) {
        acre_mmap map = anon(kRange);
        check(acre_mmap_unmap(&map));
    }
}
BENCHMARK(map_unmap_acre)->Name("map + unmap 64 KiB/acre");

void
reserve_unmap_bare(benchmark::State &state)
{
    for (auto _ : state)
        check(munmap(map_bare(size_t{1} << 30, PROT_NONE), size_t{1} << 30) == 0);
}
BENCHMARK(reserve_unmap_bare)->Name("reserve + unmap 1 GiB/bare");

void
reserve_unmap_acre(benchmark::State &state)
{
    for (auto _ : state) {
        acre_mmap map = reserve(size_t{1} << 30);
        check(acre_mmap_unmap(&map));
    }
}
BENCHMARK(reserve_unmap_acre)->Name("reserve + unmap 1 GiB/acre");

// ---- commit, protect ----------------------------------------------------------------------------

void
commit_bare(benchmark::State &state)
{
    char *base = static_cast<char *>(map_bare(1 << 24, PROT_NONE));
    for (auto _ : state) {
        check(mprotect(base + kRange, kRange, PROT_READ | PROT_WRITE) == 0);
        map_bare(kRange, PROT_NONE, MAP_FIXED, base + kRange);
    }
    check(munmap(base, 1 << 24) == 0);
}
BENCHMARK(commit_bare)->Name("commit + decommit 64 KiB/bare");

void
commit_acre(benchmark::State &state)
{
    acre_mmap map = reserve(1 << 24);
    for (auto _ : state) {
        check(acre_mmap_commit(&map, kRange, kRange));
        check(acre_mmap_decommit(&map, kRange, kRange));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(commit_acre)->Name("commit + decommit 64 KiB/acre");

void
protect_bare(benchmark::State &state)
{
    char *base = static_cast<char *>(map_bare(4 * kRange, PROT_READ | PROT_WRITE));
    for (auto _ : state) {
        check(mprotect(base + kRange, kRange, PROT_READ) == 0);
        check(mprotect(base + kRange, kRange, PROT_READ | PROT_WRITE) == 0);
    }
    check(munmap(base, 4 * kRange) == 0);
}
BENCHMARK(protect_bare)->Name("protect there and back 64 KiB/bare");

void
protect_acre(benchmark::State &state)
{
    acre_mmap map = anon(4 * kRange);
    for (auto _ : state) {
        check(acre_mmap_protect(&map, kRange, kRange, ACRE_READ));
        check(acre_mmap_protect(&map, kRange, kRange, ACRE_READ_WRITE));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(protect_acre)->Name("protect there and back 64 KiB/acre");

// A handle that acre made knows what it was used for; an adopted one, as others' extents have it,
// is asked about.
void
commit_through(benchmark::State &state, bool adopted)
{
    acre_mmap map = reserve(1 << 24);
    acre_mmap handle = map;
    if (adopted)
        check(acre_mmap_adopt(map.base, map.size, map.page_size, ACRE_READ_WRITE,
                              ACRE_IS_RESERVATION, &handle));
    for (auto _ : state) {
        check(acre_mmap_commit(&handle, kRange, kRange));
        check(acre_mmap_decommit(&handle, kRange, kRange));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK_CAPTURE(commit_through, own, false)->Name("commit + decommit, adopted handle/own handle");
BENCHMARK_CAPTURE(commit_through, adopted, true)->Name("commit + decommit, adopted handle/acre");

// What a refusal costs that has to be told from the limit of areas, in a process of many.
void
refused_commit(benchmark::State &state, size_t areas)
{
    const size_t page = acre_page_size();
    acre_mmap spread = reserve((areas + 1) * page);
    for (size_t i = 0; i < areas; i += 2)
        check(acre_mmap_commit(&spread, i * page, page));
    acre_mmap large = reserve(size_t{1} << 46);
    for (auto _ : state) {
        if (acre_mmap_commit(&large, 0, large.size) == ACRE_OK) {
            state.SkipWithError("this system promises any memory");
            break;
        }
    }
    check(acre_mmap_unmap(&large));
    check(acre_mmap_unmap(&spread));
}
BENCHMARK_CAPTURE(refused_commit, few, 0)->Name("refused commit, 60 000 areas/few areas");
BENCHMARK_CAPTURE(refused_commit, many, 60000)->Name("refused commit, 60 000 areas/acre");

// ---- guard, discard, count ----------------------------------------------------------------------

void
guard_bare(benchmark::State &state)
{
    size_t page = acre_page_size();
    char *base = static_cast<char *>(map_bare(kRange, PROT_READ | PROT_WRITE));
    if (madvise(base, page, kGuardInstall) != 0) {
        state.SkipWithError("this kernel has no guard markers");
        return;
    }
    for (auto _ : state) {
        check(madvise(base, page, kGuardInstall) == 0);
        check(madvise(base, page, kGuardRemove) == 0);
    }
    check(munmap(base, kRange) == 0);
}
BENCHMARK(guard_bare)->Name("guard + unguard a page/bare");

void
guard_acre(benchmark::State &state)
{
    size_t page = acre_page_size();
    acre_mmap map = anon(kRange);
    for (auto _ : state) {
        check(acre_mmap_guard(&map, 0, page));
        check(acre_mmap_unguard(&map, 0, page));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(guard_acre)->Name("guard + unguard a page/acre");

void
discard_bare(benchmark::State &state)
{
    size_t page = acre_page_size();
    volatile char *base = static_cast<char *>(map_bare(kRange, PROT_READ | PROT_WRITE));
    for (auto _ : state) {
        base[0] = 1;
        check(madvise(const_cast<char *>(base), page, MADV_DONTNEED) == 0);
    }
    check(munmap(const_cast<char *>(base), kRange) == 0);
}
BENCHMARK(discard_bare)->Name("touch + discard a page/bare");

void
discard_acre(benchmark::State &state)
{
    size_t page = acre_page_size();
    acre_mmap map = anon(kRange);
    for (auto _ : state) {
        static_cast<volatile char *>(map.base)[0] = 1;
        check(acre_mmap_discard(&map, 0, page, ACRE_DISCARD_NOW));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(discard_acre)->Name("touch + discard a page/acre");

void
resident_mincore(benchmark::State &state)
{
    static unsigned char present[4096];
    char *base = static_cast<char *>(map_bare(1 << 24, PROT_READ | PROT_WRITE));
    for (size_t i = 0; i < 1 << 24; i += 16 * 4096)
        base[i] = 1;
    for (auto _ : state) {
        check(mincore(base, 1 << 24, present) == 0);
        benchmark::DoNotOptimize(present);
    }
    check(munmap(base, 1 << 24) == 0);
}
BENCHMARK(resident_mincore)->Name("resident bytes of 16 MiB/mincore");

void
resident_acre(benchmark::State &state)
{
    acre_mmap map = anon(1 << 24);
    for (size_t i = 0; i < 1 << 24; i += 16 * 4096)
        static_cast<char *>(map.base)[i] = 1;
    for (auto _ : state) {
        size_t resident;
        check(acre_mmap_resident(&map, 0, map.size, &resident));
        benchmark::DoNotOptimize(resident);
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(resident_acre)->Name("resident bytes of 16 MiB/acre");

// ---- locks, presence, advice --------------------------------------------------------------------

void
lock_bare(benchmark::State &state)
{
    char *base = static_cast<char *>(map_bare(4 * kRange, PROT_READ | PROT_WRITE));
    for (auto _ : state) {
        check(mlock(base + kRange, kRange) == 0);
        check(munlock(base + kRange, kRange) == 0);
    }
    check(munmap(base, 4 * kRange) == 0);
}
BENCHMARK(lock_bare)->Name("lock + unlock 64 KiB/bare");

void
lock_acre(benchmark::State &state)
{
    acre_mmap map = anon(4 * kRange);
    for (auto _ : state) {
        check(acre_mmap_lock(&map, kRange, kRange));
        check(acre_mmap_unlock(&map, kRange, kRange));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(lock_acre)->Name("lock + unlock 64 KiB/acre");

void
populate_bare(benchmark::State &state)
{
    char *base = static_cast<char *>(map_bare(kRange, PROT_READ | PROT_WRITE));
    if (madvise(base, kRange, kPopulateWrite) != 0) {
        state.SkipWithError("this kernel cannot populate");
        return;
    }
    for (auto _ : state) {
        check(madvise(base, kRange, kPopulateWrite) == 0);
        check(madvise(base, kRange, MADV_DONTNEED) == 0);
    }
    check(munmap(base, kRange) == 0);
}
BENCHMARK(populate_bare)->Name("populate + discard 64 KiB/bare");

void
populate_acre(benchmark::State &state)
{
    acre_mmap map = anon(kRange);
    if (acre_mmap_populate(&map, 0, kRange) != ACRE_OK) {
        state.SkipWithError("this kernel cannot populate");
        return;
    }
    for (auto _ : state) {
        check(acre_mmap_populate(&map, 0, kRange));
        check(acre_mmap_discard(&map, 0, kRange, ACRE_DISCARD_NOW));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(populate_acre)->Name("populate + discard 64 KiB/acre");

void
advise_bare(benchmark::State &state)
{
    char *base = static_cast<char *>(map_bare(kRange, PROT_READ | PROT_WRITE));
    for (auto _ : state) {
        check(madvise(base, kRange, MADV_DONTDUMP) == 0);
        check(madvise(base, kRange, MADV_DODUMP) == 0);
    }
    check(munmap(base, kRange) == 0);
}
BENCHMARK(advise_bare)->Name("advise NO_DUMP + DUMP 64 KiB/bare");

void
advise_acre(benchmark::State &state)
{
    acre_mmap map = anon(kRange);
    for (auto _ : state) {
        check(acre_mmap_advise(&map, 0, kRange, ACRE_ADVISE_NO_DUMP));
        check(acre_mmap_advise(&map, 0, kRange, ACRE_ADVISE_DUMP));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(advise_acre)->Name("advise NO_DUMP + DUMP 64 KiB/acre");

void
commit_locked_bare(benchmark::State &state)
{
    // What a program does that wants committed and locked pages.
    char *base = static_cast<char *>(map_bare(1 << 24, PROT_NONE));
    for (auto _ : state) {
        check(mprotect(base + kRange, kRange, PROT_READ | PROT_WRITE) == 0);
        check(mlock(base + kRange, kRange) == 0);
        map_bare(kRange, PROT_NONE, MAP_FIXED, base + kRange);
    }
    check(munmap(base, 1 << 24) == 0);
}
BENCHMARK(commit_locked_bare)->Name("commit locked + decommit 64 KiB/bare");

void
commit_locked_acre(benchmark::State &state)
{
    acre_mmap map;
    acre_mmap_opts opts = {};
    opts.flags = ACRE_MAP_LOCKED;
    check(acre_mmap_reserve(1 << 24, ACRE_READ_WRITE, &opts, &map));
    for (auto _ : state) {
        check(acre_mmap_commit(&map, kRange, kRange));
        check(acre_mmap_decommit(&map, kRange, kRange));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(commit_locked_acre)->Name("commit locked + decommit 64 KiB/acre");

// ---- bookkeeping --------------------------------------------------------------------------------

void
split_merge_acre(benchmark::State &state)
{
    acre_mmap map = anon(kRange);
    for (auto _ : state) {
        acre_mmap tail;
        check(acre_mmap_split(&map, kRange / 2, &tail));
        check(acre_mmap_merge(&map, &tail));
        benchmark::DoNotOptimize(map);
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(split_merge_acre)->Name("split + merge, anonymous/acre");

void
split_merge_two_calls(benchmark::State &state)
{
    // What a library pays that asks the system for each part.
    for (auto _ : state) {
        check(getppid() >= 0);
        check(getppid() >= 0);
    }
}
BENCHMARK(split_merge_two_calls)->Name("split + merge, anonymous/two empty system calls");

void
split_merge_file_acre(benchmark::State &state)
{
    acre_mmap map;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    check(file >= 0);
    check(acre_mmap_file(file, 0, 2 * acre_page_size(), ACRE_READ, nullptr, &map));
    check(close(file) == 0);
    for (auto _ : state) {
        acre_mmap tail;
        check(acre_mmap_split(&map, acre_page_size(), &tail));
        check(acre_mmap_merge(&map, &tail));
    }
    check(acre_mmap_unmap(&map));
}
BENCHMARK(split_merge_file_acre)->Name("split + merge, file/acre");

}  // namespace
