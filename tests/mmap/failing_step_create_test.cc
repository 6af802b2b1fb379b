// Each step of making a map, ring, twin or image fails once.
#include "tests/mmap/failing_step.h"

#if defined(__GLIBC__)

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "acre/image.h"
#include "mmap/port/memory.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE("FailingStep.*");

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

}  // namespace

#else

#include <gtest/gtest.h>

TEST(FailingStep, of_creating_is_led_here_by_the_names_of_glibc)
{
    GTEST_SKIP() << "the calls of this C library have other names";
}

#endif
