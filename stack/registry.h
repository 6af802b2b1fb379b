// stack/registry.h - single stacks: a record of each, and which one an address lies in.
//
// Calls may be made by any thread at once; acre_registry_find also from a signal handler.  What a
// call needs for itself it maps once and never unmaps.
#ifndef ACRE_STACK_REGISTRY_H_
#define ACRE_STACK_REGISTRY_H_

#include <stdint.h>

#include "acre/mmap.h"
#include "acre/stack.h"
#include "acre/status.h"
#include "stack/place.h"

ACRE_EXTERN_C_BEGIN

/// From here on every byte of `map` is answered for with `stack`, and `*out` is its handle.  The
/// registry keeps the map.
///
/// @return ACRE_OK; ACRE_FULL when there are too many stacks; what mapping the tables failed with:
///         nothing was added then
acre_status acre_registry_add(const acre_mmap *map, const acre_stack_info *stack, int locked,
                              acre_stack *out);

/// As acre_handle_get, for single stacks: the handle's own record decides, not its address.
acre_status acre_registry_get(const acre_stack *stack, stack_place *out);

/// Unmaps the stack, and answers for it no more.
///
/// @return as acre_registry_get, or what unmapping failed with: nothing has changed then
acre_status acre_registry_remove(const acre_stack *stack);

/// As acre_stack_find, for single stacks.
acre_status acre_registry_find(uintptr_t address, acre_stack_info *out);

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_REGISTRY_H_
