// What is counted: the same as standard tools count.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <random>

#include "tests/examples/concordance.h"

using namespace acre_test;

namespace {

// What a line of shell prints, without its newline.
std::string number(const std::string &line)
{
    std::vector<std::string> lines = lines_of(shell(line));
    return lines.empty() ? "" : lines[0];
}

void expect_the_same_counts(const std::string &folder)
{
    // All words in lower case, one a line, each as often as it occurs.
    Folder results;
    std::string words = results.path("words");
    shell("find '" + folder +
          R"(' -type f -exec sh -c 'for f; do tr -cs A-Za-z "\n" <"$f"; echo; done' sh {} + )" +
          "| tr A-Z a-z | grep . | sort >" + words);
    std::string files = number("find '" + folder + "' -type f -printf x | wc -c");
    std::string bytes = number("find '" + folder + "' -type f -exec cat {} + | wc -c");
    std::string total = number("wc -l <" + words);
    std::string distinct = number("uniq " + words + " | wc -l");
    std::string top = "uniq -c " + words + " | sort -k1,1nr -k2,2 | head -n 50";
    std::string text_top = shell(top + R"( | awk '{printf "%10d %s\n", $1, $2}')");
    std::string json_top =
        shell(top + R"( | awk '{printf "%s[\"%s\", %d]", (NR > 1 ? ", " : ""), $2, $1}')");

    Said json = concordance({"--json", "--top", "50", folder});
    std::string expected = "{\"files\": " + files + ", \"bytes\": " + bytes +
                           ", \"words\": " + total + ", \"distinct\": " + distinct +
                           ", \"top\": [" + json_top + "], \"areas\": ";
    EXPECT_EQ(0, json.exit_code);
    EXPECT_EQ(expected, json.out.substr(0, expected.size()));

    Said text = concordance({"--top", "50", folder});
    EXPECT_EQ(0, text.exit_code);
    EXPECT_EQ(text_top + "\n", text.out.substr(0, text_top.size() + 1));
    EXPECT_NE(std::string::npos, text.out.find(" " + total + " words\n")) << text.out;
}

// Bytes of every value, with words of all lengths among them; the same at each run.
std::string noise(unsigned seed, size_t size)
{
    std::mt19937 random(seed);
    std::string bytes;
    while (bytes.size() < size) {
        if (random() % 3 == 0)
            bytes += static_cast<char>(random() % 256);
        else
            bytes.append(1 + random() % 12,
                         static_cast<char>((random() % 2 == 0 ? 'A' : 'a') + random() % 3));
    }
    bytes.resize(size);
    return bytes;
}

TEST(Counts, agree_with_standard_tools_over_bytes_of_every_value)
{
    Folder folder;
    mkdir(folder.path("below").c_str(), 0700);
    mkdir(folder.path("empty folder").c_str(), 0700);
    // Below, at and above the size of a page, and of the slice that is read in one turn.
    for (size_t size :
         std::vector<size_t>{0, 1, 4095, 4096, 4097, 16383, 16384, 16385, 65536, 300000})
        folder.write("below/" + std::to_string(size), noise(static_cast<unsigned>(size), size));
    for (unsigned i = 0; i < 100; i++)
        folder.write("a name\n" + std::to_string(i), noise(i, 100 + i));
    expect_the_same_counts(folder.path());
}

TEST(Counts, agree_with_standard_tools_over_real_headers)
{
    if (shell("find /usr/include/linux -name 'i*.h' 2>/dev/null || true").empty())
        GTEST_SKIP() << "this machine has no /usr/include/linux";
    expect_the_same_counts("/usr/include/linux");
}

TEST(Counts, a_file_of_no_words_is_a_file)
{
    Folder folder;
    folder.write("empty", "");
    folder.write("digits", "0123 _ [] {} @`");
    Json json = count({folder.path()});
    EXPECT_EQ(2u, json["files"].number);
    EXPECT_EQ(15u, json["bytes"].number);
    EXPECT_EQ(0u, json["words"].number);
    EXPECT_EQ(0u, json["distinct"].number);
    EXPECT_TRUE(json["top"].items.empty());
}

TEST(Counts, nul_and_bytes_above_127_end_a_word)
{
    Folder folder;
    std::string path = folder.write("binary", std::string("one\0ONE\xff\xc3\xa9one\x80", 14));
    Json json = count({path});
    ASSERT_EQ(1u, json["top"].items.size());
    EXPECT_EQ("one", json["top"].items[0].items[0].string);
    EXPECT_EQ(3u, json["top"].items[0].items[1].number);
    EXPECT_EQ(14u, json["bytes"].number);
}

TEST(Counts, a_word_may_be_of_any_length)
{
    Folder folder;
    std::string word(5000000, 'x');
    folder.write("1", "x " + word);
    folder.write("2", word + "y\n" + word + "\n");
    Json json = count({folder.path()});
    ASSERT_EQ(3u, json["distinct"].number);
    EXPECT_EQ(word, json["top"].items[0].items[0].string);
    EXPECT_EQ(2u, json["top"].items[0].items[1].number);
    EXPECT_EQ("x", json["top"].items[1].items[0].string);
    EXPECT_EQ(word + "y", json["top"].items[2].items[0].string);
}

TEST(Counts, words_that_are_equally_frequent_are_in_alphabetical_order)
{
    Folder folder;
    Json json = count({folder.write("file", "b c aa d c ab a")});
    std::string order;
    for (const Json &item : json["top"].items)
        order += item.items[0].string + " ";
    EXPECT_EQ("c a aa ab b d ", order);
}

TEST(Counts, a_file_given_twice_counts_twice)
{
    Folder folder;
    std::string path = folder.write("file", "word");
    Json json = count({path, folder.path(), path});
    EXPECT_EQ(3u, json["files"].number);
    EXPECT_EQ(3u, json["words"].number);
    EXPECT_EQ(1u, json["distinct"].number);
}

TEST(Counts, without_paths_are_those_of_the_c_headers)
{
    struct stat facts;
    if (stat("/usr/include/stdio.h", &facts) != 0)
        GTEST_SKIP() << "this machine has no C headers";
    Json usual = count({});
    EXPECT_EQ(number("find /usr/include -type f -printf x | wc -c"),
              std::to_string(usual["files"].number));
    EXPECT_EQ(number("find /usr/include -type f -exec cat {} + | wc -c"),
              std::to_string(usual["bytes"].number));
}

}  // namespace
