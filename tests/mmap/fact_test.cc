// Page sizes, capabilities, limits, statuses: what acre says is what the system says.

#include <cerrno>
#include <vector>

#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

TEST(Facts, page_sizes_ascend_from_the_base_page)
{
    EXPECT_EQ(static_cast<size_t>(sysconf(_SC_PAGESIZE)), acre_page_size());
    EXPECT_EQ(kOnWindows ? 65536 : acre_page_size(), acre_allocation_granularity());
    int count = acre_page_sizes(nullptr, 0);
    ASSERT_GE(count, 1);
    std::vector<size_t> sizes(static_cast<size_t>(count) + 1, 77);
    EXPECT_EQ(count, acre_page_sizes(sizes.data(), sizes.size()));
    EXPECT_EQ(acre_page_size(), sizes[0]);
    EXPECT_EQ(77u, sizes[static_cast<size_t>(count)]);
    for (size_t i = 1; i < static_cast<size_t>(count); i++) {
        EXPECT_LT(sizes[i - 1], sizes[i]);
        std::string folder =
            "/sys/kernel/mm/hugepages/hugepages-" + std::to_string(sizes[i] / 1024) + "kB";
        EXPECT_EQ(0, access(folder.c_str(), F_OK)) << folder;
        // A short array holds the smallest.
        std::vector<size_t> few(i);
        EXPECT_EQ(count, acre_page_sizes(few.data(), few.size()));
        EXPECT_EQ(std::vector<size_t>(sizes.begin(), sizes.begin() + static_cast<ptrdiff_t>(i)),
                  few);
    }
}

TEST(Facts, limits_are_the_systems)
{
    acre_system system = {};
    ASSERT_OK(acre_system_read(&system));
    EXPECT_EQ(number_in("/proc/meminfo", "MemTotal:") * 1024, system.physical_memory);
    EXPECT_EQ(number_in("/proc/sys/vm/max_map_count"), system.area_limit);
    EXPECT_EQ(number_in("/proc/sys/vm/overcommit_memory"), system.overcommit_mode);
    EXPECT_EQ(number_in("/proc/meminfo", "HugePages_Free:"), system.explicit_huge_free);
    EXPECT_EQ(number_in("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"),
              system.transparent_huge_size);
    EXPECT_GT(system.committed, 0u);
    if (system.overcommit_mode == 2)
        EXPECT_EQ(number_in("/proc/meminfo", "CommitLimit:") * 1024, system.commit_limit);
    else
        EXPECT_EQ(0u, system.commit_limit);
    struct rlimit lock;
    ASSERT_EQ(0, getrlimit(RLIMIT_MEMLOCK, &lock));
    // Root locks as much as it likes.
    EXPECT_TRUE(system.lock_limit == UINT64_MAX || system.lock_limit == lock.rlim_cur);
    int here = 0;
    EXPECT_EQ(0u, static_cast<uint64_t>(reinterpret_cast<uintptr_t>(&here)) >>
                      (system.address_bits - 1) >> 1);
    EXPECT_GE(system.address_bits, 30u);
    for (uint64_t word : system.reserved)
        EXPECT_EQ(0u, word);
}

TEST(Facts, limits_are_read_afresh)
{
    Ended ended = in_child([] {
        struct rlimit lock = {12 * 4096, 12 * 4096};
        acre_system system;
        if (setrlimit(RLIMIT_MEMLOCK, &lock) != 0 || acre_system_read(&system) != ACRE_OK)
            return 1;
        return system.lock_limit == lock.rlim_cur || system.lock_limit == UINT64_MAX ? 0 : 2;
    });
    EXPECT_EQ(0, ended.code);
}

TEST(Facts, unknown_capabilities_are_absent)
{
    EXPECT_EQ(0, acre_can(ACRE_CAPABILITY_COUNT));
    EXPECT_EQ(0, acre_can(static_cast<acre_capability>(ACRE_CAPABILITY_COUNT + 1)));
    EXPECT_EQ(0, acre_can(static_cast<acre_capability>(31)));
    EXPECT_EQ(1, acre_can(ACRE_CAN_FIX_ADDRESS));
    if (!kOnWindows) {
        EXPECT_EQ(1, acre_can(ACRE_CAN_REPLACE));  // there only with placeholders
    }
}

