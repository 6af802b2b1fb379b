// Areas of other processes, and views in the child of a fork.
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>

#include "acre/area.h"
#include "mmap/port/memory.h"
#include "tests/mmap/area_view.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
[[maybe_unused]] const int skips_others =
    skip_without([] { return owns_kernel() || sizeof(void *) == 8; },
                 "the emulator's addresses of other processes have 64 bits",
                 "ProcessAreas.of_a_child_are_its_own "
                 "ProcessAreas.a_process_that_ended_is_told_and_never_looks_like_the_end "
                 "ProcessAreas.a_process_that_became_another_program_is_told");

// Each test runs by ioctl and by text.
class ProcessAreas : public EachWay {};

FOR_EACH_WAY(ProcessAreas);

class StaleViews : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override
    {
        if (!GetParam())
            acre_port_pretend_without(ACRE_CAN_WIPE_ON_FORK);
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
};

INSTANTIATE_TEST_SUITE_P(, StaleViews, testing::Bool(), [](const auto &parameter) {
    return parameter.param ? "wiped" : "by_process_id";
});

TEST_P(StaleViews, are_told_in_the_child_of_a_fork)
{
    View view;
    acre_area area;
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    Ended ended = in_child([&] {
        int wrong = 0;
        wrong += acre_areas_next(&view, &area) != ACRE_STALE;
        wrong += acre_areas_seek(&view, 0) != ACRE_STALE;
        wrong += acre_areas_query(&view, 0, &area) != ACRE_STALE;
        acre_areas_close(&view);
        wrong += acre_areas_next(&view, &area) != ACRE_EMPTY_HANDLE;
        return wrong;
    });
    EXPECT_EQ(0, ended.code);
    EXPECT_EQ(1, acre_areas_next(&view, &area));
}

// A child that maps a page, tells its address, and then waits for a word: to exit, or to exec.
class Child {
  public:
    Child()
    {
        int down[2], up[2];
        EXPECT_EQ(0, pipe2(down, O_CLOEXEC));
        EXPECT_EQ(0, pipe2(up, O_CLOEXEC));
        process = fork();
        if (process == 0) {
            close(down[1]);
            close(up[0]);
            acre_mmap map = {};
            char word = 0;
            bool ok = acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map) == ACRE_OK &&
                      write(up[1], &map.base, sizeof map.base) == sizeof map.base &&
                      read(down[0], &word, 1) == 1;
            if (ok && word == 'x') {
                dup2(down[0], 0);  // cat waits for the end of its input
                execl("/bin/cat", "cat", static_cast<char *>(nullptr));
            }
            _exit(0);
        }
        close(down[0]);
        to = down[1];
        from = up[0];
        EXPECT_EQ(static_cast<ssize_t>(sizeof address), read(from, &address, sizeof address));
        close(up[1]);
    }
    Child(const Child &) = delete;
    Child &operator=(const Child &) = delete;
    ~Child()
    {
        end();
        close(from);
    }
    // The end of `from` tells that the child has closed it: by exec, or by its end.
    void say(char word)
    {
        EXPECT_EQ(1, write(to, &word, 1));
        char nothing;
        EXPECT_EQ(0, read(from, &nothing, 1));
    }
    void end()
    {
        if (to != -1) {
            close(to);
            EXPECT_EQ(process, waitpid(process, nullptr, 0));
            to = -1;
        }
    }
    pid_t process;
    uintptr_t address = 0;

  private:
    int to, from;
};

TEST_P(ProcessAreas, of_a_child_are_its_own)
{
    Child child;
    View view(child.process);
    acre_area area;
    ASSERT_OK(acre_areas_query(&view, child.address, &area));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_READ_WRITE), area.access);
    EXPECT_STATUS(ACRE_OK, acre_areas_seek(&view, child.address));
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    EXPECT_LE(area.start, child.address);
    EXPECT_GT(area.end, child.address);
}

