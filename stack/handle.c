// The stack that a handle stands for, single or a pool's.
#include "stack/handle.h"

#include "mmap/debug.h"
#include "stack/pool.h"
#include "stack/registry.h"

acre_status
acre_handle_get(const acre_stack *stack, stack_place *out)
{
    if (!IS_VALID(stack != NULL))
        return ACRE_NULL_ARGUMENT;
    if (!IS_VALID(stack->base != NULL))
        return ACRE_EMPTY_HANDLE;
    // Only a single stack has a zero second word.
    return stack->private_[1] == 0 ? acre_registry_get(stack, out) : acre_region_get(stack, out);
}
