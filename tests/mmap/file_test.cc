// File maps: what can be mapped, with which access, how far.

#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

// A descriptor that closes with its scope.
struct Descriptor {
    explicit Descriptor(int opened) : file(opened)
    {
    }
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    ~Descriptor()
    {
        if (file >= 0)
            close(file);
    }
    int file;
};

TEST(File, pages_beyond_the_end_are_there_when_the_file_has_grown)
{
    File file("x");
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 2 * granule(), 4 * granule(), ACRE_READ,
                             nullptr, &map));
    EXPECT_EQ(2 * granule(), map.offset);
    EXPECT_EQ(kBeyondFile, signal_of_read(map.base));
    if (kOnWindows)
        GTEST_SKIP() << "a view ends with the file as it was";
    ASSERT_EQ(1, pwrite(file.descriptor, "y", 1, static_cast<off_t>(3 * granule() + 7)));
    EXPECT_EQ(0, bytes(map)[0]);
    EXPECT_EQ('y', bytes(map)[granule() + 7]);
    EXPECT_EQ(0, bytes(map)[granule() + 8]);
    EXPECT_EQ(kBeyondFile, signal_of_read(bytes(map, 2 * granule())));
}

TEST(File, bytes_of_the_last_page_beyond_the_end_never_reach_the_file)
{
    File file("abc");
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 3, ACRE_READ_WRITE, &opts, &map));
    bytes(map)[0] = 'z';
    bytes(map)[3] = 'z';
    ASSERT_OK(acre_mmap_flush(&map, 0, map.size, ACRE_FLUSH_WAIT));
    EXPECT_EQ("zbc", file.content());
}

TEST(File, truncated_pages_raise_sigbus)
{
    File file(std::string(2 * page(), 'f'));
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, 2 * page(), ACRE_READ, nullptr, &map));
    if (ftruncate(file.descriptor, 1) != 0)
        GTEST_SKIP() << "a file that is mapped cannot be cut short";
    EXPECT_EQ(0, signal_of_read(map.base));
    EXPECT_EQ(kBeyondFile, signal_of_read(bytes(map, page())));
}

TEST(File, may_be_closed_and_removed)
{
    Map map;
    {
        File file(std::string(page(), 'f'));
        ASSERT_OK(acre_mmap_file(handle_of(file.descriptor), 0, page(), ACRE_READ, nullptr, &map));
    }
    EXPECT_EQ('f', bytes(map)[page() - 1]);
}

TEST(File, huge_offsets_up_to_the_last)
{
    Descriptor memory(static_cast<int>(syscall(SYS_memfd_create, "sparse", MFD_CLOEXEC)));
    ASSERT_GE(memory.file, 0);
    uint64_t offset = UINT64_C(1) << 40;
    if (sizeof(void *) == 8) {
        ASSERT_EQ(0, ftruncate(memory.file, static_cast<off_t>(offset + page())));
        ASSERT_EQ(1, pwrite(memory.file, "z", 1, static_cast<off_t>(offset)));
        Map map;
        ASSERT_OK(acre_mmap_file(handle_of(memory.file), offset, 1, ACRE_READ, nullptr, &map));
        EXPECT_EQ('z', bytes(map)[0]);
        EXPECT_EQ(offset, map.offset);
    }
    acre_mmap untouched = {};
    uint64_t last = static_cast<uint64_t>(INT64_MAX) + 1 - page();
    for (uint64_t beyond : {last, last + page(), UINT64_MAX - page() + 1})
        expect_refused(ACRE_BAD_RANGE, untouched, [&] {
            return acre_mmap_file(handle_of(memory.file), beyond, 2 * page(), ACRE_READ, nullptr,
                                  &untouched);
        });
}

TEST(File, descriptors_for_writing_only_map_nothing)
{
    File file(std::string(page(), 'f'));
    Descriptor writer(open(file.path.c_str(), O_WRONLY | O_CLOEXEC));
    acre_mmap untouched = {};
    for (uint32_t kind : {0u, uint32_t{ACRE_MAP_SHARED}}) {
        acre_mmap_opts opts = flags(kind);
        for (uint32_t access : {ACRE_NONE, ACRE_READ, ACRE_WRITE})
            expect_refused(-EACCES, untouched, [&] {
                return acre_mmap_file(handle_of(writer.file), 0, page(), access, &opts, &untouched);
            });
    }
}

TEST(File, read_only_descriptors_give_no_shared_write_later)
{
    File file(std::string(page(), 'f'));
    Descriptor reader(open(file.path.c_str(), O_RDONLY | O_CLOEXEC));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map shared, copy;
    ASSERT_OK(acre_mmap_file(handle_of(reader.file), 0, page(), ACRE_READ, &opts, &shared));
    expect_refused(-EACCES, shared,
                   [&] { return acre_mmap_protect(&shared, 0, page(), ACRE_READ_WRITE); });
    EXPECT_EQ("r--s", permissions(shared.base));
    // A copy is the program's own.
    ASSERT_OK(acre_mmap_file(handle_of(reader.file), 0, page(), ACRE_READ, nullptr, &copy));
    ASSERT_OK(acre_mmap_protect(&copy, 0, page(), ACRE_READ_WRITE));
    bytes(copy)[0] = 'w';
    EXPECT_EQ('f', file.content()[0]);
}

// ---- devices and memory files -------------------------------------------------------------------

