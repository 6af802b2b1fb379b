// Huge pages: transparent ones as a wish, explicit ones from their pool, everything in whole ones.
#include <atomic>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_EMULATED("an emulator shows pools of huge pages and maps none",
              "ExplicitHuge.a_reservation_takes_addresses_only "
              "ExplicitHuge.from_an_empty_pool_are_out_of_memory");
SKIP_WITHOUT_ADVICE("TransparentHuge.*");

size_t transparent_size()
{
    acre_system system = {};
    return acre_system_read(&system) == ACRE_OK ? static_cast<size_t>(system.transparent_huge_size)
                                                : 0;
}

// The word in brackets.
std::string mode_of(const char *file)
{
    std::ifstream in(std::string("/sys/kernel/mm/transparent_hugepage/") + file);
    std::string text;
    std::getline(in, text);
    size_t start = text.find('[');
    return start == std::string::npos ? "" : text.substr(start + 1, text.find(']') - start - 1);
}

// ---- transparent --------------------------------------------------------------------------------

TEST(TransparentHuge, is_aligned_and_granted_where_the_mode_permits)
{
    size_t huge = transparent_size();
    if (huge == 0)
        GTEST_SKIP() << "this system has no transparent huge pages";
    bool permitted = mode_of("enabled") != "never";
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE_TRANSPARENT);
    for (int reserved = 0; reserved < 2; reserved++) {
        Map map;
        if (reserved)
            ASSERT_OK(acre_mmap_reserve(3 * huge, ACRE_READ_WRITE, &opts, &map));
        else
            ASSERT_OK(acre_mmap_anon(3 * huge, ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(map.base) % huge);
        EXPECT_EQ(page(), map.page_size);
        EXPECT_EQ(permitted, (map.flags & ACRE_MAP_HUGE_TRANSPARENT) != 0);
        EXPECT_TRUE(has_vm_flag(map.base, "hg"));
        ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
        bytes(map, huge)[0] = 1;
        if (permitted) {
            EXPECT_EQ(huge, smaps_bytes(map.base, "AnonHugePages"));
        }
        // What was given back and committed again is advised again, where the wish was granted.
        ASSERT_OK(acre_mmap_decommit(&map, 0, map.size));
        ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
        EXPECT_TRUE(!permitted || has_vm_flag(map.base, "hg"));
    }
}

TEST(TransparentHuge, of_shared_memory_follows_a_mode_of_its_own)
{
    size_t huge = transparent_size();
    std::string mode = mode_of("shmem_enabled");
    if (huge == 0 || mode.empty())
        GTEST_SKIP() << "this system has no transparent huge pages";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(2 * huge, ACRE_READ_WRITE, &opts, &map));
    bytes(map)[0] = 1;
    EXPECT_EQ(mode != "never" && mode != "deny", (map.flags & ACRE_MAP_HUGE_TRANSPARENT) != 0);
    EXPECT_EQ((map.flags & ACRE_MAP_HUGE_TRANSPARENT) != 0,
              smaps_bytes(map.base, "ShmemPmdMapped") != 0);
}

TEST(TransparentHuge, below_their_size_needs_no_alignment)
{
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE_TRANSPARENT);
    ASSERT_OK(acre_mmap_anon(3 * page(), ACRE_READ_WRITE, &opts, &map));
    EXPECT_EQ(3 * page(), map.size);
    bytes(map)[0] = 1;
}

TEST(TransparentHuge, are_never_there_with_no_huge)
{
    size_t huge = transparent_size();
    if (huge == 0)
        GTEST_SKIP() << "this system has no transparent huge pages";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_NO_HUGE);
    opts.alignment = huge;
    ASSERT_OK(acre_mmap_reserve(2 * huge, ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
    EXPECT_TRUE(has_vm_flag(map.base, "nh"));
    std::memset(map.base, 1, map.size);
    EXPECT_EQ(0u, smaps_bytes(map.base, "AnonHugePages"));
    EXPECT_EQ(map.size, smaps_bytes(map.base, "Rss"));
}

// ---- explicit -----------------------------------------------------------------------------------

std::vector<size_t> huge_sizes()
{
    std::vector<size_t> sizes(static_cast<size_t>(acre_page_sizes(nullptr, 0)));
    acre_page_sizes(sizes.data(), sizes.size());
    sizes.erase(sizes.begin());
    return sizes;
}

std::string pool(size_t size, const char *file)
{
    return "/sys/kernel/mm/hugepages/hugepages-" + std::to_string(size / 1024) + "kB/" + file;
}

// Pages that a map may still take.
uint64_t free_pages(size_t size)
{
    return number_in(pool(size, "free_hugepages")) - number_in(pool(size, "resv_hugepages"));
}

acre_mmap_opts of_size(size_t size, uint32_t more = 0)
{
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE | more);
    opts.page_size = size;
    return opts;
}

