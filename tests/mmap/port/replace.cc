// REPLACE over views and over parts of views: it works, or it changes nothing.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/mmap/port/port.h"

using namespace acre_test;

namespace {

// A map of 4 units, each with bytes of its number, and what is to be replaced of it.
class Replaced : public testing::Test {
  protected:
    void SetUp() override
    {
        if (acre_port_can(ACRE_CAN_REPLACE) == 0)
            GTEST_SKIP() << "nothing can be replaced";
    }

    static void fill(Mapped &map)
    {
        for (size_t i = 0; i < map.size / unit(); i++)
            std::memset(map.at(i * unit()), static_cast<char>(i + 1), unit());
    }

    static void expect_filled(Mapped &map, size_t from, size_t to)
    {
        for (size_t i = from; i < to; i++) {
            EXPECT_EQ(uint32_t{ACRE_READ_WRITE}, access_at(map.at(i * unit()))) << i;
            EXPECT_TRUE(all_are(map.at(i * unit()), unit(), static_cast<char>(i + 1))) << i;
        }
    }

    // Replaces units [from, to) by fresh memory.
    static acre_status replace(Mapped &map, size_t from, size_t to)
    {
        port_request request = request_for((to - from) * unit(), ACRE_READ_WRITE, ACRE_MAP_REPLACE);
        request.address = map.at(from * unit());
        Mapped part(request);
        if (part.status == ACRE_OK) {
            EXPECT_EQ(request.address, part.base);
            EXPECT_TRUE(all_are(part.at(), part.size, 0));
            std::memset(part.base, 9, part.size);
        }
        part.unmap();
        return part.status;
    }

    static void replace_each_part_of(const port_request &request)
    {
        for (size_t from = 0; from < 4; from++) {
            for (size_t to = from + 1; to <= 4; to++) {
                SCOPED_TRACE(from * 10 + to);
                Mapped map(request);
                ASSERT_OK(map.status);
                fill(map);
                acre_status status = replace(map, from, to);
                if (status == ACRE_OK) {
                    expect_filled(map, 0, from);
                    expect_filled(map, to, 4);
                    continue;
                }
                EXPECT_STATUS(-ENOTSUP, status);
                expect_filled(map, 0, 4);
                EXPECT_OK(acre_port_protect(&map, map.base, map.size, ACRE_READ));
            }
        }
    }
};

TEST_F(Replaced, parts_of_private_memory_go_or_stay_whole)
{
    replace_each_part_of(request_for(4 * unit(), ACRE_READ_WRITE));
}

TEST_F(Replaced, parts_of_shared_memory_go_or_stay_whole)
{
    replace_each_part_of(request_for(4 * unit(), ACRE_READ_WRITE, ACRE_MAP_SHARED));
}

TEST_F(Replaced, parts_of_a_shared_file_go_or_stay_whole)
{
    Written file(4 * unit());
    replace_each_part_of(request_for_file(file, 4 * unit(), ACRE_MAP_SHARED));
}

TEST_F(Replaced, parts_of_a_private_file_go_or_stay_whole)
{
    Written file(4 * unit());
    replace_each_part_of(request_for_file(file, 4 * unit(), 0));
}

TEST_F(Replaced, a_whole_view_goes)
{
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE, ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    fill(map);
    EXPECT_OK(replace(map, 0, 4));
}

TEST_F(Replaced, a_whole_view_of_a_file_leaves_the_file_as_it_is)
{
    Written file(4 * unit());
    Mapped map(request_for_file(file, 4 * unit(), ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    EXPECT_OK(replace(map, 0, 4));
    map.unmap();
    EXPECT_EQ(std::string(4 * unit(), 7), file.content());
}

TEST_F(Replaced, one_lap_of_a_ring_goes_and_the_other_stays)
{
    port_request request = request_for(2 * unit(), ACRE_READ_WRITE);
    Mapped ring(2 * unit());
    ASSERT_OK(acre_port_ring(&request, &ring));
    ring.size = 4 * unit();
    std::memset(ring.base, 1, 2 * unit());
    EXPECT_OK(replace(ring, 2, 4));
    EXPECT_TRUE(all_are(ring.at(), 2 * unit(), 1));
}

// With what lies behind it in the map.
TEST_F(Replaced, a_view_that_ends_with_its_file_goes_as_a_whole)
{
    Written file(unit() + 5);
    Mapped map(request_for_file(file, 4 * unit(), ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    EXPECT_OK(replace(map, 0, 4));
}

TEST_F(Replaced, by_no_file_nothing)
{
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE, ACRE_MAP_SHARED));
    ASSERT_OK(map.status);
    fill(map);
    port_request request =
        request_for(4 * unit(), ACRE_READ_WRITE, ACRE_IS_FILE | ACRE_MAP_SHARED | ACRE_MAP_REPLACE);
    request.address = map.base;
    request.file = static_cast<acre_file>(-1);
    Mapped part(request);
    EXPECT_STATUS(-EBADF, part.status);
    expect_filled(map, 0, 4);
}

}  // namespace
