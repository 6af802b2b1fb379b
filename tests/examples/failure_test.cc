// What cannot be read: one line each, a count, and exit status 1; nothing crashes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "tests/examples/concordance.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_WITHOUT_BUS_ERRORS("Failure.nothing_crashes_while_files_shrink_grow_and_vanish_all_the_time");

const char ONE_FAILED[] = "concordance: 1 files or directories not read to the end";

// The superuser may read everything, unless it may no longer override permissions.
How without_override()
{
    How how;
    how.prepare = [] {
        if (geteuid() == 0 && (prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0 ||
                               prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0) != 0))
            _exit(126);
    };
    return how;
}

bool permissions_hold()
{
    Folder folder;
    std::string secret = folder.write("secret", "word");
    chmod(secret.c_str(), 0);
    return run("/bin/cat", {secret}, without_override()).exit_code == 1;
}

How at_open_of(const std::string &name, const std::function<void()> &action)
{
    How how;
    how.on_call = [=](const SystemCall &call) {
        if (call.number == SYS_openat && call.text(1) == name)
            action();
    };
    return how;
}

// Does it once, when the program has mapped the file.
How once_mapped(const std::string &path, const std::function<void()> &action)
{
    How how;
    auto done = std::make_shared<bool>(false);
    how.on_call = [=](const SystemCall &call) {
        std::string maps = "/proc/" + std::to_string(call.process) + "/maps";
        if (*done || read_file(maps).find(path) == std::string::npos)
            return;
        *done = true;
        action();
    };
    return how;
}

TEST(Failure, an_unreadable_file_is_told_and_the_others_are_read)
{
    if (!permissions_hold())
        GTEST_SKIP() << "permissions cannot be made to hold for this user";
    Folder folder;
    folder.write("file", "word");
    std::string secret = folder.write("secret", "secret");
    ASSERT_EQ(0, chmod(secret.c_str(), 0));

    Said said = concordance({"--json", folder.path()}, without_override());
    EXPECT_EQ(1, said.exit_code);
    EXPECT_EQ("concordance: " + secret + ": Permission denied\n" + ONE_FAILED + "\n", said.err);
    EXPECT_EQ(1u, json_of(said)["files"].number);
    EXPECT_EQ(1u, json_of(said)["words"].number);

    Said given = concordance({"--json", secret}, without_override());
    EXPECT_EQ(1, given.exit_code);
    EXPECT_EQ(said.err, given.err);
}

TEST(Failure, an_unreadable_folder_is_told)
{
    if (!permissions_hold())
        GTEST_SKIP() << "permissions cannot be made to hold for this user";
    Folder folder;
    folder.write("file", "word");
    std::string secret = folder.path("secret");
    ASSERT_EQ(0, mkdir(secret.c_str(), 0));

    Said said = concordance({"--json", folder.path()}, without_override());
    EXPECT_EQ(1, said.exit_code);
    EXPECT_EQ("concordance: " + secret + ": Permission denied\n" + ONE_FAILED + "\n", said.err);
    EXPECT_EQ(1u, json_of(said)["files"].number);
}

TEST(Failure, a_name_with_control_characters_stays_on_one_line)
{
    if (!permissions_hold())
        GTEST_SKIP() << "permissions cannot be made to hold for this user";
    Folder folder;
    std::string secret = folder.write("new\nline\x1b[2J back\\slash \xc3\xa9", "");
    ASSERT_EQ(0, chmod(secret.c_str(), 0));
    Said said = concordance({"--json", folder.path()}, without_override());
    EXPECT_EQ("concordance: " + folder.path("new\\012line\\033[2J back\\134slash \xc3\xa9") +
                  ": Permission denied\n" + ONE_FAILED + "\n",
              said.err);
}

TEST(Failure, a_file_that_vanishes_is_told)
{
    if (!can_trace())
        GTEST_SKIP() << "no program may be traced here";
    Folder folder;
    folder.write("file", "word");
    std::string vanishing = folder.write("vanishing", "gone");
    Said said = concordance({"--json", folder.path()},
                            at_open_of("vanishing", [&] { unlink(vanishing.c_str()); }));
    EXPECT_EQ(1, said.exit_code);
    EXPECT_EQ("concordance: " + vanishing + ": No such file or directory\n" + ONE_FAILED + "\n",
              said.err);
    EXPECT_EQ(1u, json_of(said)["files"].number);
    EXPECT_EQ(1u, json_of(said)["words"].number);
}

