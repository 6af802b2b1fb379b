// The arithmetic of pages of 4, 16 and 64 KiB, and of a granularity above the page, on a port that
// only records what it is asked.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "acre/image.h"
#include "tests/mmap/fake_port.h"

namespace {

constexpr size_t KiB = 1024, MiB = 1024 * KiB;
// Somewhere that is a multiple of everything, with nothing mapped.
char *const somewhere = reinterpret_cast<char *>(SIZE_MAX / 2 + 1);

struct System {
    const char *name;
    size_t page, granularity;
    size_t huge[3];  // of explicit huge pages; the default is the second
};

const System systems[] = {
    {"pages_of_4K", 4 * KiB, 4 * KiB, {64 * KiB, 2 * MiB, 1024 * MiB}},
    {"pages_of_16K", 16 * KiB, 16 * KiB, {2 * MiB, 32 * MiB, 1024 * MiB}},
    {"pages_of_64K", 64 * KiB, 64 * KiB, {2 * MiB, 512 * MiB, 1024 * MiB}},
    {"windows", 4 * KiB, 64 * KiB, {2 * MiB, 2 * MiB, 0}},
};

std::string name_of(acre_status status)
{
    return acre_status_name(status);
}
#define EXPECT_STATUS(expected, call) EXPECT_EQ(name_of(expected), name_of(call))
#define EXPECT_OK(call) EXPECT_STATUS(ACRE_OK, call)

class PageSize : public testing::TestWithParam<System> {
  protected:
    const size_t page = GetParam().page;
    const size_t granularity = GetParam().granularity;
    const size_t huge = GetParam().huge[1];

    void SetUp() override
    {
        fake = {};
        fake.page_size = page;
        fake.granularity = granularity;
        fake.page_sizes[0] = page;
        size_t count = 1;
        for (size_t size : GetParam().huge) {
            if (size != fake.page_sizes[count - 1])
                fake.page_sizes[count++] = size;
        }
        fake.default_huge = huge;
        fake.transparent_huge = huge;
    }

    acre_mmap anon(size_t size, const acre_mmap_opts *opts = nullptr)
    {
        acre_mmap map = {};
        EXPECT_OK(acre_mmap_anon(size, ACRE_READ_WRITE, opts, &map));
        return map;
    }

    /// The port is not asked, and nothing is written.
    template <class Call>
    void expect_refused(acre_status expected, Call call)
    {
        acre_mmap untouched;
        std::memset(&untouched, 0xa5, sizeof untouched);
        acre_mmap before = untouched;
        int calls = fake.calls;
        EXPECT_STATUS(expected, call(&untouched));
        EXPECT_EQ(calls, fake.calls);
        EXPECT_EQ(0, std::memcmp(&before, &untouched, sizeof before));
    }

    /// The port was asked for exactly this range of `map`.
    void expect_asked(const char *call, const acre_mmap &map, size_t offset, size_t length)
    {
        EXPECT_STREQ(call, fake.call);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(map.base) + offset, fake.start) << call;
        EXPECT_EQ(length, fake.length) << call;
        fake.call = "";
    }
};

INSTANTIATE_TEST_SUITE_P(Systems, PageSize, testing::ValuesIn(systems),
                         [](const testing::TestParamInfo<System> &each) {
                             return std::string(each.param.name);
                         });

acre_mmap_opts flags(uint32_t value)
{
    acre_mmap_opts opts = {};
    opts.flags = value;
    return opts;
}

// ---- creating ---------------------------------------------------------------------------------------------------------

TEST_P(PageSize, sizes_are_rounded_up_to_pages)
{
    const struct {
        size_t asked, pages;
    } cases[] = {{1, 1}, {page - 1, 1}, {page, 1}, {page + 1, 2}, {5 * page - 1, 5}, {5 * page, 5}};
    for (auto each : cases) {
        acre_mmap map = anon(each.asked);
        EXPECT_EQ(each.pages * page, map.size);
        EXPECT_EQ(map.size, fake.request.size);
        EXPECT_EQ(page, map.page_size);
        EXPECT_EQ(page, fake.request.page_size);
        EXPECT_EQ(page, fake.request.alignment);
        EXPECT_OK(acre_mmap_reserve(each.asked, ACRE_READ, nullptr, &map));
        EXPECT_EQ(each.pages * page, map.size);
        EXPECT_OK(acre_mmap_file(1, 0, each.asked, ACRE_READ, nullptr, &map));
        EXPECT_EQ(each.pages * page, map.size);
    }
    acre_mmap map = {};
    uint64_t size = 0;
    EXPECT_OK(acre_mmap_path("", ACRE_READ, nullptr, &map, &size));
    EXPECT_EQ(page, map.size);
    EXPECT_EQ(1u, size);
}