TEST(Facts, capabilities_stay_the_same)
{
    for (int i = 0; i < ACRE_CAPABILITY_COUNT; i++) {
        int first = acre_can(static_cast<acre_capability>(i));
        EXPECT_TRUE(first == 0 || first == 1);
        EXPECT_EQ(first, acre_can(static_cast<acre_capability>(i)));
    }
}

TEST(Facts, errno_is_left_alone)
{
    errno = 1234;
    acre_system system;
    EXPECT_OK(acre_system_read(&system));
    acre_mmap map = {};
    EXPECT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
    EXPECT_STATUS(-ENOENT, acre_mmap_path("/nowhere/at/all", ACRE_READ, nullptr, &map, nullptr));
    EXPECT_OK(acre_mmap_guard(&map, 0, page()));
    EXPECT_OK(acre_mmap_unmap(&map));
    for (int i = 0; i < ACRE_CAPABILITY_COUNT; i++)
        (void)acre_can(static_cast<acre_capability>(i));
    EXPECT_EQ(1234, errno);
}

TEST(Status, every_code_has_its_own_name_and_a_text)
{
#define CHECK(name, value, text)                                \
    EXPECT_EQ((value), ACRE_##name);                            \
    EXPECT_STREQ("ACRE_" #name, acre_status_name(ACRE_##name)); \
    EXPECT_STREQ(text, acre_status_text(ACRE_##name));
    ACRE_STATUS_MAP(CHECK)
#undef CHECK
    EXPECT_STREQ("ENOMEM", acre_status_name(-ENOMEM));
    EXPECT_STREQ("ENOTSUP", acre_status_name(-ENOTSUP));
}

// What file systems of a network, with quotas, that are damaged, or on failing memory return.
TEST(Status, of_file_systems_have_names)
{
#ifdef EDQUOT
    EXPECT_STREQ("EDQUOT", acre_status_name(-EDQUOT));
#endif
#ifdef ESTALE
    EXPECT_STREQ("ESTALE", acre_status_name(-ESTALE));
#endif
#ifdef EUCLEAN
    EXPECT_STREQ("EUCLEAN", acre_status_name(-EUCLEAN));
    EXPECT_STREQ("the file system is damaged", acre_status_text(-EUCLEAN));
#endif
#ifdef EHWPOISON
    EXPECT_STREQ("EHWPOISON", acre_status_name(-EHWPOISON));
#endif
    EXPECT_STREQ("ETIMEDOUT", acre_status_name(-ETIMEDOUT));
}

TEST(Status, nothing_is_without_a_name)
{
    for (int status = 10; status > -6000; status--) {
        ASSERT_NE(nullptr, acre_status_name(status));
        ASSERT_NE(nullptr, acre_status_text(status));
        ASSERT_STRNE("", acre_status_name(status));
        ASSERT_STRNE("", acre_status_text(status));
    }
    EXPECT_STREQ("ACRE_OK", acre_status_name(1));
    EXPECT_STREQ("UNKNOWN", acre_status_name(-4000));
    EXPECT_STREQ("UNKNOWN", acre_status_name(-5999));
}

TEST(Status, unsupported_is_told_apart)
{
    EXPECT_EQ(1, acre_status_unsupported(-ENOTSUP));
    EXPECT_EQ(0, acre_status_unsupported(ACRE_OK));
    EXPECT_EQ(0, acre_status_unsupported(-ENOMEM));
    EXPECT_EQ(0, acre_status_unsupported(ACRE_BAD_STATE));
}

TEST(Layout, of_public_structs_is_pinned)
{
    EXPECT_EQ(sizeof(void *) == 8 ? 64u : 40u, sizeof(acre_mmap));
    EXPECT_EQ(sizeof(void *) == 8 ? 88u : 64u, sizeof(acre_mmap_opts));
    EXPECT_EQ(128u, sizeof(acre_system));
}

}  // namespace
