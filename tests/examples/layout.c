// Layouts and constants that the examples in other languages repeat, as those print them: lines
// "struct field offset size", "struct size", and "CONSTANT value".
#include <stddef.h>
#include <stdio.h>

#include "acre/mmap.h"
#include "acre/stack_pool.h"

#define FIELD(type, field) \
    printf("%s %s %zu %zu\n", #type, #field, offsetof(type, field), sizeof(((type *)NULL)->field))
#define SIZE(type) printf("%s %zu\n", #type, sizeof(type))
#define CONSTANT(name) printf("%s %ld\n", #name, (long)(name))

int main(void)
{
    FIELD(acre_mmap, base);
    FIELD(acre_mmap, size);
    FIELD(acre_mmap, page_size);
    FIELD(acre_mmap, backing);
    FIELD(acre_mmap, offset);
    FIELD(acre_mmap, private_);
    FIELD(acre_mmap, access);
    FIELD(acre_mmap, flags);
    SIZE(acre_mmap);
    CONSTANT(ACRE_READ_WRITE);

    FIELD(acre_stack, base);
    FIELD(acre_stack, size);
    FIELD(acre_stack, header);
    FIELD(acre_stack, guard_kind);
    FIELD(acre_stack, generation);
    FIELD(acre_stack, private_);
    SIZE(acre_stack);
    FIELD(acre_stack_info, base);
    FIELD(acre_stack_info, size);
    FIELD(acre_stack_info, header);
    FIELD(acre_stack_info, pool);
    FIELD(acre_stack_info, tag);
    FIELD(acre_stack_info, where);
    FIELD(acre_stack_info, generation);
    FIELD(acre_stack_info, guard_kind);
    FIELD(acre_stack_info, padding);
    SIZE(acre_stack_info);
    FIELD(acre_stack_pool_opts, stack_size);
    FIELD(acre_stack_pool_opts, guard_size);
    FIELD(acre_stack_pool_opts, header_size);
    FIELD(acre_stack_pool_opts, max_stacks);
    FIELD(acre_stack_pool_opts, keep);
    FIELD(acre_stack_pool_opts, tag);
    FIELD(acre_stack_pool_opts, flags);
    FIELD(acre_stack_pool_opts, reserved);
    SIZE(acre_stack_pool_opts);
    CONSTANT(ACRE_STACK_GUARD);
    return 0;
}
