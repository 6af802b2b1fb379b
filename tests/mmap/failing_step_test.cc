// A step that fails half-way leaves nothing behind: of each scenario the first system call fails,
// then the second, and so on until none is left to fail.
//
// The linker leads the library's system calls through the functions below (--wrap, see the BUILD
// file).  Only one call fails in a run, so that what undoes the steps before it works.  munmap has
// tests of its own: where a trial or a border cannot be unmapped, it stays.
#include <features.h>

#if defined(__GLIBC__)

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "acre/area.h"
#include "acre/image.h"
#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE("FailingStep.* HiddenRoom.is_gone_round_by_what_is_mapped_near");

// Addresses that mmap refuses although no area is there, as where an emulator has its own memory.
struct Hidden {
    uintptr_t start, end;
};
Hidden hidden;

// Which call fails, and how.
struct Steps {
    int armed;  // while a call of the library is under way
    int munmap_too;
    int error;  // 0 = that which the call is known for
    int left;   // the call fails when this reaches 0
    int failed;
    int moves;  // how many were done
    int lower;  // a file that is made larger is beyond a limit that is lowered at that very moment
};
Steps steps;

bool fails(int usual)
{
    if (!steps.armed || --steps.left != 0)
        return false;
    steps.failed = 1;
    errno = steps.error != 0 ? steps.error : usual;
    return true;
}

}  // namespace

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
WRAP(ENOMEM, -1, int, mincore, (void *a, size_t b, unsigned char *c), (a, b, c))
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

enum { NOTHING_LEFT, LEFTOVERS_ALLOWED };

/// A call of the library, with its step failing; what it leaves behind when it fails is found here.
class Call {
  public:
    explicit Call(int allowed) : allowed_(allowed)
    {
    }

    /// An out-parameter, `map` or `more`, holds a pattern before.
    acre_status operator()(const std::function<acre_status()> &call)
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

    int leaks() const
    {
        return leaks_;
    }

  private:
    int allowed_;
    int leaks_ = 0;
};

using Scenario = std::function<void(Call &)>;

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