// Another program's root may have files that this one's has not.
TEST_P(ProcessAreas, a_file_of_another_mount_that_is_named_as_if_deleted_is_live)
{
    int ends[2], back[2];
    ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
    ASSERT_EQ(0, pipe2(back, O_CLOEXEC));
    uintptr_t addresses[2] = {};
    pid_t child = fork();
    if (child == 0) {
        acre_mmap live = {}, deleted = {};
        char word;
        if (unshare(CLONE_NEWNS) != 0 ||
            mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("tmpfs", "/tmp", "tmpfs", 0, nullptr) != 0)
            _exit(77);
        for (const char *name : {"/tmp/live (deleted)", "/tmp/gone"}) {
            int file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
            if (file == -1 || ftruncate(file, static_cast<off_t>(page())) != 0)
                _exit(1);
        }
        if (acre_mmap_path("/tmp/live (deleted)", ACRE_READ, nullptr, &live, nullptr) != ACRE_OK ||
            acre_mmap_path("/tmp/gone", ACRE_READ, nullptr, &deleted, nullptr) != ACRE_OK ||
            unlink("/tmp/gone") != 0)
            _exit(2);
        addresses[0] = reinterpret_cast<uintptr_t>(live.base);
        addresses[1] = reinterpret_cast<uintptr_t>(deleted.base);
        if (write(back[1], addresses, sizeof addresses) != sizeof addresses)
            _exit(3);
        close(ends[1]);
        _exit(read(ends[0], &word, 1) == 0 ? 0 : 4);
    }
    close(back[1]);
    close(ends[0]);
    ssize_t got = read(back[0], addresses, sizeof addresses);
    if (got == static_cast<ssize_t>(sizeof addresses)) {
        View view(child);
        acre_area area;
        ASSERT_OK(acre_areas_query(&view, addresses[0], &area));
        EXPECT_STREQ("/tmp/live (deleted)", area.path);
        EXPECT_EQ(0u, area.flags & ACRE_AREA_DELETED);
        ASSERT_OK(acre_areas_query(&view, addresses[1], &area));
        EXPECT_STREQ("/tmp/gone", area.path);
        EXPECT_NE(0u, area.flags & ACRE_AREA_DELETED);
        ASSERT_OK(acre_areas_seek(&view, addresses[0]));
        ASSERT_EQ(1, acre_areas_next(&view, &area));
        EXPECT_STREQ("/tmp/live (deleted)", area.path);
        EXPECT_EQ(0u, area.flags & ACRE_AREA_DELETED);
    }
    close(ends[1]);
    close(back[0]);
    int status = 0;
    EXPECT_EQ(child, waitpid(child, &status, 0));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        GTEST_SKIP() << "this process may not mount anything";
    EXPECT_EQ(0, status);
}

TEST_P(ProcessAreas, a_process_that_ended_is_told_and_never_looks_like_the_end)
{
    Child child;
    View view(child.process);
    View queried(child.process);
    acre_area area;
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    child.say('e');
    child.end();
    acre_status status;
    while ((status = acre_areas_next(&view, &area)) == 1) {}
    EXPECT_STATUS(-ESRCH, status);
    EXPECT_STATUS(-ESRCH, acre_areas_query(&queried, child.address, &area));
    EXPECT_STATUS(-ESRCH, acre_areas_seek(&queried, 0));
    acre_areas untouched = {};
    EXPECT_STATUS(-ESRCH, acre_areas_open(child.process, &untouched));
    EXPECT_EQ(0u, untouched.private_[0]);
}

TEST_P(ProcessAreas, a_process_that_became_another_program_is_told)
{
    Child child;
    View view(child.process);
    View queried(child.process);
    acre_area area;
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    child.say('x');
    acre_status status;
    while ((status = acre_areas_next(&view, &area)) == 1) {}
    EXPECT_STATUS(-ESRCH, status);
    EXPECT_STATUS(-ESRCH, acre_areas_query(&queried, child.address, &area));
    // Where this is a 32-bit program, the other may have addresses beyond its own.
    View fresh(child.process);
    status = acre_areas_next(&fresh, &area);
    EXPECT_TRUE(status == 1 || (sizeof(void *) == 4 && status == -EOVERFLOW)) << status;
}

TEST_P(ProcessAreas, a_process_that_may_not_be_read_is_refused)
{
    if (getuid() != 0)
        GTEST_SKIP() << "another user's processes are needed, or the right to give rights up";
    // Without capabilities, a process that may not be dumped is for nobody, not even its child.
    ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 0));
    Ended ended = in_child([] {
        struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
        struct __user_cap_data_struct none[2] = {};
        if (syscall(SYS_capset, &header, none) != 0)
            return 77;
        acre_areas view = {};
        size_t areas = area_count();
        acre_status status = acre_areas_open(getppid(), &view);
        return (status == -EACCES || status == -EPERM) && area_count() == areas ? 0 : 1;
    });
    ASSERT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
    EXPECT_TRUE(ended.exited);
    EXPECT_EQ(0, ended.code);
}

TEST_P(ProcessAreas, there_is_no_such_process)
{
    acre_areas untouched = {};
    size_t areas = area_count();
    EXPECT_STATUS(-ESRCH, acre_areas_open(-1, &untouched));
    EXPECT_STATUS(-ESRCH, acre_areas_open(0x7fffffff, &untouched));
    EXPECT_EQ(areas, area_count());
    EXPECT_EQ(0u, untouched.private_[0]);
}

}  // namespace
