// How sizes, offsets and addresses of new maps follow from the page size and the granularity.
#include "tests/mmap/page_size.h"

using namespace acre_test;

namespace {

FOR_EACH_SYSTEM(PageSize);

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
        expect_refused(ACRE_BAD_ALIGNMENT,
                       [&](acre_mmap *out) { return acre_mmap_anon(1, 0, &opts, out); });
    }
}

TEST_P(PageSize, demanded_addresses_are_multiples_of_the_granularity_and_the_alignment)
{
    for (uint32_t demand : {ACRE_MAP_FIXED, ACRE_MAP_REPLACE}) {
        acre_mmap_opts opts = flags(demand);
        auto refused = [&](size_t offset) {
            opts.address = somewhere + offset;
            expect_refused(ACRE_BAD_ALIGNMENT,
                           [&](acre_mmap *out) { return acre_mmap_anon(1, 0, &opts, out); });
            expect_refused(ACRE_BAD_ALIGNMENT,
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

// ---- huge pages ---------------------------------------------------------------------------------

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
    refused(ACRE_NULL_ARGUMENT, nullptr, page, 0, 0);
    refused(ACRE_BAD_OPTION, somewhere, huge, huge, 0);
    refused(ACRE_BAD_OPTION, somewhere, page, page, ACRE_MAP_HUGE);
    refused(ACRE_BAD_OPTION, somewhere, page, page / 2, 0);
    refused(ACRE_BAD_OPTION, somewhere, 2 * page, 2 * page, ACRE_MAP_HUGE);
    refused(ACRE_BAD_SIZE, somewhere, 0, 0, 0);
    refused(ACRE_BAD_SIZE, somewhere, SIZE_MAX / 2 + 2, 0, 0);
    refused(ACRE_BAD_SIZE, somewhere + page, SIZE_MAX / 2 + 1, 0, 0);
}

}  // namespace