void fail_each_step(const std::string &name, const Scenario &scenario)
{
    if (TSAN)
        GTEST_SKIP() << "ThreadSanitizer maps memory of its own, which is counted here";
    // Nothing fails: what is found out once is found out now.
    run(scenario, 0, 0, 0);
    // As each call is known to fail; as a policy refuses; as a kernel that does not know what is
    // asked for.
    for (int error : {0, EPERM, EINVAL}) {
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

acre_mmap pattern()
{
    acre_mmap map;
    std::memset(&map, 0xa5, sizeof map);
    return map;
}

// ---- creating -----------------------------------------------------------------------------------

using Create = std::function<acre_status(const acre_mmap_opts *, acre_mmap *)>;

void create(const std::string &name, const acre_mmap_opts &opts, const Create &make)
{
    fail_each_step(name, [&](Call &call) {
        acre_mmap map = pattern();
        acre_status status = call([&] { return make(&opts, &map); });
        if (status != ACRE_OK) {
            EXPECT_TRUE(steps.failed) << name_of(status);
            EXPECT_TRUE(same(pattern(), map));
            return;
        }
        EXPECT_OK(acre_mmap_unmap(&map));
    });
}

struct Choice {
    const char *name;
    uint32_t flags;
};
const Choice demands[] = {
    {"plain", 0},
    {"NO_DUMP", ACRE_MAP_NO_DUMP},
    {"NO_DUMP DONT_FORK NO_HUGE", ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_NO_HUGE},
    {"WIPE_ON_FORK", ACRE_MAP_WIPE_ON_FORK},
    {"LOCKED", ACRE_MAP_LOCKED},
    {"LOCKED NO_DUMP POPULATE", ACRE_MAP_LOCKED | ACRE_MAP_NO_DUMP | ACRE_MAP_POPULATE},
    {"LOCK_ON_FAULT", ACRE_MAP_LOCK_ON_FAULT},
    {"POPULATE", ACRE_MAP_POPULATE},
    {"HUGE_TRANSPARENT", ACRE_MAP_HUGE_TRANSPARENT},
    {"DROPPABLE", ACRE_MAP_DROPPABLE},
};

TEST(FailingStep, of_anonymous_memory_and_reservations)
{
    for (Choice each : demands) {
        acre_mmap_opts opts = flags(each.flags);
        for (size_t alignment : {size_t{0}, 64 * page()}) {
            opts.alignment = alignment;
            create(each.name, opts, [](const acre_mmap_opts *with, acre_mmap *out) {
                return acre_mmap_anon(4 * page(), ACRE_READ_WRITE, with, out);
            });
            create(each.name, opts, [](const acre_mmap_opts *with, acre_mmap *out) {
                return acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, with, out);
            });
        }
    }
}

TEST(FailingStep, of_wishes_and_places)
{
    auto anon = [](const acre_mmap_opts *with, acre_mmap *out) {
        return acre_mmap_anon(4 * page(), ACRE_READ_WRITE, with, out);
    };
    acre_mmap_opts opts = flags(ACRE_MAP_NO_DUMP | ACRE_MAP_SHARED);
    create("shared", opts, anon);
    opts = flags(ACRE_MAP_NO_DUMP);
    opts.name = "name";
    opts.node_plus_one = 1;
    create("name and node", opts, anon);
    opts = flags(ACRE_MAP_HUGE_TRANSPARENT | ACRE_MAP_NO_DUMP);
    create("transparent huge pages", opts, [](const acre_mmap_opts *with, acre_mmap *out) {
        return acre_mmap_anon(4 << 20, ACRE_READ_WRITE, with, out);
    });
    opts = flags(ACRE_MAP_NO_DUMP);
    opts.near_address = reinterpret_cast<void *>(0x7000000);
    opts.reach = size_t{1} << 30;
    create("near", opts, anon);
    opts = flags(ACRE_MAP_FIXED | ACRE_MAP_LOCKED);
    opts.address = free_address(4 * page());
    create("fixed", opts, anon);
    acre_system system = {};
    ASSERT_OK(acre_system_read(&system));
    opts = flags(ACRE_MAP_HUGE | ACRE_MAP_NO_DUMP);
    if (system.explicit_huge_free > 0)
        create("huge", opts, anon);
}

TEST(FailingStep, of_what_replaces_pages)
{
    for (Choice each : demands) {
        fail_each_step(each.name, [&](Call &call) {
            acre_mmap old = {}, map = pattern();
            ASSERT_OK(acre_mmap_anon(4 * page(), ACRE_READ_WRITE, nullptr, &old));
            std::memset(old.base, 7, old.size);
            acre_mmap_opts opts = flags(each.flags | ACRE_MAP_REPLACE);
            opts.address = bytes(old, page());
            if (call([&] { return acre_mmap_anon(2 * page(), ACRE_READ_WRITE, &opts, &map); }) !=
                ACRE_OK) {
                EXPECT_TRUE(same(pattern(), map));
                EXPECT_EQ(7, bytes(old)[page()]);
                EXPECT_EQ(7, bytes(old)[3 * page() - 1]);
            } else {
                EXPECT_EQ(0, bytes(map)[0]);
            }
            EXPECT_EQ(7, bytes(old)[0]);
            EXPECT_EQ(7, bytes(old)[3 * page()]);
            EXPECT_OK(acre_mmap_unmap(&old));
        });
    }
}

TEST(FailingStep, of_files)
{
    File file(std::string(4 * page(), 'f'));
    for (uint32_t choice : {0u, uint32_t{ACRE_MAP_SHARED}}) {
        for (uint32_t more :
             {0u, uint32_t{ACRE_MAP_NO_DUMP | ACRE_MAP_LOCKED | ACRE_MAP_POPULATE}}) {
            acre_mmap_opts opts = flags(choice | more);
            create("file", opts, [&](const acre_mmap_opts *with, acre_mmap *out) {
                return acre_mmap_file(file.descriptor, 0, 4 * page(), ACRE_READ_WRITE, with, out);
            });
            create("path", opts, [&](const acre_mmap_opts *with, acre_mmap *out) {
                uint64_t size = 99;
                acre_status status =
                    acre_mmap_path(file.path.c_str(), ACRE_READ_WRITE, with, out, &size);
                EXPECT_EQ(status == ACRE_OK ? 4 * page() : 99, size);
                return status;
            });
        }
    }
    EXPECT_EQ(std::string(4 * page(), 'f'), file.content());
}

TEST(FailingStep, of_rings)
{
    auto ring = [](const acre_mmap_opts *with, acre_mmap *out) {
        return acre_mmap_ring(2 * page(), with, out);
    };
    for (uint32_t choice : {0u, uint32_t{ACRE_MAP_NO_DUMP | ACRE_MAP_LOCKED},
                            uint32_t{ACRE_MAP_POPULATE | ACRE_MAP_DONT_FORK}}) {
        acre_mmap_opts opts = flags(choice);
        create("ring", opts, ring);
        opts.name = "ring";
        opts.alignment = 16 * page();
        create("aligned ring with a name", opts, ring);
        opts = flags(choice | ACRE_MAP_FIXED);
        opts.address = free_address(4 * page());
        create("fixed ring", opts, ring);
    }
}

// A place amid pages, which are the old ones still when a step before the moves has failed.
void replace(const char *name, size_t pages, const Create &make)
{
    for (uint32_t choice : {0u, uint32_t{ACRE_MAP_NO_DUMP},
                            uint32_t{ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_POPULATE}}) {
        fail_each_step(name, [&](Call &call) {
            acre_mmap old = {}, map = pattern();
            ASSERT_OK(acre_mmap_anon((pages + 2) * page(), ACRE_READ_WRITE, nullptr, &old));
            std::memset(old.base, 7, old.size);
            acre_mmap_opts opts = flags(choice | ACRE_MAP_REPLACE);
            opts.address = bytes(old, page());
            if (call([&] { return make(&opts, &map); }) != ACRE_OK) {
                EXPECT_TRUE(same(pattern(), map));
                if (steps.moves == 0) {
                    EXPECT_EQ(7, bytes(old)[page()]);
                    EXPECT_EQ(7, bytes(old)[(pages + 1) * page() - 1]);
                }
            } else {
                EXPECT_EQ(bytes(old, page()), map.base);
            }
            EXPECT_EQ(7, bytes(old)[0]);
            EXPECT_EQ(7, bytes(old)[(pages + 1) * page()]);
            EXPECT_OK(acre_mmap_unmap(&old));
        });
    }
}

TEST(FailingStep, of_rings_and_twins_that_replace_pages)
{
    replace("ring", 4, [](const acre_mmap_opts *with, acre_mmap *out) {
        return acre_mmap_ring(2 * page(), with, out);
    });
    replace("twin", 2, [](const acre_mmap_opts *with, acre_mmap *out) {
        acre_mmap write = pattern();
        acre_status status = acre_mmap_twin(2 * page(), with, &write, out);
        if (status != ACRE_OK) {
            EXPECT_TRUE(same(pattern(), write));
            return status;
        }
        steps.armed = 0;
        EXPECT_OK(acre_mmap_unmap(&write));
        return status;
    });
}

TEST(FailingStep, of_twins)
{
    for (uint32_t choice : {0u, uint32_t{ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK}}) {
        for (size_t reach : {size_t{0}, size_t{1} << 31}) {
            fail_each_step("twin", [&](Call &call) {
                acre_mmap_opts opts = flags(choice);
                opts.name = "twin";
                opts.reach = reach;
                acre_mmap write = pattern(), exec = pattern();
                if (call([&] { return acre_mmap_twin(2 * page(), &opts, &write, &exec); }) !=
                    ACRE_OK) {
                    EXPECT_TRUE(same(pattern(), write) && same(pattern(), exec));
                    return;
                }
                EXPECT_OK(acre_mmap_unmap(&write));
                EXPECT_OK(acre_mmap_unmap(&exec));
            });
        }
    }
}

TEST(FailingStep, of_images)
{
    fail_each_step("begin", [](Call &call) {
        acre_image image = {};
        acre_mmap fill = pattern();
        if (call([&] { return acre_image_begin(2 * page(), &image, &fill); }) != ACRE_OK) {
            EXPECT_EQ(0u, image.size);
            EXPECT_TRUE(same(pattern(), fill));
            return;
        }
        EXPECT_OK(acre_mmap_unmap(&fill));
        EXPECT_OK(acre_image_close(&image));
    });
    fail_each_step("finish, clone, close", [](Call &call) {
        acre_image image = {};
        acre_mmap fill = {}, clone = pattern();
        ASSERT_OK(acre_image_begin(2 * page(), &image, &fill));
        bytes(fill)[0] = 7;
        // Its two steps are one after the other, so what the first has done stays.
        steps.armed = 1;
        acre_status status = acre_image_finish(&image, &fill);
        steps.armed = 0;
        if (status != ACRE_OK) {
            EXPECT_OK(acre_image_finish(&image, &fill));
        }
        EXPECT_TRUE(same(acre_mmap{}, fill));
        acre_mmap_opts opts = flags(ACRE_MAP_LOCKED | ACRE_MAP_NO_DUMP | ACRE_MAP_POPULATE);
        if (call([&] { return acre_image_clone(&image, ACRE_READ_WRITE, &opts, &clone); }) !=
            ACRE_OK) {
            EXPECT_TRUE(same(pattern(), clone));
            ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone));
        }
        EXPECT_EQ(7, bytes(clone)[0]);
        EXPECT_OK(acre_image_close(&image));
        EXPECT_OK(acre_mmap_unmap(&clone));
    });
}

