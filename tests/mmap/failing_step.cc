#include "tests/mmap/failing_step.h"

#if defined(__GLIBC__)

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>

using namespace acre_test;

Hidden acre_test::hidden;
Steps acre_test::steps;
Flushed acre_test::flushed;

static bool fails(int usual)
{
    if (!steps.armed || --steps.left != 0)
        return false;
    steps.failed = 1;
    errno = steps.error != 0 ? steps.error : usual;
    return true;
}

extern "C" {

#define WRAP(usual, failure, type, name, parameters, arguments)    \
    type __real_##name parameters;                                 \
    type __wrap_##name parameters;                                 \
    type __wrap_##name parameters                                  \
    {                                                              \
        return fails(usual) ? (failure) : __real_##name arguments; \
    }

void *__real_mmap64(void *a, size_t b, int c, int d, int e, off64_t f);
void *__wrap_mmap64(void *a, size_t b, int c, int d, int e, off64_t f);
void *__wrap_mmap64(void *a, size_t b, int c, int d, int e, off64_t f)
{
    uintptr_t at = reinterpret_cast<uintptr_t>(a);
    if (at != 0 && at < hidden.end && at + b > hidden.start) {
        errno = EEXIST;
        return MAP_FAILED;
    }
    return fails(ENOMEM) ? MAP_FAILED : __real_mmap64(a, b, c, d, e, f);
}
WRAP(ENOMEM, -1, int, mprotect, (void *a, size_t b, int c), (a, b, c))
WRAP(EAGAIN, -1, int, madvise, (void *a, size_t b, int c), (a, b, c))
WRAP(EAGAIN, -1, int, mincore, (void *a, size_t b, unsigned char *c), (a, b, c))
WRAP(EIO, -1, int, msync, (void *a, size_t b, int c), (a, b, c))
WRAP(EIO, -1, ssize_t, read, (int a, void *b, size_t c), (a, b, c))
WRAP(EIO, -1, ssize_t, pread64, (int a, void *b, size_t c, off64_t d), (a, b, c, d))
WRAP(EIO, -1, int, fstat64, (int a, struct stat64 *b), (a, b))
WRAP(EIO, -1, int, fstatfs64, (int a, struct statfs64 *b), (a, b))
WRAP(ENOENT, -1, int, stat64, (const char *a, struct stat64 *b), (a, b))
WRAP(EINVAL, -1, off64_t, lseek64, (int a, off64_t b, int c), (a, b, c))

int __real_ftruncate64(int file, off64_t size);
int __wrap_ftruncate64(int file, off64_t size);
int __wrap_ftruncate64(int file, off64_t size)
{
    if (fails(ENOMEM))
        return -1;
    struct rlimit before;
    if (!steps.lower || getrlimit(RLIMIT_FSIZE, &before) != 0)
        return __real_ftruncate64(file, size);
    struct rlimit low = {0, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &low);
    int result = __real_ftruncate64(file, size);
    int error = errno;
    setrlimit(RLIMIT_FSIZE, &before);
    errno = error;
    return result;
}

int __real_munmap(void *base, size_t size);
int __wrap_munmap(void *base, size_t size);
int __wrap_munmap(void *base, size_t size)
{
    return steps.munmap_too && fails(ENOMEM) ? -1 : __real_munmap(base, size);
}

void __wrap_acre_port_icache_flush(void *start, size_t length);
void __wrap_acre_port_icache_flush(void *start, size_t length)
{
    flushed.emplace_back(start, length);
}

// Variable arguments are passed on as words, as many as the system takes: often more than were
// given, so that AddressSanitizer must not look.
#define WRAP_VARIABLE(usual, failure, type, name, parameter, argument, call)   \
    type __real_##name(parameter, ...);                                        \
    type __wrap_##name(parameter, ...);                                        \
    __attribute__((no_sanitize("address"))) type __wrap_##name(parameter, ...) \
    {                                                                          \
        va_list list;                                                          \
        va_start(list, argument);                                              \
        long word[6];                                                          \
        for (long &each : word)                                                \
            each = va_arg(list, long);                                         \
        va_end(list);                                                          \
        return fails(usual) ? (failure) : __real_##name call;                  \
    }
#define COMMA ,

WRAP_VARIABLE(ENOMEM, -1, long, syscall, long number, number,
              (number, word[0], word[1], word[2], word[3], word[4], word[5]))
WRAP_VARIABLE(EINVAL, -1, int, prctl, int option, option,
              (option, word[0], word[1], word[2], word[3]))
WRAP_VARIABLE(ENOTTY, -1, int, ioctl, int file COMMA unsigned long request, request,
              (file, request, word[0]))
WRAP_VARIABLE(EBUSY, -1, int, fcntl64, int file COMMA int command, command,
              (file, command, word[0]))
WRAP_VARIABLE(EMFILE, -1, int, open64, const char *path COMMA int how, how,
              (path, how, static_cast<mode_t>(word[0])))
WRAP_VARIABLE(ENOMEM, MAP_FAILED, void *, mremap,
              void *base COMMA size_t old_size COMMA size_t size COMMA int how, how,
              (base, old_size, size, (steps.moves += steps.armed && old_size != 0, how), word[0]))
}

