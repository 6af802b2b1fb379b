// A plugin that contains acre is closed while a thread that used its stacks goes on.
#include <dlfcn.h>
#include <sys/auxv.h>

#include <cstdlib>
#include <thread>

#include "gtest/gtest.h"
#include "tests/support/expect.h"
#include "tests/support/support.h"

namespace {

using namespace acre_test;

TEST(Plugin, may_be_closed_before_threads_end_that_used_its_stacks)
{
    if (getauxval(AT_BASE) == 0)
        GTEST_SKIP() << "this program is static: it loads no shared objects";
    Ended ended = in_child([] {
        void *plugin = dlopen(std::getenv("PLUGIN"), RTLD_NOW | RTLD_LOCAL);
        STEP(77, plugin != nullptr);
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
    expect_success(ended);
}

}  // namespace
