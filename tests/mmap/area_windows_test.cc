// Areas on Windows: what a view and a query tell is what VirtualQuery says, of this process and of
// another.
#include <windows.h>

#include <string>
#include <vector>

#include "acre/area.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

struct View : acre_areas {
    explicit View(acre_process process = 0) : acre_areas()
    {
        EXPECT_OK(acre_areas_open(process, this));
    }
    View(const View &) = delete;
    View &operator=(const View &) = delete;
    ~View()
    {
        acre_areas_close(this);
    }
};

uintptr_t number_of(const void *address)
{
    return reinterpret_cast<uintptr_t>(address);
}

TEST(AreasOnWindows, are_the_regions_of_the_system)
{
    View view;
    static MEMORY_BASIC_INFORMATION regions[4096];
    static acre_area areas[4096];
    size_t count = 0;
    for (char *at = nullptr; VirtualQuery(at, &regions[count], sizeof regions[count]) != 0;) {
        at = static_cast<char *>(regions[count].BaseAddress) + regions[count].RegionSize;
        count += regions[count].State != MEM_FREE;
        ASSERT_LT(count, 4096u);
    }
    size_t told = 0;
    acre_status status;
    while ((status = acre_areas_next(&view, &areas[told])) == 1)
        ASSERT_LT(++told, 4096u);
    EXPECT_OK(status);
    EXPECT_EQ(0, acre_areas_next(&view, &areas[told]));

    ASSERT_EQ(count, told);
    for (size_t i = 0; i < count; i++) {
        uintptr_t start = number_of(regions[i].BaseAddress);
        EXPECT_EQ(start, areas[i].start);
        EXPECT_EQ(start + regions[i].RegionSize, areas[i].end);
        EXPECT_EQ(number_of(regions[i].AllocationBase), areas[i].allocation_base);
        EXPECT_EQ(regions[i].State == MEM_RESERVE, (areas[i].flags & ACRE_AREA_RESERVED) != 0);
    }
    uint64_t counted;
    ASSERT_OK(acre_area_count(&counted));
    EXPECT_EQ(area_count(), counted);
}

TEST(AreasOnWindows, of_every_kind_are_recognized)
{
    File file(std::string(page(), 'f'));
    Map anonymous, reserved, shared, copied, mapped;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ, nullptr, &anonymous));
    ASSERT_OK(acre_mmap_reserve(page(), ACRE_READ, nullptr, &reserved));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &shared));
    intptr_t handle = handle_of(file.descriptor);
    ASSERT_OK(acre_mmap_file(handle, 0, page(), ACRE_READ_WRITE, nullptr, &copied));
    ASSERT_OK(acre_mmap_file(handle, 0, page(), ACRE_READ, &opts, &mapped));

    View view;
    acre_area area;
    auto look = [&](const void *address) {
        EXPECT_OK(acre_areas_query(&view, number_of(address), &area));
        return area.flags;
    };
    EXPECT_EQ(0u, look(anonymous.base));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ), area.access);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_RESERVED), look(reserved.base));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_NONE), area.access);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_SHARED), look(shared.base));
    EXPECT_EQ(nullptr, area.path);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_FILE), look(copied.base));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), area.access);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_FILE | ACRE_AREA_SHARED), look(mapped.base));
    // A path of the kernel's: of the same file, by another road.
    ASSERT_NE(nullptr, area.path);
    std::string name = file.path.substr(file.path.find_last_of("/\\") + 1);
    std::string path = area.path;
    ASSERT_GE(path.size(), name.size());
    EXPECT_EQ(name, path.substr(path.size() - name.size()));
    acre_area at_once;
    ASSERT_OK(acre_area_at(mapped.base, &at_once));
    EXPECT_EQ(area.flags, at_once.flags);
    EXPECT_EQ(nullptr, at_once.path);
}

