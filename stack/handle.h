// stack/handle.h - the stack that a handle stands for.
#ifndef ACRE_STACK_HANDLE_H_
#define ACRE_STACK_HANDLE_H_

#include "acre/stack.h"
#include "stack/place.h"

/// Finds the place of a handle's stack.  Reads the handle's own record, never what happens to lie
/// at its address: the record's generation, process and base must match the handle.  Loads only.
///
/// @return ACRE_OK; ACRE_NULL_ARGUMENT; ACRE_EMPTY_HANDLE when it is all-zero; ACRE_STALE when the
///         stack was destroyed or given back; ACRE_NOT_OURS when it is not a stack, or this is a
///         child that does not have it
acre_status acre_handle_get(const acre_stack *stack, stack_place *out);

#endif  // ACRE_STACK_HANDLE_H_
