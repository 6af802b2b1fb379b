// A million random calls, compared with a plain model.
#include "tests/arena/model.h"

#include <cstdio>
#include <cstdlib>
#include <random>

#include "tests/arena/arena_test.h"
#include "tests/support/random.h"

using namespace acre_test;

namespace {

const int OPERATIONS = 400000;  // in each of three tests

unsigned seed()
{
    const char *given = std::getenv("ACRE_TEST_SEED");
    unsigned value = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                      : std::random_device()();
    std::printf("ACRE_TEST_SEED=%u\n", value);
    return value;
}

void run(uint32_t flags)
{
    const int operations = emulated() ? OPERATIONS / 20 : OPERATIONS;
    Random random(seed());
    Model<Random> model(random, flags, packs());
    int i = 0;
    try {
        for (; i < operations; i++) {
            model.step();
            if (i % 1000 == 0)
                model.verify();
        }
        model.verify();
    } catch (const Unlike &unlike) {
        FAIL() << "operation " << i << ", model.h:" << unlike.what;
    }
}

}  // namespace

TEST(Random, an_arena_does_as_the_model)
{
    run(0);
}

TEST(Random, a_wiping_arena_does_too)
{
    run(ACRE_ARENA_WIPE);
}

TEST(Random, and_one_with_its_core_elsewhere)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot wipe memory at fork";
    run(ACRE_ARENA_WIPE_ON_FORK);
}