// Under a limit on the size of files, while it lives.
struct NoFiles {
    NoFiles()
    {
        getrlimit(RLIMIT_FSIZE, &before);
        struct rlimit none = {0, before.rlim_max};
        EXPECT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
    }
    ~NoFiles()
    {
        setrlimit(RLIMIT_FSIZE, &before);
    }
    struct rlimit before = {};
};

TEST(FailingStep, of_rings_and_twins_without_a_file)
{
    auto ring = [](const acre_mmap_opts *with, acre_mmap *out) {
        NoFiles no_files;
        return acre_mmap_ring(2 * page(), with, out);
    };
    for (uint32_t choice : {0u, uint32_t{ACRE_MAP_NO_DUMP | ACRE_MAP_LOCKED}}) {
        acre_mmap_opts opts = flags(choice);
        opts.name = "ring";
        create("ring", opts, ring);
        opts.flags |= ACRE_MAP_FIXED;
        opts.address = free_address(4 * page());
        create("fixed ring", opts, ring);
    }
    replace("ring", 4, ring);
    replace("twin", 2, [](const acre_mmap_opts *with, acre_mmap *out) {
        NoFiles no_files;
        acre_mmap write = pattern();
        acre_status status = acre_mmap_twin(2 * page(), with, &write, out);
        if (status != ACRE_OK)
            return status;
        steps.armed = 0;
        EXPECT_OK(acre_mmap_unmap(&write));
        return status;
    });
    fail_each_step("twin", [](Call &call) {
        acre_mmap_opts opts = flags(ACRE_MAP_NO_DUMP);
        acre_mmap write = pattern(), exec = pattern();
        acre_status status = call([&] {
            NoFiles no_files;
            return acre_mmap_twin(2 * page(), &opts, &write, &exec);
        });
        if (status != ACRE_OK) {
            EXPECT_TRUE(same(pattern(), write) && same(pattern(), exec));
            return;
        }
        EXPECT_OK(acre_mmap_unmap(&write));
        EXPECT_OK(acre_mmap_unmap(&exec));
    });
}

