// Rings and twins: the same pages twice.

#include <fstream>

#include "acre/area.h"
#include "acre/icache.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE(
    "Ring.discard_empties_both_views "
    "Ring.is_shared_with_the_child_of_a_fork "
    "Ring.replaces_what_is_there_or_what_is_not "
    "Ring.takes_a_place_an_alignment_and_demands "
    "Twin.discard_empties_both "
    "Twin.only_the_executable_one_takes_a_place");

// Read anew: the compiler does not know that the views alias.
char read_at(const acre_mmap &map, size_t at)
{
    return static_cast<volatile char *>(map.base)[at];
}

uint64_t inode_at(const void *address)
{
    acre_area area = {};
    EXPECT_OK(acre_area_at(address, &area));
    return area.inode;
}

// ---- ring ---------------------------------------------------------------------------------------

TEST(Ring, shows_each_byte_twice)
{
    int descriptor = free_descriptor();
    size_t lap = 3 * granule();
    Map map;
    ASSERT_OK(acre_mmap_ring(lap - 5, nullptr, &map));
    EXPECT_EQ(descriptor, free_descriptor());
    EXPECT_EQ(2 * lap, map.size);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), map.access);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_IS_RING), map.flags);
    for (size_t i = 0; i < lap; i += 97)
        bytes(map)[i] = static_cast<char>(i);
    for (size_t i = 0; i < lap; i += 97)
        ASSERT_EQ(static_cast<char>(i), read_at(map, i + lap));
    bytes(map)[lap + 1] = 77;
    EXPECT_EQ(77, read_at(map, 1));
    // Across the seam in one piece.
    std::memcpy(bytes(map, lap - 4), "12345678", 8);
    EXPECT_EQ('5', read_at(map, 0));
    EXPECT_EQ('8', read_at(map, 3));
    EXPECT_EQ("rw-s", permissions(map.base));
    if (!kOnWindows) {
        EXPECT_NE(0u, inode_at(map.base));
    }
    EXPECT_EQ(inode_at(map.base), inode_at(bytes(map, lap)));
}

TEST(Ring, discard_empties_both_views)
{
    Map map;
    ASSERT_OK(acre_mmap_ring(2 * granule(), nullptr, &map));
    std::memset(map.base, 1, 2 * granule());
    ASSERT_OK(acre_mmap_discard(&map, granule(), granule(), ACRE_DISCARD_NOW));
    EXPECT_EQ(1, read_at(map, 2 * granule()));
    EXPECT_EQ(0, read_at(map, granule()));
    EXPECT_EQ(0, read_at(map, 3 * granule()));
    // Across the seam, and lazily.
    std::memset(map.base, 1, 2 * granule());
    ASSERT_OK(acre_mmap_discard(&map, granule(), 2 * granule(), ACRE_DISCARD_LAZY));
    for (size_t i = 0; i < 4; i++)
        EXPECT_EQ(0, read_at(map, i * granule()));
}

TEST(Ring, is_shared_with_the_child_of_a_fork)
{
    Map map, own;
    acre_mmap_opts opts = flags(ACRE_MAP_DONT_FORK);
    ASSERT_OK(acre_mmap_ring(granule(), nullptr, &map));
    ASSERT_OK(acre_mmap_ring(granule(), &opts, &own));
    Ended ended = in_child([&] {
        bytes(map)[granule() + 3] = 3;
        return permissions(own.base).empty() && permissions(bytes(own, granule())).empty() ? 0 : 1;
    });
    EXPECT_EQ(0, ended.code);
    EXPECT_EQ(3, read_at(map, 3));
}

TEST(Ring, takes_a_place_an_alignment_and_demands)
{
    size_t lap = 2 * granule();
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED | no_dump() | ACRE_MAP_LOCKED);
    opts.address = free_address(2 * lap);
    Map map;
    ASSERT_OK(acre_mmap_ring(lap, &opts, &map));
    EXPECT_EQ(opts.address, map.base);
    EXPECT_EQ(ACRE_IS_RING | no_dump() | ACRE_MAP_LOCKED, map.flags);
    for (size_t i = 0; i < 4 && !kOnWindows; i++) {
        EXPECT_TRUE(has_vm_flag(bytes(map, i * granule()), "dd")) << i;
        EXPECT_TRUE(has_vm_flag(bytes(map, i * granule()), "lo")) << i;
    }
    acre_mmap untouched = {};
    expect_refused(-EEXIST, untouched, [&] { return acre_mmap_ring(lap, &opts, &untouched); });

    Map aligned;
    acre_mmap_opts far = {};
    far.alignment = size_t{1} << 24;
    ASSERT_OK(acre_mmap_ring(lap, &far, &aligned));
    EXPECT_EQ(0u, reinterpret_cast<uintptr_t>(aligned.base) % far.alignment);
    bytes(aligned)[1] = 1;
    EXPECT_EQ(1, read_at(aligned, lap + 1));
}

