// Reports of stack overflows: arguments are checked, the rest is not built yet.
#include "acre/stack_overflow.h"

acre_status
acre_stack_overflow_install(acre_stack_overflow_fn call, void *context)
{
    (void)context;
    return call == NULL ? ACRE_BAD_OPTION : -ENOTSUP;
}

acre_status
acre_stack_overflow_remove(void)
{
    return -ENOTSUP;
}

acre_status
acre_stack_overflow_thread_enter(void)
{
    return -ENOTSUP;
}

acre_status
acre_stack_overflow_thread_leave(void)
{
    return -ENOTSUP;
}
