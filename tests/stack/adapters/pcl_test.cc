// Coroutines of PCL run on acre's stacks.
#ifdef ACRE_WITHOUT_PCL
#include "gtest/gtest.h"

TEST(Pcl, needs_its_library)
{
    GTEST_SKIP() << "built without libpcl1-dev";
}
#else
#include <vector>

#include "acre/stack_pcl.h"
#include "gtest/gtest.h"
#include "tests/stack/adapters/where.h"
#include "tests/stack/pool.h"

using namespace acre_test;

namespace {

struct Task {
    acre_stack stack = {};
    coroutine_t coroutine = nullptr;
    const acre_stack_pool *pool = nullptr;
    int steps = 0;
};

void run(void *data)
{
    Task &task = *static_cast<Task *>(data);
    for (int i = 0; i < 3; i++) {
        task.steps += runs_in(task.pool) && stack_here().base == task.stack.base;
        co_resume();
    }
}

TEST(Pcl, coroutines_run_on_stacks_of_the_pool)
{
    Pool pool;
    std::vector<Task> tasks(100);
    for (Task &task : tasks) {
        task.pool = pool;
        ASSERT_EQ(ACRE_OK, acre_stack_pool_take(pool, &task.stack));
        task.coroutine = acre_stack_to_pcl(&task.stack, run, &task);
        ASSERT_NE(nullptr, task.coroutine);
    }
    for (int i = 0; i < 3; i++) {
        for (Task &task : tasks)
            co_call(task.coroutine);
    }
    for (Task &task : tasks) {
        EXPECT_EQ(3, task.steps);
        co_delete(task.coroutine);
        EXPECT_EQ(ACRE_OK, acre_stack_pool_give(pool, &task.stack));
    }
}

TEST(Pcl, refuses_what_it_cannot_count)
{
    acre_stack stack = {};
    stack.size = static_cast<size_t>(INT_MAX) + 1;
    EXPECT_EQ(nullptr, acre_stack_to_pcl(&stack, run, nullptr));
}

}  // namespace
#endif