TEST_P(PageSize, sizes_that_leave_half_of_the_addresses_are_refused)
{
    // The largest that is left: half of the addresses less a page.
    EXPECT_EQ(SIZE_MAX / 2 + 1 - page, anon(SIZE_MAX / 2 + 1 - page).size);
    EXPECT_EQ(SIZE_MAX / 2 + 1 - page, anon(SIZE_MAX / 2 + 2 - 2 * page).size);
    for (size_t size : {SIZE_MAX, SIZE_MAX - page + 1, SIZE_MAX - page + 2, SIZE_MAX / 2 + 2,
                        SIZE_MAX / 2 + 1 + page}) {
        expect_refused(ACRE_BAD_SIZE,
                       [&](acre_mmap *out) { return acre_mmap_anon(size, 0, nullptr, out); });
        expect_refused(ACRE_BAD_SIZE,
                       [&](acre_mmap *out) { return acre_mmap_reserve(size, 0, nullptr, out); });
        expect_refused(ACRE_BAD_SIZE,
                       [&](acre_mmap *out) { return acre_mmap_file(1, 0, size, 0, nullptr, out); });
        expect_refused(ACRE_BAD_SIZE,
                       [&](acre_mmap *out) { return acre_mmap_ring(size, nullptr, out); });
        expect_refused(ACRE_BAD_SIZE, [&](acre_mmap *out) {
            acre_mmap exec;
            return acre_mmap_twin(size, nullptr, out, &exec);
        });
        expect_refused(ACRE_BAD_SIZE, [&](acre_mmap *out) {
            acre_image image;
            return acre_image_begin(size, &image, out);
        });
    }
}

TEST_P(PageSize, rings_and_twins_are_rounded_up_to_the_granularity)
{
    const struct {
        size_t asked, units;
    } cases[] = {{1, 1},
                 {granularity - 1, 1},
                 {granularity, 1},
                 {granularity + 1, 2},
                 {7 * granularity - 1, 7}};
    for (auto each : cases) {
        acre_mmap ring = {}, write = {}, exec = {};
        EXPECT_OK(acre_mmap_ring(each.asked, nullptr, &ring));
        EXPECT_EQ(2 * each.units * granularity, ring.size);
        EXPECT_EQ(each.units * granularity, fake.request.size);
        EXPECT_EQ(page, ring.page_size);
        EXPECT_OK(acre_mmap_twin(each.asked, nullptr, &write, &exec));
        EXPECT_EQ(each.units * granularity, write.size);
        EXPECT_EQ(each.units * granularity, exec.size);
    }
    // Both views together.
    acre_mmap ring = {};
    EXPECT_OK(acre_mmap_ring(SIZE_MAX / 4 + 1 - granularity, nullptr, &ring));
    EXPECT_EQ(SIZE_MAX / 2 + 1 - 2 * granularity, ring.size);
    for (size_t lap : {SIZE_MAX / 4 + 2, SIZE_MAX / 2, SIZE_MAX / 2 + 1 + granularity}) {
        expect_refused(ACRE_BAD_SIZE,
                       [&](acre_mmap *out) { return acre_mmap_ring(lap, nullptr, out); });
    }
}

TEST_P(PageSize, images_and_clones_are_rounded_up_to_pages)
{
    for (size_t size : {size_t{1}, page, page + 1, 3 * page - 1}) {
        size_t rounded = size <= page ? page : size <= 2 * page ? 2 * page : 3 * page;
        acre_image image = {};
        acre_mmap fill = {}, clone = {};
        EXPECT_OK(acre_image_begin(size, &image, &fill));
        expect_asked("image_begin", fill, 0, rounded);
        EXPECT_EQ(rounded, image.size);
        EXPECT_EQ(rounded, fill.size);
        EXPECT_EQ(page, fill.page_size);
        EXPECT_OK(acre_image_finish(&image, &fill));
        EXPECT_OK(acre_image_clone(&image, ACRE_READ, nullptr, &clone));
        EXPECT_EQ(rounded, clone.size);
        EXPECT_OK(acre_image_close(&image));
    }
}

