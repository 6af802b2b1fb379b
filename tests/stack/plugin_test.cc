// A plugin that contains acre is closed while a thread that used its stacks goes on.
#include <dlfcn.h>

#include <cstdlib>
#include <thread>

#include "gtest/gtest.h"
#include "tests/support/expect.h"
#include "tests/support/support.h"

namespace {

using namespace acre_test;

TEST(Plugin, may_be_closed_before_threads_end_that_used_its_stacks)
{
    Ended ended = in_child([] {
        void *plugin = dlopen(std::getenv("PLUGIN"), RTLD_NOW | RTLD_LOCAL);
        if (plugin == nullptr)
            return 77;
        auto start = reinterpret_cast<int (*)()>(dlsym(plugin, "plugin_start"));
        auto stop = reinterpret_cast<int (*)()>(dlsym(plugin, "plugin_stop"));
        STEP(1, start != nullptr && stop != nullptr);
        int result = -1;
        std::thread user([&] {
            result = start();
            if (result == 0)
                result = stop();
            if (dlclose(plugin) != 0)
                result = 5;
        });
        user.join();
        return result;
    });
    if (ended.exited && ended.code == 77)
        GTEST_SKIP() << "this program loads no shared objects";
    expect_success(ended);
}

}  // namespace