TEST(ExplicitHuge, unknown_sizes_are_refused)
{
    acre_mmap untouched = {};
    for (size_t size : {page(), page() * 2, page() + 1, size_t{3} << 20, size_t{1} << 29}) {
        bool known = false;
        for (size_t huge : huge_sizes())
            known |= huge == size;
        if (known)
            continue;
        acre_mmap_opts opts = of_size(size);
        expect_refused(ACRE_BAD_OPTION, untouched,
                       [&] { return acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &untouched); });
        expect_refused(ACRE_BAD_OPTION, untouched, [&] {
            return acre_mmap_reserve(page(), ACRE_READ_WRITE, &opts, &untouched);
        });
    }
}

TEST(ExplicitHuge, are_refused_where_there_are_none)
{
    if (!huge_sizes().empty())
        GTEST_SKIP() << "this system has huge pages";
    acre_mmap untouched = {};
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE);
    expect_refused(-ENOTSUP, untouched,
                   [&] { return acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &untouched); });
}

TEST(ExplicitHuge, from_an_empty_pool_are_out_of_memory)
{
    bool tried = false;
    for (size_t size : huge_sizes()) {
        if (free_pages(size) != 0 || number_in(pool(size, "nr_overcommit_hugepages")) != 0)
            continue;
        tried = true;
        acre_mmap untouched = {};
        for (uint32_t more : {0u, uint32_t{ACRE_MAP_NO_DUMP}, uint32_t{ACRE_MAP_SHARED},
                              uint32_t{ACRE_MAP_LOCKED}}) {
            acre_mmap_opts opts = of_size(size, more);
            expect_refused(-ENOMEM, untouched,
                           [&] { return acre_mmap_anon(1, ACRE_READ_WRITE, &opts, &untouched); });
        }
        acre_mmap_opts opts = of_size(size);
        expect_refused(-ENOMEM, untouched, [&] { return acre_mmap_ring(1, &opts, &untouched); });
    }
    if (!tried)
        GTEST_SKIP() << "no pool of huge pages is empty";
}

TEST(ExplicitHuge, a_reservation_takes_addresses_only)
{
    if (huge_sizes().empty())
        GTEST_SKIP() << "this system has no huge pages";
    for (size_t size : huge_sizes()) {
        if (size > SIZE_MAX / 8)
            continue;  // too few addresses
        uint64_t before = free_pages(size);
        Map map;
        acre_mmap_opts opts = of_size(size, ACRE_MAP_NO_DUMP);
        ASSERT_OK(acre_mmap_reserve(2 * size + 1, ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(3 * size, map.size);
        EXPECT_EQ(size, map.page_size);
        EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(map.base) % size);
        EXPECT_EQ(before, free_pages(size));
        expect_refused(ACRE_BAD_OFFSET, map, [&] { return acre_mmap_commit(&map, 0, page()); });
        acre_mmap tail = {};
        expect_refused(ACRE_BAD_OFFSET, map, [&] { return acre_mmap_split(&map, page(), &tail); });
        if (before == 0 && number_in(pool(size, "nr_overcommit_hugepages")) == 0) {
            expect_refused(-ENOMEM, map, [&] { return acre_mmap_commit(&map, size, size); });
            expect_refused(-ENOMEM, map,
                           [&] { return acre_mmap_protect(&map, 0, 3 * size, ACRE_READ); });
            EXPECT_EQ("---p", permissions(bytes(map, size)));
            EXPECT_TRUE(has_vm_flag(bytes(map, size), "dd"));
        }
        ASSERT_OK(acre_mmap_split(&map, size, &tail));
        ASSERT_OK(acre_mmap_merge(&map, &tail));
        ASSERT_OK(acre_mmap_decommit(&map, size, size));
        EXPECT_EQ(before, free_pages(size));
    }
}

TEST(ExplicitHuge, the_default_size_is_the_systems)
{
    size_t size = static_cast<size_t>(number_in("/proc/meminfo", "Hugepagesize:")) * 1024;
    if (huge_sizes().empty() || size == 0)
        GTEST_SKIP() << "this system has no huge pages";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE);
    ASSERT_OK(acre_mmap_reserve(1, ACRE_READ_WRITE, &opts, &map));
    EXPECT_EQ(size, map.page_size);
    EXPECT_EQ(size, map.size);
    // A file that is not of a huge-page file system has other pages.
    File file(std::string(page(), 'f'));
    acre_mmap untouched = {};
    expect_refused(ACRE_BAD_OPTION, untouched, [&] {
        return acre_mmap_file(handle_of(file.descriptor), 0, 1, ACRE_READ, &opts, &untouched);
    });
}

