// musl has no contexts to switch between: a thread of its own runs on the stack.
#include <pthread.h>

#include "tests/support/run_on.h"

namespace acre_test {

bool run_on(const acre_stack &stack, void (*entry)())
{
    pthread_attr_t attributes;
    pthread_t thread;
    auto run = [](void *argument) -> void * {
        reinterpret_cast<void (*)()>(argument)();
        return nullptr;
    };
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool ran = pthread_attr_setstack(&attributes, stack.base, stack.size) == 0 &&
               pthread_create(&thread, &attributes, run, reinterpret_cast<void *>(entry)) == 0 &&
               pthread_join(thread, nullptr) == 0;
    pthread_attr_destroy(&attributes);
    return ran;
}

}  // namespace acre_test
