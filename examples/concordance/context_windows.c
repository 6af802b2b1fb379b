// Windows: the registers that a function keeps for its caller, the stack pointer, and what the
// system must know of the stack.
#include "context.h"

#include <stdint.h>
#include <string.h>

// Pushes what is kept, stores the stack pointer into `*from`, and goes the other way at `to`.
void switch_stacks(void **from, void *to) __asm__("concordance_switch_stacks");

#if defined(__x86_64__)
__asm__(
    ".text\n"
    ".globl concordance_switch_stacks\n"
    "concordance_switch_stacks:\n\t"
    "pushq %rbp\n\tpushq %rbx\n\tpushq %rdi\n\tpushq %rsi\n\t"
    "pushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n\t"
    "subq $168, %rsp\n\t"
    "movups %xmm6, (%rsp)\n\tmovups %xmm7, 16(%rsp)\n\tmovups %xmm8, 32(%rsp)\n\t"
    "movups %xmm9, 48(%rsp)\n\tmovups %xmm10, 64(%rsp)\n\tmovups %xmm11, 80(%rsp)\n\t"
    "movups %xmm12, 96(%rsp)\n\tmovups %xmm13, 112(%rsp)\n\tmovups %xmm14, 128(%rsp)\n\t"
    "movups %xmm15, 144(%rsp)\n\t"
    "movq %rsp, (%rcx)\n\t"
    "movq %rdx, %rsp\n\t"
    "movups (%rsp), %xmm6\n\tmovups 16(%rsp), %xmm7\n\tmovups 32(%rsp), %xmm8\n\t"
    "movups 48(%rsp), %xmm9\n\tmovups 64(%rsp), %xmm10\n\tmovups 80(%rsp), %xmm11\n\t"
    "movups 96(%rsp), %xmm12\n\tmovups 112(%rsp), %xmm13\n\tmovups 128(%rsp), %xmm14\n\t"
    "movups 144(%rsp), %xmm15\n\t"
    "addq $168, %rsp\n\t"
    "popq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\t"
    "popq %rsi\n\tpopq %rdi\n\tpopq %rbx\n\tpopq %rbp\n\t"
    "ret\n");
// Below the top: room for the body's arguments, and where it would return to.
enum { KEPT = 168 + 8 * 8, ABOVE = 32 + 8 };
#elif defined(__i386__)
__asm__(
    ".text\n"
    ".globl concordance_switch_stacks\n"
    "concordance_switch_stacks:\n\t"
    "movl 4(%esp), %eax\n\t"
    "movl 8(%esp), %ecx\n\t"
    "pushl %ebp\n\tpushl %ebx\n\tpushl %edi\n\tpushl %esi\n\t"
    "movl %esp, (%eax)\n\t"
    "movl %ecx, %esp\n\t"
    "popl %esi\n\tpopl %edi\n\tpopl %ebx\n\tpopl %ebp\n\t"
    "ret\n");
enum { KEPT = 4 * 4, ABOVE = 16 + 4 };
#else
#error "this processor's switch is not written"
#endif

void
context_of_thread(context *self)
{
    (void)self;
}

void
context_begun(context *self)
{
    (void)self;
}

void
context_close(context *self)
{
    (void)self;
}

acre_status
context_make(context *self, const acre_stack *stack, void (*body)(void))
{
    acre_status status = acre_stack_bounds_of(stack, &self->bounds);
    if (status != ACRE_OK)
        return status;
    char *first = (char *)stack->base + stack->size - ABOVE - sizeof body;
    memcpy(first, &body, sizeof body);
    self->stack_pointer = first - KEPT;
    return ACRE_OK;
}

acre_status
context_swap(context *from, context *to)
{
    acre_stack_bounds_exchange(&to->bounds, &from->bounds);
    switch_stacks(&from->stack_pointer, to->stack_pointer);
    return ACRE_OK;
}