TEST(Ring, replaces_what_is_there_or_what_is_not)
{
    if (!acre_can(ACRE_CAN_REPLACE))
        GTEST_SKIP() << "nothing can be replaced here";
    size_t lap = 2 * granule();
    Map around;
    ASSERT_OK(acre_mmap_anon(2 * lap + 2 * granule(), ACRE_READ_WRITE, nullptr, &around));
    std::memset(around.base, 1, around.size);
    acre_mmap_opts opts = flags(ACRE_MAP_REPLACE | no_dump());
    opts.address = bytes(around, granule());
    acre_mmap ring = {};
    ASSERT_OK(acre_mmap_ring(lap, &opts, &ring));
    EXPECT_EQ(opts.address, ring.base);
    EXPECT_EQ(0, read_at(ring, 0));
    bytes(ring)[lap] = 9;
    EXPECT_EQ(9, read_at(ring, 0));
    EXPECT_EQ(1, bytes(around)[granule() - 1]);
    EXPECT_EQ(1, bytes(around)[around.size - 1]);

    opts.address = free_address(2 * lap);
    Map alone;
    ASSERT_OK(acre_mmap_ring(lap, &opts, &alone));
    EXPECT_EQ(opts.address, alone.base);
    bytes(alone)[lap] = 9;
    EXPECT_EQ(9, read_at(alone, 0));
}

TEST(Ring, shows_its_name_and_a_name_too_long_is_a_wish_not_granted)
{
    if (kOnWindows)
        GTEST_SKIP() << "maps have no names here";
    acre_mmap_opts opts = {};
    opts.name = "samples";
    Map map, other;
    ASSERT_OK(acre_mmap_ring(granule(), &opts, &map));
    EXPECT_TRUE(map.flags & ACRE_GOT_NAME);
    EXPECT_EQ("samples", name_at(map.base));
    std::string endless(1000, 'n');
    opts.name = endless.c_str();
    ASSERT_OK(acre_mmap_ring(granule(), &opts, &other));
    EXPECT_FALSE(other.flags & ACRE_GOT_NAME);
    EXPECT_EQ("acre", name_at(other.base));
}

TEST(Ring, is_neither_cut_nor_joined_nor_committed)
{
    Map map;
    ASSERT_OK(acre_mmap_ring(granule(), nullptr, &map));
    acre_mmap tail = {};
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_split(&map, granule(), &tail); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_commit(&map, 0, granule()); });
    expect_refused(ACRE_BAD_STATE, map, [&] { return acre_mmap_decommit(&map, 0, granule()); });
    expect_refused(ACRE_BAD_SIZE, map, [&] { return acre_mmap_ring(0, nullptr, &map); });
    expect_refused(ACRE_BAD_SIZE, map, [&] { return acre_mmap_ring(SIZE_MAX / 2, nullptr, &map); });
    HalfTaken taken;
    expect_refused(-ENOMEM, map,
                   [&] { return acre_mmap_ring(SIZE_MAX / 4 - granule(), nullptr, &map); });
}

// ---- twin ---------------------------------------------------------------------------------------

TEST(Twin, shows_the_same_pages_to_write_and_to_execute)
{
    int descriptor = free_descriptor();
    Map write, exec;
    ASSERT_OK(acre_mmap_twin(2 * granule() - 1, nullptr, &write, &exec));
    EXPECT_EQ(descriptor, free_descriptor());
    EXPECT_EQ(2 * granule(), write.size);
    EXPECT_EQ(2 * granule(), exec.size);
    EXPECT_EQ("rw-s", permissions(write.base));
    EXPECT_EQ("r-xs", permissions(exec.base));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_IS_TWIN), write.flags);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_IS_TWIN), exec.flags);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_EXEC), exec.access);
    bytes(write)[granule() + 1] = 5;
    EXPECT_EQ(5, read_at(exec, granule() + 1));
    EXPECT_EQ(SIGSEGV, signal_of_write(exec.base));
    expect_refused(ACRE_UNSAFE_FLAG_NEEDED, exec,
                   [&] { return acre_mmap_protect(&exec, 0, exec.size, ACRE_READ_WRITE_EXEC); });
    acre_mmap tail = {};
    expect_refused(ACRE_BAD_STATE, write,
                   [&] { return acre_mmap_split(&write, granule(), &tail); });
}

TEST(Twin, each_is_unmapped_on_its_own)
{
    Map write, exec;
    ASSERT_OK(acre_mmap_twin(granule(), nullptr, &write, &exec));
    bytes(write)[0] = 5;
    ASSERT_OK(acre_mmap_unmap(&write));
    EXPECT_EQ(5, read_at(exec, 0));
}

