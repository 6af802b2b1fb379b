// How much memory do many small arenas take?  Resident over used bytes of 1000 arenas that are each
// filled with blocks of 48 bytes, beside glibc's malloc.  Each line in a process of its own.
//
//     bench/arena_memory [COUNT]
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "acre/arena.h"
#include "bench/check.h"

namespace {

constexpr size_t kBlock = 48;

size_t
resident()
{
    FILE *file = std::fopen("/proc/self/statm", "r");
    check(file != nullptr);
    size_t all = 0, pages = 0;
    check(std::fscanf(file, "%zu %zu", &all, &pages) == 2);
    std::fclose(file);
    return pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void
fill_arenas(size_t count, size_t size)
{
    std::vector<acre_arena> arenas(count);
    for (acre_arena &arena : arenas) {
        check(acre_arena_create(nullptr, &arena));
        for (size_t used = 0; used < size; used += kBlock) {
            void *block = acre_arena_alloc(&arena, kBlock);
            check(block != nullptr);
            std::memset(block, 1, kBlock);
        }
    }
}

void
fill_malloc(size_t count, size_t size)
{
    for (size_t used = 0; used < count * size; used += kBlock) {
        void *block = std::malloc(kBlock);
        check(block != nullptr);
        std::memset(block, 1, kBlock);
    }
}

double
ratio(void (*fill)(size_t, size_t), size_t count, size_t size)
{
    int ends[2];
    check(pipe(ends) == 0);
    pid_t child = fork();
    check(child >= 0);
    double told = 0;
    if (child == 0) {
        size_t before = resident();
        fill(count, size);
        told = static_cast<double>(resident() - before) / static_cast<double>(count * size);
        _exit(write(ends[1], &told, sizeof told) == sizeof told ? 0 : 1);
    }
    check(read(ends[0], &told, sizeof told) == sizeof told);
    check(close(ends[0]) == 0 && close(ends[1]) == 0);
    check(waitpid(child, nullptr, 0) == child);
    return told;
}

}  // namespace

int
main(int argc, char **argv)
{
    size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000;
    check(count > 0);
    char mode[64] = "unknown\n";
    if (FILE *file = std::fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r")) {
        if (std::fgets(mode, sizeof mode, file) == nullptr)
            mode[0] = 0;
        std::fclose(file);
    }
    std::printf("%zu arenas, transparent huge pages: %s", count, mode);
    std::printf("%12s %24s %24s\n", "used of each", "acre: resident / used",
                "glibc: resident / used");
    const size_t sizes[] = {64,  96,  128,  192,  256,  300,  384,
                            512, 768, 1024, 1536, 2048, 3072, 4096};
    for (size_t kib : sizes)
        std::printf("%8zu KiB %24.2f %24.2f\n", kib, ratio(fill_arenas, count, kib * 1024),
                    ratio(fill_malloc, count, kib * 1024));
    return 0;
}
