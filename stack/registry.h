// stack/registry.h - single stacks: a record for each, and lookup by address.
//
// Any thread may call these at any time; acre_registry_find and acre_registry_each may also be
// called from a signal handler.  Tables are mapped once and never unmapped.
#ifndef ACRE_STACK_REGISTRY_H_
#define ACRE_STACK_REGISTRY_H_

#include <stdint.h>

#include "acre/mmap.h"
#include "acre/stack.h"
#include "acre/status.h"
#include "stack/place.h"

ACRE_EXTERN_C_BEGIN

/// Registers `stack`: from here on, acre_registry_find returns it for every byte of `map`, and
/// `*out` is its handle.  The registry keeps the map.
///
/// @return ACRE_OK; ACRE_FULL when there are too many stacks; or why mapping the tables failed, and
///         nothing was added
acre_status acre_registry_add(const acre_mmap *map, const acre_stack_info *stack, int locked,
                              acre_stack *out);

/// Like acre_handle_get, for single stacks: goes by the handle's own record, not by its address.
acre_status acre_registry_get(const acre_stack *stack, stack_place *out);

/// Unmaps the stack; lookups no longer find it.
///
/// @return as acre_registry_get; or why unmapping failed, and nothing has changed
acre_status acre_registry_remove(const acre_stack *stack);

/// Like acre_stack_find, for single stacks.  Sets `key` to a handle's private words.
acre_status acre_registry_find(uintptr_t address, acre_stack_info *out, uintptr_t key[2]);

/// Like acre_stack_each, for single stacks.
acre_status acre_registry_each(acre_stack_visit_fn visit, void *context);

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_REGISTRY_H_
