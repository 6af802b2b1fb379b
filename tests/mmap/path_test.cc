// Files by their path: what is no file, what is empty, what else the process holds of the file.
#include <csignal>

#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

TEST(MapPath, of_no_regular_file_has_a_status_of_its_own)
{
    File file("f");
    std::string pipe = file.path + ".pipe";
    std::string folder = file.path.substr(0, file.path.rfind('/'));
    ASSERT_EQ(0, mkfifo(pipe.c_str(), 0600));
    acre_mmap untouched = {};
    uint64_t size = 4711;
    for (const std::string &path : {pipe, folder, std::string("/dev/null")}) {
        SCOPED_TRACE(path);
        expect_refused(ACRE_NOT_A_FILE, untouched, [&] {
            return acre_mmap_path(path.c_str(), ACRE_READ, nullptr, &untouched, &size);
        });
        EXPECT_EQ(4711u, size);
    }
    EXPECT_EQ(0, unlink(pipe.c_str()));
    expect_refused(-ENOENT, untouched, [&] {
        return acre_mmap_path(pipe.c_str(), ACRE_READ, nullptr, &untouched, &size);
    });
    EXPECT_EQ(4711u, size);
}

TEST(MapPath, of_an_empty_file_reports_its_size)
{
    File file("");
    acre_mmap untouched = {};
    uint64_t size = 4711;
    expect_refused(ACRE_BAD_SIZE, untouched, [&] {
        return acre_mmap_path(file.path.c_str(), ACRE_READ, nullptr, &untouched, &size);
    });
    EXPECT_EQ(0u, size);
    expect_refused(ACRE_BAD_SIZE, untouched, [&] {
        return acre_mmap_path(file.path.c_str(), ACRE_READ, nullptr, &untouched, nullptr);
    });
}

// Whether a child finds the file's first byte locked.
bool is_locked(int descriptor)
{
    Ended ended = in_child([&] {
        struct flock lock = {};
        lock.l_type = F_WRLCK;
        lock.l_whence = SEEK_SET;
        lock.l_len = 1;
        return fcntl(descriptor, F_GETLK, &lock) != 0 ? 2 : lock.l_type != F_UNLCK;
    });
    EXPECT_TRUE(ended.exited && ended.code != 2);
    return ended.code == 1;
}

bool lock_first_byte(int descriptor)
{
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    return fcntl(descriptor, F_SETLK, &lock) == 0;
}

// The header warns of this and says which call is the way out.
TEST(MapPath, drops_record_locks_and_a_map_of_a_descriptor_keeps_them)
{
    File file(std::string(page(), 'f'));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_TRUE(lock_first_byte(file.descriptor));
    ASSERT_TRUE(is_locked(file.descriptor));
    {
        Map map;
        ASSERT_OK(acre_mmap_file(file.descriptor, 0, page(), ACRE_READ_WRITE, &opts, &map));
        bytes(map)[0] = 'g';
        for (uint32_t how : {ACRE_FLUSH_ASYNC, ACRE_FLUSH_WAIT})
            EXPECT_OK(acre_mmap_flush(&map, 0, page(), how));
    }
    EXPECT_TRUE(is_locked(file.descriptor));
    Map map;
    ASSERT_OK(acre_mmap_path(file.path.c_str(), ACRE_READ, nullptr, &map, nullptr));
    EXPECT_FALSE(is_locked(file.descriptor));
}

#ifdef F_SETLEASE

int leased = -1;

void give_lease_up(int)
{
    (void)fcntl(leased, F_SETLEASE, F_UNLCK);
}

// File servers hold leases; the kernel asks them to give a lease up, and lets the other one wait.
TEST(MapPath, of_a_file_that_somebody_leases_waits_until_that_is_given_up)
{
    File file(std::string(page(), 'f'));
    leased = file.descriptor;
    struct sigaction action = {}, before = {};
    action.sa_handler = give_lease_up;
    action.sa_flags = SA_RESTART;
    ASSERT_EQ(0, sigaction(SIGIO, &action, &before));
    if (fcntl(leased, F_SETLEASE, F_WRLCK) != 0) {
        EXPECT_EQ(0, sigaction(SIGIO, &before, nullptr));
        GTEST_SKIP() << "no lease can be had of this file";
    }
    expect_success(in_child([&] {
        acre_mmap map = {};
        acre_status status = acre_mmap_path(file.path.c_str(), ACRE_READ, nullptr, &map, nullptr);
        return status == ACRE_OK && bytes(map)[0] == 'f' ? 0 : 1;
    }));
    EXPECT_EQ(0, sigaction(SIGIO, &before, nullptr));
}

#endif

}  // namespace
