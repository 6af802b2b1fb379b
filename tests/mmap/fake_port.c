// What is asked for is recorded and granted.  Maps lie at addresses where nothing is; nobody
// touches them.
#include "tests/mmap/fake_port.h"

fake_port fake;

static void record(const char *call)
{
    fake.calls++;
    fake.call = call;
}

static acre_status record_range(const char *call, const void *start, size_t length)
{
    record(call);
    fake.start = (uintptr_t)start;
    fake.length = length;
    return ACRE_OK;
}

// Where everything begins that did not ask for a place: a multiple of any alignment that the tests
// use.
static void *place(const port_request *request)
{
    return request->address != NULL ? request->address : (void *)(SIZE_MAX / 2 + 1);
}

// ---- facts --------------------------------------------------------------------------------------

size_t acre_port_page_size(void)
{
    return fake.page_size;
}

size_t acre_port_granularity(void)
{
    return fake.granularity;
}

int acre_port_page_sizes(size_t *sizes, size_t capacity)
{
    int count = 0;
    for (; count < 4 && fake.page_sizes[count] != 0; count++) {
        if ((size_t)count < capacity)
            sizes[count] = fake.page_sizes[count];
    }
    return count;
}

size_t acre_port_default_huge_size(void)
{
    return fake.default_huge;
}

size_t acre_port_transparent_huge_size(void)
{
    return fake.transparent_huge;
}

int acre_port_can(acre_capability what)
{
    (void)what;
    return 1;
}

acre_status acre_port_system_read(acre_system *out)
{
    (void)out;
    return ACRE_OK;
}

// ---- maps ---------------------------------------------------------------------------------------

acre_status acre_port_map(const port_request *request, acre_mmap *out)
{
    record("map");
    fake.request = *request;
    out->base = place(request);
    out->flags = request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
    return ACRE_OK;
}

acre_status acre_port_ring(const port_request *request, acre_mmap *out)
{
    record("ring");
    fake.request = *request;
    out->base = place(request);
    out->flags = request->flags | ACRE_IS_RING;
    return ACRE_OK;
}

acre_status acre_port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec)
{
    record("twin");
    fake.request = *request;
    exec->base = place(request);
    write->base = (char *)exec->base + request->size;
    write->flags = exec->flags = request->flags | ACRE_IS_TWIN;
    return ACRE_OK;
}

acre_status acre_port_image_begin(size_t size, acre_file *file, acre_mmap *fill)
{
    fill->base = (void *)(SIZE_MAX / 2 + 1);
    *file = 1;
    return record_range("image_begin", fill->base, size);
}

acre_status acre_port_image_seal(acre_file file)
{
    (void)file;
    return ACRE_OK;
}

acre_status acre_port_image_close(acre_file file)
{
    (void)file;
    return ACRE_OK;
}

acre_status acre_port_unmap(acre_mmap *map)
{
    return record_range("unmap", map->base, map->size);
}

acre_status acre_port_commit(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    (void)map;
    (void)access;
    return record_range("commit", start, length);
}

acre_status acre_port_decommit(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    return record_range("decommit", start, length);
}

acre_status acre_port_protect(acre_mmap *map, void *start, size_t length, uint32_t access)
{
    (void)map;
    (void)access;
    return record_range("protect", start, length);
}

acre_status acre_port_guard(acre_mmap *map, void *start, size_t length, uint32_t *kind)
{
    (void)map;
    *kind = ACRE_HAS_PAGE_GUARDS;
    return record_range("guard", start, length);
}

acre_status acre_port_guard_many(const acre_range *ranges, size_t count, size_t *done)
{
    *done = count;
    return record_range("guard_many", ranges, count);
}

int acre_port_stacks_grow(void)
{
    return 0;
}

acre_status acre_port_commit_stack(acre_mmap *map, void *start, size_t length, size_t first)
{
    (void)first;
    (void)map;
    return record_range("commit_stack", start, length);
}

acre_status acre_port_shrink_stack(acre_mmap *map, void *start, size_t length, size_t keep)
{
    (void)map;
    (void)keep;
    return record_range("shrink_stack", start, length);
}

acre_status acre_port_unguard(acre_mmap *map, void *start, size_t length, int set_access)
{
    (void)map;
    (void)set_access;
    return record_range("unguard", start, length);
}

acre_status acre_port_discard(acre_mmap *map, void *start, size_t length, uint32_t when)
{
    (void)map;
    (void)when;
    return record_range("discard", start, length);
}

acre_status acre_port_discard_many(const acre_range *ranges, size_t count, uint32_t when,
                                   size_t *done)
{
    (void)when;
    *done = count;
    return record_range("discard_many", ranges, count);
}