// What a file beyond a limit that was lowered after it was read raises; 0 = nothing.
int make_beyond_lowered_limit(bool waits_before)
{
    sigset_t before, after, waiting;
    sigprocmask(SIG_SETMASK, nullptr, &before);
    acre_image image = {};
    acre_mmap map = {};
    steps.lower = 1;
    STEP(1, acre_image_begin(2 * page(), &image, &map) == -EFBIG);
    STEP(2, acre_mmap_ring(2 * page(), nullptr, &map) == ACRE_OK);
    steps.lower = 0;
    STEP(3, acre_mmap_unmap(&map) == ACRE_OK);
    sigprocmask(SIG_SETMASK, nullptr, &after);
    sigpending(&waiting);
    STEP(4, sigismember(&before, SIGXFSZ) == sigismember(&after, SIGXFSZ));
    STEP(5, sigismember(&waiting, SIGXFSZ) == (waits_before ? 1 : 0));
    return 0;
}

TEST(FailingStep, a_limit_that_is_lowered_meanwhile_raises_no_signal)
{
    expect_success(in_child([] { return make_beyond_lowered_limit(false); }));
    expect_success(in_child([] {
        signal(SIGXFSZ, SIG_IGN);
        return make_beyond_lowered_limit(false);
    }));
    // One that waits already is the program's.
    expect_success(in_child([] {
        sigset_t own;
        sigemptyset(&own);
        sigaddset(&own, SIGXFSZ);
        sigprocmask(SIG_BLOCK, &own, nullptr);
        raise(SIGXFSZ);
        return make_beyond_lowered_limit(true);
    }));
}

