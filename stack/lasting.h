// stack/lasting.h - memory that is never unmapped.
//
// Signal handlers may read such memory at any time, and threads that end may come back to it.
#ifndef ACRE_STACK_LASTING_H_
#define ACRE_STACK_LASTING_H_

#include <stddef.h>
#include <stdint.h>

#include "acre/mmap.h"
#include "acre/status.h"

/// `size` zeroed bytes of base pages, of which most may never be touched.
acre_status acre_lasting_map(size_t size, acre_mmap *out);
/// Makes `*place` point to the map for good, or unmaps it when another thread was first.
acre_status acre_lasting_publish(_Atomic(void *) *place, acre_mmap *map);
/// Makes `*place` point to `size` zeroed bytes, unless it points somewhere already.  Any thread may
/// call it for the same place at once.
acre_status acre_lasting_provide(_Atomic(void *) *place, size_t size);
/// The same with memory that a child of a fork finds zeroed; -ENOTSUP where there is none.
acre_status acre_lasting_provide_wiped(_Atomic(void *) *place, size_t size);

#endif  // ACRE_STACK_LASTING_H_
