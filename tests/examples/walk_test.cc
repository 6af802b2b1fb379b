// Which files are read: regular ones below the paths given, however many and however deep.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "tests/examples/concordance.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");

const size_t MANY = 2500;

// Each file has a word that all have, and one of its own.
class Many : public testing::Test {
  protected:
    static void SetUpTestSuite()
    {
        folder_ = new Folder;
        for (size_t i = 0; i < MANY; i++) {
            std::string own;
            for (size_t rest = i; rest != 0 || own.empty(); rest /= 26)
                own += static_cast<char>('a' + rest % 26);
            folder_->write(std::to_string(i), "common\nown" + own);
        }
    }

    static void TearDownTestSuite()
    {
        delete folder_;
    }

    static Folder *folder_;
};

Folder *Many::folder_;

void expect_many(const Json &json)
{
    EXPECT_EQ(MANY, json["files"].number);
    EXPECT_EQ(2 * MANY, json["words"].number);
    EXPECT_EQ(MANY + 1, json["distinct"].number);
    EXPECT_EQ("common", json["top"].items.at(0).items.at(0).string);
    EXPECT_EQ(MANY, json["top"].items.at(0).items.at(1).number);
}

// The type of the resource differs among C libraries.
void limit(decltype(RLIMIT_AS) resource, rlim_t value)
{
    struct rlimit lower = {value, value};
    if (setrlimit(resource, &lower) != 0)
        _exit(126);
}

TEST_F(Many, at_least_2000_stacks_are_alive_at_once_with_enough_files)
{
    Json json = count({folder_->path()});
    expect_many(json);
    EXPECT_LE(2000u, json["peak_stacks"].number);
    EXPECT_GE(MANY, json["peak_stacks"].number);
    // Each has a mapped file beside it.
    EXPECT_LE(json["peak_stacks"].number, json["areas"].number);
    // The header and the top of each stack are in memory.
    EXPECT_LE(json["peak_stacks"].number * 4096, json["resident_bytes"].number);
}

TEST_F(Many, descriptors_do_not_run_out)
{
    How few;
    few.prepare = [] { limit(RLIMIT_NOFILE, 16); };
    expect_many(count({folder_->path()}, few));
}

TEST_F(Many, few_addresses_mean_fewer_stacks_at_once)
{
    if (sanitized())
        GTEST_SKIP() << "a sanitizer needs more addresses than this";
    if (emulated())
        GTEST_SKIP() << "an emulator does not keep a limit of addresses";
    How few;
    few.prepare = [] { limit(RLIMIT_AS, 64 << 20); };
    Json json = count({folder_->path()}, few);
    expect_many(json);
    EXPECT_LT(0u, json["peak_stacks"].number);
    EXPECT_GT(2000u, json["peak_stacks"].number);
}

TEST(Walk, links_are_followed_when_given_and_not_when_found)
{
    Folder folder;
    Folder elsewhere;
    elsewhere.write("file", "elsewhere");
    folder.write("file", "here");
    ASSERT_EQ(0, symlink(elsewhere.path().c_str(), folder.path("to folder").c_str()));
    ASSERT_EQ(0, symlink(elsewhere.path("file").c_str(), folder.path("to file").c_str()));
    ASSERT_EQ(0, symlink(folder.path().c_str(), folder.path("to itself").c_str()));
    ASSERT_EQ(0, symlink("nowhere", folder.path("dangling").c_str()));

    EXPECT_EQ(1u, count({folder.path()})["files"].number);
    EXPECT_EQ(1u, count({folder.path("to itself")})["files"].number);
    EXPECT_EQ("elsewhere", count({folder.path("to folder")})["top"].items.at(0).items.at(0).string);
    EXPECT_EQ("elsewhere", count({folder.path("to file")})["top"].items.at(0).items.at(0).string);
}

TEST(Walk, what_is_neither_file_nor_folder_is_passed_over_when_found)
{
    Folder folder;
    folder.write("file", "word");
    ASSERT_EQ(0, mkfifo(folder.path("pipe").c_str(), 0600));
    int bound = socket(AF_UNIX, SOCK_STREAM, 0);
    // The folder's path may be longer than a socket's address may be.
    std::string here =
        "/proc/self/fd/" + std::to_string(open(folder.path().c_str(), O_PATH)) + "/socket";
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, here.c_str());
    ASSERT_EQ(0, bind(bound, reinterpret_cast<struct sockaddr *>(&address), sizeof(address)));

    Json json = count({folder.path()});
    EXPECT_EQ(1u, json["files"].number);
    EXPECT_EQ(1u, json["words"].number);
    close(bound);
}

TEST(Walk, folders_may_lie_deeper_than_the_longest_path)
{
    Folder folder;
    const std::string name(100, 'd');
    int at = open(folder.path().c_str(), O_PATH | O_DIRECTORY);
    for (int depth = 0; depth < 100; depth++) {
        ASSERT_EQ(0, mkdirat(at, name.c_str(), 0700));
        int below = openat(at, name.c_str(), O_PATH | O_DIRECTORY);
        close(at);
        at = below;
    }
    int file = openat(at, "file", O_WRONLY | O_CREAT, 0600);
    ASSERT_EQ(4, write(file, "deep", 4));
    close(file);
    close(at);

    Json json = count({folder.path()});
    EXPECT_EQ(1u, json["files"].number);
    EXPECT_EQ("deep", json["top"].items.at(0).items.at(0).string);
}

}  // namespace
