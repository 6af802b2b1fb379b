// What does it cost to discard many ranges at once, beside a call for each?
#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <string>
#include <vector>

#include "acre/mmap.h"
#include "acre/page.h"
#include "bench/check.h"

namespace {

// Every other page of a map; touched or not.
struct Ranges {
    Ranges(size_t count, bool is_touched) : touched(is_touched)
    {
        size_t page = acre_page_size();
        acre_mmap_opts opts = {};
        opts.flags = ACRE_MAP_NO_HUGE;
        check(acre_mmap_anon(2 * count * page, ACRE_READ_WRITE, &opts, &map));
        for (size_t i = 0; i < count; i++)
            ranges.push_back({static_cast<char *>(map.base) + 2 * i * page, page});
        touch();
    }
    Ranges(const Ranges &) = delete;
    Ranges &operator=(const Ranges &) = delete;
    ~Ranges()
    {
        check(acre_mmap_unmap(&map));
    }
    void
    touch()
    {
        if (!touched)
            return;
        for (const acre_range &range : ranges)
            *static_cast<volatile char *>(range.base) = 1;
    }
    bool touched;
    acre_mmap map;
    std::vector<acre_range> ranges;
};

template <class Discard>
void
run(benchmark::State &state, bool touched, Discard discard)
{
    Ranges ranges(static_cast<size_t>(state.range(0)), touched);
    for (auto _ : state) {
        ranges.touch();
        discard(ranges);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

void
single_bare(Ranges &ranges)
{
    for (const acre_range &range : ranges.ranges)
        check(madvise(range.base, range.length, MADV_DONTNEED) == 0);
}

void
single_acre(Ranges &ranges)
{
    size_t page = acre_page_size();
    for (size_t i = 0; i < ranges.ranges.size(); i++)
        check(acre_mmap_discard(&ranges.map, 2 * i * page, page, ACRE_DISCARD_NOW));
}

void
many(Ranges &ranges)
{
    check(acre_discard_many(ranges.ranges.data(), ranges.ranges.size(), ACRE_DISCARD_NOW, nullptr));
}

void
ask(int count, bool touched)
{
    std::string question =
        (touched ? "touch + discard, of " : "discard untouched, of ") + std::to_string(count) + "/";
    auto add = [&](const char *peer, void (*discard)(Ranges &)) {
        benchmark::RegisterBenchmark((question + peer).c_str(), [=](benchmark::State &state) {
            run(state, touched, discard);
        })->Arg(count);
    };
    add("madvise for each", single_bare);
    add("acre for each", single_acre);
    add("acre", many);
}

const int registered = [] {
    for (int count : {1, 8, 64, 512, 4096}) {
        ask(count, false);
        ask(count, true);
    }
    return 0;
}();

}  // namespace