TEST(File, the_device_of_zeros_is_memory)
{
    if (kOnWindows)
        GTEST_SKIP() << "there is no such device";
    Descriptor zero(open("/dev/zero", O_RDWR | O_CLOEXEC));
    ASSERT_GE(zero.file, 0);
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map copy, shared;
    ASSERT_OK(acre_mmap_file(handle_of(zero.file), 0, 3 * page(), ACRE_READ_WRITE, nullptr, &copy));
    ASSERT_OK(acre_mmap_file(handle_of(zero.file), 0, 3 * page(), ACRE_READ_WRITE, &opts, &shared));
    for (acre_mmap *map : {static_cast<acre_mmap *>(&copy), static_cast<acre_mmap *>(&shared)}) {
        EXPECT_EQ(0, bytes(*map)[2 * page()]);
        bytes(*map)[2 * page()] = 1;
    }
    Ended ended = in_child([&] {
        bytes(copy)[0] = bytes(shared)[0] = 7;
        return 0;
    });
    EXPECT_EQ(0, ended.code);
    EXPECT_EQ(0, bytes(copy)[0]);
    EXPECT_EQ(7, bytes(shared)[0]);
}

TEST(File, devices_that_cannot_be_mapped_are_refused)
{
    acre_mmap untouched = {};
    Descriptor null(open(kOnWindows ? "NUL" : "/dev/null", O_RDWR | O_CLOEXEC));
    ASSERT_GE(null.file, 0);
    expect_refused(-ENODEV, untouched, [&] {
        return acre_mmap_file(handle_of(null.file), 0, page(), ACRE_READ, nullptr, &untouched);
    });
    // The machine's memory has no size, whoever may open it.
    EXPECT_NE(ACRE_OK, acre_mmap_path("/dev/mem", ACRE_READ, nullptr, &untouched, nullptr));
    EXPECT_TRUE(same(untouched, acre_mmap{}));
    int ends[2];
    ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
    Descriptor reading(ends[0]), writing(ends[1]);
    expect_refused(-ENODEV, untouched, [&] {
        return acre_mmap_file(handle_of(reading.file), 0, page(), ACRE_READ, nullptr, &untouched);
    });
    expect_refused(-EBADF, untouched, [&] {
        return acre_mmap_file(handle_of(12345), 0, page(), ACRE_READ, nullptr, &untouched);
    });
}

TEST(File, sealed_memory_files_give_no_shared_write)
{
    Descriptor memory(
        static_cast<int>(syscall(SYS_memfd_create, "sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING)));
    ASSERT_GE(memory.file, 0);
    ASSERT_EQ(static_cast<ssize_t>(2), write(memory.file, "ab", 2));
    ASSERT_EQ(0, fcntl(memory.file, F_ADD_SEALS, F_SEAL_WRITE));
    acre_mmap untouched = {};
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    expect_refused(-EPERM, untouched, [&] {
        return acre_mmap_file(handle_of(memory.file), 0, page(), ACRE_READ_WRITE, &opts,
                              &untouched);
    });
    Map map;
    ASSERT_OK(acre_mmap_file(handle_of(memory.file), 0, page(), ACRE_READ_WRITE, nullptr, &map));
    bytes(map)[0] = 'w';
    EXPECT_EQ('b', bytes(map)[1]);
}

// ---- by path ------------------------------------------------------------------------------------

TEST(FilePath, is_opened_for_writing_only_to_write_to_the_file)
{
    File file(std::string(page() + 1, 'f'));
    ASSERT_EQ(0, chmod(file.path.c_str(), 0400));
    Map copy;
    uint64_t size = 0;
    ASSERT_OK(acre_mmap_path(file.path.c_str(), ACRE_READ_WRITE, nullptr, &copy, &size));
    EXPECT_EQ(page() + 1, size);
    bytes(copy)[0] = 'c';
    EXPECT_EQ('f', file.content()[0]);

    // As a user who may not write the file.
    Ended ended = in_child([&] {
        if (getuid() == 0 && setuid(65534) != 0)
            return 77;
        acre_mmap map = {};
        acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
        acre_status status = acre_mmap_path(file.path.c_str(), ACRE_WRITE, &opts, &map, nullptr);
        return status == -EACCES && map.base == nullptr ? 0 : 1;
    });
    EXPECT_TRUE(ended.exited);
    EXPECT_TRUE(ended.code == 0 || ended.code == 77) << ended.code;

    ASSERT_EQ(0, chmod(file.path.c_str(), 0600));
    Map shared;
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_path(file.path.c_str(), ACRE_WRITE, &opts, &shared, nullptr));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), shared.access);
    bytes(shared)[page()] = 's';
    EXPECT_EQ('s', file.content()[page()]);
}

TEST(FilePath, refused_options_open_nothing)
{
    File file(std::string(page(), 'f'));
    acre_mmap untouched = {};
    for (uint32_t flag :
         {ACRE_MAP_WIPE_ON_FORK, ACRE_MAP_DROPPABLE, ACRE_MAP_NO_RESERVE, ACRE_MAP_LOCK_ON_FAULT}) {
        acre_mmap_opts opts = flags(flag);
        expect_refused(ACRE_BAD_OPTION, untouched, [&] {
            return acre_mmap_path(file.path.c_str(), ACRE_READ, &opts, &untouched, nullptr);
        });
    }
    expect_refused(ACRE_UNSAFE_FLAG_NEEDED, untouched, [&] {
        return acre_mmap_path(file.path.c_str(), ACRE_READ_WRITE_EXEC, nullptr, &untouched,
                              nullptr);
    });
}

}  // namespace
