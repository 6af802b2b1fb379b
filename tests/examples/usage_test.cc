// The command line, and what is printed where.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/examples/concordance.h"

using namespace acre_test;

namespace {

void expect_refused(const std::vector<std::string> &arguments, const std::string &line)
{
    Said said = concordance(arguments);
    EXPECT_EQ(2, said.exit_code);
    EXPECT_EQ("", said.out);
    EXPECT_EQ(line + "\n", said.err);
}

TEST(Usage, help_goes_to_standard_output)
{
    Said said = concordance({"--help"});
    EXPECT_EQ(0, said.exit_code);
    EXPECT_EQ("", said.err);
    EXPECT_EQ(0u, said.out.find("Usage: "));
    for (const char *option : {"--top", "--json", "--help"})
        EXPECT_NE(std::string::npos, said.out.find(option));
}

TEST(Usage, a_wrong_option_is_one_line_and_2)
{
    expect_refused({"--jso"}, "concordance: --jso: no such option (see --help)");
    expect_refused({"-x"}, "concordance: -x: no such option (see --help)");
    expect_refused({"-"}, "concordance: -: no such option (see --help)");
    expect_refused({"--a\nb"}, "concordance: --a\\012b: no such option (see --help)");
}

TEST(Usage, top_wants_a_number)
{
    const std::string line = "concordance: --top: wants a number (see --help)";
    for (const char *number : {"", "x", "3x", "-3", " 3", "+3", "0x3"}) {
        expect_refused({"--top", number}, line);
        expect_refused({std::string("--top=") + number}, line);
    }
    expect_refused({"--top"}, line);
}

TEST(Usage, a_missing_path_is_one_line_and_2_and_nothing_is_read)
{
    Folder folder;
    std::string there = folder.write("there", "word");
    std::string missing = folder.path("missing\nfile");
    expect_refused({there, missing, missing}, "concordance: " + folder.path("missing\\012file") +
                                                  ": No such file or directory");
    expect_refused({""}, "concordance: : No such file or directory");
    ASSERT_EQ(0, symlink("nowhere", folder.path("dangling").c_str()));
    expect_refused({folder.path("dangling")},
                   "concordance: " + folder.path("dangling") + ": No such file or directory");
}

TEST(Usage, what_is_neither_file_nor_folder_is_refused_when_given)
{
    Folder folder;
    ASSERT_EQ(0, mkfifo(folder.path("pipe").c_str(), 0600));
    expect_refused({folder.path("pipe")},
                   "concordance: " + folder.path("pipe") + ": neither a file nor a directory");
    expect_refused({"/dev/null"}, "concordance: /dev/null: neither a file nor a directory");
}

TEST(Usage, top_says_how_many_words_are_shown)
{
    Folder folder;
    std::string text;
    for (char letter = 'a'; letter <= 'z'; letter++)
        text += std::string(1, letter) + " ";
    std::string path = folder.write("alphabet", text);
    EXPECT_EQ(20u, count({path})["top"].items.size());
    EXPECT_EQ(3u, count({path, "--top", "3"})["top"].items.size());
    EXPECT_EQ(3u, count({"--top=3", path})["top"].items.size());
    EXPECT_EQ(0u, count({"--top=0", path})["top"].items.size());
    EXPECT_EQ(26u, count({"--top=99999999999999999999999999", path})["top"].items.size());
}

TEST(Usage, after_two_dashes_all_are_paths)
{
    Folder folder;
    folder.write("--json", "word");
    How there;
    there.prepare = [&] {
        if (chdir(folder.path().c_str()) != 0)
            _exit(126);
    };
    char *here = realpath(CONCORDANCE, nullptr);
    Said said = run(here, {"--", "--json"}, there);
    free(here);
    EXPECT_EQ(0, said.exit_code) << said.err;
    EXPECT_EQ(0u, said.out.find("         1 word\n")) << said.out;
}

TEST(Usage, json_has_these_keys)
{
    Folder folder;
    Json json = count({folder.write("file", "two words")});
    EXPECT_EQ((std::vector<std::string>{"files", "bytes", "words", "distinct", "top", "areas",
                                        "resident_bytes", "peak_stacks"}),
              json.keys());
    for (const char *key :
         {"files", "bytes", "words", "distinct", "areas", "resident_bytes", "peak_stacks"}) {
        EXPECT_EQ(Json::NUMBER, json[key].kind);
        EXPECT_LT(0u, json[key].number) << key;
    }
    ASSERT_EQ(2u, json["top"].items.size());
    for (const Json &item : json["top"].items) {
        ASSERT_EQ(2u, item.items.size());
        EXPECT_EQ(Json::STRING, item.items[0].kind);
        EXPECT_EQ(Json::NUMBER, item.items[1].kind);
    }
}

TEST(Usage, the_text_says_what_it_cost)
{
    Folder folder;
    Said said = concordance({folder.write("file", "two words")});
    for (const char *what : {" files\n", " bytes\n", " words\n", " distinct words\n", " MB/s\n",
                             " stacks alive at the peak\n", " memory areas then\n",
                             " MB resident at most\n", " MB of addresses reserved at most\n"})
        EXPECT_NE(std::string::npos, said.out.find(what)) << what << said.out;
}

TEST(Usage, what_cannot_be_written_is_told)
{
    How full;
    full.out_path = "/dev/full";
    Folder folder;
    Said said = concordance({"--json", folder.write("file", "word")}, full);
    EXPECT_EQ(1, said.exit_code);
    EXPECT_EQ("concordance: standard output: No space left on device\n", said.err);
}

TEST(Usage, a_progress_bar_is_for_terminals_only)
{
    Folder folder;
    folder.write("file", "word");
    Said on_terminal = run_on_terminal(CONCORDANCE, {folder.path()});
    if (on_terminal.exit_code == 126)
        GTEST_SKIP() << "no terminal can be had here";
    EXPECT_EQ(0, on_terminal.exit_code);
    EXPECT_NE(std::string::npos,
              on_terminal.err.find("########################################] 100 %"))
        << on_terminal.err;
    // It is gone at the end.
    EXPECT_EQ(std::string(79, ' ') + "\r", on_terminal.err.substr(on_terminal.err.size() - 80));

    Said elsewhere = concordance({folder.path()});
    EXPECT_EQ("", elsewhere.err);
    Said json = run_on_terminal(CONCORDANCE, {"--json", folder.path()});
    EXPECT_EQ(std::string::npos, json.err.find('%')) << json.err;
    EXPECT_EQ(Json::OBJECT, json_of(json).kind);
}

}  // namespace