namespace acre_test {
namespace {

// ---- what is counted ----------------------------------------------------------------------------

size_t descriptor_count()
{
    size_t count = 0;
    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) != -1;
    return count;
}

struct Counts {
    size_t areas, descriptors;
    bool operator==(const Counts &other) const
    {
        return areas == other.areas && descriptors == other.descriptors;
    }
};

Counts count()
{
    return {area_count(), descriptor_count()};
}

// One run with the n-th call failing; whether there was an n-th call.
bool run(const Scenario &scenario, int n, int error, int munmap_too)
{
    bool failed = false;
    // A sanitizer maps memory of its own now and then; what is left behind is left behind each
    // time.
    int leaks = 1;
    bool even = false;
    for (int round = 0; round < 4 && (leaks != 0 || !even); round++) {
        Counts before = count();
        steps = {0, munmap_too, error, n, 0, 0, 0};
        Call call(munmap_too ? LEFTOVERS_ALLOWED : NOTHING_LEFT);
        scenario(call);
        failed = steps.failed != 0;
        leaks = call.leaks();
        even = munmap_too || before == count();
    }
    EXPECT_EQ(0, leaks) << "areas or descriptors, after the call";
    EXPECT_TRUE(even) << "areas or descriptors, after the scenario";
    return failed;
}

}  // namespace

acre_status Call::operator()(const std::function<acre_status()> &call)
{
    Counts before = count();
    steps.armed = 1;
    errno = 4095;
    acre_status status = call();
    int after = errno;
    steps.armed = 0;
    EXPECT_EQ(4095, after);
    if (status >= 0)
        return status;
    EXPECT_STRNE("UNKNOWN", acre_status_name(status)) << status;
    Counts left = count();
    // Of two moves into one place the first cannot be undone.
    if (allowed_ == NOTHING_LEFT && steps.moves == 0 && !(before == left))
        leaks_++;
    EXPECT_EQ(before.descriptors, left.descriptors);
    return status;
}

void fail_each_step(const std::string &name, const Scenario &scenario)
{
    if (TSAN)
        GTEST_SKIP() << "ThreadSanitizer maps memory of its own, which is counted here";
    // Nothing fails: what is found out once is found out now.
    run(scenario, 0, 0, 0);
    // As each call is known to fail; as a policy refuses; as a kernel that does not know what is
    // asked for; as a signal interrupts.
    for (int error : {0, EPERM, EINVAL, EINTR}) {
        for (int munmap_too : {0, 1}) {
            int n = 1;
            while (n < 1000) {
                SCOPED_TRACE(name + ", step " + std::to_string(n) + ", error " +
                             std::to_string(error) + (munmap_too ? ", munmap too" : ""));
                if (!run(scenario, n, error, munmap_too) || testing::Test::HasFailure())
                    break;
                n++;
            }
            EXPECT_LT(n, 1000);
            EXPECT_TRUE(n > 1 || !munmap_too) << name << ": no call of the system's was led here";
        }
    }
}

}  // namespace acre_test

#endif
