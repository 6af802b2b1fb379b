// The main function of the programs that run in a booted kernel: one short line for each event, for
// ./boot to read.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace {

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

    static void say(const char *event, const std::string &text)
    {
        std::printf("@%s %s\n", event, text.c_str());
        std::fflush(stdout);
    }
};

}  // namespace

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    testing::TestEventListeners &listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new Lines);
    return RUN_ALL_TESTS();
}
