// The concordance's handler for files that shrink while they are read.
#include "acre/mmap.h"

extern "C" {
#include "examples/concordance/watch.h"
}

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "acre/page.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

bool under_valgrind()
{
    std::ifstream in("/proc/self/maps");
    std::ostringstream maps;
    maps << in.rdbuf();
    return maps.str().find("/valgrind/") != std::string::npos;
}

SKIP_WITHOUT_BUS_ERRORS("*");

// A file of four pages of 'a', mapped.
class Watch : public testing::Test {
  protected:
    void SetUp() override
    {
        if (under_valgrind())
            GTEST_SKIP() << "valgrind repeats a faulting access without its registers";
        std::string path = testing::TempDir() + "watched.XXXXXX";
        file_ = mkstemp(&path[0]);
        ASSERT_LE(0, file_);
        unlink(path.c_str());
        std::string text(size(), 'a');
        ASSERT_EQ(static_cast<ssize_t>(size()), write(file_, text.data(), text.size()));
        ASSERT_EQ(ACRE_OK, watch_install());
        map(&watched_);
    }

    void TearDown() override
    {
        if (file_ < 0)
            return;
        watch(nullptr);
        EXPECT_EQ(ACRE_OK, acre_mmap_unmap(&watched_.map));
        close(file_);
    }

    static size_t page()
    {
        return acre_page_size();
    }

    static size_t size()
    {
        return 4 * page();
    }

    void map(watched_map *out) const
    {
        ASSERT_EQ(ACRE_OK, acre_mmap_file(file_, 0, size(), ACRE_READ, nullptr, &out->map));
        out->readable = size();
    }

    void shrink_to(size_t bytes) const
    {
        ASSERT_EQ(0, ftruncate(file_, static_cast<off_t>(bytes)));
    }

    static char byte(const watched_map &map, size_t offset)
    {
        return static_cast<const volatile char *>(map.map.base)[offset];
    }

    // How many of the first bytes are still the file's; the others must be zero.
    size_t text_length() const
    {
        size_t length = 0;
        while (length < size() && byte(watched_, length) == 'a')
            length++;
        for (size_t i = length; i < size(); i++) {
            if (byte(watched_, i) != 0)
                return SIZE_MAX;
        }
        return length;
    }

    int file_ = -1;
    watched_map watched_ = {};
};

TEST_F(Watch, a_file_that_stays_is_read_as_it_is)
{
    watch(&watched_);
    EXPECT_EQ(size(), text_length());
    EXPECT_EQ(size(), watched_.readable);
}

TEST_F(Watch, beyond_the_new_end_zeros_are_read)
{
    watch(&watched_);
    shrink_to(page() + 10);
    EXPECT_EQ(page() + 10, text_length());
    EXPECT_EQ(2 * page(), watched_.readable);
}

TEST_F(Watch, the_rest_of_the_map_is_replaced_at_once)
{
    watch(&watched_);
    shrink_to(0);
    EXPECT_EQ(0, byte(watched_, 2 * page() + 5));
    EXPECT_EQ(2 * page(), watched_.readable);
    // So that bytes that come back are not taken for the file's.
    shrink_to(size());
    EXPECT_EQ("r--p", permissions(static_cast<char *>(watched_.map.base) + 3 * page()));
    EXPECT_EQ(0u, text_length());
}

TEST_F(Watch, it_may_shrink_again)
{
    watch(&watched_);
    shrink_to(3 * page());
    EXPECT_EQ(3 * page(), text_length());
    shrink_to(page());
    EXPECT_EQ(page(), text_length());
    EXPECT_EQ(page(), watched_.readable);
}

TEST_F(Watch, unmapping_takes_the_zeros_along)
{
    size_t areas = area_count();
    watched_map other = {};
    map(&other);
    watch(&other);
    shrink_to(page());
    EXPECT_EQ(0, byte(other, 2 * page()));
    EXPECT_EQ(ACRE_OK, acre_mmap_unmap(&other.map));
    watch(nullptr);
    EXPECT_EQ(areas, area_count());
}

TEST_F(Watch, a_map_that_is_not_watched_dies_by_default)
{
    watched_map other = {};
    map(&other);
    shrink_to(0);
    for (watched_map *elsewhere : {&other, static_cast<watched_map *>(nullptr)}) {
        Ended ended = in_child([&] {
            watch(elsewhere);
            return byte(watched_, 0);
        });
        EXPECT_FALSE(ended.exited);
        EXPECT_EQ(SIGBUS, ended.code);
    }
    EXPECT_EQ(ACRE_OK, acre_mmap_unmap(&other.map));
}

TEST_F(Watch, a_signal_that_somebody_sent_kills_by_default)
{
    Ended ended = in_child([&] {
        watch(&watched_);
        kill(getpid(), SIGBUS);
        return 0;
    });
    EXPECT_FALSE(ended.exited);
    EXPECT_EQ(SIGBUS, ended.code);
}

}  // namespace