TEST_P(PageSize, offsets_of_files_are_multiples_of_the_granularity)
{
    auto refused = [&](acre_status expected, uint64_t offset, size_t size) {
        expect_refused(expected, [&](acre_mmap *out) {
            return acre_mmap_file(1, offset, size, ACRE_READ, nullptr, out);
        });
    };
    acre_mmap map = {};
    for (uint64_t offset : {uint64_t{0}, uint64_t{granularity}, uint64_t{1} << 40}) {
        EXPECT_OK(acre_mmap_file(1, offset, 1, ACRE_READ, nullptr, &map));
        EXPECT_EQ(offset, map.offset);
        EXPECT_EQ(offset, fake.request.offset);
    }
    for (uint64_t offset :
         {uint64_t{1}, uint64_t{granularity / 2}, uint64_t{granularity + page / 2}, UINT64_MAX})
        refused(ACRE_BAD_OFFSET, offset, 1);
    if (granularity > page)
        refused(ACRE_BAD_OFFSET, page, 1);

    // The end of the last page counts.
    uint64_t most = uint64_t{1} << 63;
    EXPECT_OK(acre_mmap_file(1, most - 2 * granularity, granularity, ACRE_READ, nullptr, &map));
    refused(ACRE_BAD_RANGE, most - granularity, granularity);
    refused(ACRE_BAD_RANGE, most, 1);
    refused(ACRE_BAD_RANGE, UINT64_MAX - granularity + 1, 1);
    if (sizeof(size_t) == 8)
        refused(ACRE_BAD_RANGE, granularity, SIZE_MAX / 2 + 1 - granularity);
}

TEST_P(PageSize, alignment)
{
    acre_mmap_opts opts = {};
    for (size_t alignment : {size_t{1}, page / 2, page}) {
        opts.alignment = alignment;
        anon(1, &opts);
        EXPECT_EQ(page, fake.request.alignment);
    }
    for (size_t alignment : {2 * page, granularity, 1024 * MiB}) {
        opts.alignment = alignment;
        anon(1, &opts);
        EXPECT_EQ(alignment, fake.request.alignment);
    }
    for (size_t alignment : {size_t{3}, page + 1, 3 * page, SIZE_MAX}) {
        opts.alignment = alignment;
        expect_refused(ACRE_BAD_OPTION,
                       [&](acre_mmap *out) { return acre_mmap_anon(1, 0, &opts, out); });
    }
}

TEST_P(PageSize, demanded_addresses_are_multiples_of_the_granularity_and_the_alignment)
{
    for (uint32_t demand : {ACRE_MAP_FIXED, ACRE_MAP_REPLACE}) {
        acre_mmap_opts opts = flags(demand);
        auto refused = [&](size_t offset) {
            opts.address = somewhere + offset;
            expect_refused(ACRE_BAD_OPTION,
                           [&](acre_mmap *out) { return acre_mmap_anon(1, 0, &opts, out); });
            expect_refused(ACRE_BAD_OPTION,
                           [&](acre_mmap *out) { return acre_mmap_ring(1, &opts, out); });
        };
        for (size_t offset :
             {size_t{1}, page / 2, granularity / 2, granularity - page / 2, granularity + 1})
            refused(offset);
        if (granularity > page)
            refused(page);

        opts.address = somewhere + granularity;
        EXPECT_EQ(opts.address, anon(1, &opts).base);
        EXPECT_EQ(0u, anon(1, &opts).flags & demand);
        opts.alignment = 4 * granularity;
        refused(granularity);
        refused(6 * granularity);
        opts.address = somewhere + 8 * granularity;
        EXPECT_EQ(opts.address, anon(1, &opts).base);
    }
    // A wish may be any address.
    acre_mmap_opts wish = {};
    wish.address = somewhere + 1;
    EXPECT_EQ(wish.address, anon(1, &wish).base);
}

