// The contract of mmap/port.h, called as //mmap calls it, on whatever system this is built for.
// What a system may not have is skipped by what it says that it can do.
#include "mmap/port.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "acre/page.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

namespace {

SKIP_WITHOUT_HIDDEN_PAGES("Port.a_reservation_is_inaccessible_until_it_is_committed");
SKIP_WITHOUT_ADVICE(
    "Port.a_ring_shows_its_lap_twice "
    "Port.clones_begin_with_the_image_and_return_to_it "
    "Port.locks_once_and_unlocks_as_often_as_asked "
    "Port.shared_memory_is_emptied");
SKIP_EMULATED("the emulator writes the text of areas itself",
              "Port.a_view_seeks_and_answers_queries");

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of areas, locks and pages");

using acre_test::name_of;

// Of acre_mmap.private_[0], as mmap/check.h has it.
constexpr uintptr_t kMixed = 1;

port_request request_for(size_t size, uint32_t access, uint32_t flags = 0)
{
    port_request request = {};
    request.size = size;
    request.alignment = port_page_size();
    request.page_size = port_page_size();
    request.access = access;
    request.flags = flags;
    return request;
}

// A handle as the portable part makes it.
acre_mmap handle_for(const port_request &request)
{
    acre_mmap map = {};
    map.size = request.size;
    map.page_size = request.page_size;
    map.offset = request.offset;
    map.access = request.access;
    map.private_[0] = request.flags & ACRE_IS_RESERVATION ? kMixed : 0;
    return map;
}

// Ends with its scope.
struct Mapped : acre_mmap {
    explicit Mapped(const port_request &request) : acre_mmap(handle_for(request))
    {
        status = port_map(&request, this);
    }
    explicit Mapped(size_t of) : acre_mmap(), status(ACRE_OK)
    {
        size = of;
        page_size = port_page_size();
        access = ACRE_READ_WRITE;
    }
    Mapped(const Mapped &) = delete;
    Mapped &operator=(const Mapped &) = delete;
    ~Mapped()
    {
        unmap();
    }
    void unmap()
    {
        if (base != nullptr) {
            EXPECT_OK(port_unmap(this));
        }
        base = nullptr;
    }
    char *at(size_t from = 0)
    {
        return static_cast<char *>(base) + from;
    }
    acre_status status;
};

size_t unit()
{
    return port_granularity();
}

bool all_are(const char *bytes, size_t length, char value)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

uint32_t access_at(const void *address)
{
    acre_area area = {};
    EXPECT_OK(port_area_at(reinterpret_cast<uintptr_t>(address), &area));
    return area.access;
}

std::string fresh_path(const char *name)
{
    const char *folder = std::getenv("TEST_TMPDIR");
    return std::string(folder != nullptr ? folder : ".") + "/" + std::to_string(port_process_id()) +
           name;
}

// A file of `size` bytes 7, opened for reading and writing.
struct Written {
    explicit Written(size_t size) : path(fresh_path("port"))
    {
        std::ofstream(path, std::ios::binary) << std::string(size, 7);
        uint64_t found = 0;
        EXPECT_OK(port_file_open(path.c_str(), 1, &file, &found));
        EXPECT_EQ(size, found);
    }
    ~Written()
    {
        port_file_close(file);
        std::remove(path.c_str());
    }
    Written(const Written &) = delete;
    Written &operator=(const Written &) = delete;
    std::string content() const
    {
        std::ifstream in(path, std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    std::string path;
    acre_file file = 0;
};

port_request request_for_file(const Written &file, size_t size, uint32_t flags)
{
    port_request request = request_for(size, ACRE_READ_WRITE, ACRE_IS_FILE | flags);
    request.file = file.file;
    return request;
}

// ---- facts --------------------------------------------------------------------------------------

TEST(Port, tells_page_sizes_in_ascending_order)
{
    size_t page = port_page_size();
    EXPECT_GE(page, 4096u);
    EXPECT_EQ(0u, page & (page - 1));
    EXPECT_EQ(0u, port_granularity() % page);

    size_t sizes[32] = {};
    int count = port_page_sizes(sizes, 32);
    ASSERT_GE(count, 1);
    EXPECT_EQ(page, sizes[0]);
    EXPECT_EQ(count, port_page_sizes(nullptr, 0));
    size_t huge = port_default_huge_size();
    bool known = huge == 0;
    for (int i = 1; i < count && i < 32; i++) {
        EXPECT_GT(sizes[i], sizes[i - 1]);
        known = known || sizes[i] == huge;
    }
    EXPECT_TRUE(known);
}

TEST(Port, tells_what_it_can_and_pretends_without)
{
    for (int i = 0; i < ACRE_CAPABILITY_COUNT; i++) {
        auto what = static_cast<acre_capability>(i);
        int can = port_can(what);
        EXPECT_TRUE(can == 0 || can == 1);
        port_pretend_without(what);
        EXPECT_EQ(0, port_can(what));
        port_pretend_nothing();
        EXPECT_EQ(can, port_can(what));
    }
}

TEST(Port, reads_the_system)
{
    acre_system system = {};
    ASSERT_OK(port_system_read(&system));
    EXPECT_GE(system.physical_memory, 16u << 20);
    EXPECT_GE(system.address_bits, 30u);
    EXPECT_LE(system.address_bits, 64u);
    EXPECT_EQ(port_address_bits(), system.address_bits);
    EXPECT_EQ(port_transparent_huge_size(), system.transparent_huge_size);
}

// ---- maps ---------------------------------------------------------------------------------------

TEST(Port, maps_zeroed_memory_at_its_alignment)
{
    port_request request = request_for(3 * unit(), ACRE_READ_WRITE);
    request.alignment = 1 << 20;
    Mapped map(request);
    ASSERT_OK(map.status);
    EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(map.base) % request.alignment);
    EXPECT_EQ(0u, map.flags);
    EXPECT_TRUE(all_are(map.at(), map.size, 0));
    std::memset(map.base, 1, map.size);
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE}, access_at(map.base));
}

