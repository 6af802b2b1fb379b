// Images and clones: immutable by the kernel's word, shared until written, reset by discard.
#include "acre/image.h"

#include <dirent.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_WITHOUT_ADVICE("Image.* Clone.*");

// Filled with a byte for each page: 1, 2, 3, …
struct Image : acre_image {
    explicit Image(size_t pages) : acre_image()
    {
        acre_mmap fill = {};
        EXPECT_OK(acre_image_begin(pages * page(), this, &fill));
        for (size_t i = 0; i < pages; i++)
            std::memset(bytes(fill, i * page()), static_cast<int>(i + 1), page());
        EXPECT_OK(acre_image_finish(this, &fill));
        EXPECT_TRUE(same(fill, acre_mmap{}));
    }
    Image(const Image &) = delete;
    Image &operator=(const Image &) = delete;
    ~Image()
    {
        EXPECT_OK(acre_image_close(this));
    }
};

// The descriptors of this process that lead to an image.
std::vector<int> image_descriptors()
{
    std::vector<int> found;
    DIR *entries = opendir("/proc/self/fd");
    for (struct dirent *entry; entries != nullptr && (entry = readdir(entries)) != nullptr;) {
        char target[256] = "";
        std::string path = std::string("/proc/self/fd/") + entry->d_name;
        if (readlink(path.c_str(), target, sizeof target - 1) > 0 &&
            std::strstr(target, "acre image") != nullptr)
            found.push_back(std::atoi(entry->d_name));
    }
    if (entries != nullptr)
        closedir(entries);
    return found;
}

TEST(Image, is_filled_finished_and_cloned)
{
    acre_image image = {};
    acre_mmap fill = {}, clone = {};
    ASSERT_OK(acre_image_begin(3 * page() - 1, &image, &fill));
    EXPECT_EQ(3 * page(), image.size);
    EXPECT_EQ(3 * page(), fill.size);
    EXPECT_EQ(0, bytes(fill)[0]);
    EXPECT_STATUS(ACRE_BAD_STATE, acre_image_clone(&image, ACRE_READ, nullptr, &clone));
    bytes(fill)[2 * page()] = 5;
    ASSERT_OK(acre_image_finish(&image, &fill));
    EXPECT_STATUS(ACRE_BAD_STATE, acre_image_finish(&image, &fill));
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone));
    EXPECT_EQ(3 * page(), clone.size);
    EXPECT_EQ(static_cast<uint32_t>(ACRE_IS_CLONE), clone.flags);
    EXPECT_EQ(5, bytes(clone)[2 * page()]);
    EXPECT_EQ("rw-p", permissions(clone.base));
    ASSERT_OK(acre_image_close(&image));
    EXPECT_EQ(0u, image.size);
    ASSERT_OK(acre_image_close(&image));
    EXPECT_TRUE(image_descriptors().empty());
    // The clone lives on.
    EXPECT_EQ(5, bytes(clone)[2 * page()]);
    bytes(clone)[0] = 9;
    ASSERT_OK(acre_mmap_discard(&clone, 0, page(), ACRE_DISCARD_NOW));
    EXPECT_EQ(0, bytes(clone)[0]);
    ASSERT_OK(acre_mmap_unmap(&clone));
}

