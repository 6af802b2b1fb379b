// Whoever switches stacks tells Windows of it, and notes what was known before.
#include "tests/support/run_on.h"

#include <cstdint>

#include "acre/stack_bounds.h"

namespace acre_test {

bool run_on(const acre_stack &stack, void (*entry)())
{
    acre_stack_bounds bounds;
    if (acre_stack_bounds_of(&stack, &bounds) != ACRE_OK)
        return false;
    uintptr_t top = reinterpret_cast<uintptr_t>(stack.base) + stack.size;
    acre_stack_bounds_exchange(&bounds, &bounds);
#if defined(__x86_64__)
    __asm__ volatile(
        "movq %%rsp, %%rbx\n\t"
        "leaq -32(%[top]), %%rsp\n\t"
        "callq *%[entry]\n\t"
        "movq %%rbx, %%rsp"
        :
        : [top] "r"(top), [entry] "r"(entry)
        : "rbx", "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
          "xmm4", "xmm5", "memory", "cc");
#elif defined(__i386__)
    __asm__ volatile(
        "movl %%esp, %%ebx\n\t"
        "movl %[top], %%esp\n\t"
        "calll *%[entry]\n\t"
        "movl %%ebx, %%esp"
        :
        : [top] "S"(top), [entry] "D"(entry)
        : "ebx", "eax", "ecx", "edx", "memory", "cc");
#else
#error "this processor's switch is not written"
#endif
    acre_stack_bounds_exchange(&bounds, &bounds);
    return true;
}

}  // namespace acre_test