TEST(Port, unmaps_the_whole)
{
    Mapped map(request_for(4 * unit(), ACRE_READ));
    ASSERT_OK(map.status);
    EXPECT_EQ(uint32_t{ACRE_READ}, access_at(map.base));
    auto address = reinterpret_cast<uintptr_t>(map.base);
    map.unmap();
    acre_area area = {};
    EXPECT_STATUS(ACRE_NOT_MAPPED, port_area_at(address, &area));
}

TEST(Port, fixed_destroys_nothing)
{
    if (port_can(ACRE_CAN_FIX_ADDRESS) == 0)
        GTEST_SKIP() << "no fixed addresses";
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    port_request request = request_for(unit(), ACRE_READ_WRITE, ACRE_MAP_FIXED);
    request.address = map.at(unit());
    Mapped refused(request);
    EXPECT_STATUS(-EEXIST, refused.status);
    EXPECT_TRUE(all_are(map.at(), map.size, 1));

    map.unmap();
    Mapped there(request);
    ASSERT_OK(there.status);
    EXPECT_EQ(request.address, there.base);
    EXPECT_EQ(0u, there.flags & ACRE_MAP_FIXED);
}

TEST(Port, replace_takes_the_place_of_what_is_there)
{
    if (port_can(ACRE_CAN_REPLACE) == 0)
        GTEST_SKIP() << "nothing can be replaced";
    Mapped map(request_for(3 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    port_request request = request_for(unit(), ACRE_READ_WRITE, ACRE_MAP_REPLACE);
    request.address = map.at(unit());
    Mapped part(request);
    if (part.status == -ENOTSUP)
        GTEST_SKIP() << "only parts of reservations can be replaced";
    ASSERT_OK(part.status);
    EXPECT_EQ(request.address, part.base);
    EXPECT_EQ(0u, part.flags);
    EXPECT_TRUE(all_are(map.at(unit()), unit(), 0));
    EXPECT_EQ(1, *map.at());
    EXPECT_EQ(1, *map.at(2 * unit()));
    part.base = nullptr;  // goes with the whole
}

TEST(Port, maps_within_reach)
{
    static char here;
    port_request request = request_for(unit(), ACRE_READ_WRITE);
    request.alignment = unit();
    request.near_address = reinterpret_cast<uintptr_t>(&here);
    request.reach = size_t{1} << 30;
    Mapped map(request);
    ASSERT_OK(map.status);
    auto base = reinterpret_cast<uintptr_t>(map.base);
    uintptr_t far = base > request.near_address ? base + unit() - request.near_address
                                                : request.near_address - base;
    EXPECT_LE(far, request.reach);
    std::memset(map.base, 1, map.size);
}

// ---- commit and access --------------------------------------------------------------------------

TEST(Port, a_reservation_is_inaccessible_until_it_is_committed)
{
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE, ACRE_IS_RESERVATION));
    ASSERT_OK(map.status);
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.base));
    EXPECT_EQ(1, port_is_reserved(map.base, map.size));

    ASSERT_OK(port_commit(&map, map.at(unit()), 2 * unit(), ACRE_READ_WRITE));
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.base));
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE}, access_at(map.at(unit())));
    EXPECT_TRUE(all_are(map.at(unit()), 2 * unit(), 0));
    EXPECT_EQ(0, port_is_reserved(map.base, map.size));

    std::memset(map.at(unit()), 1, 2 * unit());
    ASSERT_OK(port_commit(&map, map.base, 3 * unit(), ACRE_READ_WRITE));
    EXPECT_TRUE(all_are(map.at(unit()), 2 * unit(), 1));
    EXPECT_TRUE(all_are(map.at(), unit(), 0));

    ASSERT_OK(port_decommit(&map, map.base, 2 * unit()));
    EXPECT_EQ(1, port_is_reserved(map.base, 2 * unit()));
    EXPECT_TRUE(all_are(map.at(2 * unit()), unit(), 1));
    ASSERT_OK(port_commit(&map, map.base, 2 * unit(), ACRE_READ));
    EXPECT_TRUE(all_are(map.at(), 2 * unit(), 0));
    EXPECT_EQ(uint32_t{ACRE_READ}, access_at(map.base));
}

