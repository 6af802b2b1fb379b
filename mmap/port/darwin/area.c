// macOS and iOS: reads what is mapped with mach_vm_region_recurse.
//
// One call finds the region of an address, or the next above it, as a rule in time that does not
// grow with the number of regions (docs/platforms.md).  It descends into submaps (what dyld shares
// among programs).  Another call, proc_pidinfo, reports files, but only on macOS.  It is no public
// function of iOS; there a file is known by the number of its memory object instead, and has no
// path.
#include "mmap/port/system.h"

#if ACRE_ON_DARWIN

#include "mmap/port/darwin/darwin.h"

#include <signal.h>
#include <string.h>
#include <sys/sysctl.h>

#if TARGET_OS_OSX
#include <sys/proc_info.h>

// Declared as in libproc.h, which not every SDK has.
int proc_pidinfo(int process, int flavor, uint64_t argument, void *buffer, int size);

typedef struct proc_regionwithpathinfo file_info;
#else
typedef struct file_info {
    char nothing;
} file_info;
#endif

// ---- regions ------------------------------------------------------------------------------------

acre_status
acre_darwin_region(mach_port_t task, uintptr_t address, darwin_region_info *out)
{
    for (natural_t depth = 0;; depth++) {
        vm_region_submap_short_info_data_64_t info = {0};
        mach_vm_address_t start = address;
        mach_vm_size_t size = 0;
        mach_msg_type_number_t count = VM_REGION_SUBMAP_SHORT_INFO_COUNT_64;
        natural_t reached = depth;
        kern_return_t result = mach_vm_region_recurse(task, &start, &size, &reached,
                                                      (vm_region_recurse_info_t)&info, &count);
        if (result == KERN_INVALID_ADDRESS)
            return 0;
        // An ended task is reported as an invalid task or an invalid argument.
        if (result != KERN_SUCCESS)
            return result == KERN_INVALID_ARGUMENT ? -ESRCH : acre_darwin_status(result);
        if (info.is_submap)
            continue;
        out->info = info;
        out->start = (uintptr_t)start;
        out->end = (uintptr_t)(start + size);
        return 1;
    }
}

static uint32_t
access_of(vm_prot_t protection)
{
    return (protection & VM_PROT_READ ? ACRE_READ : 0u) |
           (protection & VM_PROT_WRITE ? ACRE_WRITE : 0u) |
           (protection & VM_PROT_EXECUTE ? ACRE_EXEC : 0u);
}

// Names for what the system maps in every program.
static const char *
name_of(unsigned tag)
{
    switch (tag) {
    case VM_MEMORY_MALLOC:
    case VM_MEMORY_MALLOC_SMALL:
    case VM_MEMORY_MALLOC_LARGE:
    case VM_MEMORY_MALLOC_HUGE:
    case VM_MEMORY_MALLOC_TINY:
        return "malloc";
    case VM_MEMORY_STACK:
        return "stack";
    case VM_MEMORY_GUARD:
        return "guard";
    case VM_MEMORY_DYLIB:
    case VM_MEMORY_DYLD:
        return "dyld";
    case VM_MEMORY_OS_ALLOC_ONCE:
        return "alloc_once";
    default:
        return NULL;
    }
}

static void
describe_region(const darwin_region_info *region, acre_area *out)
{
    const vm_region_submap_short_info_data_64_t *info = &region->info;
    // What a child would get shows it.  Private memory that was locked or moved and then cut has
    // the mode of shared memory; that decides only where a child gets nothing.
    int shared = info->inheritance == VM_INHERIT_SHARE ||
                 (info->inheritance == VM_INHERIT_NONE &&
                  (info->share_mode == SM_SHARED || info->share_mode == SM_TRUESHARED ||
                   info->share_mode == SM_SHARED_ALIASED));
    *out = (acre_area){
        .start = region->start,
        .end = region->end,
        .allocation_base = region->start,
        .page_size = acre_port_page_size(),
        .access = access_of(info->protection),
        .flags = shared ? ACRE_AREA_SHARED : 0,
    };
    if (info->external_pager) {
        out->flags |= ACRE_AREA_FILE;
        out->file_offset = info->offset;
        out->inode = info->object_id;
    } else {
        out->name = name_of(info->user_tag);
        out->flags |= out->access == ACRE_NONE && !shared ? ACRE_AREA_RESERVED : 0;
    }
}