TEST(Image, is_sealed_by_the_kernel)
{
    if (!acre_can(ACRE_CAN_SEAL_IMAGES))
        GTEST_SKIP() << "this system cannot seal images";
    Image image(2);
    std::vector<int> descriptors = image_descriptors();
    ASSERT_EQ(1u, descriptors.size());
    int file = descriptors[0];
    int wanted = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    EXPECT_EQ(wanted, fcntl(file, F_GET_SEALS) & wanted);
    EXPECT_TRUE(fcntl(file, F_GETFD) & FD_CLOEXEC);
    EXPECT_EQ(-1, pwrite(file, "x", 1, 0));
    EXPECT_EQ(EPERM, errno);
    EXPECT_EQ(-1, ftruncate(file, 0));
    EXPECT_EQ(MAP_FAILED, mmap(nullptr, page(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
}

TEST(Image, the_fill_map_is_absent_in_the_child_of_a_fork)
{
    acre_image image = {};
    acre_mmap fill = {};
    ASSERT_OK(acre_image_begin(page(), &image, &fill));
    // A child that lives on does not keep the image from being sealed.
    int ends[2];
    ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
    pid_t child = fork();
    if (child == 0) {
        char word;
        close(ends[1]);
        _exit(read(ends[0], &word, 1) == 0 && permissions(fill.base).empty() ? 0 : 1);
    }
    EXPECT_OK(acre_image_finish(&image, &fill));
    close(ends[0]);
    close(ends[1]);
    int status = -1;
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(0, WEXITSTATUS(status));
    ASSERT_OK(acre_image_close(&image));
}

TEST(Image, that_something_can_still_write_is_busy_and_finishes_later)
{
    acre_image image = {};
    acre_mmap fill = {}, clone = {};
    ASSERT_OK(acre_image_begin(2 * page(), &image, &fill));
    std::vector<int> descriptors = image_descriptors();
    ASSERT_EQ(1u, descriptors.size());
    void *other = mmap(nullptr, page(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptors[0], 0);
    ASSERT_NE(MAP_FAILED, other);
    bytes(fill)[0] = 3;
    EXPECT_STATUS(-EBUSY, acre_image_finish(&image, &fill));
    EXPECT_TRUE(same(fill, acre_mmap{}));
    EXPECT_STATUS(-EBUSY, acre_image_finish(&image, &fill));
    EXPECT_STATUS(ACRE_BAD_STATE, acre_image_clone(&image, ACRE_READ, nullptr, &clone));
    ASSERT_EQ(0, munmap(other, page()));
    ASSERT_OK(acre_image_finish(&image, &fill));
    ASSERT_OK(acre_image_clone(&image, ACRE_READ, nullptr, &clone));
    EXPECT_EQ(3, bytes(clone)[0]);
    ASSERT_OK(acre_mmap_unmap(&clone));
    ASSERT_OK(acre_image_close(&image));
}

TEST(Image, a_part_cut_off_the_fill_map_keeps_it_busy)
{
    if (!acre_can(ACRE_CAN_SEAL_IMAGES))
        GTEST_SKIP() << "this system cannot seal images";
    acre_image image = {};
    acre_mmap fill = {}, tail = {};
    ASSERT_OK(acre_image_begin(2 * page(), &image, &fill));
    ASSERT_OK(acre_mmap_split(&fill, page(), &tail));
    EXPECT_STATUS(-EBUSY, acre_image_finish(&image, &fill));
    ASSERT_OK(acre_image_finish(&image, &tail));
    ASSERT_OK(acre_image_close(&image));
}

TEST(Image, closed_while_it_is_filled_leaves_nothing_but_the_fill_map)
{
    size_t areas = area_count();
    int descriptor = free_descriptor();
    acre_image image = {};
    acre_mmap fill = {};
    ASSERT_OK(acre_image_begin(page(), &image, &fill));
    ASSERT_OK(acre_image_close(&image));
    EXPECT_EQ(descriptor, free_descriptor());
    bytes(fill)[0] = 1;
    ASSERT_OK(acre_mmap_unmap(&fill));
    EXPECT_EQ(areas, area_count());
}

TEST(Image, too_large_leaves_nothing)
{
    acre_image image = {};
    acre_mmap fill = {};
    HalfTaken taken;
    expect_refused(-ENOMEM, fill,
                   [&] { return acre_image_begin(SIZE_MAX / 2 - page(), &image, &fill); });
    EXPECT_EQ(0u, image.size);
}

// ---- clones -------------------------------------------------------------------------------------

TEST(Clone, pages_are_shared_until_they_are_written)
{
    Image image(8);
    Map one, two;
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &one));
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &two));
    for (size_t i = 0; i < 8; i++)
        ASSERT_EQ(static_cast<char>(i + 1), bytes(one)[i * page()]);
    EXPECT_EQ(0u, smaps_bytes(one.base, "Anonymous"));
    bytes(one)[3 * page()] = 99;
    EXPECT_EQ(page(), smaps_bytes(one.base, "Anonymous"));
    EXPECT_EQ(4, bytes(two)[3 * page()]);
    Map three;
    ASSERT_OK(acre_image_clone(&image, ACRE_READ, nullptr, &three));
    EXPECT_EQ(4, bytes(three)[3 * page()]);
    // And a child's writes are its own.
    Ended ended = in_child([&] {
        bytes(two)[0] = 50;
        return 0;
    });
    EXPECT_EQ(0, ended.code);
    EXPECT_EQ(1, bytes(two)[0]);
}

TEST(Clone, discard_brings_the_images_bytes_back)
{
    Image image(8);
    Map clone;
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone));
    for (uint32_t when : {ACRE_DISCARD_NOW, ACRE_DISCARD_LAZY}) {
        std::memset(clone.base, 77, clone.size);
        EXPECT_EQ(clone.size, smaps_bytes(clone.base, "Anonymous"));
        ASSERT_OK(acre_mmap_discard(&clone, page(), 6 * page(), when));
        EXPECT_EQ(77, bytes(clone)[0]);
        EXPECT_EQ(77, bytes(clone)[7 * page()]);
        for (size_t i = 1; i < 7; i++)
            ASSERT_EQ(static_cast<char>(i + 1), bytes(clone)[i * page()]);
        ASSERT_OK(acre_mmap_discard(&clone, 0, clone.size, when));
        EXPECT_EQ(1, bytes(clone)[0]);
        EXPECT_EQ(0u, smaps_bytes(clone.base, "Anonymous"));
    }
}