// ---- changing -----------------------------------------------------------------------------------

using Change = std::function<acre_status(acre_mmap *)>;

// Of a map that `make` makes: when the change fails the handle is as before, and where `keeps` so
// are the contents.
enum { KEEPS, MAY_LOSE };
void change(const std::string &name, const std::function<acre_status(acre_mmap *)> &make, int keeps,
            const Change &what)
{
    fail_each_step(name, [&](Call &call) {
        acre_mmap map = {};
        ASSERT_OK(make(&map));
        acre_mmap before = map;
        std::string access = permissions(map.base);
        bool filled = access[1] == 'w';
        if (filled)
            std::memset(map.base, 7, page());
        if (call([&] { return what(&map); }) < 0) {
            // What was found out about guards may be noted, and what may have been done to a part.
            EXPECT_EQ(before.base, map.base);
            EXPECT_EQ(before.size, map.size);
            EXPECT_EQ(before.access, map.access);
            EXPECT_EQ(before.flags, map.flags);
            EXPECT_EQ(access, permissions(map.base));
            if (filled && keeps == KEEPS) {
                EXPECT_EQ(7, bytes(map)[page() - 1]);
            }
        }
        EXPECT_OK(acre_mmap_unmap(&map));
    });
}

std::function<acre_status(acre_mmap *)> anon_with(uint32_t choice)
{
    return [choice](acre_mmap *out) {
        acre_mmap_opts opts = flags(choice);
        return acre_mmap_anon(4 * page(), ACRE_READ_WRITE, &opts, out);
    };
}

std::function<acre_status(acre_mmap *)> reserve_with(uint32_t choice)
{
    return [choice](acre_mmap *out) {
        acre_mmap_opts opts = flags(choice);
        return acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, &opts, out);
    };
}

const uint32_t kept[] = {0,
                         ACRE_MAP_NO_DUMP,
                         ACRE_MAP_NO_DUMP | ACRE_MAP_DONT_FORK | ACRE_MAP_NO_HUGE,
                         ACRE_MAP_LOCKED,
                         ACRE_MAP_LOCK_ON_FAULT | ACRE_MAP_WIPE_ON_FORK,
                         ACRE_MAP_POPULATE | ACRE_MAP_NO_DUMP,
                         ACRE_MAP_HUGE_TRANSPARENT};

TEST(FailingStep, of_a_commit)
{
    for (uint32_t choice : kept) {
        change("commit", reserve_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_commit(map, 0, map->size); });
        change("commit_as", reserve_with(choice), KEEPS, [](acre_mmap *map) {
            return acre_mmap_commit_as(map, 0, 2 * page(), ACRE_READ_EXEC);
        });
        change("protect", reserve_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_protect(map, 0, map->size, ACRE_READ); });
        change("protect", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_protect(map, 0, map->size, ACRE_READ); });
    }
}

