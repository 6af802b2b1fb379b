// Parts of one reservation, committed and decommitted by address and by several threads at once.
#include <atomic>
#include <thread>
#include <vector>

#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_EMULATED("an emulator is slow at changing areas", "Parts.*");

const size_t kThreads = 4;
const size_t kPages = 64;  // each an area of its own at times

// What an allocator's hooks do, which know an address and a length.
acre_status commit_at(const acre_mmap &map, const char *at, size_t length)
{
    acre_mmap all;
    acre_status status =
        acre_mmap_adopt(map.base, map.size, map.page_size, map.access, map.flags, &all);
    return status == ACRE_OK ? acre_mmap_commit(&all, static_cast<size_t>(at - bytes(map)), length)
                             : status;
}

acre_status decommit_at(const acre_mmap &map, const char *at, size_t length)
{
    acre_mmap all;
    acre_status status =
        acre_mmap_adopt(map.base, map.size, map.page_size, map.access, map.flags, &all);
    return status == ACRE_OK
               ? acre_mmap_decommit(&all, static_cast<size_t>(at - bytes(map)), length)
               : status;
}

// Takes the pages `first`, `first` + kThreads, … through their states; returns what went wrong.
int use_every_fourth(const acre_mmap &map, size_t first)
{
    int wrong = 0;
    for (size_t round = 0; round < rounds(20); round++) {
        for (size_t i = first; i < kPages; i += kThreads) {
            char *at = bytes(map, i * map.page_size);
            if (commit_at(map, at, map.page_size) != ACRE_OK)
                return -1;
            // Fresh, whatever the neighbours do.
            wrong += at[0] != 0 || at[map.page_size - 1] != 0;
            std::memset(at, static_cast<int>(i + 1), map.page_size);
        }
        for (size_t i = first; i < kPages; i += kThreads) {
            char *at = bytes(map, i * map.page_size);
            wrong += at[0] != static_cast<char>(i + 1) ||
                     at[map.page_size - 1] != static_cast<char>(i + 1);
            if (decommit_at(map, at, map.page_size) != ACRE_OK)
                return -1;
        }
    }
    // Every second one of these stays.
    for (size_t i = first; i < kPages; i += 2 * kThreads) {
        char *at = bytes(map, i * map.page_size);
        if (commit_at(map, at, map.page_size) != ACRE_OK)
            return -1;
        at[0] = static_cast<char>(i + 1);
    }
    return wrong;
}

TEST(Parts, of_one_reservation_are_committed_by_address_from_many_threads)
{
    for (uint32_t choice : {0u, no_dump(), uint32_t{ACRE_MAP_HUGE_TRANSPARENT}}) {
        acre_mmap_opts opts = flags(choice);
        acre_mmap map = {};
        ASSERT_OK(acre_mmap_reserve(kPages * page(), ACRE_READ_WRITE, &opts, &map));
        std::atomic<int> wrong{0};
        std::vector<std::thread> threads;
        for (size_t first = 0; first < kThreads; first++)
            threads.emplace_back([&, first] { wrong += use_every_fourth(map, first) != 0; });
        for (std::thread &thread : threads)
            thread.join();
        EXPECT_EQ(0, wrong);
        for (size_t i = 0; i < kPages; i++) {
            char *at = bytes(map, i * page());
            bool stays = i % (2 * kThreads) < kThreads;
            EXPECT_EQ(stays ? "rw-p" : "---p", permissions(at)) << i;
            if (stays) {
                EXPECT_EQ(static_cast<char>(i + 1), at[0]);
            }
        }
        // The first handle is good for one thing.
        const char *last = bytes(map, (kPages - 1) * page());
        ASSERT_OK(acre_mmap_unmap(&map));
        EXPECT_TRUE(is_gone(last));
    }
}

}  // namespace