// Runs for each size whose pool has pages enough.
template <class Body>
void with_pages(uint64_t count, Body body)
{
    bool tried = false;
    for (size_t size : huge_sizes()) {
        if (free_pages(size) < count)
            continue;
        tried = true;
        body(size);
    }
    if (!tried)
        GTEST_SKIP() << "no pool of huge pages has " << count << " free pages";
}

TEST(ExplicitHuge, are_mapped_cut_and_unmapped_whole)
{
    with_pages(4, [](size_t size) {
        uint64_t before = free_pages(size);
        acre_mmap map = {}, tail = {};
        acre_mmap_opts opts = of_size(size);
        ASSERT_OK(acre_mmap_anon(3 * size + 1, ACRE_READ_WRITE, &opts, &map));
        EXPECT_EQ(4 * size, map.size);
        EXPECT_EQ(before - 4, free_pages(size));
        EXPECT_EQ(size, smaps_bytes(map.base, "KernelPageSize"));
        for (size_t at = 0; at < map.size; at += size)
            bytes(map)[at] = 1;
        ASSERT_OK(acre_mmap_split(&map, size, &tail));
        ASSERT_OK(acre_mmap_unmap(&tail));
        EXPECT_EQ(before - 1, free_pages(size));
        EXPECT_EQ(1, bytes(map)[0]);
        ASSERT_OK(acre_mmap_unmap(&map));
        EXPECT_EQ(before, free_pages(size));
    });
}