TEST(FailingStep, of_a_commit_over_areas)
{
    // Reserved pages that advice has made areas of are committed together or not at all.
    fail_each_step("commit", [](Call &call) {
        acre_mmap map = {};
        ASSERT_OK(reserve_with(ACRE_MAP_LOCKED)(&map));
        ASSERT_OK(acre_mmap_advise(&map, page(), page(), ACRE_ADVISE_NO_DUMP));
        if (call([&] { return acre_mmap_commit(&map, 0, map.size); }) != ACRE_OK) {
            for (size_t i = 0; i < 4; i++)
                EXPECT_EQ("---p", permissions(bytes(map, i * page())));
        }
        EXPECT_OK(acre_mmap_unmap(&map));
    });
}

TEST(FailingStep, of_a_decommit)
{
    for (uint32_t choice : kept) {
        change("decommit", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_decommit(map, 0, map->size); });
        change("decommit of a part", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_decommit(map, 0, 2 * page()); });
    }
}

TEST(FailingStep, of_resizing)
{
    for (uint32_t choice : kept) {
        for (size_t pages : {size_t{2}, size_t{9}}) {
            change("resize", anon_with(choice), KEEPS, [=](acre_mmap *map) {
                return acre_mmap_resize(map, pages * page(), ACRE_RESIZE_IN_PLACE);
            });
            change("resize", anon_with(choice), KEEPS, [=](acre_mmap *map) {
                return acre_mmap_resize(map, pages * page(), ACRE_RESIZE_MAY_MOVE);
            });
            change("resize", reserve_with(choice), KEEPS, [=](acre_mmap *map) {
                return acre_mmap_resize(map, pages * page(), ACRE_RESIZE_MAY_MOVE);
            });
        }
        change("resize to huge pages", anon_with(choice), KEEPS, [=](acre_mmap *map) {
            return acre_mmap_resize(map, 4 << 20, ACRE_RESIZE_MAY_MOVE);
        });
    }
    File file(std::string(9 * page(), 'f'));
    for (uint32_t choice : {0u, uint32_t{ACRE_MAP_SHARED}}) {
        for (size_t pages : {size_t{2}, size_t{9}}) {
            auto make = [&](acre_mmap *map) {
                acre_mmap_opts opts = flags(choice | ACRE_MAP_NO_DUMP);
                return acre_mmap_file(file.descriptor, 0, 4 * page(), ACRE_READ_WRITE, &opts, map);
            };
            change("resize a file", make, KEEPS, [=](acre_mmap *map) {
                return acre_mmap_resize(map, pages * page(), ACRE_RESIZE_MAY_MOVE);
            });
        }
    }
}

TEST(FailingStep, of_guarding)
{
    const uint32_t choices[] = {0, ACRE_MAP_NO_DUMP, ACRE_MAP_LOCKED, ACRE_MAP_SHARED};
    for (int markers : {1, 0}) {
        if (!markers)
            acre_port_pretend_without(ACRE_CAN_GUARD_WITH_MARKERS);
        for (uint32_t choice : choices) {
            change("guard", anon_with(choice), MAY_LOSE,
                   [](acre_mmap *map) { return acre_mmap_guard(map, 0, page()); });
            fail_each_step("unguard", [&](Call &call) {
                acre_mmap map = {};
                ASSERT_OK(anon_with(choice)(&map));
                ASSERT_OK(acre_mmap_guard(&map, 0, page()));
                if (call([&] { return acre_mmap_unguard(&map, 0, page()); }) != ACRE_OK) {
                    EXPECT_FALSE(readable(map.base));
                } else {
                    EXPECT_EQ(0, bytes(map)[0]);
                }
                EXPECT_OK(acre_mmap_unmap(&map));
            });
        }
    }
    acre_port_pretend_nothing();
}

