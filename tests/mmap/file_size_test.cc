// Under a limit on the size of files (RLIMIT_FSIZE) calls answer with a status: the signal that the
// system sends beyond it, SIGXFSZ, would end the program.
#include "acre/image.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind does not show memory a second time without a file");
SKIP_EMULATED("the emulator writes files of its own, and does not show memory twice without one",
              "FileSizeLimit.* Descriptors.*");

const rlim_t LIMITS[] = {0, 4096};

// The child ends by itself, at the step that its exit status names.
template <class Body>
void under_each_limit(Body body)
{
    for (rlim_t limit : LIMITS) {
        SCOPED_TRACE("RLIMIT_FSIZE " + std::to_string(limit));
        Ended ended = in_child([&] {
            struct rlimit both = {limit, limit};
            STEP(100, setrlimit(RLIMIT_FSIZE, &both) == 0);
            return body();
        });
        EXPECT_TRUE(ended.exited) << "signal " << ended.code;
        EXPECT_EQ(0, ended.code);
    }
}

char read_at(const acre_mmap &map, size_t at)
{
    return static_cast<volatile char *>(map.base)[at];
}

int mirrors(const acre_mmap_opts *opts)
{
    size_t lap = 16 * granule();
    acre_mmap ring = {};
    STEP(1, acre_mmap_ring(lap, opts, &ring) == ACRE_OK);
    STEP(2, ring.size == 2 * lap && (ring.flags & ACRE_IS_RING) != 0);
    for (size_t at = 0; at < lap; at += 97)
        bytes(ring)[at] = static_cast<char>(at);
    for (size_t at = 0; at < lap; at += 97)
        STEP(3, read_at(ring, at + lap) == static_cast<char>(at));
    STEP(4, permissions(ring.base) == "rw-s" && permissions(bytes(ring, lap)) == "rw-s");
    STEP(5, acre_mmap_discard(&ring, 0, granule(), ACRE_DISCARD_NOW) == ACRE_OK);
    STEP(6, read_at(ring, 97) == 0 && read_at(ring, lap + 97) == 0);
    STEP(7, acre_mmap_unmap(&ring) == ACRE_OK);
    return 0;
}

// First, while nothing is remembered of what the system can do.
TEST(FileSizeLimit, what_the_system_can_does_not_depend_on_it)
{
    int cans[2][ACRE_CAPABILITY_COUNT] = {};
    for (int i = 0; i < 2; i++) {
        for (int what = 0; what < ACRE_CAPABILITY_COUNT; what++) {
            Ended ended = in_child([&] {
                struct rlimit both = {0, 0};
                STEP(100, i == 0 || setrlimit(RLIMIT_FSIZE, &both) == 0);
                return acre_can(static_cast<acre_capability>(what));
            });
            EXPECT_TRUE(ended.exited) << "capability " << what << ", signal " << ended.code;
            cans[i][what] = ended.code;
        }
    }
    for (int what = 0; what < ACRE_CAPABILITY_COUNT; what++)
        EXPECT_EQ(cans[0][what], cans[1][what]) << "capability " << what;
}

TEST(FileSizeLimit, does_not_bind_rings)
{
    under_each_limit([] { return mirrors(nullptr); });
}

TEST(FileSizeLimit, does_not_bind_rings_with_a_place_and_demands)
{
    under_each_limit([] {
        size_t size = 2 * 16 * granule();
        acre_mmap_opts opts = flags(ACRE_MAP_FIXED | ACRE_MAP_DONT_FORK);
        opts.address = free_address(size);
        opts.name = "ring";
        STEP(10, mirrors(&opts) == 0);
        STEP(11, permissions(opts.address).empty());
        acre_mmap around = {};
        STEP(12, acre_mmap_reserve(size, ACRE_READ_WRITE, nullptr, &around) == ACRE_OK);
        if (!acre_can(ACRE_CAN_REPLACE))
            return 0;
        opts.flags = ACRE_MAP_REPLACE;
        opts.address = around.base;
        return mirrors(&opts);
    });
}

TEST(FileSizeLimit, does_not_bind_rings_of_huge_pages)
{
    acre_system system;
    ASSERT_OK(acre_system_read(&system));
    if (system.explicit_huge_free == 0)
        GTEST_SKIP() << "the pool of explicit huge pages is empty";
    under_each_limit([] {
        acre_mmap_opts opts = flags(ACRE_MAP_HUGE);
        acre_mmap ring = {};
        STEP(1, acre_mmap_ring(1, &opts, &ring) == ACRE_OK);
        bytes(ring)[5] = 5;
        STEP(2, read_at(ring, ring.size / 2 + 5) == 5);
        STEP(3, acre_mmap_unmap(&ring) == ACRE_OK);
        return 0;
    });
}