TEST(Port, pages_that_were_hidden_are_not_reserved)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(port_protect(&map, map.base, map.size, ACRE_NONE));
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.base));
    EXPECT_EQ(0, port_is_reserved(map.base, map.size));
    ASSERT_OK(port_protect(&map, map.base, map.size, ACRE_READ));
    EXPECT_TRUE(all_are(map.at(), map.size, 1));
}

TEST(Port, accounts_for_what_there_is)
{
    EXPECT_OK(port_can_account(port_page_size()));
    EXPECT_GT(0, port_can_account(SIZE_MAX / 8 * 7 / unit() * unit()));
}

// ---- contents -----------------------------------------------------------------------------------

TEST(Port, discarded_pages_are_zero_and_keep_their_access)
{
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(port_discard(&map, map.at(unit()), 2 * unit(), ACRE_DISCARD_NOW));
    EXPECT_EQ(1, *map.at());
    EXPECT_TRUE(all_are(map.at(unit()), 2 * unit(), 0));
    EXPECT_EQ(1, *map.at(3 * unit()));

    // Of parts with another access than the map's.
    std::memset(map.base, 1, map.size);
    ASSERT_OK(port_protect(&map, map.base, unit(), ACRE_READ));
    ASSERT_OK(port_protect(&map, map.at(unit()), unit(), ACRE_NONE));
    map.private_[0] |= kMixed;
    ASSERT_OK(port_discard(&map, map.base, map.size, ACRE_DISCARD_NOW));
    EXPECT_EQ(uint32_t{ACRE_READ}, access_at(map.base));
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.at(unit())));
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE}, access_at(map.at(2 * unit())));
    ASSERT_OK(port_protect(&map, map.at(unit()), unit(), ACRE_READ_WRITE));
    EXPECT_TRUE(all_are(map.at(), map.size, 0));
}

TEST(Port, lazily_discarded_pages_take_new_bytes)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(port_discard(&map, map.base, map.size, ACRE_DISCARD_LAZY));
    EXPECT_TRUE(*map.at() == 0 || *map.at() == 1);
    std::memset(map.base, 2, map.size);
    EXPECT_TRUE(all_are(map.at(), map.size, 2));
    ASSERT_OK(port_discard(&map, map.base, map.size, ACRE_DISCARD_NOW));
    EXPECT_TRUE(all_are(map.at(), map.size, 0));
}

TEST(Port, discards_many_and_counts_them)
{
    Mapped map(request_for(8 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    const acre_range ranges[] = {
        {map.at(unit()), unit()}, {map.at(3 * unit()), 0}, {map.at(5 * unit()), 2 * unit()}};
    size_t done = 0;
    ASSERT_OK(port_discard_many(ranges, 3, ACRE_DISCARD_NOW, &done));
    EXPECT_EQ(3u, done);
    for (size_t i = 0; i < 8; i++)
        EXPECT_EQ(i == 1 || i == 5 || i == 6 ? 0 : 1, *map.at(i * unit())) << i;
}

TEST(Port, shared_memory_is_emptied)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE, ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    EXPECT_EQ(uint32_t{ACRE_MAP_SHARED}, map.flags);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(port_discard(&map, map.base, unit(), ACRE_DISCARD_NOW));
    EXPECT_TRUE(all_are(map.at(), unit(), 0));
    EXPECT_TRUE(all_are(map.at(unit()), unit(), 1));
}

TEST(Port, guards_lose_contents_and_unguarded_pages_are_fresh)
{
    for (int with_markers = 0; with_markers < 2; with_markers++) {
        if (!with_markers)
            port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        Mapped map(request_for(4 * unit(), ACRE_READ_WRITE));
        ASSERT_OK(map.status);
        std::memset(map.base, 1, map.size);
        uint32_t kind = 0;
        ASSERT_OK(port_guard(&map, map.at(unit()), 2 * unit(), &kind));
        map.flags |= kind;
        if (kind == ACRE_HAS_PAGE_GUARDS) {
            map.private_[0] |= kMixed;
            EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.at(unit())));
        } else {
            EXPECT_EQ(uint32_t{ACRE_HAS_MARKER_GUARDS}, kind);
            EXPECT_EQ(1, port_can(ACRE_CAN_GUARD_WITH_MARKERS));
        }
        EXPECT_EQ(1, *map.at());
        EXPECT_EQ(1, *map.at(3 * unit()));
        ASSERT_OK(port_unguard(&map, map.at(unit()), 2 * unit(), map.private_[0] != 0));
        EXPECT_TRUE(all_are(map.at(unit()), 2 * unit(), 0));
        std::memset(map.base, 2, map.size);
        port_pretend_nothing();
    }
}

