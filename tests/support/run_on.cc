#include "tests/support/run_on.h"

#include <ucontext.h>

namespace acre_test {

bool run_on(const acre_stack &stack, void (*entry)())
{
    ucontext_t here;
    ucontext_t there;
    if (getcontext(&there) != 0)
        return false;
    there.uc_stack.ss_sp = stack.base;
    there.uc_stack.ss_size = stack.size;
    there.uc_link = &here;
    makecontext(&there, entry, 0);
    return swapcontext(&here, &there) == 0;
}

}  // namespace acre_test
