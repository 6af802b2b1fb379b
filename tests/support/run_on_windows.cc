// Windows looks into the thread information block for where the stack is: whoever switches stacks
// fills it in.
#include "tests/support/run_on.h"

#include <windows.h>

#include <cstdint>

namespace acre_test {
namespace {

// Of the block, behind what headers tell of it.
#if defined(_WIN64)
constexpr size_t kDeallocationStack = 0x1478, kGuaranteedBytes = 0x1748;
#else
constexpr size_t kDeallocationStack = 0xe0c, kGuaranteedBytes = 0xf78;
#endif

struct Place {
    void *base, *limit, *deallocation;
    ULONG guaranteed;
};

Place exchange(const Place &place)
{
    NT_TIB *block = reinterpret_cast<NT_TIB *>(NtCurrentTeb());
    char *bytes = reinterpret_cast<char *>(block);
    void **deallocation = reinterpret_cast<void **>(bytes + kDeallocationStack);
    ULONG *guaranteed = reinterpret_cast<ULONG *>(bytes + kGuaranteedBytes);
    Place before = {block->StackBase, block->StackLimit, *deallocation, *guaranteed};
    block->StackBase = place.base;
    block->StackLimit = place.limit;
    *deallocation = place.deallocation;
    *guaranteed = place.guaranteed;
    return before;
}

}  // namespace

bool run_on(void *lowest, void *base, size_t size, void (*entry)())
{
    char *top = static_cast<char *>(base) + size;
    Place before = exchange({top, base, lowest, 0});
    uintptr_t aligned = reinterpret_cast<uintptr_t>(top) & ~uintptr_t{63};
#if defined(__x86_64__)
    __asm__ volatile(
        "movq %%rsp, %%rbx\n\t"
        "leaq -32(%[top]), %%rsp\n\t"
        "callq *%[entry]\n\t"
        "movq %%rbx, %%rsp"
        :
        : [top] "r"(aligned), [entry] "r"(entry)
        : "rbx", "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
          "xmm4", "xmm5", "memory", "cc");
#elif defined(__i386__)
    __asm__ volatile(
        "movl %%esp, %%ebx\n\t"
        "movl %[top], %%esp\n\t"
        "calll *%[entry]\n\t"
        "movl %%ebx, %%esp"
        :
        : [top] "S"(aligned), [entry] "D"(entry)
        : "ebx", "eax", "ecx", "edx", "memory", "cc");
#else
#error "this processor's switch is not written"
#endif
    exchange(before);
    return true;
}

}  // namespace acre_test