TEST(Port, populated_pages_are_resident)
{
    Mapped map(request_for(8 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    size_t resident = 1;
    ASSERT_OK(port_resident(map.base, map.size, &resident));
    EXPECT_EQ(0u, resident);
    const void *lowest = nullptr;
    ASSERT_OK(port_lowest_touched(map.base, map.size, &lowest));
    EXPECT_EQ(map.at(map.size), lowest);

    *map.at(4 * unit()) = 1;
    ASSERT_OK(port_lowest_touched(map.base, map.size, &lowest));
    EXPECT_EQ(map.at(4 * unit()), lowest);

    acre_status status = port_populate(&map, map.base, map.size);
    if (status == -ENOTSUP)
        GTEST_SKIP() << "pages are not brought in beforehand";
    ASSERT_OK(status);
    ASSERT_OK(port_resident(map.base, map.size, &resident));
    EXPECT_EQ(map.size, resident);
}

TEST(Port, the_lowest_touched_page_of_each_of_many_ranges)
{
    Mapped map(request_for(64 * unit(), ACRE_READ_WRITE, ACRE_MAP_NO_HUGE));
    ASSERT_OK(map.status);
    for (size_t page : {2u, 9u, 10u, 11u, 12u, 13u, 14u, 15u, 17u, 40u})
        *map.at(page * unit()) = 1;
    // Untouched; from within; one run over several; up to a run, from a run; nothing behind it.
    const size_t ranges[][3] = {{0, 2, 2},    {2, 8, 2},    {8, 10, 9},
                                {10, 12, 10}, {12, 13, 12}, {14, 20, 14},
                                {18, 40, 40}, {41, 50, 50}, {50, 64, 64}};
    std::vector<acre_range> asked;
    for (const size_t *range : ranges)
        asked.push_back({map.at(range[0] * unit()), (range[1] - range[0]) * unit()});
    std::vector<const void *> lowest(asked.size());
    ASSERT_OK(port_lowest_touched_many(asked.data(), asked.size(), lowest.data()));
    for (size_t i = 0; i < asked.size(); i++)
        EXPECT_EQ(map.at(ranges[i][2] * unit()), lowest[i]) << i;
    ASSERT_OK(port_lowest_touched_many(&asked[3], 1, lowest.data()));
    EXPECT_EQ(map.at(10 * unit()), lowest[0]);
}

TEST(Port, guards_many_ranges_and_counts_them)
{
    Mapped map(request_for(1024 * port_page_size(), ACRE_READ_WRITE, ACRE_MAP_NO_HUGE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    std::vector<acre_range> ranges;
    for (size_t at = 0; at < map.size; at += 2 * port_page_size())
        ranges.push_back({map.at(at), port_page_size()});
    size_t done = 0;
    if (port_can(ACRE_CAN_GUARD_WITH_MARKERS) == 0) {
        EXPECT_STATUS(-ENOTSUP, port_guard_many(ranges.data(), ranges.size(), &done));
        EXPECT_EQ(0u, done);
        return;
    }
    uint64_t before = 0, after = 0;
    ASSERT_OK(port_area_count(&before));
    ASSERT_OK(port_guard_many(ranges.data(), ranges.size(), &done));
    ASSERT_OK(port_area_count(&after));
    EXPECT_EQ(ranges.size(), done);
    EXPECT_LE(after, before + 2);
    for (const acre_range &range : ranges) {
        ASSERT_FALSE(acre_test::readable(range.base));
        ASSERT_EQ(1, static_cast<char *>(range.base)[port_page_size()]);
    }
    // Where nothing is mapped it stops.
    Mapped gone(request_for(port_page_size(), ACRE_READ_WRITE));
    ASSERT_OK(gone.status);
    ranges.resize(8);
    ranges[5].base = gone.base;
    gone.unmap();
    done = 0;
    EXPECT_GT(0, port_guard_many(ranges.data(), ranges.size(), &done));
    EXPECT_EQ(5u, done);

    port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
    done = 0;
    EXPECT_STATUS(-ENOTSUP, port_guard_many(ranges.data(), ranges.size(), &done));
    port_pretend_nothing();
    EXPECT_EQ(0u, done);
}

TEST(Port, stacks_are_committed_from_their_end_and_shrunk_to_it)
{
    const size_t guard = 4 * unit();
    const size_t size = 16 * unit();
    Mapped map(request_for(guard + size, ACRE_READ_WRITE, ACRE_IS_RESERVATION));
    ASSERT_OK(map.status);
    char *start = map.at(guard);
    ASSERT_OK(port_commit_stack(&map, start, size, unit()));
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(start - 1));
    for (int round = 0; round < 2; round++) {
        // Not by who runs there, which is what the system lets a stack grow for.
        ASSERT_OK(port_commit_stack(&map, start, size, size));
        for (size_t at = size; at > 0; at -= port_page_size())
            start[at - port_page_size()] = 1;
        EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(start - 1));
        ASSERT_OK(port_shrink_stack(&map, start, size, 2 * unit()));
        EXPECT_EQ(1, start[size - port_page_size()]);
        EXPECT_EQ(1, start[size - 2 * unit()]);
        size_t resident = 0;
        ASSERT_OK(port_resident(start, size, &resident));
        EXPECT_LE(resident, 4 * unit());
    }
    ASSERT_OK(port_commit_stack(&map, start, size, size));
    EXPECT_EQ(1, start[size - 2 * unit()]);
    for (size_t at = size - 2 * unit(); at > 0; at -= port_page_size())
        ASSERT_EQ(0, start[at - port_page_size()]);
    if (port_stacks_grow()) {
        ASSERT_OK(port_shrink_stack(&map, start, size, 0));
        EXPECT_TRUE(port_is_reserved(start, unit()));
    }
}

TEST(Port, a_stack_has_bounds_that_the_system_may_want_to_know)
{
    const size_t guard = 4 * unit();
    const size_t size = 4 * unit();
    Mapped map(request_for(guard + size, ACRE_READ_WRITE, ACRE_IS_RESERVATION));
    ASSERT_OK(map.status);
    char *start = map.at(guard);
    ASSERT_OK(port_commit_stack(&map, start, size, unit()));
    port_bounds bounds;
    ASSERT_OK(port_stack_bounds(map.base, start, start + size - 64, &bounds));
    EXPECT_EQ(start + size - 64, bounds.top);
    EXPECT_GE(bounds.limit, start);
    EXPECT_TRUE(acre_test::readable(bounds.limit));
    EXPECT_FALSE(acre_test::readable(static_cast<char *>(bounds.limit) - 1));
    EXPECT_GE(bounds.lowest, map.base);
    EXPECT_LT(bounds.lowest, static_cast<void *>(start));

    // What was known comes back as it was.
    port_bounds own = {}, other = {}, again = {};
    if (port_stack_exchange(&bounds, &own) == 0)
        return;
    port_stack_exchange(&own, &other);
    port_stack_exchange(&own, &again);
    EXPECT_EQ(bounds.top, other.top);
    EXPECT_EQ(bounds.limit, other.limit);
    EXPECT_EQ(own.top, again.top);
    EXPECT_EQ(own.lowest, again.lowest);
    EXPECT_EQ(own.guaranteed, again.guaranteed);
    EXPECT_EQ(own.handlers, again.handlers);
}

TEST(Port, locks_once_and_unlocks_as_often_as_asked)
{
    if (port_can(ACRE_CAN_LOCK) == 0)
        GTEST_SKIP() << "nothing can be locked";
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    acre_status status = port_lock(&map, map.base, map.size);
    if (status == -ENOMEM || status == -EPERM || status == -EAGAIN)
        GTEST_SKIP() << "this process may lock nothing";
    ASSERT_OK(status);
    ASSERT_OK(port_lock(&map, map.base, unit()));
    size_t resident = 0;
    ASSERT_OK(port_resident(map.base, map.size, &resident));
    EXPECT_EQ(map.size, resident);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(port_discard(&map, map.base, map.size, ACRE_DISCARD_NOW));
    EXPECT_TRUE(all_are(map.at(), map.size, 0));
    EXPECT_OK(port_unlock(&map, map.base, map.size));
    EXPECT_OK(port_unlock(&map, map.base, map.size));
}

TEST(Port, locks_on_fault_where_it_says_so)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    acre_status status = port_lock_on_fault(&map, map.base, map.size);
    if (port_can(ACRE_CAN_LOCK_ON_FAULT) == 0)
        EXPECT_STATUS(-ENOTSUP, status);
    else if (status == -ENOMEM || status == -EPERM || status == -EAGAIN)
        GTEST_SKIP() << "this process may lock nothing";
    else
        EXPECT_OK(status);
}

TEST(Port, takes_advice_that_keeps_contents)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    for (int i = ACRE_ADVISE_NORMAL; i <= ACRE_ADVISE_KEEP_ON_FORK; i++) {
        acre_status status = port_advise(&map, map.base, map.size, static_cast<acre_advice>(i));
        EXPECT_LE(status, 0) << i;
        EXPECT_TRUE(all_are(map.at(), map.size, 1)) << i;
    }
}