TEST(ExplicitHuge, reservations_commit_what_is_not_huge_yet)
{
    with_pages(4, [](size_t size) {
        uint64_t before = free_pages(size);
        Map map;
        acre_mmap_opts opts = of_size(size, ACRE_MAP_NO_DUMP);
        ASSERT_OK(acre_mmap_reserve(4 * size, ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_mmap_commit(&map, size, size));
        EXPECT_EQ(before - 1, free_pages(size));
        EXPECT_EQ(size, smaps_bytes(bytes(map, size), "KernelPageSize"));
        EXPECT_TRUE(has_vm_flag(bytes(map, size), "dd"));
        bytes(map, size)[3] = 3;
        ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
        EXPECT_EQ(before - 4, free_pages(size));
        EXPECT_EQ(3, bytes(map, size)[3]);
        ASSERT_OK(acre_mmap_decommit(&map, size, 2 * size));
        EXPECT_EQ(before - 2, free_pages(size));
        EXPECT_EQ("---p", permissions(bytes(map, size)));
        ASSERT_OK(acre_mmap_protect(&map, size, size, ACRE_READ));
        EXPECT_EQ(0, bytes(map, size)[3]);
        EXPECT_EQ(before - 3, free_pages(size));
        ASSERT_OK(acre_mmap_decommit(&map, 0, map.size));
        EXPECT_EQ(before, free_pages(size));
    });
}

TEST(ExplicitHuge, a_commit_that_the_pool_cannot_fill_takes_nothing)
{
    with_pages(1, [](size_t size) {
        uint64_t before = free_pages(size);
        Map map;
        acre_mmap_opts opts = of_size(size);
        size_t whole = (static_cast<size_t>(before) + 2) * size;
        ASSERT_OK(acre_mmap_reserve(whole, ACRE_READ_WRITE, &opts, &map));
        if (number_in(pool(size, "nr_overcommit_hugepages")) != 0)
            GTEST_SKIP() << "the pool grows by itself";
        ASSERT_OK(acre_mmap_commit(&map, size, size));
        bytes(map, size)[3] = 3;
        expect_refused(-ENOMEM, map, [&] { return acre_mmap_commit(&map, 0, whole); });
        EXPECT_EQ(before - 1, free_pages(size));
        EXPECT_EQ(3, bytes(map, size)[3]);
        EXPECT_EQ("---p", permissions(map.base));
    });
}

void expect_present(const acre_mmap &map)
{
    size_t resident = 0;
    EXPECT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
    EXPECT_EQ(map.size, resident);
    for (size_t at = 0; at < map.size; at += map.page_size)
        EXPECT_LE(map.page_size, smaps_bytes(bytes(map, at), "Private_Hugetlb"));
}

TEST(ExplicitHuge, that_are_locked_are_present_after_a_commit)
{
    with_pages(3, [](size_t size) {
        acre_mmap_opts opts = of_size(size, ACRE_MAP_LOCKED);
        Map map;
        ASSERT_OK(acre_mmap_reserve(3 * size, ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_mmap_commit_as(&map, size, size, ACRE_READ));
        ASSERT_OK(acre_mmap_commit(&map, 0, 3 * size));
        expect_present(map);
        ASSERT_OK(acre_mmap_decommit(&map, size, size));
        EXPECT_EQ("---p", permissions(bytes(map, size)));
        ASSERT_OK(acre_mmap_commit(&map, size, size));
        EXPECT_EQ("rw-p", permissions(bytes(map, size)));
        expect_present(map);
    });
}

// Without the lock, what the pool lacks would be missed by a touch, which SIGBUS ends.
TEST(ExplicitHuge, that_are_locked_and_not_set_aside_are_refused_before_a_touch)
{
    with_pages(1, [](size_t size) {
        if (number_in(pool(size, "nr_overcommit_hugepages")) != 0)
            GTEST_SKIP() << "the pool grows by itself";
        acre_mmap_opts opts = of_size(size, ACRE_MAP_LOCKED | ACRE_MAP_NO_RESERVE);
        size_t count = static_cast<size_t>(free_pages(size));
        Map map;
        ASSERT_OK(acre_mmap_reserve((count + 1) * size, ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_mmap_commit(&map, 0, size));
        bytes(map)[0] = 1;
        expect_refused(-ENOMEM, map, [&] { return acre_mmap_commit(&map, 0, map.size); });
        EXPECT_EQ("rw-p", permissions(bytes(map)));
        EXPECT_EQ("---p", permissions(bytes(map, size)));
        EXPECT_EQ(1, bytes(map)[0]);
    });
}

// Markers would go with the addresses that a commit replaces, and the handle would still say that
// they stay.
TEST(ExplicitHuge, have_guards_that_a_commit_is_known_to_remove)
{
    with_pages(2, [](size_t size) {
        acre_mmap_opts opts = of_size(size);
        Map map;
        ASSERT_OK(acre_mmap_reserve(2 * size, ACRE_READ_WRITE, &opts, &map));
        ASSERT_OK(acre_mmap_guard(&map, 0, size));
        EXPECT_EQ(static_cast<uint32_t>(ACRE_HAS_PAGE_GUARDS),
                  map.flags & (ACRE_HAS_PAGE_GUARDS | ACRE_HAS_MARKER_GUARDS));
        ASSERT_OK(acre_mmap_commit(&map, size, size));
        EXPECT_EQ(SIGSEGV, signal_of_write(bytes(map)));
        EXPECT_EQ(0, signal_of_write(bytes(map, size)));
        ASSERT_OK(acre_mmap_unguard(&map, 0, size));
        bytes(map)[0] = 1;
        EXPECT_EQ(size, smaps_bytes(map.base, "KernelPageSize"));
    });
}

TEST(ExplicitHuge, a_refused_commit_never_gives_its_addresses_away)
{
    with_pages(1, [](size_t size) {
        if (number_in(pool(size, "nr_overcommit_hugepages")) != 0)
            GTEST_SKIP() << "the pool grows by itself";
        Map map;
        acre_mmap_opts opts = of_size(size);
        size_t whole = (static_cast<size_t>(free_pages(size)) + 1) * size;
        ASSERT_OK(acre_mmap_reserve(whole, ACRE_READ_WRITE, &opts, &map));
        std::atomic<bool> done(false);
        std::atomic<int> landed(0);
        std::thread other([&] {
            while (!done) {
                acre_mmap intruder = {};
                acre_mmap_opts fixed = flags(ACRE_MAP_FIXED);
                fixed.address = map.base;
                if (acre_mmap_anon(page(), ACRE_READ, &fixed, &intruder) == -EEXIST)
                    continue;
                landed++;
                if (acre_mmap_unmap(&intruder) != ACRE_OK)
                    landed++;
            }
        });
        int refused = 0;
        for (int i = 0; i < 200; i++)
            refused += acre_mmap_commit(&map, 0, whole) == -ENOMEM;
        done = true;
        other.join();
        EXPECT_EQ(200, refused);
        EXPECT_EQ(0, landed);
    });
}

TEST(ExplicitHuge, a_refused_replacement_leaves_what_was_there)
{
    with_pages(1, [](size_t size) {
        if (number_in(pool(size, "nr_overcommit_hugepages")) != 0)
            GTEST_SKIP() << "the pool grows by itself";
        Map there;
        acre_mmap_opts opts = flags(0);
        opts.alignment = size;
        size_t whole = (static_cast<size_t>(free_pages(size)) + 1) * size;
        ASSERT_OK(acre_mmap_anon(whole, ACRE_READ_WRITE, &opts, &there));
        bytes(there)[1] = 1;
        acre_mmap untouched = {};
        opts = of_size(size, ACRE_MAP_REPLACE);
        opts.address = there.base;
        expect_refused(-ENOMEM, untouched,
                       [&] { return acre_mmap_anon(whole, ACRE_READ_WRITE, &opts, &untouched); });
        EXPECT_EQ(1, bytes(there)[1]);
    });
}

TEST(ExplicitHuge, of_anonymous_maps_come_back_huge)
{
    with_pages(2, [](size_t size) {
        uint64_t before = free_pages(size);
        Map map;
        acre_mmap_opts opts = of_size(size);
        ASSERT_OK(acre_mmap_anon(2 * size, ACRE_READ_WRITE, &opts, &map));
        bytes(map)[0] = 1;
        ASSERT_OK(acre_mmap_decommit(&map, 0, size));
        EXPECT_EQ(before - 1, free_pages(size));
        ASSERT_OK(acre_mmap_commit(&map, 0, size));
        EXPECT_EQ(size, smaps_bytes(map.base, "KernelPageSize"));
        EXPECT_EQ(0, bytes(map)[0]);
    });
}

TEST(ExplicitHuge, are_discarded_guarded_and_resized_whole)
{
    with_pages(3, [](size_t size) {
        Map map;
        acre_mmap_opts opts = of_size(size);
        ASSERT_OK(acre_mmap_anon(2 * size, ACRE_READ_WRITE, &opts, &map));
        std::memset(map.base, 1, map.size);
        ASSERT_OK(acre_mmap_discard(&map, 0, size, ACRE_DISCARD_NOW));
        EXPECT_EQ(0, bytes(map)[0]);
        EXPECT_EQ(1, bytes(map)[size]);
        expect_refused(ACRE_BAD_OFFSET, map, [&] { return acre_mmap_guard(&map, 0, page()); });
        ASSERT_OK(acre_mmap_guard(&map, size, size));
        EXPECT_EQ(static_cast<uint32_t>(ACRE_MAP_HUGE | ACRE_HAS_PAGE_GUARDS), map.flags);
        EXPECT_FALSE(readable(bytes(map, size)));
        ASSERT_OK(acre_mmap_unguard(&map, size, size));
        EXPECT_EQ(0, bytes(map)[size]);
        size_t resident = 0;
        ASSERT_OK(acre_mmap_populate(&map, 1, 1));
        ASSERT_OK(acre_mmap_resident(&map, 0, map.size, &resident));
        EXPECT_EQ(2 * size, resident);
        ASSERT_OK(acre_mmap_resize(&map, 1, ACRE_RESIZE_IN_PLACE));
        EXPECT_EQ(size, map.size);
    });
}

// Kernels look at the pages of a map that moves table by table, and pass over absent tables: of
// 1 GiB where pages have 2 MiB.
TEST(ExplicitHuge, keep_their_places_when_the_map_moves)
{
    with_pages(4, [](size_t size) {
        const size_t table = size_t{1} << 30;
        Map room;
        acre_mmap_opts opts = flags(0);
        opts.alignment = table;
        if (size >= table ||
            acre_mmap_reserve(table + 3 * size, ACRE_READ, &opts, &room) != ACRE_OK)
            return;  // alone in its table, or too few addresses
        Map map;
        opts = of_size(size, ACRE_MAP_REPLACE);
        opts.address = bytes(room, table - size);
        ASSERT_OK(acre_mmap_anon(3 * size, ACRE_READ_WRITE, &opts, &map));
        bytes(map, size)[0] = 1;
        bytes(map, 2 * size)[0] = 2;
        ASSERT_OK(acre_mmap_resize(&map, 4 * size, ACRE_RESIZE_MAY_MOVE));
        EXPECT_NE(opts.address, map.base);
        EXPECT_EQ(0, bytes(map)[0]);
        EXPECT_EQ(1, bytes(map, size)[0]);
        EXPECT_EQ(2, bytes(map, 2 * size)[0]);
        EXPECT_EQ(0, bytes(map, 3 * size)[0]);
    });
}

TEST(ExplicitHuge, move_again_and_again)
{
    with_pages(8, [](size_t size) {
        Map map;
        acre_mmap_opts opts = of_size(size);
        ASSERT_OK(acre_mmap_anon(size, ACRE_READ_WRITE, &opts, &map));
        for (size_t count = 1; count < 4; count++) {
            bytes(map, (count - 1) * size)[0] = static_cast<char>(count);
            Map behind;
            acre_mmap_opts at = flags(ACRE_MAP_FIXED);
            at.address = bytes(map, map.size);
            acre_status taken = acre_mmap_reserve(size, ACRE_NONE, &at, &behind);
            EXPECT_TRUE(taken == ACRE_OK || taken == -EEXIST) << taken;
            ASSERT_OK(acre_mmap_resize(&map, map.size + size, ACRE_RESIZE_MAY_MOVE));
            for (size_t i = 0; i < count; i++)
                EXPECT_EQ(static_cast<char>(i + 1), bytes(map, i * size)[0]);
        }
    });
}

// A page of 1 GiB in a table of its own is miscounted by kernels in one place of four.
TEST(ExplicitHuge, are_committed_wherever_they_lie)
{
    Map table;  // of 512 GiB, with all that the program has touched
    const auto span = static_cast<size_t>(uint64_t{1} << 40);
    const bool apart = acre_mmap_reserve(span, ACRE_READ, nullptr, &table) == ACRE_OK;
    SCOPED_TRACE(apart ? "in a table of their own" : "anywhere");
    with_pages(1, [](size_t size) {
        uint64_t before = free_pages(size);
        std::vector<std::unique_ptr<Map>> places;
        acre_mmap_opts opts = of_size(size);
        for (int i = 0; i < 4; i++) {
            places.push_back(std::make_unique<Map>());
            ASSERT_OK(acre_mmap_reserve(size, ACRE_READ, &opts, places.back().get()));
            ASSERT_OK(acre_mmap_commit(places.back().get(), 0, size));
            EXPECT_EQ(before - 1, free_pages(size));
            ASSERT_OK(acre_mmap_decommit(places.back().get(), 0, size));
        }
    });
}

TEST(ExplicitHuge, make_a_ring)
{
    with_pages(1, [](size_t size) {
        uint64_t before = free_pages(size);
        acre_mmap map = {};
        acre_mmap_opts opts = of_size(size);
        ASSERT_OK(acre_mmap_ring(1, &opts, &map));
        EXPECT_EQ(2 * size, map.size);
        EXPECT_EQ(before - 1, free_pages(size));
        bytes(map)[5] = 5;
        EXPECT_EQ(5, static_cast<volatile char *>(map.base)[size + 5]);
        ASSERT_OK(acre_mmap_unmap(&map));
        EXPECT_EQ(before, free_pages(size));
    });
}

TEST(ExplicitHuge, make_a_ring_in_place_of_another_map)
{
    with_pages(1, [](size_t size) {
        uint64_t before = free_pages(size);
        acre_mmap there = {}, map = {};
        acre_mmap_opts opts = flags(0);
        opts.alignment = size;
        ASSERT_OK(acre_mmap_anon(2 * size, ACRE_READ_WRITE, &opts, &there));
        opts = of_size(size, ACRE_MAP_REPLACE);
        opts.address = there.base;
        ASSERT_OK(acre_mmap_ring(1, &opts, &map));
        EXPECT_EQ(there.base, map.base);
        EXPECT_EQ(size, smaps_bytes(map.base, "KernelPageSize"));
        bytes(map)[5] = 5;
        EXPECT_EQ(5, static_cast<volatile char *>(map.base)[size + 5]);
        EXPECT_EQ(before - 1, free_pages(size));
        ASSERT_OK(acre_mmap_unmap(&map));
        EXPECT_EQ(before, free_pages(size));
    });
}

}  // namespace
