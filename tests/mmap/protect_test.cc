// Access: what protect gives is what the kernel enforces, and code can be written and run.
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

#include "acre/icache.h"

using namespace acre_test;

namespace {

TEST(Protect, gives_each_access)
{
    struct {
        uint32_t access;
        const char *shown;
    } table[] = {
        {ACRE_NONE, "---p"},       {ACRE_READ, "r--p"},      {ACRE_WRITE, "rw-p"},
        {ACRE_READ_WRITE, "rw-p"}, {ACRE_READ_EXEC, "r-xp"},
    };
    Map map;
    ASSERT_OK(acre_mmap_anon(3 * page(), ACRE_READ_WRITE, nullptr, &map));
    bytes(map, page())[0] = 3;
    for (const auto &row : table) {
        ASSERT_OK(acre_mmap_protect(&map, page(), page(), row.access));
        EXPECT_EQ(row.shown, permissions(bytes(map, page())));
        EXPECT_EQ("rw-p", permissions(bytes(map)));
        // The map's own access is that of the whole.
        EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), map.access);
    }
    ASSERT_OK(acre_mmap_protect(&map, page(), page(), ACRE_READ));
    EXPECT_EQ(3, bytes(map, page())[0]);
    EXPECT_EQ(SIGSEGV, signal_of_write(bytes(map, page())));
    EXPECT_EQ(0, signal_of_write(bytes(map)));
}

TEST(Protect, of_the_whole_becomes_the_maps_own_access)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(2 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_protect(&map, 0, map.size, ACRE_WRITE));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), map.access);
    ASSERT_OK(acre_mmap_protect(&map, 0, map.size, ACRE_READ));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ), map.access);
    ASSERT_OK(acre_mmap_decommit(&map, 0, page()));
    ASSERT_OK(acre_mmap_commit(&map, 0, page()));
    EXPECT_EQ("r--p", permissions(map.base));
}

TEST(Protect, commits_reserved_pages)
{
    Map map;
    ASSERT_OK(acre_mmap_reserve(2 * page(), ACRE_READ_WRITE, nullptr, &map));
    ASSERT_OK(acre_mmap_protect(&map, 0, page(), ACRE_READ_WRITE));
    EXPECT_TRUE(has_vm_flag(map.base, "ac"));
    bytes(map)[0] = 1;
}

TEST(Protect, writable_and_executable_needs_the_flag)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
    for (uint32_t access : {uint32_t{ACRE_READ_WRITE_EXEC}, uint32_t{ACRE_WRITE | ACRE_EXEC}}) {
        expect_refused(ACRE_UNSAFE_FLAG_NEEDED, map,
                       [&] { return acre_mmap_protect(&map, 0, page(), access); });
        acre_mmap untouched = {};
        expect_refused(ACRE_UNSAFE_FLAG_NEEDED, untouched,
                       [&] { return acre_mmap_anon(page(), access, nullptr, &untouched); });
        expect_refused(ACRE_UNSAFE_FLAG_NEEDED, untouched,
                       [&] { return acre_mmap_reserve(page(), access, nullptr, &untouched); });
    }
    if (!acre_can(ACRE_CAN_JIT))
        GTEST_SKIP() << "this system maps nothing writable and executable";
    Map jit;
    acre_mmap_opts opts = flags(ACRE_MAP_JIT);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE_EXEC, &opts, &jit));
    EXPECT_EQ("rwxp", permissions(jit.base));
}

// Machine code of `int f(void) { return value; }`; its length, 0 for an unknown processor.
size_t write_function(char *at, unsigned char value)
{
#if defined(__x86_64__) || defined(__i386__)
    const unsigned char code[] = {0xb8, value, 0, 0, 0, 0xc3};
#elif defined(__aarch64__)
    uint32_t mov = 0x52800000u | static_cast<uint32_t>(value) << 5;
    uint32_t ret = 0xd65f03c0u;
    unsigned char code[8];
    std::memcpy(code, &mov, 4);
    std::memcpy(code + 4, &ret, 4);
#else
    const unsigned char code[] = {value};
    return 0;
#endif
    std::memcpy(at, code, sizeof code);
    return sizeof code;
}

int call(void *code)
{
    int (*function)(void);
    std::memcpy(&function, &code, sizeof function);
    return function();
}

TEST(Code, written_then_made_executable_runs)
{
    Map map;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
    if (write_function(bytes(map), 42) == 0)
        GTEST_SKIP() << "no machine code for this processor in the test";
    if (!kOnWindows) {
        EXPECT_EQ(SIGSEGV, in_child([&] { return call(map.base); }).code);
    }
    ASSERT_OK(acre_mmap_protect(&map, 0, map.size, ACRE_READ_EXEC));
    EXPECT_EQ(42, call(map.base));
}

TEST(Code, rewritten_in_place_runs_anew_after_a_flush)
{
    if (!acre_can(ACRE_CAN_JIT))
        GTEST_SKIP() << "this system maps nothing writable and executable";
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_JIT);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE_EXEC, &opts, &map));
    for (unsigned char value = 1; value < 100; value++) {
        acre_jit_write(1);
        size_t length = write_function(bytes(map), value);
        acre_jit_write(0);
        if (length == 0)
            GTEST_SKIP() << "no machine code for this processor in the test";
        acre_icache_flush(map.base, length);
        ASSERT_EQ(value, call(map.base));
    }
    acre_icache_flush(map.base, 0);
}

TEST(Protect, a_refusal_by_the_system_changes_nothing)
{
    File file("x");
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    int reader = open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(reader, 0);
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(reader), 0, 1, ACRE_READ, &opts, &map));
    close(reader);
    expect_refused(-EACCES, map, [&] { return acre_mmap_protect(&map, 0, map.size, ACRE_WRITE); });
    EXPECT_EQ("r--s", permissions(map.base));
}

}  // namespace
