// What does it cost to ask what is mapped, with few and with many areas?  Compared with the text of
// /proc/self/maps, which other libraries read from its start.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "acre/area.h"
#include "acre/page.h"
#include "bench/check.h"

namespace {

// The process as it is, or with areas up to about 60 000.
class Crowd {
  public:
    explicit Crowd(bool many)
    {
        if (!many)
            return;
        size_t page = acre_page_size();
        size_t pages = 60000;
        check(acre_mmap_anon(pages * page, ACRE_READ_WRITE, nullptr, &map_) == ACRE_OK);
        for (size_t i = 1; i < pages; i += 2)
            check(acre_mmap_protect(&map_, i * page, page, ACRE_READ) == ACRE_OK);
        middle_ = reinterpret_cast<uintptr_t>(map_.base) + pages / 2 * page;
    }
    Crowd(const Crowd &) = delete;
    Crowd &operator=(const Crowd &) = delete;
    ~Crowd()
    {
        check(acre_mmap_unmap(&map_) == ACRE_OK);
    }
    uintptr_t
    middle() const
    {
        return middle_ != 0 ? middle_ : reinterpret_cast<uintptr_t>(this);
    }

  private:
    acre_mmap map_ = {};
    uintptr_t middle_ = 0;
};

void
query_view(benchmark::State &state, bool many)
{
    Crowd crowd(many);
    acre_areas view;
    acre_area area;
    check(acre_areas_open(0, &view) == ACRE_OK);
    for (auto _ : state)
        check(acre_areas_query(&view, crowd.middle(), &area) == ACRE_OK);
    acre_areas_close(&view);
}
BENCHMARK_CAPTURE(query_view, few, false)->Name("query, open view, 30 areas/acre");
BENCHMARK_CAPTURE(query_view, many, true)->Name("query, open view, 60 000 areas/acre");

void
query_once(benchmark::State &state, bool many)
{
    Crowd crowd(many);
    acre_area area;
    for (auto _ : state)
        check(acre_area_at(reinterpret_cast<void *>(crowd.middle()), &area) == ACRE_OK);
}
BENCHMARK_CAPTURE(query_once, few, false)->Name("query, one shot, 30 areas/acre");
BENCHMARK_CAPTURE(query_once, many, true)->Name("query, one shot, 60 000 areas/acre");

// The text up to the line of the address: what every reader of the text pays at least.
void
query_text(benchmark::State &state, bool many)
{
    Crowd crowd(many);
    static char bytes[64 * 1024];
    char line[32];
    for (auto _ : state) {
        int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        check(file >= 0);
        std::snprintf(line, sizeof line, "-%lx ", static_cast<unsigned long>(crowd.middle()));
        ssize_t got;
        bool found = false;
        while (!found && (got = read(file, bytes, sizeof bytes)) > 0)
            found = memmem(bytes, static_cast<size_t>(got), line, std::strlen(line)) != nullptr;
        benchmark::DoNotOptimize(found);
        check(close(file) == 0);
    }
}
BENCHMARK_CAPTURE(query_text, few, false)->Name("query, one shot, 30 areas/reading the text");
BENCHMARK_CAPTURE(query_text, many, true)->Name("query, one shot, 60 000 areas/reading the text");

void
enumerate(benchmark::State &state, bool many)
{
    Crowd crowd(many);
    for (auto _ : state) {
        acre_areas view;
        acre_area area;
        acre_status status;
        check(acre_areas_open(0, &view) == ACRE_OK);
        while ((status = acre_areas_next(&view, &area)) == 1)
            benchmark::DoNotOptimize(area);
        check(status == ACRE_OK);
        acre_areas_close(&view);
    }
}
BENCHMARK_CAPTURE(enumerate, few, false)->Name("enumerate 30 areas/acre");
BENCHMARK_CAPTURE(enumerate, many, true)->Name("enumerate 60 000 areas/acre");

void
enumerate_text(benchmark::State &state, bool many)
{
    Crowd crowd(many);
    static char bytes[64 * 1024];
    for (auto _ : state) {
        int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        check(file >= 0);
        while (read(file, bytes, sizeof bytes) > 0)
            benchmark::DoNotOptimize(bytes);
        check(close(file) == 0);
    }
}
BENCHMARK_CAPTURE(enumerate_text, few, false)->Name("enumerate 30 areas/reading the text");
BENCHMARK_CAPTURE(enumerate_text, many, true)->Name("enumerate 60 000 areas/reading the text");

}  // namespace
