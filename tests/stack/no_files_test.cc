// Stacks need no files: they are made where no descriptor is free, and where the system shows no
// files of its own.
#include <cerrno>
#include <cstddef>
#include <vector>

#include "acre/stack_overflow.h"
#include "tests/stack/guards.h"
#include "tests/stack/pool.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#endif

using namespace acre_test;

namespace {

class NoFiles : public EachGuard {};

bool take_descriptors()
{
    struct rlimit none = {0, 0};
    return setrlimit(RLIMIT_NOFILE, &none) == 0 && open(".", O_RDONLY) == -1 && errno == EMFILE;
}

// In a child that has no stack yet, not even one of its parent's.
int use_everything()
{
    acre_stack single;
    STEP(2, acre_stack_create(65536, nullptr, &single) == ACRE_OK);
    acre_stack_pool *pool;
    STEP(3, acre_stack_pool_create(nullptr, &pool) == ACRE_OK);
    // More than areas are counted for at once.
    std::vector<acre_stack> stacks(2500);
    for (acre_stack &stack : stacks)
        STEP(4, acre_stack_pool_take(pool, &stack) == ACRE_OK);
    STEP(5, acre_stack_overflow_install(
                [](const acre_stack_info *, const void *, const void *, void *) {}, nullptr) ==
                ACRE_OK);
    STEP(6, acre_stack_overflow_remove() == ACRE_OK);
    STEP(7, acre_stack_overflow_thread_leave() == ACRE_OK);
    for (const acre_stack &stack : stacks)
        STEP(8, acre_stack_pool_give(pool, &stack) == ACRE_OK);
    STEP(9, acre_stack_pool_trim(pool, 0) == ACRE_OK);
    STEP(10, acre_stack_pool_destroy(pool) == ACRE_OK);
    STEP(11, acre_stack_destroy(&single) == ACRE_OK);
    return 0;
}

TEST_P(NoFiles, without_a_free_descriptor)
{
    need_fork();
    Ended ended = in_child([] { return take_descriptors() ? use_everything() : 77; });
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "descriptors are not limited here";
    expect_success(ended);
}

TEST_P(NoFiles, where_files_may_have_no_size)
{
    need_fork();
    if (!owns_kernel())
        GTEST_SKIP() << "the emulator writes files of its own";
    expect_success(in_child([] {
        struct rlimit none = {0, 0};
        STEP(1, setrlimit(RLIMIT_FSIZE, &none) == 0);
        return use_everything();
    }));
}

TEST_P(NoFiles, after_the_pool_was_made_with_files)
{
    need_fork();
    Ended ended = in_child([] {
        acre_stack_pool *pool;
        STEP(2, acre_stack_pool_create(nullptr, &pool) == ACRE_OK);
        if (!take_descriptors())
            return 77;
        std::vector<acre_stack> stacks(2500);
        for (acre_stack &stack : stacks)
            STEP(3, acre_stack_pool_take(pool, &stack) == ACRE_OK);
        return 0;
    });
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "descriptors are not limited here";
    expect_success(ended);
}

#ifdef __linux__
// From here on there is no file that this process could open.
bool hide_files()
{
#ifndef SYS_open
#define SYS_open SYS_openat
#endif
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOENT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 && open("/", O_RDONLY) == -1 &&
           errno == ENOENT;
}

TEST_P(NoFiles, without_the_systems_own)
{
    Ended ended = in_child([] { return hide_files() ? use_everything() : 77; });
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "calls are not filtered here";
    expect_success(ended);
}
#endif

FOR_EACH_GUARD(NoFiles);

}  // namespace
