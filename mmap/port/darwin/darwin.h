// mmap/port/darwin/darwin.h - Mach calls as the macOS and iOS port makes them.
#ifndef ACRE_MMAP_PORT_DARWIN_DARWIN_H_
#define ACRE_MMAP_PORT_DARWIN_DARWIN_H_

#include <TargetConditionals.h>
#include <mach/mach.h>

#include "mmap/port/bsd/bsd.h"

// iOS has these functions, but no header that declares them.
kern_return_t mach_vm_map(vm_map_t task, mach_vm_address_t *address, mach_vm_size_t size,
                          mach_vm_offset_t mask, int flags, mem_entry_name_port_t object,
                          memory_object_offset_t offset, boolean_t copy, vm_prot_t protection,
                          vm_prot_t most, vm_inherit_t inheritance);
kern_return_t mach_vm_remap(vm_map_t task, mach_vm_address_t *address, mach_vm_size_t size,
                            mach_vm_offset_t mask, int flags, vm_map_t source_task,
                            mach_vm_address_t source, boolean_t copy, vm_prot_t *protection,
                            vm_prot_t *most, vm_inherit_t inheritance);
kern_return_t mach_vm_region_recurse(vm_map_t task, mach_vm_address_t *address,
                                     mach_vm_size_t *size, natural_t *depth,
                                     vm_region_recurse_info_t info, mach_msg_type_number_t *count);
kern_return_t mach_vm_read_overwrite(vm_map_t task, mach_vm_address_t address, mach_vm_size_t size,
                                     mach_vm_address_t data, mach_vm_size_t *got);

// The tag that vmmap and similar tools show for acre's anonymous memory: the last of those for
// applications.
enum { DARWIN_TAG = 255 };
#define DARWIN_TAG_FLAGS ((int)((unsigned)DARWIN_TAG << 24))

// A region of a task's map.  For the long form of `info`, the kernel would look for each page.
typedef struct darwin_region_info {
    uintptr_t start, end;
    vm_region_submap_short_info_data_64_t info;
} darwin_region_info;

// Finds the region that contains `address`, or the first above it: 1, 0 when there is none, or a
// failure.
acre_status acre_darwin_region(mach_port_t task, uintptr_t address, darwin_region_info *out);
// The status for a kernel's result.
acre_status acre_darwin_status(kern_return_t result);
// Maps memory at the requested place: private for object 0, else of a memory entry, from its
// beginning.
acre_status acre_darwin_map_memory(const port_request *request, mem_entry_name_port_t object,
                                   void **base);

// What happens to a map's pages in the child of a fork.
static inline vm_inherit_t
darwin_inheritance(uint32_t flags)
{
    if (flags & ACRE_MAP_DONT_FORK)
        return VM_INHERIT_NONE;
    return flags & (ACRE_MAP_SHARED | ACRE_IS_RING | ACRE_IS_TWIN) ? VM_INHERIT_SHARE
                                                                   : VM_INHERIT_COPY;
}

static inline int
darwin_placement(uint32_t flags)
{
    if (flags & ACRE_MAP_REPLACE)
        return VM_FLAGS_FIXED | VM_FLAGS_OVERWRITE;
    return flags & ACRE_MAP_FIXED ? VM_FLAGS_FIXED : VM_FLAGS_ANYWHERE;
}

#endif  // ACRE_MMAP_PORT_DARWIN_DARWIN_H_
