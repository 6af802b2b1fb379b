// stack/registry.h - which single stack an address lies in.
//
// Calls may be made by any thread at once; acre_registry_find also from a signal handler.  What a
// call needs for itself it maps once and never unmaps.
#ifndef ACRE_STACK_REGISTRY_H_
#define ACRE_STACK_REGISTRY_H_

#include <stdint.h>

#include "acre/mmap.h"
#include "acre/stack.h"
#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

/// Which record a stack has, and which use of it is meant.
typedef struct registry_key {
    uintptr_t index;      // of the record; 0 is nobody's
    uintptr_t base;       // of the stack's usable bytes
    uint32_t generation;  // odd
} registry_key;

/// From here on every byte of `map` is answered for with `stack`, whose generation is set.  The
/// registry keeps the map.
///
/// @return ACRE_OK; ACRE_FULL when there are too many stacks; what mapping the tables failed with:
///         nothing was added then
acre_status acre_registry_add(const acre_mmap *map, const acre_stack_info *stack,
                              registry_key *key);

/// @return ACRE_OK; ACRE_STALE when that use is over; ACRE_NOT_OURS when no stack of this process
///         ever had that key
acre_status acre_registry_get(const registry_key *key, acre_stack_info *out);

/// Where the stack's mapping ends.  Of a key that acre_registry_get just accepted, for whoever may
/// destroy the stack.
char *acre_registry_end(const registry_key *key);

/// The same, and the map that the stack lies in: the caller may commit and discard there, for as
/// long as it keeps others from removing the stack.
acre_status acre_registry_get_map(const registry_key *key, acre_stack_info *out, acre_mmap *map);

/// Unmaps the stack, and answers for it no more.
///
/// @return as acre_registry_get, or what unmapping failed with: nothing has changed then
acre_status acre_registry_remove(const registry_key *key);

/// As acre_stack_find, for single stacks.
acre_status acre_registry_find(uintptr_t address, acre_stack_info *out);

ACRE_EXTERN_C_END

#endif  // ACRE_STACK_REGISTRY_H_