// ---- huge pages -------------------------------------------------------------------------------------------------------

TEST_P(PageSize, explicit_huge_pages_are_the_unit_of_everything)
{
    for (size_t size : GetParam().huge) {
        if (size == 0 || size > SIZE_MAX / 16)
            continue;
        acre_mmap_opts opts = flags(ACRE_MAP_HUGE);
        opts.page_size = size;
        acre_mmap map = anon(size + 1, &opts);
        EXPECT_EQ(2 * size, map.size);
        EXPECT_EQ(size, map.page_size);
        EXPECT_EQ(size, fake.request.page_size);
        EXPECT_EQ(size, fake.request.alignment);

        EXPECT_STATUS(ACRE_BAD_OFFSET, acre_mmap_protect(&map, 0, page, ACRE_READ));
        EXPECT_STATUS(ACRE_BAD_OFFSET, acre_mmap_decommit(&map, size / 2, size));
        EXPECT_OK(acre_mmap_protect(&map, size, size, ACRE_READ));
        expect_asked("protect", map, size, size);
        acre_mmap tail = {};
        EXPECT_STATUS(ACRE_BAD_OFFSET, acre_mmap_split(&map, page, &tail));
        EXPECT_OK(acre_mmap_split(&map, size, &tail));
        EXPECT_EQ(size, tail.size);
        EXPECT_OK(acre_mmap_resize(&map, 2 * size + 1, ACRE_RESIZE_MAY_MOVE));
        expect_asked("resize", map, 0, 3 * size);

        EXPECT_OK(acre_mmap_ring(size + 1, &opts, &map));
        EXPECT_EQ(4 * size, map.size);
        EXPECT_OK(acre_mmap_file(1, size, 1, ACRE_READ, &opts, &map));
        EXPECT_EQ(size, map.size);
        expect_refused(ACRE_BAD_OFFSET, [&](acre_mmap *out) {
            return acre_mmap_file(1, size / 2, 1, ACRE_READ, &opts, out);
        });
    }
}

TEST_P(PageSize, huge_pages_have_the_default_size_or_a_known_one)
{
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE);
    EXPECT_EQ(huge, anon(1, &opts).page_size);
    for (size_t size : {page, 2 * page, huge / 2 + 1, 4 * huge, size_t{1}, SIZE_MAX}) {
        opts.page_size = size;
        expect_refused(ACRE_BAD_OPTION,
                       [&](acre_mmap *out) { return acre_mmap_anon(1, 0, &opts, out); });
    }
    // Without the flag a size is contradictory.
    opts = {};
    opts.page_size = huge;
    expect_refused(ACRE_BAD_OPTION,
                   [&](acre_mmap *out) { return acre_mmap_anon(1, 0, &opts, out); });

    fake.page_sizes[1] = 0;
    fake.default_huge = 0;
    opts = flags(ACRE_MAP_HUGE);
    expect_refused(-ENOTSUP, [&](acre_mmap *out) { return acre_mmap_anon(1, 0, &opts, out); });
}

TEST_P(PageSize, transparent_huge_pages_align_what_they_fit_into)
{
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE_TRANSPARENT);
    acre_mmap map = anon(huge - page, &opts);
    EXPECT_EQ(page, fake.request.alignment);
    EXPECT_EQ(huge - page, map.size);
    for (size_t size : {huge - page + 1, huge, huge + 1}) {
        map = anon(size, &opts);
        EXPECT_EQ(huge, fake.request.alignment);
        EXPECT_EQ(page, map.page_size);
    }
    EXPECT_EQ(huge + page, map.size);
    opts.alignment = 4 * huge;
    anon(huge, &opts);
    EXPECT_EQ(4 * huge, fake.request.alignment);
    opts = flags(ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_FIXED);
    opts.address = somewhere + granularity;
    EXPECT_EQ(opts.address, anon(huge, &opts).base);
}