TEST(FailingStep, of_contents_and_residency)
{
    const uint32_t choices[] = {0, ACRE_MAP_LOCKED, ACRE_MAP_SHARED,
                                ACRE_MAP_SHARED | ACRE_MAP_LOCKED};
    for (uint32_t choice : choices) {
        for (uint32_t when : {ACRE_DISCARD_NOW, ACRE_DISCARD_LAZY}) {
            change("discard", anon_with(choice), MAY_LOSE,
                   [=](acre_mmap *map) { return acre_mmap_discard(map, 0, map->size, when); });
        }
        change("populate", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_populate(map, 0, map->size); });
        // A lock that fails leaves the range unlocked, also where it was locked before.
        if ((choice & ACRE_MAP_LOCKED) == 0) {
            change("lock", anon_with(choice), KEEPS,
                   [](acre_mmap *map) { return acre_mmap_lock(map, 0, map->size); });
            change("lock on fault", anon_with(choice), KEEPS,
                   [](acre_mmap *map) { return acre_mmap_lock_on_fault(map, 1, page()); });
        }
        change("unlock", anon_with(choice), KEEPS,
               [](acre_mmap *map) { return acre_mmap_unlock(map, 0, map->size); });
        for (acre_advice advice : {ACRE_ADVISE_NO_DUMP, ACRE_ADVISE_DONT_FORK, ACRE_ADVISE_RANDOM,
                                   ACRE_ADVISE_COLLAPSE}) {
            change("advise", anon_with(choice), KEEPS,
                   [=](acre_mmap *map) { return acre_mmap_advise(map, 0, map->size, advice); });
        }
    }
    File file(std::string(4 * page(), 'f'));
    change(
        "flush",
        [&](acre_mmap *map) {
            acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
            return acre_mmap_file(file.descriptor, 0, 4 * page(), ACRE_READ_WRITE, &opts, map);
        },
        KEEPS, [](acre_mmap *map) { return acre_mmap_flush(map, 0, map->size, ACRE_FLUSH_WAIT); });
}

TEST(FailingStep, of_discarding_many)
{
    fail_each_step("discard_many", [](Call &call) {
        acre_mmap map = {};
        ASSERT_OK(acre_mmap_anon(300 * page(), ACRE_READ_WRITE, nullptr, &map));
        std::memset(map.base, 7, map.size);
        std::vector<acre_range> ranges;
        for (size_t i = 0; i < 150; i++)
            ranges.push_back({bytes(map, 2 * i * page()), page()});
        size_t done = 999;
        acre_status status =
            call([&] { return acre_discard_many(ranges.data(), 150, ACRE_DISCARD_NOW, &done); });
        EXPECT_EQ(status == ACRE_OK, done == 150) << done;
        for (size_t i = 0; i < done && i < 150; i++)
            ASSERT_EQ(0, *static_cast<char *>(ranges[i].base)) << i;
        for (size_t i = 0; i < 150; i++)
            ASSERT_EQ(7, bytes(map)[(2 * i + 1) * page()]) << i;
        EXPECT_OK(acre_mmap_unmap(&map));
    });
}

// ---- looking ------------------------------------------------------------------------------------

TEST(FailingStep, of_looking_at_one_map)
{
    fail_each_step("resident", [](Call &call) {
        Map map;
        ASSERT_OK(anon_with(0)(&map));
        bytes(map)[0] = 7;
        size_t present = 99;
        acre_status status = call([&] { return acre_mmap_resident(&map, 0, map.size, &present); });
        EXPECT_EQ(status == ACRE_OK ? page() : 99, present);
    });
    fail_each_step("merge of files", [](Call &call) {
        File file(std::string(2 * page(), 'f'));
        Map map, tail;
        ASSERT_OK(acre_mmap_file(file.descriptor, 0, 2 * page(), ACRE_READ, nullptr, &map));
        ASSERT_OK(acre_mmap_split(&map, page(), &tail));
        acre_mmap first = map, second = tail;
        if (call([&] { return acre_mmap_merge(&map, &tail); }) != ACRE_OK) {
            EXPECT_TRUE(same(first, map) && same(second, tail));
        }
    });
}

