// Maps, their commit, access and size.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/mmap/port/port.h"

using namespace acre_test;

namespace {

SKIP_WITHOUT_HIDDEN_PAGES(
    "Port.a_reservation_is_inaccessible_until_it_is_committed "
    "Port.pages_that_were_hidden_are_not_reserved");

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
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_port_area_at(address, &area));
}

TEST(Port, fixed_destroys_nothing)
{
    if (acre_port_can(ACRE_CAN_FIX_ADDRESS) == 0)
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
    if (acre_port_can(ACRE_CAN_REPLACE) == 0)
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

TEST(Port, a_reservation_is_inaccessible_until_it_is_committed)
{
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE, ACRE_IS_RESERVATION));
    ASSERT_OK(map.status);
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.base));
    EXPECT_TRUE(is_reserved(map.base, map.size));

    ASSERT_OK(acre_port_commit(&map, map.at(unit()), 2 * unit(), ACRE_READ_WRITE));
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.base));
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE}, access_at(map.at(unit())));
    EXPECT_TRUE(all_are(map.at(unit()), 2 * unit(), 0));
    EXPECT_FALSE(is_reserved(map.base, map.size));

    std::memset(map.at(unit()), 1, 2 * unit());
    ASSERT_OK(acre_port_commit(&map, map.base, 3 * unit(), ACRE_READ_WRITE));
    EXPECT_TRUE(all_are(map.at(unit()), 2 * unit(), 1));
    EXPECT_TRUE(all_are(map.at(), unit(), 0));

    ASSERT_OK(acre_port_decommit(&map, map.base, 2 * unit()));
    EXPECT_TRUE(is_reserved(map.base, 2 * unit()));
    EXPECT_TRUE(all_are(map.at(2 * unit()), unit(), 1));
    ASSERT_OK(acre_port_commit(&map, map.base, 2 * unit(), ACRE_READ));
    EXPECT_TRUE(all_are(map.at(), 2 * unit(), 0));
    EXPECT_EQ(uint32_t{ACRE_READ}, access_at(map.base));
}

TEST(Port, pages_that_were_hidden_are_not_reserved)
{
    Mapped map(request_for(2 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    ASSERT_OK(acre_port_protect(&map, map.base, map.size, ACRE_NONE));
    EXPECT_EQ(uint32_t{ACRE_NONE}, access_at(map.base));
    EXPECT_FALSE(is_reserved(map.base, map.size));
    ASSERT_OK(acre_port_protect(&map, map.base, map.size, ACRE_READ));
    EXPECT_TRUE(all_are(map.at(), map.size, 1));
}

TEST(Port, shrinks_and_grows_with_contents)
{
    Mapped map(request_for(4 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    std::memset(map.base, 1, map.size);
    acre_status status = acre_port_resize(&map, 2 * unit(), ACRE_RESIZE_IN_PLACE);
    ASSERT_OK(status);
    EXPECT_EQ(2 * unit(), map.size);
    EXPECT_TRUE(all_are(map.at(), map.size, 1));

    acre_mmap before = map;
    status = acre_port_resize(&map, 64 * unit(), ACRE_RESIZE_MAY_MOVE);
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
    if (acre_port_can(ACRE_CAN_FIX_ADDRESS) == 0)
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
    EXPECT_GT(0, acre_port_resize(&map, 2 * unit(), ACRE_RESIZE_IN_PLACE));
    EXPECT_EQ(first.address, map.base);
    EXPECT_EQ(unit(), map.size);
    EXPECT_EQ(5, *neighbor.at());
    EXPECT_EQ(6, *map.at());
}

TEST(Port, seals_where_it_says_so)
{
    port_request request = request_for(unit(), ACRE_READ_WRITE);
    acre_mmap map = handle_for(request);
    ASSERT_OK(acre_port_map(&request, &map));
    if (acre_port_can(ACRE_CAN_SEAL) == 0) {
        EXPECT_STATUS(-ENOTSUP, acre_port_seal(&map));
        EXPECT_OK(acre_port_unmap(&map));
    } else {
        EXPECT_OK(acre_port_seal(&map));
        EXPECT_GT(0, acre_port_protect(&map, map.base, map.size, ACRE_READ));
        EXPECT_GT(0, acre_port_unmap(&map));
    }
}

TEST(Port, code_may_be_written_where_it_says_so)
{
    Mapped map(request_for(unit(), ACRE_READ_WRITE_EXEC, ACRE_MAP_JIT));
    if (acre_port_can(ACRE_CAN_JIT) == 0) {
        EXPECT_GT(0, map.status);
        GTEST_SKIP() << "no memory is writable and executable at once";
    }
    ASSERT_OK(map.status);
    EXPECT_EQ(uint32_t{ACRE_READ_WRITE_EXEC}, access_at(map.base));
    acre_port_jit_write(1);
    std::memset(map.base, 1, map.size);
    acre_port_jit_write(0);
    acre_port_icache_flush(map.base, map.size);
    EXPECT_TRUE(all_are(map.at(), map.size, 1));
}

}  // namespace