TEST(AreasOnWindows, holes_are_not_mapped_and_seek_passes_them)
{
    View view;
    char *hole = free_address(granule());
    acre_area area = {};
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_areas_query(&view, number_of(hole), &area));
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_area_at(hole, &area));
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_area_at(nullptr, &area));
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_areas_query(&view, UINTPTR_MAX, &area));
    EXPECT_EQ(0u, area.end);
    ASSERT_OK(acre_areas_seek(&view, number_of(hole)));
    acre_status above = acre_areas_next(&view, &area);
    EXPECT_TRUE(above == 0 || (above == 1 && area.start > number_of(hole)));
    ASSERT_OK(acre_areas_seek(&view, UINTPTR_MAX));
    EXPECT_EQ(0, acre_areas_next(&view, &area));
    ASSERT_OK(acre_areas_seek(&view, 0));
    EXPECT_EQ(1, acre_areas_next(&view, &area));
}

TEST(AreasOnWindows, closing_leaves_nothing_behind)
{
    {
        View warm;
    }
    size_t areas = area_count();
    int handles = free_descriptor();
    for (int i = 0; i < 100; i++)
        View view(static_cast<acre_process>(GetCurrentProcessId()));
    EXPECT_EQ(areas, area_count());
    EXPECT_EQ(handles, free_descriptor());
    acre_areas closed = {};
    acre_area area;
    acre_areas_close(&closed);
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_areas_next(&closed, &area));
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_areas_seek(&closed, 0));
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_areas_query(&closed, 0, &area));
}

// This program once more, suspended before it does anything.
class Child {
  public:
    Child()
    {
        wchar_t program[4096];
        GetModuleFileNameW(nullptr, program, 4096);
        STARTUPINFOW start = {};
        start.cb = sizeof start;
        started_ = CreateProcessW(program, nullptr, nullptr, nullptr, FALSE, CREATE_SUSPENDED,
                                  nullptr, nullptr, &start, &child_);
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    ~Child()
    {
        end();
        CloseHandle(child_.hThread);
        CloseHandle(child_.hProcess);
    }
    void end()
    {
        TerminateProcess(child_.hProcess, 0);
        WaitForSingleObject(child_.hProcess, INFINITE);
    }
    bool started() const
    {
        return started_;
    }
    HANDLE handle() const
    {
        return child_.hProcess;
    }
    acre_process process() const
    {
        return static_cast<acre_process>(child_.dwProcessId);
    }

  private:
    PROCESS_INFORMATION child_ = {};
    bool started_;
};

TEST(AreasOnWindows, of_another_process_are_its_own)
{
    Child child;
    ASSERT_TRUE(child.started());
    char *there = static_cast<char *>(
        VirtualAllocEx(child.handle(), nullptr, 3 * page(), MEM_RESERVE, PAGE_READWRITE));
    ASSERT_NE(nullptr, there);
    ASSERT_NE(nullptr,
              VirtualAllocEx(child.handle(), there, page(), MEM_COMMIT, PAGE_EXECUTE_READ));
    View view(child.process());
    acre_area area;
    ASSERT_OK(acre_areas_query(&view, number_of(there), &area));
    EXPECT_EQ(number_of(there), area.start);
    EXPECT_EQ(page(), area.end - area.start);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_EXEC), area.access);
    ASSERT_OK(acre_areas_seek(&view, number_of(there) + page()));
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_RESERVED), area.flags);
    EXPECT_EQ(number_of(there), area.allocation_base);
}

TEST(AreasOnWindows, a_process_that_ended_is_told_and_never_looks_like_the_end)
{
    Child child;
    ASSERT_TRUE(child.started());
    View view(child.process());
    acre_area area;
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    child.end();
    acre_status status;
    while ((status = acre_areas_next(&view, &area)) == 1) {}
    EXPECT_STATUS(-ESRCH, status);
    EXPECT_STATUS(-ESRCH, acre_areas_query(&view, 0x10000, &area));
    EXPECT_STATUS(-ESRCH, acre_areas_seek(&view, 0));
}

TEST(AreasOnWindows, there_is_no_such_process)
{
    acre_areas untouched = {};
    size_t areas = area_count();
    EXPECT_STATUS(-ESRCH, acre_areas_open(0x7ffffffc, &untouched));
    EXPECT_EQ(areas, area_count());
    EXPECT_EQ(0u, untouched.private_[0]);
}

}  // namespace
