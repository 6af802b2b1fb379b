// Cookbook: machine code without memory that is writable and executable.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "acre/icache.h"
#include "acre/mmap.h"

// Machine code of `int f(void) { return 42; }`; 0 bytes for processors that the example does not
// know.
static size_t
generate(void *at)
{
#if defined(__x86_64__) || defined(__i386__)
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
#elif defined(__aarch64__)
    static const uint32_t code[] = {0x52800540u, 0xd65f03c0u};
#else
    static const char code[] = {0};
    return 0;
#endif
    memcpy(at, code, sizeof code);
    return sizeof code;
}

// quote begins
static int
generate_and_call(int *answer)
{
    // The same pages twice; the executable ones within reach of calls into this program.
    acre_mmap_opts opts = {
        .near_address = (const void *)(uintptr_t)generate_and_call,
        .reach = (size_t)1 << 30,
    };
    acre_mmap write;
    acre_mmap exec;
    if (acre_mmap_twin(4096, &opts, &write, &exec) != ACRE_OK)
        return 0;

    size_t length = generate(write.base);
    acre_icache_flush(exec.base, length);
    int (*function)(void);
    memcpy(&function, &exec.base, sizeof function);
    if (length != 0)
        *answer = function();
    ACRE_IGNORE(acre_mmap_unmap(&write));
    ACRE_IGNORE(acre_mmap_unmap(&exec));
    return 1;
}
// quote ends

int
main(void)
{
    int answer = 0;
    if (!generate_and_call(&answer))
        return 1;
    printf("the generated function answers %d\n", answer);
    return 0;
}
