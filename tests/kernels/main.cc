// The main function of the programs that run in a booted kernel: one short line for each event, for
// ./boot to read.  Each case runs in a process of its own, as none has to tidy up for the next.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace {

void say(const char *event, const std::string &text)
{
    std::printf("@%s %s\n", event, text.c_str());
    std::fflush(stdout);
}

// A message on one line.
std::string line_of(const char *message)
{
    std::string line = message;
    for (char &letter : line) {
        if (letter == '\n' || letter == '\t')
            letter = ' ';
    }
    return line;
}

// "@case" comes first, so that a case that takes the program with it is known by name.
class Lines : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo &test) override
    {
        say("case", std::string(test.test_suite_name()) + "." + test.name());
    }
    void OnTestPartResult(const testing::TestPartResult &part) override
    {
        if (part.skipped())
            say("why", line_of(part.message()));
        else if (part.failed())
            say("why", std::string(part.file_name() != nullptr ? part.file_name() : "") + ":" +
                           std::to_string(part.line_number()) + ": " + line_of(part.message()));
    }
    void OnTestEnd(const testing::TestInfo &test) override
    {
        const testing::TestResult &result = *test.result();
        say(result.Failed() ? "failed" : result.Skipped() ? "skipped" : "passed", "");
    }
};

// Whether the case passed or was skipped.
bool run_apart(const std::string &name, const std::string &excluded)
{
    pid_t child = fork();
    if (child == 0) {
        testing::GTEST_FLAG(filter) = name + excluded;
        _exit(RUN_ALL_TESTS());
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        say("case", name);
        say("why", "there is no process for it");
        say("failed", "");
        return false;
    }
    if (WIFSIGNALED(status)) {
        say("why", "ended with signal " + std::to_string(WTERMSIG(status)));
        say("failed", "");
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    std::vector<std::string> names;
    const testing::UnitTest &all = *testing::UnitTest::GetInstance();
    for (int i = 0; i < all.total_test_suite_count(); i++) {
        const testing::TestSuite &suite = *all.GetTestSuite(i);
        for (int j = 0; j < suite.total_test_count(); j++)
            names.push_back(std::string(suite.name()) + "." + suite.GetTestInfo(j)->name());
    }
    std::string filter = testing::GTEST_FLAG(filter);
    // A case that starts this program anew asks for one case, which is no event of its own.
    if (filter != "*" && filter[0] != '-')
        return RUN_ALL_TESTS();
    testing::TestEventListeners &listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new Lines);
    std::string excluded = filter.substr(std::min(filter.find('-'), filter.size()));
    bool passed = true;
    for (const std::string &name : names)
        passed = run_apart(name, excluded) && passed;
    return passed ? 0 : 1;
}