using Function = int (*)();

// Writes a function that returns `value`; 0 where this test knows no machine code.
size_t write_function(char *at, unsigned char value)
{
#if defined(__x86_64__) || defined(__i386__)
    const unsigned char code[] = {0xb8, value, 0, 0, 0, 0xc3};  // mov eax, value; ret
#elif defined(__aarch64__)
    const uint32_t code[] = {0x52800000u | static_cast<uint32_t>(value) << 5,
                             0xd65f03c0u};  // mov w0, value; ret
#else
    const unsigned char code[] = {0};
    (void)value;
    return 0;
#endif
    std::memcpy(at, code, sizeof code);
    return sizeof code;
}

int generate_and_run()
{
    acre_mmap write = {}, exec = {};
    if (acre_mmap_twin(granule(), nullptr, &write, &exec) != ACRE_OK)
        return -1;
    size_t length = write_function(bytes(write, 64), 42);
    if (length == 0)
        return 42;
    acre_icache_flush(bytes(exec, 64), length);
    int result = reinterpret_cast<Function>(reinterpret_cast<uintptr_t>(bytes(exec, 64)))();
    return acre_mmap_unmap(&write) == ACRE_OK && acre_mmap_unmap(&exec) == ACRE_OK ? result : -1;
}

TEST(Twin, code_written_through_one_runs_in_the_other)
{
    EXPECT_EQ(42, generate_and_run());
}

TEST(Twin, works_where_memory_may_never_become_executable)
{
    enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1 };
    Ended ended = in_child([] {
        if (prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0)
            return 77;
        acre_mmap map = {};
        if (acre_mmap_anon(granule(), ACRE_READ_WRITE, nullptr, &map) != ACRE_OK)
            return 1;
        if (acre_mmap_protect(&map, 0, granule(), ACRE_READ_EXEC) != -EACCES)
            return 2;
        return generate_and_run() == 42 ? 0 : 3;
    });
    ASSERT_TRUE(ended.exited) << "signal " << ended.code;
    if (ended.code == 77)
        GTEST_SKIP() << "this kernel has no PR_SET_MDWE (Linux 6.3)";
    EXPECT_EQ(0, ended.code);
}

TEST(Twin, only_the_executable_one_takes_a_place)
{
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED);
    opts.address = free_address(2 * granule());
    {
        Map write, exec;
        ASSERT_OK(acre_mmap_twin(2 * granule(), &opts, &write, &exec));
        EXPECT_EQ(opts.address, exec.base);
        acre_mmap first = {}, second = {};
        expect_refused(-EEXIST, first,
                       [&] { return acre_mmap_twin(2 * granule(), &opts, &first, &second); });
        EXPECT_TRUE(same(second, acre_mmap{}));
    }
    if (!acre_can(ACRE_CAN_REPLACE))
        GTEST_SKIP() << "nothing can be replaced here";
    opts.flags = ACRE_MAP_REPLACE | no_dump();
    for (int round = 0; round < 2; round++) {
        // The place is free, then taken.
        Map write, exec;
        ASSERT_OK(acre_mmap_twin(2 * granule(), &opts, &write, &exec));
        EXPECT_EQ(opts.address, exec.base);
        if (!kOnWindows) {
            EXPECT_TRUE(has_vm_flag(write.base, "dd"));
            EXPECT_TRUE(has_vm_flag(exec.base, "dd"));
        }
        bytes(write)[granule()] = 4;
        EXPECT_EQ(4, read_at(exec, granule()));
        acre_mmap again = {}, over = {};
        ASSERT_OK(acre_mmap_twin(2 * granule(), &opts, &again, &over));
        EXPECT_EQ(0, read_at(exec, granule()));
        ASSERT_OK(acre_mmap_unmap(&again));
    }
}

TEST(Twin, is_shared_with_the_child_of_a_fork)
{
    Map write, exec;
    ASSERT_OK(acre_mmap_twin(granule(), nullptr, &write, &exec));
    Ended ended = in_child([&] {
        bytes(write)[1] = 1;
        return 0;
    });
    EXPECT_EQ(0, ended.code);
    EXPECT_EQ(1, read_at(exec, 1));
}

TEST(Twin, discard_empties_both)
{
    Map write, exec;
    ASSERT_OK(acre_mmap_twin(2 * granule(), nullptr, &write, &exec));
    std::memset(write.base, 1, write.size);
    ASSERT_OK(acre_mmap_discard(&write, granule(), granule(), ACRE_DISCARD_NOW));
    EXPECT_EQ(1, read_at(exec, 0));
    EXPECT_EQ(0, read_at(exec, granule()));
}

}  // namespace
