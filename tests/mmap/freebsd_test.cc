// The FreeBSD port on FreeBSD's calls as Linux can play them (freebsd/fake_freebsd.h).
//
// What it does with them is tested here: which it makes, and what they cost.  That FreeBSD answers
// so is not; the tests of mmap/port/ say that when they are run there.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "acre/area.h"
#include "acre/image.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "tests/mmap/freebsd/fake_freebsd.h"

namespace {

const size_t MIB = size_t{1} << 20;

std::string name_of(acre_status status)
{
    return acre_status_name(status);
}
#define EXPECT_STATUS(expected, call) EXPECT_EQ(name_of(expected), name_of(call))
#define EXPECT_OK(call) EXPECT_STATUS(ACRE_OK, call)
#define ASSERT_OK(call) ASSERT_EQ(name_of(ACRE_OK), name_of(call))

size_t page()
{
    return acre_page_size();
}

char *bytes(const acre_mmap &map, size_t offset = 0)
{
    return static_cast<char *>(map.base) + offset;
}

acre_mmap_opts flags(uint32_t value)
{
    acre_mmap_opts opts = {};
    opts.flags = value;
    return opts;
}

struct Map : acre_mmap {
    Map() : acre_mmap()
    {
    }
    Map(const Map &) = delete;
    Map &operator=(const Map &) = delete;
    ~Map()
    {
        EXPECT_OK(acre_mmap_unmap(this));
    }
};

// As the kernel says: bytes of the process, or of areas that begin in the map.
size_t smaps(const char *key, const void *from = nullptr, const void *to = nullptr)
{
    std::ifstream file("/proc/self/smaps");
    std::string line;
    size_t sum = 0;
    bool inside = false;
    while (std::getline(file, line)) {
        unsigned long start = 0, end = 0, amount = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx ", &start, &end) == 2)
            inside = from == nullptr || (start >= reinterpret_cast<uintptr_t>(from) &&
                                         start < reinterpret_cast<uintptr_t>(to));
        else if (inside && line.compare(0, std::strlen(key), key) == 0 &&
                 std::sscanf(line.c_str() + std::strlen(key), ": %lu", &amount) == 1)
            sum += amount * 1024;
    }
    return sum;
}

size_t resident(const acre_mmap &map)
{
    return smaps("Rss", map.base, bytes(map, map.size));
}

size_t locked(const acre_mmap &map)
{
    return smaps("Locked", map.base, bytes(map, map.size));
}

bool is_mapped(const void *address)
{
    unsigned char present;
    return mincore(const_cast<void *>(address), page(), &present) == 0;
}

// ---- areas --------------------------------------------------------------------------------------

// The memory that the table is read into may lie beside any map.
TEST(FreebsdAreas, of_shared_memory_end_where_it_ends)
{
    for (int i = 0; i < 32; i++) {
        Map map;
        acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
        uint64_t before = 0, count = 0;
        ASSERT_OK(acre_area_count(&before));
        ASSERT_OK(acre_mmap_anon(16 * page(), ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_area_count(&count));
        EXPECT_EQ(before + 1, count);
        acre_area area = {};
        ASSERT_OK(acre_area_at(map.base, &area));
        EXPECT_EQ(reinterpret_cast<uintptr_t>(map.base), area.start);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes(map, map.size)), area.end);
    }
}

TEST(FreebsdAreas, of_shared_memory_are_not_those_of_an_open_view)
{
    acre_areas view = {};
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_areas_open(0, &view));
    ASSERT_OK(acre_mmap_anon(16 * MIB, ACRE_READ_WRITE, &opts, &map));
    acre_area area = {};
    EXPECT_OK(acre_areas_query(&view, reinterpret_cast<uintptr_t>(map.base), &area));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(map.base), area.start);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes(map, map.size)), area.end);
    acre_areas_close(&view);
}

// ---- advice -------------------------------------------------------------------------------------

TEST(FreebsdAdvice, that_is_refused_leaves_the_handle_alone)
{
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, &opts, &map));
    acre_mmap before = map;
    EXPECT_STATUS(-EINVAL, acre_mmap_advise(&map, 0, map.size, ACRE_ADVISE_WIPE_ON_FORK));
    EXPECT_EQ(0, std::memcmp(&before, &map, sizeof before));
}

// ---- merging ------------------------------------------------------------------------------------

