#include "tests/support/run_on.h"

#include <ucontext.h>

namespace acre_test {

bool run_on(void *, void *base, size_t size, void (*entry)())
{
    ucontext_t here;
    ucontext_t there;
    if (getcontext(&there) != 0)
        return false;
    there.uc_stack.ss_sp = base;
    there.uc_stack.ss_size = size;
    there.uc_link = &here;
    makecontext(&there, entry, 0);
    return swapcontext(&here, &there) == 0;
}

}  // namespace acre_test
