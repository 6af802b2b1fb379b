// Files and memory objects.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/mmap/port/port.h"

using namespace acre_test;

namespace {

SKIP_WITHOUT_ADVICE(
    "Port.a_ring_shows_its_lap_twice "
    "Port.clones_begin_with_the_image_and_return_to_it");

TEST(Port, shared_file_maps_change_the_file)
{
    Written file(2 * unit());
    Mapped map(request_for_file(file, 2 * unit(), ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    EXPECT_EQ(7, *map.at(unit()));
    *map.at(unit()) = 8;
    EXPECT_OK(acre_port_flush(&map, map.base, map.size, ACRE_FLUSH_WAIT));
    EXPECT_OK(acre_port_flush(&map, map.base, map.size, ACRE_FLUSH_ASYNC));
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
    acre_status status = acre_port_discard(&map, map.base, map.size, ACRE_DISCARD_NOW);
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
    EXPECT_OK(acre_port_continues(&first, &second));
    EXPECT_OK(acre_port_continues(&second, &third));
}

TEST(Port, parts_of_memory_continue_one_another)
{
    for (uint32_t kind : {uint32_t{0}, uint32_t{ACRE_MAP_SHARED}, uint32_t{ACRE_IS_RESERVATION}}) {
        Mapped map(request_for(4 * unit(), ACRE_READ_WRITE, kind));
        ASSERT_OK(map.status);
        acre_mmap first = map;
        first.size = unit();
        acre_mmap second = map;
        second.base = map.at(unit());
        second.offset += unit();
        second.size = 3 * unit();
        EXPECT_OK(acre_port_continues(&first, &second)) << kind;
        EXPECT_EQ(map.private_[1], first.private_[1]);
    }
}

TEST(Port, tells_why_a_file_cannot_be_opened_and_keeps_errno)
{
    acre_file file = 0;
    uint64_t size = 0;
    errno = 77;
    EXPECT_STATUS(-ENOENT, acre_port_file_open(fresh_path("missing").c_str(), 0, &file, &size));
    EXPECT_STATUS(ACRE_NOT_A_FILE, acre_port_file_open(".", 0, &file, &size));
    EXPECT_EQ(77, errno);
}

TEST(Port, a_ring_shows_its_lap_twice)
{
    port_request request = request_for(unit(), ACRE_READ_WRITE);
    request.alignment = unit();
    Mapped ring(2 * unit());
    ASSERT_OK(acre_port_ring(&request, &ring));
    EXPECT_NE(0u, ring.flags & ACRE_IS_RING);
    EXPECT_TRUE(all_are(ring.at(), ring.size, 0));
    volatile char *bytes = ring.at();
    bytes[3] = 1;
    EXPECT_EQ(1, bytes[unit() + 3]);
    bytes[2 * unit() - 1] = 2;
    EXPECT_EQ(2, bytes[unit() - 1]);
    ASSERT_OK(acre_port_discard(&ring, ring.base, unit(), ACRE_DISCARD_NOW));
    EXPECT_EQ(0, bytes[unit() + 3]);
    EXPECT_EQ(0, bytes[unit() - 1]);
}

TEST(Port, twins_show_the_same_pages)
{
    if (acre_port_can(ACRE_CAN_TWIN) == 0)
        GTEST_SKIP() << "no twins";
    port_request request = request_for(unit(), ACRE_READ_WRITE);
    request.alignment = unit();
    Mapped write(unit());
    Mapped exec(unit());
    ASSERT_OK(acre_port_twin(&request, &write, &exec));
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE}, access_at(write.base));
    EXPECT_EQ(uint32_t{ACRE_READ_EXEC}, access_at(exec.base));
    volatile char *to = write.at();
    volatile char *from = exec.at();
    to[5] = 1;
    EXPECT_EQ(1, from[5]);
    acre_port_icache_flush(exec.base, exec.size);
}

TEST(Port, clones_begin_with_the_image_and_return_to_it)
{
    size_t size = 4 * unit();
    acre_file image = 0;
    acre_mmap fill = {};
    fill.size = size;
    fill.page_size = acre_port_page_size();
    fill.access = ACRE_READ_WRITE;
    ASSERT_OK(acre_port_image_begin(size, &image, &fill));
    EXPECT_TRUE(all_are(static_cast<char *>(fill.base), size, 0));
    std::memset(fill.base, 3, size);
    ASSERT_OK(acre_port_unmap(&fill));
    ASSERT_OK(acre_port_image_seal(image));

    port_request request = request_for(size, ACRE_READ_WRITE, ACRE_IS_CLONE);
    request.file = image;
    Mapped first(request);
    Mapped second(request);
    ASSERT_OK(first.status);
    ASSERT_OK(second.status);
    EXPECT_NE(0u, first.flags & ACRE_IS_CLONE);
    ASSERT_OK(acre_port_image_close(image));  // clones live on

    EXPECT_TRUE(all_are(first.at(), size, 3));
    std::memset(first.base, 4, size);
    EXPECT_TRUE(all_are(second.at(), size, 3));
    ASSERT_OK(acre_port_discard(&first, first.at(unit()), 2 * unit(), ACRE_DISCARD_NOW));
    EXPECT_EQ(4, *first.at());
    EXPECT_TRUE(all_are(first.at(unit()), 2 * unit(), 3));
    EXPECT_EQ(4, *first.at(3 * unit()));
    std::memset(first.base, 5, size);
    second.unmap();
    ASSERT_OK(acre_port_discard(&first, first.base, size, ACRE_DISCARD_NOW));
    EXPECT_TRUE(all_are(first.at(), size, 3));
}

}  // namespace
