// AddressSanitizer and Valgrind report what is done wrong with blocks: another program does it.
#include <cstdio>
#include <string>

#include "tests/arena/arena_test.h"
#include "tests/support/posix.h"

using namespace acre_test;

namespace {

std::string program;  // tests/arena/bad

#if defined(__has_include)
#if __has_include("valgrind/memcheck.h")
const bool KNOWS_VALGRIND = true;
#else
const bool KNOWS_VALGRIND = false;
#endif
#endif

#ifdef _WIN32
std::string output_of(const std::string &)
{
    skip("there is no popen");
}
#else
std::string output_of(const std::string &command)
{
    std::string output;
    FILE *pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr)
        return "popen failed";
    char buffer[4096];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, pipe)) != 0)
        output.append(buffer, got);
    return output + "status " + std::to_string(pclose(pipe));
}
#endif

class Checker : public testing::Test {
  protected:
    void SetUp() override
    {
        if (ASAN)
            return;
        if (SANITIZED || emulated() || sizeof(void *) == 4)
            GTEST_SKIP() << "Valgrind looks into native programs of 64 bits";
        if (!KNOWS_VALGRIND)
            GTEST_SKIP() << "built without valgrind/memcheck.h";
        if (access("/usr/bin/valgrind", X_OK) != 0)
            GTEST_SKIP() << "there is no Valgrind";
    }

    static std::string report_of(const std::string &name)
    {
        return output_of((ASAN ? "" : "/usr/bin/valgrind --quiet --vgdb=no ") + program + " " +
                         name);
    }
};

void expect_has(const std::string &report, const char *text)
{
    EXPECT_NE(std::string::npos, report.find(text)) << report;
}

// clang's sanitizers ask another program for names of functions, which may be missing.
void expect_names(const std::string &report, const char *function)
{
    if (report.find("external symbolizer") == std::string::npos)
        expect_has(report, function);
}

}  // namespace

TEST_F(Checker, says_nothing_where_nothing_is_wrong)
{
    EXPECT_EQ("done\nstatus 0", report_of("nothing_wrong"));
}

TEST_F(Checker, reports_what_touches_memory_that_is_no_block)
{
    for (const char *name :
         {"use_after_restore", "use_after_reset", "use_after_destroy", "overflow_between_blocks",
          "overflow_of_aligned", "use_of_what_was_given_back"}) {
        std::string report = report_of(name);
        expect_has(report, ASAN ? "use-after-poison" : "Invalid ");
        expect_names(report, name);
    }
}

class LeakChecker : public Checker {
  protected:
    void SetUp() override
    {
        if (!ASAN)
            GTEST_SKIP() << "built without AddressSanitizer, which looks for leaks";
#ifndef __linux__
        GTEST_SKIP() << "leaks are looked for on Linux only";
#endif
    }
};

TEST_F(LeakChecker, finds_what_only_an_arena_points_to)
{
    for (const char *name :
         {"owned_by_an_arena", "owned_behind_megabytes", "owned_by_an_arena_from_the_cache",
          "owned_by_every_kind_of_arena", "owned_by_the_handler", "owned_by_many_arenas"})
        EXPECT_EQ("done\nstatus 0", report_of(name)) << name;
}

TEST_F(LeakChecker, reports_what_an_arena_pointed_to_when_its_memory_was_taken_back)
{
    for (const char *name : {"lost_by_reset", "lost_by_restore", "lost_by_destroy",
                             "lost_by_destroy_without_cache", "lost_by_destroying_many"}) {
        std::string report = report_of(name);
        expect_has(report, "LeakSanitizer: detected memory leaks");
        expect_names(report, "own_in");
    }
}

TEST_F(Checker, valgrind_reports_reads_of_unset_bytes)
{
    if (ASAN)
        GTEST_SKIP() << "AddressSanitizer does not look for them";
    std::string report = report_of("read_of_unset_bytes");
    expect_has(report, "uninitialised");
    expect_has(report, "read_of_unset_bytes");
}

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    if (argc > 1)
        program = argv[1];
    return RUN_ALL_TESTS();
}