TEST(FileSizeLimit, does_not_bind_twins)
{
    if (!acre_can(ACRE_CAN_TWIN))
        GTEST_SKIP() << "this system has no twins";
    under_each_limit([] {
        size_t size = 16 * granule();
        for (int replaces = 0; replaces < 1 + acre_can(ACRE_CAN_REPLACE); replaces++) {
            acre_mmap_opts opts = flags(replaces ? ACRE_MAP_REPLACE : ACRE_MAP_FIXED);
            opts.address = free_address(size);
            acre_mmap write = {}, exec = {};
            STEP(1, acre_mmap_twin(size, &opts, &write, &exec) == ACRE_OK);
            STEP(2, exec.base == opts.address && write.flags == ACRE_IS_TWIN);
            STEP(3, permissions(write.base) == "rw-s" && permissions(exec.base) == "r-xs");
            bytes(write)[size - 1] = 7;
            STEP(4, read_at(exec, size - 1) == 7);
            STEP(5, acre_mmap_unmap(&write) == ACRE_OK && read_at(exec, size - 1) == 7);
            STEP(6, acre_mmap_unmap(&exec) == ACRE_OK);
        }
        return 0;
    });
}

TEST(Descriptors, are_needed_neither_by_rings_nor_by_twins)
{
#ifndef __linux__
    GTEST_SKIP() << "rings and twins are files here";
#endif
    Ended ended = in_child([] {
        struct rlimit none = {0, 0};
        STEP(20, setrlimit(RLIMIT_NOFILE, &none) == 0);
        acre_mmap ring = {}, write = {}, exec = {};
        STEP(21, acre_can(ACRE_CAN_TWIN) == 1);
        STEP(22, acre_mmap_ring(granule(), nullptr, &ring) == ACRE_OK);
        bytes(ring)[1] = 1;
        STEP(23, read_at(ring, granule() + 1) == 1);
        STEP(24, acre_mmap_twin(granule(), nullptr, &write, &exec) == ACRE_OK);
        bytes(write)[2] = 2;
        STEP(25, read_at(exec, 2) == 2);
        return 0;
    });
    expect_success(ended);
}

TEST(FileSizeLimit, refuses_images_beyond_it_with_a_status)
{
    under_each_limit([] {
        acre_image image = {};
        acre_mmap fill = {};
        int descriptor = free_descriptor();
        acre_status status = acre_image_begin(16 * page(), &image, &fill);
        // Where images are no files there is no limit.
        if (status == ACRE_OK)
            return 0;
        STEP(1, status == -EFBIG);
        STEP(2, image.size == 0 && fill.size == 0 && free_descriptor() == descriptor);
        return 0;
    });
}

TEST(FileSizeLimit, takes_nothing_from_images_and_clones_that_exist)
{
    acre_image image = {};
    acre_mmap fill = {};
    ASSERT_OK(acre_image_begin(16 * page(), &image, &fill));
    std::memset(fill.base, 3, fill.size);
    ASSERT_OK(acre_image_finish(&image, &fill));
    under_each_limit([&] {
        acre_mmap clone = {};
        STEP(1, acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone) == ACRE_OK);
        std::memset(clone.base, 9, clone.size);
        STEP(2, acre_mmap_discard(&clone, 0, clone.size, ACRE_DISCARD_NOW) == ACRE_OK);
        STEP(3, keeps_advice() ? bytes(clone)[15 * page()] == 3 : true);
        STEP(4, acre_mmap_unmap(&clone) == ACRE_OK);
        return 0;
    });
    EXPECT_OK(acre_image_close(&image));
}

TEST(FileSizeLimit, does_not_bind_anonymous_memory_and_maps_of_files)
{
    File file(std::string(8 * page(), 'f'));
    under_each_limit([&] {
        acre_mmap map = {};
        acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
        STEP(1, acre_mmap_anon(16 * page(), ACRE_READ_WRITE, &opts, &map) == ACRE_OK);
        std::memset(map.base, 1, map.size);
        STEP(2, acre_mmap_discard(&map, 0, map.size, ACRE_DISCARD_NOW) == ACRE_OK);
        STEP(3, acre_mmap_unmap(&map) == ACRE_OK);

        STEP(4,
             acre_mmap_path(file.path.c_str(), ACRE_READ_WRITE, &opts, &map, nullptr) == ACRE_OK);
        std::memset(map.base, 'g', map.size);
        STEP(5, acre_mmap_flush(&map, 0, map.size, ACRE_FLUSH_WAIT) == ACRE_OK);
        STEP(6, acre_mmap_unmap(&map) == ACRE_OK);
        return 0;
    });
}

}  // namespace