TEST(Failure, a_file_replaced_by_a_pipe_or_a_link_is_not_waited_for)
{
    if (!can_trace())
        GTEST_SKIP() << "no program may be traced here";
    Folder folder;
    std::string changing = folder.write("changing", "gone");
    Said pipe = concordance({"--json", folder.path()}, at_open_of("changing", [&] {
                                unlink(changing.c_str());
                                mkfifo(changing.c_str(), 0600);
                            }));
    EXPECT_EQ(0, pipe.exit_code);
    EXPECT_EQ("", pipe.err);
    EXPECT_EQ(0u, json_of(pipe)["files"].number);

    unlink(changing.c_str());
    folder.write("changing", "gone");
    Said link = concordance({"--json", folder.path()}, at_open_of("changing", [&] {
                                unlink(changing.c_str());
                                EXPECT_EQ(0, symlink("/etc/passwd", changing.c_str()));
                            }));
    EXPECT_EQ(1, link.exit_code);
    EXPECT_EQ(0u, json_of(link)["words"].number);
}

TEST(Failure, a_file_that_shrinks_while_it_is_read_counts_up_to_there)
{
    if (!can_trace())
        GTEST_SKIP() << "no program may be traced here";
    Folder folder;
    folder.write("file", "word");
    std::string text;
    while (text.size() < 1 << 20)
        text += "shrinking ";
    std::string shrinking = folder.write("shrinking", text);

    Said said = concordance({"--json", folder.path()}, once_mapped(shrinking, [&] {
                                EXPECT_EQ(0, truncate(shrinking.c_str(), 100000));
                            }));
    EXPECT_EQ(1, said.exit_code) << said.signal;
    EXPECT_EQ("concordance: " + shrinking + ": shrank, or its disk failed, while it was read\n" +
                  ONE_FAILED + "\n",
              said.err);
    Json json = json_of(said);
    EXPECT_EQ(2u, json["files"].number);
    EXPECT_EQ(10001u, json["words"].number);
    EXPECT_EQ(2u, json["distinct"].number);
    // To the end of its last page.
    EXPECT_LE(100004u, json["bytes"].number);
    EXPECT_GT(100004u + 65536, json["bytes"].number);
}

TEST(Failure, a_file_that_shrinks_to_nothing_has_no_words)
{
    if (!can_trace())
        GTEST_SKIP() << "no program may be traced here";
    Folder folder;
    std::string path = folder.write("shrinking", "word");
    Said said = concordance({"--json", folder.path()},
                            once_mapped(path, [&] { EXPECT_EQ(0, truncate(path.c_str(), 0)); }));
    EXPECT_EQ(1, said.exit_code) << said.signal;
    EXPECT_EQ(2u, lines_of(said.err).size()) << said.err;
    EXPECT_EQ(0u, json_of(said)["words"].number);
    EXPECT_EQ(0u, json_of(said)["bytes"].number);
}

TEST(Failure, nothing_crashes_while_files_shrink_grow_and_vanish_all_the_time)
{
    Folder folder;
    std::string text(100000, 'w');
    for (size_t i = 7; i < text.size(); i += 8)
        text[i] = ' ';
    for (int i = 0; i < 20; i++)
        folder.write(std::to_string(i), text);

    std::atomic<bool> done{false};
    std::thread writer([&] {
        for (unsigned writes = 0; !done; writes++) {
            std::string path = folder.path(std::to_string(writes % 20));
            if (writes % 7 == 0)
                unlink(path.c_str());
            int file =
                open(path.c_str(), O_WRONLY | O_CREAT | (writes % 2 == 0 ? O_TRUNC : 0), 0600);
            if (file < 0 || pwrite(file, text.data(), text.size(), 0) < 0 || close(file) != 0)
                break;
        }
    });
    for (size_t round = 0; round < rounds(20); round++) {
        Said said = concordance({"--json", folder.path()});
        EXPECT_TRUE(said.exit_code == 0 || said.exit_code == 1)
            << said.exit_code << " " << said.signal;
        std::vector<std::string> lines = lines_of(said.err);
        EXPECT_EQ(said.exit_code == 0, lines.empty());
        if (!lines.empty()) {
            EXPECT_EQ("concordance: " + std::to_string(lines.size() - 1) +
                          " files or directories not read to the end",
                      lines.back());
        }
        EXPECT_EQ(Json::OBJECT, json_of(said).kind);
    }
    done = true;
    writer.join();
}

}  // namespace
