#include <stdio.h>

#include "acre/stack.h"

int
main(void)
{
    // README begins
    acre_stack stack;  // for a coroutine: 64 KiB and a guard below
    if (acre_stack_create(64 * 1024, NULL, &stack) != ACRE_OK)
        return 1;
    acre_stack_info info;  // whose address is this?
    if (acre_stack_find((char *)stack.base - 1, &info) == ACRE_OK)
        printf("that is%s its guard\n", info.where == ACRE_STACK_GUARD ? "" : " not");
    ACRE_IGNORE(acre_stack_destroy(&stack));
    // README ends
    return 0;
}