TEST(FreebsdMerge, joins_parts_of_anonymous_maps_and_reservations)
{
    for (int kind = 0; kind < 3; kind++) {
        Map map;
        acre_mmap tail = {};
        acre_mmap_opts opts = flags(kind == 1 ? uint32_t{ACRE_MAP_SHARED} : 0u);
        ASSERT_OK(kind == 2 ? acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, nullptr, &map)
                            : acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_mmap_split(&map, 4 * page(), &tail));
        ASSERT_OK(acre_mmap_merge(&map, &tail)) << kind;
        EXPECT_EQ(8 * page(), map.size);
        EXPECT_EQ(0u, tail.size);
        if (kind == 2) {
            ASSERT_OK(acre_mmap_commit(&map, 3 * page(), 2 * page()));
        }
        std::memset(bytes(map, 3 * page()), 1, 2 * page());
    }
}

TEST(FreebsdMerge, joins_neighbours_that_were_mapped_apart)
{
    Map first, second;
    ASSERT_OK(acre_mmap_reserve(2 * page(), ACRE_READ_WRITE, nullptr, &first));
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED);
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&first, page(), &tail));
    opts.address = tail.base;
    ASSERT_OK(acre_mmap_unmap(&tail));
    ASSERT_OK(acre_mmap_reserve(page(), ACRE_READ_WRITE, &opts, &second));
    ASSERT_OK(acre_mmap_merge(&first, &second));
    EXPECT_EQ(2 * page(), first.size);
}

TEST(FreebsdMerge, keeps_clones_apart_that_do_not_continue_one_another)
{
    acre_image image = {};
    acre_mmap fill = {};
    ASSERT_OK(acre_image_begin(2 * page(), &image, &fill));
    ASSERT_OK(acre_image_finish(&image, &fill));
    {
        Map clone;
        acre_mmap tail = {};
        ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone));
        ASSERT_OK(acre_mmap_split(&clone, page(), &tail));
        acre_mmap moved = tail;
        moved.offset = 0;
        EXPECT_STATUS(ACRE_BACKING_MISMATCH, acre_mmap_merge(&clone, &moved));
        EXPECT_OK(acre_mmap_merge(&clone, &tail));
    }
    EXPECT_OK(acre_image_close(&image));
}

TEST(FreebsdMerge, of_a_part_that_was_locked_or_advised_is_remembered)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&map, 4 * page(), &tail));
    ASSERT_OK(acre_mmap_advise(&tail, 0, tail.size, ACRE_ADVISE_DONT_FORK));
    ASSERT_OK(acre_mmap_merge(&map, &tail));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    EXPECT_EQ(0, bytes(map)[0]);
    EXPECT_EQ(0, bytes(map)[7 * page()]);
    // Still not there in a child.
    pid_t child = fork();
    if (child == 0)
        _exit(is_mapped(map.base) && !is_mapped(bytes(map, 4 * page())) ? 0 : 1);
    int status = -1;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
}

// ---- discarding ---------------------------------------------------------------------------------

TEST(FreebsdDiscard, of_a_reservation_makes_nothing_resident)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(64 * MIB, ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, 32 * MIB));
    bytes(map, MIB)[0] = 1;
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    EXPECT_EQ(0u, resident(map));
    EXPECT_EQ(0, bytes(map, MIB)[0]);
    bytes(map, 32 * MIB - 1)[0] = 1;
    // What was not committed is not now, either.
    ASSERT_OK(acre_mmap_commit(&map, 32 * MIB, page()));
    EXPECT_EQ(0, bytes(map, 32 * MIB)[0]);
}

TEST(FreebsdDiscard, of_many_makes_nothing_resident_that_was_never_touched)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(64 * MIB, ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, 32 * MIB));
    const acre_range ranges[] = {{map.base, 16 * MIB}, {bytes(map, 16 * MIB), 48 * MIB}};
    size_t done = 0;
    ASSERT_OK(acre_discard_many(ranges, 2, ACRE_DISCARD_NOW, &done));
    EXPECT_EQ(2u, done);
    EXPECT_EQ(0u, resident(map));
}

TEST(FreebsdDiscard, keeps_the_access_of_parts)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_mmap_protect(&map, page(), page(), ACRE_READ));
    ASSERT_OK(acre_mmap_protect(&map, 2 * page(), page(), ACRE_NONE));
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    EXPECT_EQ(0, bytes(map)[0]);
    EXPECT_EQ(0, bytes(map, page())[0]);
    ASSERT_OK(acre_mmap_protect(&map, 2 * page(), page(), ACRE_READ_WRITE));
    EXPECT_EQ(0, bytes(map, 2 * page())[0]);
    std::memset(bytes(map, 2 * page()), 1, 2 * page());
}