TEST_P(PageSize, adopted_maps_are_whole_pages_of_a_known_size)
{
    auto refused = [&](acre_status expected, char *base, size_t size, size_t page_size,
                       uint32_t kind) {
        expect_refused(expected, [&](acre_mmap *out) {
            return acre_mmap_adopt(base, size, page_size, ACRE_READ, kind, out);
        });
    };
    acre_mmap map = {};
    EXPECT_OK(acre_mmap_adopt(somewhere + page, 3 * page, 0, ACRE_READ, 0, &map));
    EXPECT_EQ(page, map.page_size);
    EXPECT_OK(acre_mmap_adopt(somewhere + page, 3 * page, page, ACRE_READ, 0, &map));
    EXPECT_OK(acre_mmap_adopt(somewhere, huge, huge, ACRE_READ, ACRE_MAP_HUGE, &map));
    EXPECT_EQ(huge, map.page_size);
    refused(ACRE_BAD_OFFSET, somewhere + page / 2, page, 0, 0);
    refused(ACRE_BAD_OFFSET, somewhere, page + page / 2, 0, 0);
    refused(ACRE_BAD_OFFSET, somewhere + page, huge, huge, ACRE_MAP_HUGE);
    refused(ACRE_BAD_OFFSET, somewhere, huge + page, huge, ACRE_MAP_HUGE);
    refused(ACRE_BAD_OFFSET, nullptr, page, 0, 0);
    refused(ACRE_BAD_OPTION, somewhere, huge, huge, 0);
    refused(ACRE_BAD_OPTION, somewhere, page, page, ACRE_MAP_HUGE);
    refused(ACRE_BAD_OPTION, somewhere, page, page / 2, 0);
    refused(ACRE_BAD_OPTION, somewhere, 2 * page, 2 * page, ACRE_MAP_HUGE);
    refused(ACRE_BAD_SIZE, somewhere, 0, 0, 0);
    refused(ACRE_BAD_SIZE, somewhere, SIZE_MAX / 2 + 2, 0, 0);
    refused(ACRE_BAD_SIZE, somewhere + page, SIZE_MAX / 2 + 1, 0, 0);
}

// ---- ranges -----------------------------------------------------------------------------------------------------------

using OnPages = acre_status (*)(acre_mmap *map, size_t offset, size_t length);

acre_status protect(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_protect(map, offset, length, ACRE_READ);
}

acre_status commit_as(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_commit_as(map, offset, length, ACRE_READ);
}

acre_status discard(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_discard(map, offset, length, ACRE_DISCARD_LAZY);
}

acre_status advise(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_advise(map, offset, length, ACRE_ADVISE_NO_DUMP);
}

acre_status flush(acre_mmap *map, size_t offset, size_t length)
{
    return acre_mmap_flush(map, offset, length, ACRE_FLUSH_WAIT);
}

acre_status resident(acre_mmap *map, size_t offset, size_t length)
{
    size_t bytes = 99;
    acre_status status = acre_mmap_resident(map, offset, length, &bytes);
    EXPECT_EQ(status != ACRE_OK ? 99 : length == 0 ? 0 : fake.length, bytes);
    return status;
}

const struct {
    const char *name;
    OnPages call;
} on_pages[] = {
    {"commit", acre_mmap_commit}, {"commit", commit_as},      {"decommit", acre_mmap_decommit},
    {"protect", protect},         {"guard", acre_mmap_guard}, {"unguard", acre_mmap_unguard},
    {"discard", discard},         {"advise", advise},
};

const struct {
    const char *name;
    OnPages call;
} on_bytes[] = {
    {"lock", acre_mmap_lock},
    {"lock_on_fault", acre_mmap_lock_on_fault},
    {"unlock", acre_mmap_unlock},
    {"populate", acre_mmap_populate},
    {"flush", flush},
    {"resident", resident},
};

TEST_P(PageSize, ranges_of_pages_are_passed_on_as_they_are)
{
    for (auto each : on_pages) {
        acre_mmap map = anon(8 * page);
        const size_t ranges[][2] = {{0, page}, {0, 8 * page}, {page, 3 * page}, {7 * page, page}};
        for (auto range : ranges) {
            EXPECT_OK(each.call(&map, range[0], range[1]));
            expect_asked(each.name, map, range[0], range[1]);
        }
    }
}