// ---- files --------------------------------------------------------------------------------------

#if TARGET_OS_OSX
// Finds the file behind the area, if any; `info` holds the path.
static void
find_file(acre_process process, const darwin_region_info *region, file_info *info, acre_area *out)
{
    int saved = errno;
    int got = proc_pidinfo(process, PROC_PIDREGIONPATHINFO, region->start, info, sizeof *info);
    errno = saved;
    // The call reports a later region if this one has no file.
    if (got < (int)sizeof *info || info->prp_prinfo.pri_address != region->start)
        return;
    const struct vinfo_stat *file = &info->prp_vip.vip_vi.vi_stat;
    if (file->vst_ino == 0 && info->prp_vip.vip_path[0] == 0)
        return;
    out->flags &= ~(uint32_t)ACRE_AREA_RESERVED;
    out->flags |= ACRE_AREA_FILE | (file->vst_nlink == 0 ? ACRE_AREA_DELETED : 0);
    out->file_offset = region->info.offset;
    out->device = (uint64_t)(dev_t)file->vst_dev;  // as stat reports it
    out->inode = file->vst_ino;
    out->name = NULL;
    info->prp_vip.vip_path[sizeof info->prp_vip.vip_path - 1] = 0;
    if (info->prp_vip.vip_path[0] != 0)
        out->path = info->prp_vip.vip_path;
}
#else
static void
find_file(acre_process process, const darwin_region_info *region, file_info *info, acre_area *out)
{
    (void)process;
    (void)region;
    (void)info;
    (void)out;
}
#endif

// The kernel reports where the first thread's stack ends.
static void
find_stack_area(acre_area *area)
{
    int name[2] = {CTL_KERN, sizeof(void *) == 8 ? KERN_USRSTACK64 : KERN_USRSTACK32};
    uintptr_t top = 0;
    size_t size = sizeof top;
    int saved = errno;
    int told = sysctl(name, 2, &top, &size, NULL, 0) == 0 && size == sizeof top;
    errno = saved;
    if (told && area->start < top && top <= area->end)
        area->flags |= ACRE_AREA_STACK;
}

static void
describe_fully(acre_process process, const darwin_region_info *region, file_info *info,
               acre_area *out)
{
    describe_region(region, out);
    if (region->info.external_pager)
        find_file(process, region, info, out);
    if (process == acre_port_process_id() && region->info.user_tag == VM_MEMORY_STACK)
        find_stack_area(out);
}

int
acre_bsd_open_again(const void *address)
{
    darwin_region_info region;
    file_info info;
    acre_area area = {0};
    acre_status status = acre_darwin_region(mach_task_self(), (uintptr_t)address, &region);
    if (status != 1)
        return status < 0 ? status : -ENOMEM;
    find_file(acre_port_process_id(), &region, &info, &area);
    return area.path != NULL ? acre_bsd_open_same(area.path, area.device, area.inode) : -ENOTSUP;
}

// ---- without a view -----------------------------------------------------------------------------

acre_status
acre_port_area_at(uintptr_t address, acre_area *out)
{
    darwin_region_info region;
    acre_status status = acre_darwin_region(mach_task_self(), address, &region);
    if (status != 1 || region.start > address)
        return status < 0 ? status : ACRE_NOT_MAPPED;
    file_info info;
    acre_area area;
    describe_fully(acre_port_process_id(), &region, &info, &area);
    area.path = NULL;
    area.name = NULL;
    *out = area;
    return ACRE_OK;
}

acre_status
acre_port_area_count(uint64_t *out)
{
    uint64_t count = 0;
    uintptr_t at = 0;
    darwin_region_info region;
    acre_status status;
    while ((status = acre_darwin_region(mach_task_self(), at, &region)) == 1) {
        count++;
        at = region.end;
        if (at == 0)
            break;
    }
    if (status < 0)
        return status;
    *out = count;
    return ACRE_OK;
}