TEST(FreebsdDiscard, keeps_the_locks_of_parts_and_of_the_whole)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, 4 * page()));
    ASSERT_OK(acre_mmap_lock(&map, page(), page()));
    if (locked(map) == 0)
        GTEST_SKIP() << "nothing was locked: sanitizers let mlock do nothing";
    std::memset(map.base, 1, 4 * page());
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    EXPECT_EQ(0, bytes(map, page())[0]);
    EXPECT_EQ(page(), locked(map));

    Map whole;
    acre_mmap_opts opts = flags(ACRE_MAP_LOCKED);
    ASSERT_OK(acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, &opts, &whole));
    ASSERT_OK(acre_mmap_commit(&whole, 0, 4 * page()));
    std::memset(whole.base, 1, 4 * page());
    ASSERT_OK(acre_mmap_discard(&whole, 0, whole.size, ACRE_DISCARD_NOW));
    EXPECT_EQ(0, bytes(whole)[0]);
    EXPECT_EQ(4 * page(), locked(whole));
}

TEST(FreebsdDiscard, keeps_the_fork_behavior_of_the_map)
{
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_DONT_FORK);
    ASSERT_OK(acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, 4 * page()));
    std::memset(map.base, 1, 4 * page());
    ASSERT_OK(acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW));
    pid_t child = fork();
    if (child == 0)
        _exit(is_mapped(map.base) ? 1 : 0);
    int status = -1;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
}

// ---- limits -------------------------------------------------------------------------------------

TEST(FreebsdSystem, has_the_commit_limit_that_accounting_enforces)
{
    const uint64_t SWAP = uint64_t{1} << 30;
    const struct {
        uint64_t overcommit, swap, limit;
    } CASES[] = {
        {0, SWAP, 0},                              // nothing is enforced
        {4, SWAP, 0},                              //
        {1, SWAP, SWAP},                           //
        {5, SWAP, SWAP + uint64_t{800} * page()},  // and memory that is not locked
        {5, 0, uint64_t{800} * page()},            //
        {1, 0, page()},                            // 0 would mean that nothing is enforced
    };
    for (const auto &one : CASES) {
        const fake_number numbers[] = {
            {"hw.physmem", uint64_t{1000} * page()},
            {"vm.overcommit", one.overcommit},
            {"vm.swap_total", one.swap},
            {"vm.stats.vm.v_page_count", 1000},
            {"vm.stats.vm.v_free_reserved", 50},
            {"vm.stats.vm.v_wire_count", 150},
            {nullptr, 0},
        };
        fake_numbers = numbers;
        acre_system system = {};
        EXPECT_OK(acre_system_read(&system));
        fake_numbers = nullptr;
        EXPECT_EQ(one.limit, system.commit_limit) << one.overcommit << ", " << one.swap;
    }
}

// ---- accounting ---------------------------------------------------------------------------------

TEST(FreebsdCommit, of_what_is_reserved_reads_no_table)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(64 * page(), ACRE_READ_WRITE, nullptr, &map));
    int before = fake_table_reads;
    for (size_t at = 0; at < 32; at += 2) {
        ASSERT_OK(acre_mmap_commit(&map, at * page(), 2 * page()));
        std::memset(bytes(map, at * page()), 1, 2 * page());
    }
    ASSERT_OK(acre_mmap_decommit(&map, 16 * page(), 16 * page()));
    ASSERT_OK(acre_mmap_commit(&map, 16 * page(), 4 * page()));
    EXPECT_EQ(before, fake_table_reads);
    EXPECT_EQ(0, bytes(map)[17 * page()]);
    // Below what was committed it is asked which part has contents.
    ASSERT_OK(acre_mmap_commit(&map, 8 * page(), 8 * page()));
    EXPECT_LT(before, fake_table_reads);
    EXPECT_EQ(1, bytes(map)[9 * page()]);
}

TEST(FreebsdAccounting, refuses_with_the_status_for_memory)
{
    Map reserved;
    ASSERT_OK(acre_mmap_reserve(8 * MIB, ACRE_READ_WRITE, nullptr, &reserved));
    fake_refuse_from = MIB;
    acre_mmap map = {};
    EXPECT_STATUS(-ENOMEM, acre_mmap_anon(2 * MIB, ACRE_READ_WRITE, nullptr, &map));
    EXPECT_STATUS(-ENOMEM, acre_mmap_commit(&reserved, 0, 2 * MIB));
    fake_refuse_from = 0;
    // Nothing else can be mapped where the refused commit was.
    EXPECT_TRUE(is_mapped(reserved.base));
    EXPECT_OK(acre_mmap_commit(&reserved, 0, 2 * MIB));
    bytes(reserved)[0] = 1;
}

}  // namespace
