// What the fuzzer has found worth keeping, replayed: each argument is an input.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

std::vector<std::string> inputs;

}  // namespace

TEST(Corpus, runs_without_a_finding)
{
    ASSERT_FALSE(inputs.empty());
    for (const std::string &path : inputs) {
        std::ifstream in(path, std::ios::binary);
        ASSERT_TRUE(in) << path;
        std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        std::printf("%s\n", path.c_str());
        std::fflush(stdout);
        EXPECT_EQ(0, LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()),
                                            bytes.size()));
    }
}

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    inputs.assign(argv + 1, argv + argc);
    return RUN_ALL_TESTS();
}
