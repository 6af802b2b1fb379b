// Calls chosen at random, on a map and on the parts that it is split into, compared with a model of
// its pages; limits are lowered for one call now and then.
//
// ACRE_TEST_SEED=n runs one seed and prints its calls, ACRE_SEEDS=n that many instead of 1000 (with
// Bazel: --test_env=ACRE_SEEDS=n).  A seed chooses the same calls each time, but not where the
// kernel puts things: what depends on that may want some runs.
#ifdef __linux__

#include <linux/capability.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "acre/page.h"
#include "tests/mmap/map_calls.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

const size_t STEPS = 40;
enum { NO_LIMIT = 77 };  // exit status of a child

// What children leave for their parent, also those that die.
struct Report {
    struct Entry {
        char kind[128];
        char text[512];
        unsigned first;  // seed
        unsigned count;  // of seeds
    };
    unsigned seed;
    unsigned next;
    size_t step;
    size_t entry_count;
    Entry entries[100];

    void add(const std::string &kind, const std::string &text)
    {
        size_t i = 0;
        while (i < entry_count && kind.compare(0, sizeof Entry::kind - 1, entries[i].kind) != 0)
            i++;
        if (i == sizeof entries / sizeof entries[0])
            return;
        if (i == entry_count) {
            std::snprintf(entries[i].kind, sizeof Entry::kind, "%s", kind.c_str());
            std::snprintf(entries[i].text, sizeof Entry::text, "%s", text.c_str());
            entries[i].first = seed;
            entry_count++;
        }
        entries[i].count++;
    }
};

class RandomCalls : public testing::TestWithParam<int> {
  protected:
    void SetUp() override
    {
        if (emulated())
            GTEST_SKIP() << "an emulator's areas and limits are not the kernel's";
        void *shared = mmap(nullptr, sizeof *report_, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(MAP_FAILED, shared);
        report_ = static_cast<Report *>(shared);
    }
    void TearDown() override
    {
        if (report_ != nullptr)
            munmap(report_, sizeof *report_);
    }
    Report *report_ = nullptr;
};

std::string content_of_file()
{
    std::string text;
    for (size_t i = 0; i < MapModel::MOST_PAGES + 32; i++)
        text.append(page(), static_cast<char>(i + 1));
    return text;
}

// False where the process is not to be used for another seed.
bool run_seed(Report &report, Witness &witness, MapKind kind, const File &file, bool talks)
{
    MapModel model(witness, report.seed, kind, file, talks);
    try {
        report.step = 0;
        if (!model.create())
            return true;
        for (report.step = 1; report.step <= STEPS; report.step++)
            model.step();
        model.finish();
    } catch (const Difference &difference) {
        report.add(difference.kind, "call " + std::to_string(report.step) + ": " + difference.text);
        return false;
    }
    return !model.has_sealed();
}

// From report->next on, until a process has had enough.
int run_some(Report &report, MapKind kind, unsigned end, const File &file, bool talks)
{
    struct rlimit limit;
    size_t most = 4096;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
        !limit_locks(std::min<size_t>(most, limit.rlim_max / page())))
        return NO_LIMIT;
    // What the system can do is found out with all descriptors at hand.
    for (int i = 0; i < ACRE_CAPABILITY_COUNT; i++)
        (void)acre_can(static_cast<acre_capability>(i));
    Witness witness;
    bool usable = true;
    while (usable && report.next < end) {
        report.seed = report.next;
        report.next += KINDS;
        give_child_more_time();
        usable = run_seed(report, witness, kind, file, talks);
    }
    return 0;
}

// What the library is known not to do yet: locks of parts of a map stay as they were, guards that
// are refused leave what was there, demands of parts hold for what is added, several areas of a map
// with locks are changed together also where nothing can be looked up.
bool is_open(MapKind map, const std::string &kind)
{
    auto is_among = [&kind](std::initializer_list<const char *> known) {
        return std::any_of(known.begin(), known.end(), [&kind](const char *each) {
            return kind.find(each) != std::string::npos;
        });
    };
    return is_among({"guard: locks", "guard refused: locks", "discard LAZY: locks",
                     "discard NOW: locks", "resize to more: locks",
                     "unguard refused: without a cause", "unguard of more refused: without a cause",
                     "guard refused: without a cause", "guard refused: a page",
                     "guard refused: a guard is gone", "unguard: a page does not fault",
                     "at the end: an added page's"}) ||
           (map == LOCKING &&
            is_among({": locks", "refused of a uniform map: a page has another access"}));
}

