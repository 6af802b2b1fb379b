// Reservations: addresses only, until a commit that the system accounts for.
#include <algorithm>

#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_KERNELS_ACCOUNT("Decommit.a_thousand_rounds_leave_one_area");

constexpr size_t MiB = size_t{1} << 20;

// More than the machine has, in a form that fits its addresses.
size_t more_than_memory()
{
    acre_system system = {};
    EXPECT_OK(acre_system_read(&system));
    uint64_t wanted = system.physical_memory * 2 + (uint64_t{1} << 30);
    return wanted < SIZE_MAX / 8 ? static_cast<size_t>(wanted) / page() * page() : 0;
}

uint32_t overcommit_mode()
{
    acre_system system = {};
    EXPECT_OK(acre_system_read(&system));
    return system.overcommit_mode;
}

TEST(Reserve, takes_addresses_only)
{
    size_t resident = status_bytes("VmRSS");
    Map map;
    ASSERT_OK(acre_mmap_reserve(256 * MiB + 1, ACRE_READ_WRITE, nullptr, &map));
    EXPECT_EQ(256 * MiB + page(), map.size);
    EXPECT_EQ(page(), map.page_size);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), map.access);
    EXPECT_EQ("---p", permissions(map.base));
    EXPECT_FALSE(has_vm_flag(map.base, "ac"));
    EXPECT_FALSE(has_vm_flag(map.base, "nr"));
    EXPECT_LT(status_bytes("VmRSS"), resident + 16 * MiB);
    EXPECT_EQ(SIGSEGV, signal_of_read(map.base));
}

TEST(Reserve, more_than_the_machine_has_but_commits_no_more_than_that)
{
    size_t size = more_than_memory();
    if (size == 0)
        GTEST_SKIP() << "the machine's memory fills the address space";
    if (overcommit_mode() == 1)
        GTEST_SKIP() << "vm.overcommit_memory is 1: nothing is refused";
    Map map;
    ASSERT_OK(acre_mmap_reserve(size, ACRE_READ_WRITE, nullptr, &map));
    expect_refused(-ENOMEM, map, [&] { return acre_mmap_commit(&map, 0, map.size); });
    EXPECT_EQ(SIGSEGV, signal_of_write(bytes(map)));
    EXPECT_EQ(SIGSEGV, signal_of_write(bytes(map, map.size - 1)));

    ASSERT_OK(acre_mmap_commit(&map, 0, MiB));
    bytes(map)[MiB - 1] = 1;
}

TEST(Reserve, without_accounting_commits_more_than_the_machine_has)
{
    size_t size = more_than_memory();
    if (size == 0)
        GTEST_SKIP() << "the machine's memory fills the address space";
    if (overcommit_mode() == 2)
        GTEST_SKIP() << "vm.overcommit_memory is 2: everything is accounted";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_NO_RESERVE);
    ASSERT_OK(acre_mmap_reserve(size, ACRE_READ_WRITE, &opts, &map));
    if ((map.flags & ACRE_MAP_NO_RESERVE) == 0)
        GTEST_SKIP() << "this system accounts everything";
    ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
    EXPECT_FALSE(has_vm_flag(map.base, "ac"));
    EXPECT_TRUE(has_vm_flag(map.base, "nr"));

    // Also after the pages have been replaced.
    ASSERT_OK(acre_mmap_decommit(&map, 0, map.size));
    ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
    EXPECT_FALSE(has_vm_flag(map.base, "ac"));
}

TEST(Commit, is_accounted_and_zero_and_keeps_contents)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_commit(&map, 2 * page(), 2 * page()));
    EXPECT_TRUE(has_vm_flag(bytes(map, 2 * page()), "ac"));
    EXPECT_EQ("rw-p", permissions(bytes(map, 3 * page())));
    EXPECT_EQ("---p", permissions(bytes(map, page())));
    EXPECT_EQ("---p", permissions(bytes(map, 4 * page())));
    for (size_t i = 0; i < 2 * page(); i++)
        ASSERT_EQ(0, bytes(map, 2 * page())[i]);

    bytes(map, 2 * page())[7] = 42;
    ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
    EXPECT_EQ(42, bytes(map, 2 * page())[7]);
}

