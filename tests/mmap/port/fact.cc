// What a system says of itself.
#include <cstddef>

#include "tests/mmap/port/port.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of areas, locks and pages");

TEST(Port, tells_page_sizes_in_ascending_order)
{
    size_t page = acre_port_page_size();
    EXPECT_GE(page, 4096u);
    EXPECT_EQ(0u, page & (page - 1));
    EXPECT_EQ(0u, acre_port_granularity() % page);

    size_t sizes[32] = {};
    int count = acre_port_page_sizes(sizes, 32);
    ASSERT_GE(count, 1);
    EXPECT_EQ(page, sizes[0]);
    EXPECT_EQ(count, acre_port_page_sizes(nullptr, 0));
    size_t huge = acre_port_default_huge_size();
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
        int can = acre_port_can(what);
        EXPECT_TRUE(can == 0 || can == 1);
        acre_port_pretend_without(what);
        EXPECT_EQ(0, acre_port_can(what));
        acre_port_pretend_nothing();
        EXPECT_EQ(can, acre_port_can(what));
    }
}

TEST(Port, reads_the_system)
{
    acre_system system = {};
    ASSERT_OK(acre_port_system_read(&system));
    EXPECT_GE(system.physical_memory, 16u << 20);
    EXPECT_GE(system.address_bits, 30u);
    EXPECT_LE(system.address_bits, 64u);
    EXPECT_EQ(acre_port_address_bits(), system.address_bits);
    EXPECT_EQ(acre_port_transparent_huge_size(), system.transparent_huge_size);
}

}  // namespace