void look_around()
{
    fail_each_step("area_at", [](Call &call) {
        acre_area area = {};
        area.inode = 99;
        if (call([&] { return acre_area_at(&steps, &area); }) != ACRE_OK) {
            EXPECT_EQ(99u, area.inode);
        } else {
            EXPECT_LE(area.start, reinterpret_cast<uintptr_t>(&steps));
        }
    });
    fail_each_step("area_count", [](Call &call) {
        uint64_t areas = 99;
        if (call([&] { return acre_area_count(&areas); }) != ACRE_OK) {
            EXPECT_EQ(99u, areas);
        }
    });
    fail_each_step("open", [](Call &call) {
        acre_areas view;
        std::memset(&view, 0xa5, sizeof view);
        acre_areas before = view;
        if (call([&] { return acre_areas_open(0, &view); }) != ACRE_OK) {
            EXPECT_EQ(0, std::memcmp(&before, &view, sizeof view));
        } else {
            acre_areas_close(&view);
        }
    });
    fail_each_step("next, seek, query", [](Call &call) {
        acre_areas view = {};
        acre_area area = {};
        ASSERT_OK(acre_areas_open(0, &view));
        acre_status status;
        do {
            acre_area untouched = area;
            status = call([&] { return acre_areas_next(&view, &area); });
            if (status < 0) {
                EXPECT_EQ(0, std::memcmp(&untouched, &area, sizeof area));
            }
        } while (status == 1);
        uintptr_t here = reinterpret_cast<uintptr_t>(&steps);
        if (call([&] { return acre_areas_seek(&view, here); }) == ACRE_OK &&
            call([&] { return acre_areas_next(&view, &area); }) == 1) {
            EXPECT_TRUE(area.start <= here && here < area.end);
        }
        if (call([&] { return acre_areas_query(&view, here, &area); }) == ACRE_OK) {
            EXPECT_TRUE(area.start <= here && here < area.end);
        }
        acre_areas_close(&view);
    });
}

TEST(FailingStep, of_looking_at_areas)
{
    look_around();
    acre_port_pretend_without(ACRE_CAN_QUERY_IN_CONSTANT_TIME);
    look_around();
    acre_port_pretend_nothing();
}

TEST(FailingStep, of_looking_at_the_system)
{
    fail_each_step("system_read", [](Call &call) {
        acre_system system = {};
        system.reserved[0] = 99;
        if (call([&] { return acre_system_read(&system); }) != ACRE_OK) {
            EXPECT_EQ(99u, system.reserved[0]);
        }
    });
}

// A map near the middle of free addresses of which some are hidden on both sides of it.
acre_status map_near_hidden(size_t bytes_hidden, acre_mmap *out, uintptr_t *middle)
{
    const size_t reach = 32 << 20;
    acre_mmap room = {};
    EXPECT_OK(acre_mmap_reserve(2 * reach, ACRE_READ_WRITE, nullptr, &room));
    acre_mmap_opts opts = {};
    opts.near_address = bytes(room, reach);
    opts.reach = reach;
    *middle = reinterpret_cast<uintptr_t>(opts.near_address);
    EXPECT_OK(acre_mmap_unmap(&room));
    hidden = {*middle - bytes_hidden, *middle + bytes_hidden};
    acre_status status = acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, out);
    hidden = {};
    return status;
}

TEST(HiddenRoom, is_gone_round_by_what_is_mapped_near)
{
    const size_t some = 1 << 20;
    uintptr_t middle = 0;
    Map map;
    ASSERT_OK(map_near_hidden(some, &map, &middle));
    uintptr_t base = reinterpret_cast<uintptr_t>(map.base);
    EXPECT_TRUE(base + page() <= middle - some || base >= middle + some);
    EXPECT_LE(base < middle ? middle - base : base - middle, 8 * some);
}

TEST(HiddenRoom, all_within_reach_is_refused)
{
    uintptr_t middle = 0;
    acre_mmap untouched = {};
    EXPECT_STATUS(-ENOMEM, map_near_hidden(64 << 20, &untouched, &middle));
    EXPECT_TRUE(same(untouched, acre_mmap{}));
}

}  // namespace

#else

#include <gtest/gtest.h>

TEST(FailingStep, is_led_here_by_the_names_of_glibc)
{
    GTEST_SKIP() << "the calls of this C library have other names";
}

#endif