int acre_port_discards_at_once(void)
{
    return 1;
}

acre_status acre_port_populate(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    return record_range("populate", start, length);
}

acre_status acre_port_lock(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    return record_range("lock", start, length);
}

acre_status acre_port_lock_on_fault(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    return record_range("lock_on_fault", start, length);
}

acre_status acre_port_unlock(acre_mmap *map, void *start, size_t length)
{
    (void)map;
    return record_range("unlock", start, length);
}

acre_status acre_port_flush(acre_mmap *map, void *start, size_t length, uint32_t how)
{
    (void)map;
    (void)how;
    return record_range("flush", start, length);
}

acre_status acre_port_advise(acre_mmap *map, void *start, size_t length, acre_advice advice)
{
    (void)map;
    (void)advice;
    return record_range("advise", start, length);
}

acre_status acre_port_resident(const void *start, size_t length, size_t *bytes)
{
    *bytes = length;
    return record_range("resident", start, length);
}

acre_status acre_port_any_present(const void *start, size_t length, int *any)
{
    *any = 1;
    return record_range("any_present", start, length);
}

acre_status acre_port_lowest_touched(const void *start, size_t length, const void **lowest)
{
    *lowest = (const char *)start + length;
    return ACRE_OK;
}

acre_status acre_port_lowest_touched_many(const acre_range *ranges, size_t count,
                                          const void **lowest)
{
    for (size_t i = 0; i < count; i++)
        lowest[i] = (const char *)ranges[i].base + ranges[i].length;
    return ACRE_OK;
}

acre_status acre_port_stack_bounds(void *lowest, void *base, void *top, port_bounds *out)
{
    *out = (port_bounds){.top = top, .limit = base, .lowest = lowest};
    return ACRE_OK;
}

int acre_port_stack_exchange(const port_bounds *to, port_bounds *from)
{
    (void)to;
    (void)from;
    return 0;
}

acre_status acre_port_continues(acre_mmap *map, const acre_mmap *next)
{
    (void)map;
    (void)next;
    return ACRE_OK;
}

acre_status acre_port_resize(acre_mmap *map, size_t size, uint32_t how)
{
    (void)how;
    (void)record_range("resize", map->base, size);
    map->size = size;
    return ACRE_OK;
}

acre_status acre_port_seal(acre_mmap *map)
{
    return record_range("seal", map->base, map->size);
}

// ---- the rest -----------------------------------------------------------------------------------

void acre_port_icache_flush(void *start, size_t length)
{
    (void)start;
    (void)length;
}

void acre_port_jit_write(int allowed)
{
    (void)allowed;
}

acre_status acre_port_file_open(const char *path, int writable, acre_file *file, uint64_t *size)
{
    (void)path;
    (void)writable;
    *file = 1;
    *size = 1;
    return ACRE_OK;
}

void acre_port_file_close(acre_file file)
{
    (void)file;
}

acre_process acre_port_process_id(void)
{
    return 1;
}

void acre_port_wait(const void *word, uint32_t value)
{
    (void)word;
    (void)value;
}

void acre_port_wake(const void *word)
{
    (void)word;
}

acre_status acre_port_thread_hook(port_thread_word which, port_thread_end end)
{
    (void)which;
    (void)end;
    return -ENOTSUP;
}

acre_status acre_port_thread_set(port_thread_word which, void *word)
{
    (void)which;
    (void)word;
    return -ENOTSUP;
}

void *acre_port_thread_get(port_thread_word which)
{
    (void)which;
    return NULL;
}

uint64_t acre_port_address_bits(void)
{
    return 47;
}

uint64_t acre_port_address_limit(void)
{
    return UINT64_MAX;
}

acre_status acre_port_area_at(uintptr_t address, acre_area *out)
{
    (void)address;
    (void)out;
    return ACRE_NOT_MAPPED;
}

acre_status acre_port_view_open(port_view *view, acre_process process, uintptr_t handle[2])
{
    (void)view;
    (void)process;
    handle[0] = 0;
    handle[1] = 0;
    return -ENOTSUP;
}

void acre_port_view_close(const uintptr_t handle[2])
{
    (void)handle;
}

acre_status acre_port_view_next(port_view *view, acre_area *out)
{
    (void)view;
    (void)out;
    return 0;
}

acre_status acre_port_view_seek(port_view *view, uintptr_t address)
{
    (void)view;
    (void)address;
    return ACRE_OK;
}

acre_status acre_port_view_query(port_view *view, uintptr_t address, acre_area *out)
{
    (void)view;
    (void)address;
    (void)out;
    return ACRE_NOT_MAPPED;
}

acre_status acre_port_area_count(uint64_t *out)
{
    *out = 0;
    return ACRE_OK;
}