TEST_P(PageSize, ranges_of_no_whole_pages_are_refused)
{
    for (auto each : on_pages) {
        acre_mmap map = anon(8 * page);
        int calls = fake.calls;
        const size_t ranges[][2] = {{1, page},     {0, 1},        {page / 2, page / 2},
                                    {0, page - 1}, {page / 2, 0}, {SIZE_MAX, 1}};
        for (auto range : ranges)
            EXPECT_STATUS(ACRE_BAD_OFFSET, each.call(&map, range[0], range[1])) << each.name;
        EXPECT_EQ(calls, fake.calls);
    }
}

TEST_P(PageSize, ranges_that_leave_the_map_are_refused_without_overflow)
{
    auto refused = [&](OnPages call, const char *name, size_t offset, size_t length) {
        acre_mmap map = anon(8 * page);
        int calls = fake.calls;
        EXPECT_STATUS(ACRE_BAD_RANGE, call(&map, offset, length))
            << name << " " << offset << " " << length;
        EXPECT_EQ(calls, fake.calls);
    };
    const size_t last = SIZE_MAX - page + 1;  // the last page of all addresses
    const size_t ranges[][2] = {
        {0, 9 * page}, {8 * page, page}, {9 * page, 0}, {page, 8 * page},
        {page, last},  {last, page},     {last, 0},     {last, 2 * page},
        {last, last},  {2 * page, last}, {0, last},     {SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 1}};
    for (auto range : ranges) {
        for (auto each : on_pages)
            refused(each.call, each.name, range[0], range[1]);
        for (auto each : on_bytes)
            refused(each.call, each.name, range[0], range[1]);
    }
    for (auto each : on_bytes) {
        refused(each.call, each.name, 0, 8 * page + 1);
        refused(each.call, each.name, 8 * page, 1);
        refused(each.call, each.name, 8 * page + 1, 0);
        refused(each.call, each.name, 1, SIZE_MAX);
        refused(each.call, each.name, SIZE_MAX, 2);
    }
}

TEST_P(PageSize, ranges_of_length_0_do_nothing)
{
    acre_mmap map = anon(8 * page);
    acre_mmap empty = {};
    int calls = fake.calls;
    for (auto each : on_pages) {
        EXPECT_OK(each.call(&map, 0, 0));
        EXPECT_OK(each.call(&map, 8 * page, 0));
        EXPECT_OK(each.call(&empty, 0, 0));
        EXPECT_STATUS(ACRE_BAD_RANGE, each.call(&empty, page, 0));
        EXPECT_STATUS(ACRE_BAD_OFFSET, each.call(&empty, page / 2, 0));
    }
    for (auto each : on_bytes) {
        EXPECT_OK(each.call(&map, page / 2, 0));
        EXPECT_OK(each.call(&map, 8 * page, 0));
        EXPECT_OK(each.call(&empty, 0, 0));
        EXPECT_STATUS(ACRE_BAD_RANGE, each.call(&empty, 1, 0));
    }
    EXPECT_EQ(calls, fake.calls);
}

TEST_P(PageSize, bytes_are_widened_to_the_pages_that_hold_them)
{
    const struct {
        size_t offset, length, first, pages;
    } cases[] = {
        {0, 1, 0, 1},
        {page - 1, 1, 0, 1},
        {page - 1, 2, 0, 2},
        {page, 1, 1, 1},
        {page / 2, page, 0, 2},
        {page, page, 1, 1},
        {1, page - 1, 0, 1},
        {8 * page - 1, 1, 7, 1},
        {1, 8 * page - 1, 0, 8},
        {0, 8 * page, 0, 8},
        {3 * page - 1, page + 2, 2, 3},
    };
    acre_mmap map = {};
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_EQ(ACRE_OK, acre_mmap_file(1, 0, 8 * page, ACRE_READ_WRITE, &opts, &map));
    for (auto each : on_bytes) {
        for (auto span : cases) {
            EXPECT_OK(each.call(&map, span.offset, span.length));
            expect_asked(each.name, map, span.first * page, span.pages * page);
        }
    }
}

