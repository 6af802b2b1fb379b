// What is mapped where.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/mmap/port/port.h"

using namespace acre_test;

namespace {

SKIP_EMULATED("the emulator writes the text of areas itself",
              "Port.a_view_seeks_and_answers_queries");

struct View {
    View() : memory(PORT_VIEW_SIZE / sizeof(uint64_t) + 1), handle()
    {
        status = acre_port_view_open(get(), 0, handle);
    }
    View(const View &) = delete;
    View &operator=(const View &) = delete;
    ~View()
    {
        if (status == ACRE_OK)
            acre_port_view_close(handle);
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
    while ((status = acre_port_view_next(view.get(), &area)) == 1) {
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
    ASSERT_OK(acre_port_view_seek(view.get(), address + unit()));
    ASSERT_EQ(1, acre_port_view_next(view.get(), &area));
    EXPECT_LE(area.start, address + unit());
    EXPECT_GT(area.end, address + unit());

    acre_area queried = {};
    ASSERT_OK(acre_port_view_query(view.get(), address, &queried));
    EXPECT_LE(queried.start, address);
    EXPECT_GT(queried.end, address);
    EXPECT_EQ(uint32_t{ACRE_READ}, queried.access);
    map.unmap();
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_port_view_query(view.get(), address, &queried));

    ASSERT_OK(acre_port_view_seek(view.get(), 0));
    ASSERT_EQ(1, acre_port_view_next(view.get(), &area));
    EXPECT_LT(area.start, address);
}

TEST(Port, counts_areas)
{
    uint64_t before = 0;
    ASSERT_OK(acre_port_area_count(&before));
    EXPECT_GE(before, 3u);
    // Every second page of a map of another access: areas of their own.
    Mapped map(request_for(64 * unit(), ACRE_READ_WRITE));
    ASSERT_OK(map.status);
    for (size_t i = 0; i < 64; i += 2)
        ASSERT_OK(acre_port_protect(&map, map.at(i * unit()), unit(), ACRE_READ));
    uint64_t after = 0;
    ASSERT_OK(acre_port_area_count(&after));
    EXPECT_GE(after, before + 62);
}

TEST(Port, refuses_processes_that_are_not)
{
    std::vector<uint64_t> memory(PORT_VIEW_SIZE / sizeof(uint64_t) + 1);
    uintptr_t handle[2] = {};
    acre_status status =
        acre_port_view_open(reinterpret_cast<port_view *>(memory.data()), 0x7ffffffe, handle);
    EXPECT_TRUE(status == -ESRCH || status == -ENOTSUP) << name_of(status);
}

}  // namespace