// ---- resizing -----------------------------------------------------------------------------------

TEST(Port, shrinks_and_grows_with_contents)
{
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    acre_status status = port_resize(&map, 2 * unit(), ACRE_RESIZE_IN_PLACE);
    ASSERT_OK(status);
    EXPECT_EQ(2 * unit(), map.size);
    EXPECT_TRUE(all_are(map.at(), map.size, 1));

    acre_mmap before = map;
    status = port_resize(&map, 64 * unit(), ACRE_RESIZE_MAY_MOVE);
    if (status == -ENOTSUP) {
        EXPECT_TRUE(acre_test::same(before, map));
        GTEST_SKIP() << "maps do not grow";
    }
    ASSERT_OK(status);
    EXPECT_EQ(64 * unit(), map.size);
    EXPECT_TRUE(all_are(map.at(), 2 * unit(), 1));
    EXPECT_TRUE(all_are(map.at(2 * unit()), 62 * unit(), 0));
}

TEST(Port, what_is_in_the_way_keeps_a_map_from_growing_in_place)
{
    if (port_can(ACRE_CAN_FIX_ADDRESS) == 0)
        GTEST_SKIP() << "no fixed addresses";
    Mapped room(request_for(3 * unit(), ACRE_NONE, ACRE_IS_RESERVATION));
    ASSERT_OK(room.status);
    port_request first = request_for(unit(), ACRE_READ_WRITE, ACRE_MAP_FIXED);
    first.address = room.base;
    port_request second = first;
    second.address = room.at(unit());
    room.unmap();
    Mapped map(first);
    Mapped neighbor(second);
    ASSERT_OK(map.status);
    ASSERT_OK(neighbor.status);
    *neighbor.at() = 5;
    *map.at() = 6;
    EXPECT_GT(0, port_resize(&map, 2 * unit(), ACRE_RESIZE_IN_PLACE));
    EXPECT_EQ(first.address, map.base);
    EXPECT_EQ(unit(), map.size);
    EXPECT_EQ(5, *neighbor.at());
    EXPECT_EQ(6, *map.at());
}