// The lowest address that a program can get: there are no regions below it.
static uintptr_t
lowest_address(void)
{
    task_vm_info_data_t info = {0};
    mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
    kern_return_t result = task_info(mach_task_self(), TASK_VM_INFO, (task_info_t)&info, &count);
    return result == KERN_SUCCESS ? (uintptr_t)info.min_address : 0;
}

acre_status
acre_bsd_walk_begin(bsd_walk *walk)
{
    walk->words[0] = lowest_address();
    return ACRE_OK;
}

acre_status
acre_bsd_walk_next(bsd_walk *walk, uintptr_t address, acre_area *out)
{
    if (address < walk->words[0]) {
        *out = (acre_area){.end = walk->words[0], .page_size = acre_port_page_size()};
        return 1;
    }
    darwin_region_info region;
    acre_status status = acre_darwin_region(mach_task_self(), address, &region);
    if (status == 1)
        describe_region(&region, out);
    return status;
}

void
acre_bsd_walk_end(bsd_walk *walk)
{
    (void)walk;
}

// ---- views --------------------------------------------------------------------------------------

struct port_view {
    mach_port_t task;
    acre_process process;
    uintptr_t position;
    file_info next, queried;  // hold the reported paths
};
_Static_assert(sizeof(struct port_view) <= PORT_VIEW_SIZE, "two paths fit");

static acre_status
task_of(acre_process process, mach_port_t *task)
{
#if TARGET_OS_OSX
    int saved = errno;
    int exists = kill(process, 0) == 0 || errno != ESRCH;
    errno = saved;
    if (!exists)
        return -ESRCH;
    // Possible reasons: a system program, no entitlement, not root.
    return task_for_pid(mach_task_self(), process, task) == KERN_SUCCESS ? ACRE_OK : -EPERM;
#else
    (void)process;
    (void)task;
    return -ENOTSUP;
#endif
}

acre_status
acre_port_view_open(port_view *view, acre_process process, uintptr_t handle[2])
{
    if (process < 0)
        return -ESRCH;
    acre_process self = acre_port_process_id();
    view->process = process == 0 ? self : process;
    view->task = mach_task_self();
    handle[0] = 0;
    handle[1] = (uintptr_t)self;
    if (view->process == self)
        return ACRE_OK;
    acre_status status = task_of(process, &view->task);
    if (status == ACRE_OK)
        handle[0] = view->task;
    return status;
}

void
acre_port_view_close(const uintptr_t handle[2])
{
    // The child of a fork does not have its parent's ports: there the number may mean another port.
    if (handle[0] != 0 && handle[1] == (uintptr_t)acre_port_process_id())
        (void)mach_port_deallocate(mach_task_self(), (mach_port_name_t)handle[0]);
}

acre_status
acre_port_view_next(port_view *view, acre_area *out)
{
    if (view->position == UINTPTR_MAX)
        return 0;
    darwin_region_info region;
    acre_status status = acre_darwin_region(view->task, view->position, &region);
    if (status != 1)
        return status;
    describe_fully(view->process, &region, &view->next, out);
    view->position = region.end != 0 ? region.end : UINTPTR_MAX;
    return 1;
}

acre_status
acre_port_view_seek(port_view *view, uintptr_t address)
{
    darwin_region_info region;
    acre_status status = acre_darwin_region(view->task, address, &region);
    if (status < 0)
        return status;
    view->position = address;
    return ACRE_OK;
}

acre_status
acre_port_view_query(port_view *view, uintptr_t address, acre_area *out)
{
    darwin_region_info region;
    acre_status status = acre_darwin_region(view->task, address, &region);
    if (status != 1 || region.start > address)
        return status < 0 ? status : ACRE_NOT_MAPPED;
    describe_fully(view->process, &region, &view->queried, out);
    return ACRE_OK;
}

#endif  // ACRE_ON_DARWIN
