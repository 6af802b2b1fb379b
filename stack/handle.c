// The stack that a handle stands for, single or a pool's.
#include "stack/handle.h"

#include "stack/pool.h"
#include "stack/registry.h"

acre_status
acre_handle_get(const acre_stack *stack, stack_place *out)
{
    // Only a single stack has a zero second word.
    return stack->private_[1] == 0 ? acre_registry_get(stack, out) : acre_region_get(stack, out);
}