TEST(Port, seals_where_it_says_so)
{
    port_request request = request_for(unit(), ACRE_READ_WRITE);
    acre_mmap map = handle_for(request);
    ASSERT_OK(port_map(&request, &map));
    if (port_can(ACRE_CAN_SEAL) == 0) {
        EXPECT_STATUS(-ENOTSUP, port_seal(&map));
        EXPECT_OK(port_unmap(&map));
    } else {
        EXPECT_OK(port_seal(&map));
        EXPECT_GT(0, port_protect(&map, map.base, map.size, ACRE_READ));
        EXPECT_GT(0, port_unmap(&map));
    }
}

// ---- files --------------------------------------------------------------------------------------

TEST(Port, shared_file_maps_change_the_file)
{
    Written file(2 * unit());
    Mapped map(request_for_file(file, 2 * unit(), ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    EXPECT_EQ(7, *map.at(unit()));
    *map.at(unit()) = 8;
    EXPECT_OK(port_flush(&map, map.base, map.size, ACRE_FLUSH_WAIT));
    EXPECT_OK(port_flush(&map, map.base, map.size, ACRE_FLUSH_ASYNC));
    map.unmap();
    EXPECT_EQ(8, file.content()[unit()]);
}

TEST(Port, private_file_maps_leave_the_file_alone)
{
    Written file(2 * unit());
    port_request request = request_for_file(file, unit(), 0);
    request.offset = unit();
    Mapped map(request);
    ASSERT_OK(map.status);
    EXPECT_EQ(7, *map.at());
    *map.at() = 8;
    EXPECT_EQ(7, file.content()[unit()]);
    acre_status status = port_discard(&map, map.base, map.size, ACRE_DISCARD_NOW);
    if (status == -ENOTSUP) {
        EXPECT_EQ(8, *map.at());
    } else {
        EXPECT_OK(status);
        EXPECT_EQ(7, *map.at());
    }
}

TEST(Port, parts_of_a_file_continue_one_another)
{
    Written file(4 * unit());
    Mapped map(request_for_file(file, 4 * unit(), ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    acre_mmap first = map;
    first.size = unit();
    acre_mmap second = map;
    second.base = map.at(unit());
    second.size = unit();
    second.offset = unit();
    acre_mmap third = second;
    third.base = map.at(2 * unit());
    third.offset = 2 * unit();
    EXPECT_OK(port_continues(&first, &second));
    EXPECT_OK(port_continues(&second, &third));
}

TEST(Port, tells_why_a_file_cannot_be_opened_and_keeps_errno)
{
    acre_file file = 0;
    uint64_t size = 0;
    errno = 77;
    EXPECT_STATUS(-ENOENT, port_file_open(fresh_path("missing").c_str(), 0, &file, &size));
    EXPECT_EQ(77, errno);
}

// ---- objects ------------------------------------------------------------------------------------

TEST(Port, a_ring_shows_its_lap_twice)
{
    port_request request = request_for(unit(), ACRE_READ_WRITE);
    request.alignment = unit();
    Mapped ring(2 * unit());
    ASSERT_OK(port_ring(&request, &ring));
    EXPECT_NE(0u, ring.flags & ACRE_IS_RING);
    EXPECT_TRUE(all_are(ring.at(), ring.size, 0));
    volatile char *bytes = ring.at();
    bytes[3] = 1;
    EXPECT_EQ(1, bytes[unit() + 3]);
    bytes[2 * unit() - 1] = 2;
    EXPECT_EQ(2, bytes[unit() - 1]);
    ASSERT_OK(port_discard(&ring, ring.base, unit(), ACRE_DISCARD_NOW));
    EXPECT_EQ(0, bytes[unit() + 3]);
    EXPECT_EQ(0, bytes[unit() - 1]);
}

TEST(Port, twins_show_the_same_pages)
{
    if (port_can(ACRE_CAN_TWIN) == 0)
        GTEST_SKIP() << "no twins";
    port_request request = request_for(unit(), ACRE_READ_WRITE);
    request.alignment = unit();
    Mapped write(unit());
    Mapped exec(unit());
    ASSERT_OK(port_twin(&request, &write, &exec));
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE}, access_at(write.base));
    EXPECT_EQ(uint32_t{ACRE_READ_EXEC}, access_at(exec.base));
    volatile char *to = write.at();
    volatile char *from = exec.at();
    to[5] = 1;
    EXPECT_EQ(1, from[5]);
    port_icache_flush(exec.base, exec.size);
}

TEST(Port, clones_begin_with_the_image_and_return_to_it)
{
    size_t size = 4 * unit();
    acre_file image = 0;
    acre_mmap fill = {};
    fill.size = size;
    fill.page_size = port_page_size();
    fill.access = ACRE_READ_WRITE;
    ASSERT_OK(port_image_begin(size, &image, &fill));
    EXPECT_TRUE(all_are(static_cast<char *>(fill.base), size, 0));
    std::memset(fill.base, 3, size);
    ASSERT_OK(port_unmap(&fill));
    ASSERT_OK(port_image_seal(image));

    port_request request = request_for(size, ACRE_READ_WRITE, ACRE_IS_CLONE);
    request.file = image;
    Mapped first(request);
    Mapped second(request);
    ASSERT_OK(first.status);
    ASSERT_OK(second.status);
    EXPECT_NE(0u, first.flags & ACRE_IS_CLONE);
    ASSERT_OK(port_image_close(image));  // clones live on

    EXPECT_TRUE(all_are(first.at(), size, 3));
    std::memset(first.base, 4, size);
    EXPECT_TRUE(all_are(second.at(), size, 3));
    ASSERT_OK(port_discard(&first, first.at(unit()), 2 * unit(), ACRE_DISCARD_NOW));
    EXPECT_EQ(4, *first.at());
    EXPECT_TRUE(all_are(first.at(unit()), 2 * unit(), 3));
    EXPECT_EQ(4, *first.at(3 * unit()));
    std::memset(first.base, 5, size);
    second.unmap();
    ASSERT_OK(port_discard(&first, first.base, size, ACRE_DISCARD_NOW));
    EXPECT_TRUE(all_are(first.at(), size, 3));
}

// ---- areas --------------------------------------------------------------------------------------

struct View {
    View() : memory(PORT_VIEW_SIZE / sizeof(uint64_t) + 1), handle()
    {
        status = port_view_open(get(), 0, handle);
    }
    View(const View &) = delete;
    View &operator=(const View &) = delete;
    ~View()
    {
        if (status == ACRE_OK)
            port_view_close(handle);
    }
    port_view *get()
    {
        return reinterpret_cast<port_view *>(memory.data());
    }
    std::vector<uint64_t> memory;
    uintptr_t handle[2];
    acre_status status;
};

TEST(Port, a_view_tells_every_area_once_in_order)
{
    Mapped map(request_for(4 * unit(), ACRE_READ));
    ASSERT_OK(map.status);
    auto address = reinterpret_cast<uintptr_t>(map.base);
    View view;
    ASSERT_OK(view.status);
    acre_area area = {};
    acre_status status;
    uintptr_t last = 0;
    int found = 0;
    while ((status = port_view_next(view.get(), &area)) == 1) {
        EXPECT_LT(area.start, area.end);
        EXPECT_LE(last, area.start);
        last = area.end;
        if (area.start <= address && address < area.end) {
            found++;
            EXPECT_EQ(uint32_t{ACRE_READ}, area.access);
        }
    }
    EXPECT_OK(status);
    EXPECT_EQ(1, found);
}

TEST(Port, a_view_seeks_and_answers_queries)
{
    Mapped map(request_for(4 * unit(), ACRE_READ));
    ASSERT_OK(map.status);
    auto address = reinterpret_cast<uintptr_t>(map.base);
    View view;
    ASSERT_OK(view.status);
    acre_area area = {};
    ASSERT_OK(port_view_seek(view.get(), address + unit()));
    ASSERT_EQ(1, port_view_next(view.get(), &area));
    EXPECT_LE(area.start, address + unit());
    EXPECT_GT(area.end, address + unit());

    acre_area queried = {};
    ASSERT_OK(port_view_query(view.get(), address, &queried));
    EXPECT_LE(queried.start, address);
    EXPECT_GT(queried.end, address);
    EXPECT_EQ(uint32_t{ACRE_READ}, queried.access);
    map.unmap();
    EXPECT_STATUS(ACRE_NOT_MAPPED, port_view_query(view.get(), address, &queried));

    ASSERT_OK(port_view_seek(view.get(), 0));
    ASSERT_EQ(1, port_view_next(view.get(), &area));
    EXPECT_LT(area.start, address);
}

TEST(Port, counts_areas)
{
    uint64_t before = 0;
    ASSERT_OK(port_area_count(&before));
    EXPECT_GE(before, 3u);
    // Every second page of a map of another access: areas of their own.
    Mapped map(request_for(64 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    for (size_t i = 0; i < 64; i += 2)
        ASSERT_OK(port_protect(&map, map.at(i * unit()), unit(), ACRE_READ));
    uint64_t after = 0;
    ASSERT_OK(port_area_count(&after));
    EXPECT_GE(after, before + 62);
}

TEST(Port, refuses_processes_that_are_not)
{
    std::vector<uint64_t> memory(PORT_VIEW_SIZE / sizeof(uint64_t) + 1);
    uintptr_t handle[2] = {};
    acre_status status =
        port_view_open(reinterpret_cast<port_view *>(memory.data()), 0x7ffffffe, handle);
    EXPECT_TRUE(status == -ESRCH || status == -ENOTSUP) << name_of(status);
}

TEST(Port, tells_this_process)
{
    EXPECT_NE(0, port_process_id());
    EXPECT_EQ(port_process_id(), port_process_id());
    errno = 77;
    port_yield();
    EXPECT_EQ(77, errno);
}

int ended_words[4];

// Answers a word that is not NULL, and is handed that again on some systems.
void *end_thread(void *word)
{
    ended_words[*static_cast<int *>(word)]++;
    static int last = 3;
    return &last;
}

TEST(Port, threads_have_words_of_their_own_and_their_end_is_told)
{
    constexpr port_thread_word which = PORT_THREAD_POOL;
    acre_status status = port_thread_hook(which, end_thread);
    if (status != ACRE_OK) {
        EXPECT_TRUE(status == -ENOTSUP || status == -EAGAIN) << name_of(status);
        EXPECT_EQ(nullptr, port_thread_get(which));
        GTEST_SKIP() << "threads have no words here";
    }
    ASSERT_OK(port_thread_hook(which, end_thread));
    static int numbers[3] = {0, 1, 2};
    std::vector<std::thread> threads;
    for (int &number : numbers) {
        threads.emplace_back([&number] {
            EXPECT_EQ(nullptr, port_thread_get(which));
            if (number == 2)
                return;  // without a word: nobody is told
            EXPECT_OK(port_thread_set(which, &number));
            EXPECT_EQ(&number, port_thread_get(which));
            EXPECT_EQ(nullptr, port_thread_get(PORT_THREAD_OVERFLOW));
        });
    }
    for (std::thread &thread : threads)
        thread.join();
    EXPECT_EQ(1, ended_words[0]);
    EXPECT_EQ(1, ended_words[1]);
    EXPECT_EQ(0, ended_words[2]);
    EXPECT_EQ(nullptr, port_thread_get(which));
}

// ---- faults -------------------------------------------------------------------------------------

const char *touched;
bool is_asked;

void look(const void *address, const void *)
{
    is_asked = address == touched;
}

void look_and_end(const void *address, const void *)
{
    _exit(address == touched ? 42 : 43);
}

// In a child: with a handler installed, touches what may not be touched.
acre_test::Ended touch(port_fault_fn handler, void (*before)())
{
    Mapped map(request_for(unit(), ACRE_NONE));
    EXPECT_OK(map.status);
    touched = map.at();
    return acre_test::in_child([&] {
        before();
        if (port_fault_install(handler) != ACRE_OK)
            return 1;
        return *const_cast<const volatile char *>(touched) & 0;
    });
}

TEST(Port, a_fault_is_looked_at_with_its_address)
{
    acre_test::Ended ended = touch(look_and_end, [] {});
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(42, ended.code);
}

TEST(Port, a_fault_that_was_looked_at_goes_to_the_earlier_handler)
{
    acre_test::Ended ended = touch(look, [] {
        const int signals[] = {SIGSEGV, SIGBUS};
        for (int signal : signals)
            std::signal(signal, [](int) { _exit(is_asked ? 42 : 43); });
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(42, ended.code);
    EXPECT_FALSE(touch(look, [] {}).exited);
}

TEST(Port, a_look_that_was_removed_is_not_asked)
{
    Mapped map(request_for(unit(), ACRE_NONE));
    ASSERT_OK(map.status);
    touched = map.at();
    acre_test::Ended ended = acre_test::in_child([] {
        if (port_fault_install(look_and_end) != ACRE_OK || port_fault_remove() != ACRE_OK)
            return 1;
        return *const_cast<const volatile char *>(touched) & 0;
    });
    EXPECT_FALSE(ended.exited);
}

TEST(Port, a_thread_has_the_signal_stack_that_it_was_given)
{
    // Where stacks grow (Windows) nobody sets one.
    if (port_stacks_grow())
        GTEST_SKIP() << "handlers run on the stack that faulted";
    std::thread([] {
        void *before;
        size_t size_before;
        ASSERT_OK(port_signal_stack_get(&before, &size_before));
        std::vector<char> own(port_signal_stack_size());
        EXPECT_LE(size_t{65536}, own.size());
        ASSERT_OK(port_signal_stack_set(own.data(), own.size()));
        void *base;
        size_t size;
        ASSERT_OK(port_signal_stack_get(&base, &size));
        EXPECT_EQ(own.data(), base);
        EXPECT_EQ(own.size(), size);
        ASSERT_OK(port_signal_stack_set(nullptr, 0));
        ASSERT_OK(port_signal_stack_get(&base, &size));
        EXPECT_EQ(0u, size);
        // A sanitizer takes back what it gave.
        if (size_before != 0) {
            ASSERT_OK(port_signal_stack_set(before, size_before));
        }
    }).join();
}

TEST(Port, code_may_be_written_where_it_says_so)
{
    Mapped map(request_for(unit(), ACRE_READ_WRITE_EXEC, ACRE_MAP_JIT));
    if (port_can(ACRE_CAN_JIT) == 0) {
        EXPECT_GT(0, map.status);
        GTEST_SKIP() << "no memory is writable and executable at once";
    }
    ASSERT_OK(map.status);
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE_EXEC}, access_at(map.base));
    port_jit_write(1);
    std::memset(map.base, 1, map.size);
    port_jit_write(0);
    port_icache_flush(map.base, map.size);
    EXPECT_TRUE(all_are(map.at(), map.size, 1));
}

}  // namespace