TEST(Commit, as_another_access)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(4 * page(), ACRE_NONE, nullptr, &map));
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_commit(&map, 0, page()); });
    ASSERT_OK(acre_mmap_commit_as(&map, 0, page(), ACRE_READ));
    ASSERT_OK(acre_mmap_commit_as(&map, page(), page(), ACRE_WRITE));
    ASSERT_OK(acre_mmap_commit_as(&map, 2 * page(), page(), ACRE_READ_EXEC));
    EXPECT_EQ("r--p", permissions(bytes(map)));
    EXPECT_EQ("rw-p", permissions(bytes(map, page())));
    EXPECT_EQ("r-xp", permissions(bytes(map, 2 * page())));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_NONE), map.access);
    expect_refused(ACRE_BAD_ACCESS, map,
                   [&] { return acre_mmap_commit_as(&map, 0, page(), ACRE_NONE); });
    expect_refused(ACRE_UNSAFE_FLAG_NEEDED, map,
                   [&] { return acre_mmap_commit_as(&map, 0, page(), ACRE_READ_WRITE_EXEC); });
}

TEST(Decommit, returns_memory_and_accounting_and_contents)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(64 * MiB, ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, 16 * MiB));
    std::memset(map.base, 1, 16 * MiB);
    size_t resident = status_bytes("VmRSS");

    ASSERT_OK(acre_mmap_decommit(&map, 0, 16 * MiB));
    // Kernels count up to 64 pages late.
    EXPECT_LE(status_bytes("VmRSS"), resident - 16 * MiB + std::max(MiB, 64 * page()));
    EXPECT_EQ("---p", permissions(map.base));
    EXPECT_FALSE(has_vm_flag(map.base, "ac"));
    EXPECT_EQ(SIGSEGV, signal_of_read(map.base));

    ASSERT_OK(acre_mmap_commit(&map, 0, 16 * MiB));
    for (size_t i = 0; i < 16 * MiB; i += page())
        ASSERT_EQ(0, bytes(map)[i]);
}

TEST(Decommit, a_thousand_rounds_leave_one_area)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(1024 * page(), ACRE_READ_WRITE, nullptr, &map));
    size_t areas = area_count();
    for (size_t i = 0; i < 1000; i++) {
        ASSERT_OK(acre_mmap_commit(&map, i * page(), 2 * page()));
        bytes(map, i * page())[0] = 1;
        ASSERT_OK(acre_mmap_decommit(&map, i * page(), 2 * page()));
    }
    EXPECT_LE(area_count(), areas + (kOnWindows ? 1 : 0));  // there other memory may be cut
}

TEST(Decommit, also_of_anonymous_maps)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    bytes(map, page())[0] = 1;
    ASSERT_OK(acre_mmap_decommit(&map, page(), page()));
    EXPECT_EQ("---p", permissions(bytes(map, page())));
    EXPECT_EQ("rw-p", permissions(bytes(map)));
    ASSERT_OK(acre_mmap_commit(&map, page(), page()));
    EXPECT_EQ(0, bytes(map, page())[0]);
}

TEST(Decommit, forgets_guards_of_the_range)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_commit(&map, 0, map.size));
    ASSERT_OK(acre_mmap_guard(&map, page(), page()));
    ASSERT_OK(acre_mmap_decommit(&map, page(), page()));
    ASSERT_OK(acre_mmap_commit(&map, page(), page()));
    bytes(map, page())[0] = 1;
}

TEST(Commit, is_refused_on_maps_of_other_kinds)
{
    File file(std::string(page(), 'x'));
    Map mapped;
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ, nullptr, &mapped));
    Map shared;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &shared));
    for (acre_mmap *map : {static_cast<acre_mmap *>(&mapped), static_cast<acre_mmap *>(&shared)}) {
        expect_refused(ACRE_BAD_STATE, *map, [&] { return acre_mmap_commit(map, 0, page()); });
        expect_refused(ACRE_BAD_STATE, *map, [&] { return acre_mmap_commit(map, 0, 0); });
        expect_refused(ACRE_BAD_STATE, *map, [&] { return acre_mmap_decommit(map, 0, page()); });
        expect_refused(ACRE_BAD_STATE, *map,
                       [&] { return acre_mmap_commit_as(map, 0, page(), ACRE_READ); });
    }
    EXPECT_EQ('x', bytes(mapped)[0]);
}

}  // namespace
