// README begins
#include <stdio.h>

#include "acre/stack.h"

int
main(void)
{
    acre_stack stack;  // for a coroutine: 64 KiB and a guard below
    if (acre_stack_create(64 * 1024, NULL, &stack) != ACRE_OK)
        return 1;

    acre_stack_info info;  // whose address is this? also from a signal handler
    acre_status status = acre_stack_find((char *)stack.base - 1, &info);
    if (status == ACRE_OK)
        printf("that is%s its guard\n", info.where == ACRE_STACK_GUARD ? "" : " not");
    ACRE_IGNORE(acre_stack_destroy(&stack));
    return status == ACRE_OK ? 0 : 1;
}
// README ends
