#define _DEFAULT_SOURCE
#include "stacks.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "acre/stack_pool.h"

// ---- acre's pool --------------------------------------------------------------------------------

static acre_stack_pool *pool;

static acre_status
begin_pool(size_t header)
{
    acre_stack_pool_opts opts = {.stack_size = STACK_SIZE, .header_size = header};
    return acre_stack_pool_create(&opts, &pool);
}

static acre_status
take_from_pool(acre_stack *out)
{
    return acre_stack_pool_take(pool, out);
}

static acre_status
give_to_pool(const acre_stack *stack)
{
    return acre_stack_pool_give(pool, stack);
}

static acre_status
end_pool(void)
{
    return acre_stack_pool_destroy(pool);
}

const stack_kind pool_stacks = {"acre's pool", begin_pool, take_from_pool, give_to_pool, end_pool};

// ---- one map for each ---------------------------------------------------------------------------

static size_t page_size;
static size_t header_size;

static acre_status
begin_protected(size_t header)
{
    page_size = (size_t)sysconf(_SC_PAGESIZE);
    header_size = (header + 63) / 64 * 64;
    return ACRE_OK;
}

static acre_status
map_protected(acre_stack *out)
{
    size_t size = STACK_SIZE + page_size;
    char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return -errno;
    if (mprotect(base, page_size, PROT_NONE) != 0) {
        acre_status status = -errno;
        munmap(base, size);
        return status;
    }
    *out = (acre_stack){
        .base = base + page_size,
        .size = STACK_SIZE - header_size,
        .header = base + size - header_size,
    };
    return ACRE_OK;
}

static acre_status
unmap_protected(const acre_stack *stack)
{
    return munmap((char *)stack->base - page_size, STACK_SIZE + page_size) == 0 ? ACRE_OK : -errno;
}

static acre_status
end_protected(void)
{
    return ACRE_OK;
}

const stack_kind protected_stacks = {
    "mmap + mprotect", begin_protected, map_protected, unmap_protected, end_protected,
};