TEST_P(RandomCalls, do_as_the_model_of_each_page)
{
    auto kind = static_cast<MapKind>(GetParam());
    unsigned first = static_cast<unsigned>(GetParam());
    Seeds seeds = seeds_to_run();
    bool talks = seeds.is_one;
    if (talks && seeds.first % KINDS != first)
        GTEST_SKIP() << "the seed is for another kind of map";
    File file(content_of_file());
    report_->next = talks ? seeds.first : first;
    unsigned end = seeds.end;
    while (report_->next < end) {
        Ended ended = in_child([&] {
            int code = run_some(*report_, kind, end, file, talks);
            std::fflush(stdout);
            return code;
        });
        ASSERT_FALSE(ended.exited && ended.code == NO_LIMIT) << "locks cannot be limited";
        if (!ended.exited || ended.code != 0)
            report_->add(std::string("the process ended by ") +
                             (ended.exited ? "exit " : "signal ") + std::to_string(ended.code),
                         "call " + std::to_string(report_->step));
    }
    std::string open;
    for (size_t i = 0; i < report_->entry_count; i++) {
        const Report::Entry &entry = report_->entries[i];
        if (is_open(kind, entry.kind))
            open += std::string(open.empty() ? "" : "; ") + entry.kind;
        else
            ADD_FAILURE() << entry.kind << "\n  in " << entry.count
                          << " seeds; ACRE_TEST_SEED=" << entry.first << ", " << entry.text;
    }
    if (!open.empty() && !HasFailure())
        GTEST_SKIP() << "differs where differences are known: " << open;
}

INSTANTIATE_TEST_SUITE_P(, RandomCalls, testing::Range(0, int{KINDS}),
                         [](const auto &parameter) { return map_kind_names[parameter.param]; });

// ---- rounds -------------------------------------------------------------------------------------

// What is done between commit and decommit, and undone.
enum Between { NOTHING, GUARD, LOCK, ADVISE, PROTECT, BETWEENS };

struct Rounds {
    uint32_t demand;
    Between between;
    bool guarded;  // a page is guarded all the time
};

acre_status do_between(acre_mmap *map, size_t offset, size_t length, Between between)
{
    acre_status status = ACRE_OK;
    switch (between) {
    case GUARD:
        status = acre_mmap_guard(map, offset, length);
        return status == ACRE_OK ? acre_mmap_unguard(map, offset, length) : status;
    case LOCK:
        status = acre_mmap_lock_on_fault(map, offset, length);
        return status == ACRE_OK ? acre_mmap_unlock(map, offset, length) : ACRE_OK;  // a limit
    case ADVISE:
        return acre_mmap_advise(map, offset, length, ACRE_ADVISE_RANDOM);
    case PROTECT:
        return acre_mmap_protect(map, offset, length, ACRE_READ);
    default:
        static_cast<char *>(map->base)[offset] = 1;
        return ACRE_OK;
    }
}

// How many areas a reservation has more than after the first rounds, all of it reserved again.
size_t areas_left(Witness &witness, unsigned seed, const Rounds &rounds)
{
    const size_t pages = 4096;
    const size_t most = 512;  // at once: that much room is free below a map, and nowhere above
    Random random(seed);
    Map map;
    acre_mmap_opts opts = flags(rounds.demand);
    EXPECT_OK(acre_mmap_reserve(pages * page(), ACRE_READ_WRITE, &opts, &map));
    auto areas = [&] {
        std::vector<Seen> seen = witness.look(bytes(map), pages, false);
        size_t count = 1;
        for (size_t i = 1; i < pages; i++)
            count += seen[i].area != seen[i - 1].area;
        return count;
    };
    size_t guarded = random.below(pages);
    if (rounds.guarded) {
        EXPECT_OK(acre_mmap_guard(&map, guarded * page(), page()));
    }
    size_t first = 0;
    for (size_t round = 0; round < 48; round++) {
        size_t offset = random.below(pages - most);
        size_t count = 1 + random.below(most);
        if (!rounds.guarded || guarded < offset || guarded >= offset + count) {
            EXPECT_OK(acre_mmap_commit(&map, offset * page(), count * page()));
            EXPECT_OK(do_between(&map, offset * page(), count * page(), rounds.between));
            EXPECT_OK(acre_mmap_decommit(&map, offset * page(), count * page()));
        }
        if (round == 4)
            first = areas();
    }
    size_t last = areas();
    return last > first ? last - first : 0;
}

TEST(RandomRounds, that_undo_all_leave_no_areas)
{
    static const struct {
        const char *name;
        uint32_t flag;
    } demands[] = {{"no demand", 0},
                   {"NO_DUMP", ACRE_MAP_NO_DUMP},
                   {"DONT_FORK", ACRE_MAP_DONT_FORK},
                   {"NO_HUGE", ACRE_MAP_NO_HUGE}};
    static const char *const names[] = {"nothing", "guard", "lock", "advise", "protect"};
    if (emulated())
        GTEST_SKIP() << "an emulator's areas are not the kernel's";
    if (std::getenv("ACRE_TEST_SEED") != nullptr)
        GTEST_SKIP() << "the seed is for random calls";
    Witness witness;
    unsigned seeds = 1 + number_of("ACRE_SEEDS", 1000) / 250;
    for (const auto &demand : demands) {
        for (int how = 0; how < 2 * BETWEENS; how++) {
            Rounds rounds = {demand.flag, static_cast<Between>(how / 2), how % 2 != 0};
            size_t most = 0;
            for (unsigned seed = 0; seed < seeds; seed++)
                most = std::max(most, areas_left(witness, seed, rounds));
            EXPECT_LE(most, 4u) << "areas more after 48 rounds of commit, " << names[how / 2]
                                << " and decommit with " << demand.name
                                << (rounds.guarded ? " and a guard" : "");
        }
    }
}

}  // namespace

#endif  // __linux__