TEST_P(PageSize, bytes_of_the_largest_maps)
{
    // Adopted ones may be half of the addresses.
    acre_mmap map = {};
    size_t size = SIZE_MAX / 2 + 1;
    ASSERT_EQ(ACRE_OK, acre_mmap_adopt(reinterpret_cast<char *>(page), size, 0, ACRE_READ_WRITE,
                                       ACRE_IS_FILE | ACRE_MAP_SHARED, &map));
    for (auto each : on_bytes) {
        EXPECT_OK(each.call(&map, 1, size - 1));
        expect_asked(each.name, map, 0, size);
        EXPECT_OK(each.call(&map, size - 1, 1));
        expect_asked(each.name, map, size - page, page);
    }
}

TEST_P(PageSize, discard_many_takes_whole_pages)
{
    size_t done = 99;
    acre_range ranges[] = {
        {somewhere, page}, {somewhere + 2 * page, 5 * page}, {somewhere + page, 0}};
    EXPECT_OK(acre_discard_many(ranges, 3, ACRE_DISCARD_NOW, &done));
    EXPECT_EQ(3u, done);
    int calls = fake.calls;
    for (acre_range wrong :
         {acre_range{somewhere + page / 2, page}, acre_range{somewhere, page + page / 2},
          acre_range{somewhere + 1, 0}}) {
        ranges[1] = wrong;
        EXPECT_STATUS(ACRE_BAD_OFFSET, acre_discard_many(ranges, 3, ACRE_DISCARD_NOW, &done));
        EXPECT_EQ(0u, done);
    }
    EXPECT_EQ(calls, fake.calls);
}

// ---- cutting and resizing ---------------------------------------------------------------------------------------------

TEST_P(PageSize, cuts_are_at_pages_inside)
{
    acre_mmap map = {};
    ASSERT_EQ(ACRE_OK, acre_mmap_file(1, 4 * granularity, 8 * page, ACRE_READ, nullptr, &map));
    for (size_t at : {size_t{1}, page / 2, page + page / 2, SIZE_MAX, 8 * page + 1})
        expect_refused(ACRE_BAD_OFFSET,
                       [&](acre_mmap *out) { return acre_mmap_split(&map, at, out); });
    for (size_t at : {size_t{0}, 8 * page, 9 * page, SIZE_MAX - page + 1})
        expect_refused(ACRE_BAD_RANGE,
                       [&](acre_mmap *out) { return acre_mmap_split(&map, at, out); });

    acre_mmap tail = {};
    char *base = static_cast<char *>(map.base);
    EXPECT_OK(acre_mmap_split(&map, 3 * page, &tail));
    EXPECT_EQ(3 * page, map.size);
    EXPECT_EQ(5 * page, tail.size);
    EXPECT_EQ(base + 3 * page, tail.base);
    EXPECT_EQ(4 * granularity + 3 * page, tail.offset);
    EXPECT_OK(acre_mmap_merge(&map, &tail));
    EXPECT_EQ(8 * page, map.size);
    EXPECT_EQ(0u, tail.size);
}

TEST_P(PageSize, resizing_goes_by_pages)
{
    acre_mmap map = anon(8 * page);
    int calls = fake.calls;
    EXPECT_OK(acre_mmap_resize(&map, 7 * page + 1, ACRE_RESIZE_IN_PLACE));
    EXPECT_OK(acre_mmap_resize(&map, 8 * page, ACRE_RESIZE_IN_PLACE));
    EXPECT_EQ(calls, fake.calls);
    EXPECT_OK(acre_mmap_resize(&map, 7 * page, ACRE_RESIZE_IN_PLACE));
    expect_asked("resize", map, 0, 7 * page);
    EXPECT_OK(acre_mmap_resize(&map, 9 * page + 1, ACRE_RESIZE_IN_PLACE));
    expect_asked("resize", map, 0, 10 * page);
    EXPECT_OK(acre_mmap_resize(&map, 1, ACRE_RESIZE_IN_PLACE));
    EXPECT_EQ(page, map.size);
    calls = fake.calls;
    for (size_t size : {size_t{0}, SIZE_MAX, SIZE_MAX / 2 + 2, SIZE_MAX - page + 1})
        EXPECT_STATUS(ACRE_BAD_SIZE, acre_mmap_resize(&map, size, ACRE_RESIZE_MAY_MOVE));
    EXPECT_EQ(calls, fake.calls);
    EXPECT_EQ(page, map.size);
}

}  // namespace