TEST(Clone, takes_access_demands_and_a_place)
{
    Image image(4);
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED | no_dump() | ACRE_MAP_LOCKED);
    opts.address = free_address(4 * page());
    Map clone, code;
    ASSERT_OK(acre_image_clone(&image, ACRE_READ, &opts, &clone));
    EXPECT_EQ(opts.address, clone.base);
    if (!kOnWindows) {
        EXPECT_TRUE(has_vm_flag(clone.base, "dd"));
        EXPECT_TRUE(has_vm_flag(clone.base, "lo"));
    }
    EXPECT_EQ(SIGSEGV, signal_of_write(clone.base));
    acre_mmap untouched = {};
    expect_refused(-EEXIST, untouched,
                   [&] { return acre_image_clone(&image, ACRE_READ, &opts, &untouched); });
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_EXEC, nullptr, &code));
    EXPECT_EQ("r-xp", permissions(code.base));
    for (uint32_t flag :
         {ACRE_MAP_SHARED, ACRE_MAP_DROPPABLE, ACRE_MAP_WIPE_ON_FORK, ACRE_MAP_HUGE}) {
        opts = flags(flag);
        expect_refused(ACRE_BAD_OPTION, untouched,
                       [&] { return acre_image_clone(&image, ACRE_READ, &opts, &untouched); });
    }
}

TEST(Clone, in_place_of_another_is_a_reset)
{
    if (!acre_can(ACRE_CAN_REPLACE))
        GTEST_SKIP() << "nothing can be replaced here";
    Image image(4);
    Map clone;
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone));
    std::memset(clone.base, 77, clone.size);
    acre_mmap_opts opts = flags(ACRE_MAP_REPLACE);
    opts.address = clone.base;
    acre_mmap fresh = {};
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, &opts, &fresh));
    EXPECT_EQ(clone.base, fresh.base);
    EXPECT_EQ(1, bytes(clone)[0]);
}

TEST(Clone, is_cut_and_joined_and_neither_committed_nor_grown)
{
    size_t pages = 4 * granule() / page();
    Image image(pages);
    Map clone;
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone));
    acre_mmap tail = {};
    ASSERT_OK(acre_mmap_split(&clone, page(), &tail));
    ASSERT_OK(acre_mmap_merge(&clone, &tail));
    expect_refused(ACRE_BAD_STATE, clone, [&] { return acre_mmap_commit(&clone, 0, page()); });
    expect_refused(ACRE_BAD_STATE, clone, [&] { return acre_mmap_decommit(&clone, 0, page()); });
    expect_refused(ACRE_BAD_STATE, clone, [&] {
        return acre_mmap_resize(&clone, (pages + 1) * page(), ACRE_RESIZE_MAY_MOVE);
    });
    ASSERT_OK(acre_mmap_resize(&clone, page(), ACRE_RESIZE_IN_PLACE));

    if (!acre_can(ACRE_CAN_REPLACE))
        GTEST_SKIP() << "nothing can be replaced here";
    // Two clones side by side do not continue one another.
    acre_mmap_opts opts = flags(ACRE_MAP_REPLACE);
    Map room;
    ASSERT_OK(acre_mmap_reserve(2 * pages * page(), ACRE_NONE, nullptr, &room));
    acre_mmap first = {}, second = {};
    opts.address = room.base;
    ASSERT_OK(acre_image_clone(&image, ACRE_READ, &opts, &first));
    opts.address = bytes(room, pages * page());
    ASSERT_OK(acre_image_clone(&image, ACRE_READ, &opts, &second));
    expect_refused(ACRE_BACKING_MISMATCH, first, [&] { return acre_mmap_merge(&first, &second); });
}

TEST(Clone, guards_give_back_the_images_bytes)
{
    Image image(4);
    Map clone;
    ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone));
    bytes(clone)[page()] = 77;
    ASSERT_OK(acre_mmap_guard(&clone, page(), page()));
    EXPECT_FALSE(readable(bytes(clone, page())));
    ASSERT_OK(acre_mmap_unguard(&clone, page(), page()));
    EXPECT_EQ(2, bytes(clone)[page()]);
}

TEST(Clone, a_thousand_of_one_image)
{
    Image image(4);
    std::vector<acre_mmap> clones(1000);
    for (size_t i = 0; i < clones.size(); i++) {
        ASSERT_OK(acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clones[i]));
        bytes(clones[i])[page()] = static_cast<char>(i);
    }
    for (size_t i = 0; i < clones.size(); i++) {
        ASSERT_EQ(static_cast<char>(i), bytes(clones[i])[page()]);
        ASSERT_EQ(3, bytes(clones[i])[2 * page()]);
        ASSERT_OK(acre_mmap_unmap(&clones[i]));
    }
}

}  // namespace
