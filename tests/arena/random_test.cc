// Random calls on arenas, compared with a plain model, also while the system refuses memory.
//
// ACRE_TEST_SEED=n runs one seed, ACRE_SEEDS=n that many instead of 1000.
#include "tests/support/random.h"
#include "tests/arena/model.h"
#include "tests/support/posix.h"

#include "tests/arena/arena_test.h"

using namespace acre_test;

namespace {

const int CALLS = 1200;  // of a seed

const uint32_t kinds[] = {0, ACRE_ARENA_WIPE, ACRE_ARENA_WIPE_ON_FORK};
const char *const names[] = {"plain", "wiping", "with_its_core_elsewhere"};
const unsigned KINDS = sizeof kinds / sizeof kinds[0];

#ifdef __linux__
// Whether the system refuses all further memory now.
void refuse_memory(bool refused)
{
    static rlimit former;
    if (refused && getrlimit(RLIMIT_DATA, &former) != 0)
        std::abort();
    rlimit limit = former;
    if (refused)
        limit.rlim_cur = 1;  // Linux takes 0 for Valgrind's way of saying "unlimited"
    if (setrlimit(RLIMIT_DATA, &limit) != 0)
        std::abort();
}
#endif

void (*refusal())(bool)
{
#ifdef __linux__
    return SANITIZED || emulated() || !packs() ? nullptr : refuse_memory;
#else
    return nullptr;
#endif
}

std::string run_seed(unsigned seed, uint32_t flags)
{
    Random random(seed);
    int i = 0;
    try {
        Model<Random> model(random, flags, packs(), refusal());
        for (; i < CALLS; i++) {
            model.step();
            if (i % 100 == 0)
                model.verify();
        }
        model.verify();
    } catch (const Unlike &unlike) {
        return "call " + std::to_string(i) + ", model.h:" + unlike.what;
    }
    return "";
}

class RandomArena : public testing::TestWithParam<unsigned> {};

TEST_P(RandomArena, does_as_the_model)
{
    if (kinds[GetParam()] == ACRE_ARENA_WIPE_ON_FORK && !acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot wipe memory at fork";
    Seeds seeds = seeds_to_run(emulated() ? 20 : 1);
    for (unsigned seed = seeds.first; seed < seeds.end; seed++) {
        if (seed % KINDS != GetParam())
            continue;
        std::string wrong = run_seed(seed, kinds[GetParam()]);
        EXPECT_EQ("", wrong) << "ACRE_TEST_SEED=" << seed;
    }
}

INSTANTIATE_TEST_SUITE_P(, RandomArena, testing::Range(0u, KINDS),
                         [](const auto &parameter) { return names[parameter.param]; });

}  // namespace
