// What a program does to itself before and while it calls acre: locking all its memory, cancelling
// its threads.  A program of its own, because facts are found out once.

#include <pthread.h>
#include <sys/mman.h>

#include <cerrno>

#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

uint32_t capabilities()
{
    uint32_t found = 0;
    for (int i = 0; i <= ACRE_CAN_PLACE_ON_NODES; i++)
        found |= acre_can(static_cast<acre_capability>(i)) ? uint32_t{1} << i : 0;
    return found;
}

TEST(Process, that_locks_all_it_maps_can_do_the_same)
{
    void *shared = mmap(nullptr, page(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(MAP_FAILED, shared);
    auto *found = static_cast<uint32_t *>(shared);
    Ended plain = in_child([&] {
        found[0] = capabilities();
        return 0;
    });
    Ended locked = in_child([&] {
        if (mlockall(MCL_FUTURE) != 0)
            return 77;
        found[1] = capabilities();
        return 0;
    });
    EXPECT_TRUE(plain.exited);
    EXPECT_TRUE(locked.exited);
    uint32_t one = found[0];
    uint32_t other = found[1];
    EXPECT_EQ(0, munmap(shared, page()));
    if (locked.code == 77)
        GTEST_SKIP() << "this process may not lock all it maps";
    EXPECT_EQ(one, other);
}

#ifndef __ANDROID__  // has no cancellation
void *read_all(void *finished)
{
    acre_system system;
    acre_area area;
    uint64_t count;
    size_t resident;
    Map map;
    EXPECT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, nullptr, &map));
    EXPECT_EQ(0, pthread_cancel(pthread_self()));
    EXPECT_OK(acre_system_read(&system));
    EXPECT_OK(acre_area_at(&map, &area));
    EXPECT_OK(acre_area_count(&count));
    EXPECT_OK(acre_mmap_resident(&map, 0, page(), &resident));
    EXPECT_OK(acre_mmap_unmap(&map));
    *static_cast<bool *>(finished) = true;
    pthread_testcancel();
    return nullptr;
}

TEST(Process, calls_of_a_cancelled_thread_come_to_their_ends)
{
    int descriptor = free_descriptor();
    bool finished = false;
    pthread_t thread;
    void *result = nullptr;
    ASSERT_EQ(0, pthread_create(&thread, nullptr, read_all, &finished));
    ASSERT_EQ(0, pthread_join(thread, &result));
    EXPECT_TRUE(finished);
    EXPECT_EQ(PTHREAD_CANCELED, result);
    EXPECT_EQ(descriptor, free_descriptor());
}
#endif

}  // namespace
