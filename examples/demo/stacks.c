// stacks.c - as many guarded stacks as there may be, by mmap and mprotect, and from acre's pool.
//
// By hand each stack takes two memory areas (itself and its guard), of which Linux allows 65 530:
// no program gets beyond 32 765 stacks, however much memory there is.  The pool's guards are
// markers in the page tables, where the kernel has them: all of its stacks are one area, and memory
// is the limit.
#define _DEFAULT_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <sys/mman.h>
#endif

#include "acre/page.h"
#include "acre/stack_pool.h"
#include "demo.h"
#include "measure.h"

enum { STACK_SIZE = 64 * 1024, MILLION = 1000000, FEW = 40000 };

#ifdef _WIN32
void
stacks_run(int small, demo_line *line)
{
    (void)small;
    demo_skip(line, "what it is compared with is mmap and mprotect, which Windows has not");
}
#else

#ifndef MAP_STACK
#define MAP_STACK 0
#endif
#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

// A stack as everybody makes it; NULL with errno set.
static char *
map_stack(size_t guard)
{
    char *stack = mmap(NULL, guard + STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        return NULL;
    if (mprotect(stack, guard, PROT_NONE) != 0) {
        int reason = errno;
        munmap(stack, guard + STACK_SIZE);
        errno = reason;
        return NULL;
    }
    return stack;
}

// Fills `stacks` until it is full or the system refuses; why that was, or 0.
static int
count_by_hand(void **stacks, size_t wanted, demo_line *line)
{
    size_t guard = acre_page_size();
    size_t size = guard + STACK_SIZE;
    size_t count = 0;
    int reason = 0;
    double begin = measure_cpu();
    for (; count < wanted; count++) {
        char *stack = map_stack(guard);
        if (stack == NULL) {
            reason = errno;
            break;
        }
        stack[size - 1] = 1;
        stacks[count] = stack;
    }
    demo_number(line, "hand_milliseconds", (uint64_t)((measure_cpu() - begin) * 1e3));
    for (size_t i = 0; i < count; i++)
        munmap(stacks[i], size);
    line->hand.value = (double)count;
    return reason;
}

static acre_status
count_by_acre(acre_stack *stacks, size_t wanted, demo_line *line)
{
    acre_stack_pool *pool;
    acre_stack_pool_opts opts = {.stack_size = STACK_SIZE, .max_stacks = wanted};
    size_t count = 0;
    double begin = measure_cpu();
    acre_status status = acre_stack_pool_create(&opts, &pool);
    if (!demo_went_well(line, "acre_stack_pool_create", status))
        return status;
    for (; count < wanted; count++) {
        status = acre_stack_pool_take(pool, &stacks[count]);
        if (status != ACRE_OK)
            break;
        ((char *)stacks[count].base)[stacks[count].size - 1] = 1;
    }
    double seconds = measure_cpu() - begin;
    line->acre.value = (double)count;
    demo_number(line, "acre_milliseconds", (uint64_t)(seconds * 1e3));

    acre_stack_pool_stats stats;
    if (count > 0 && acre_stack_pool_stats_read(pool, &stats) == ACRE_OK) {
        demo_number(line, "acre_areas", stats.areas);
        demo_number(line, "acre_resident_each", stats.resident / count);
        demo_number(line, "acre_guards_are_markers", stats.guard_kind == ACRE_GUARD_MARKER);
        demo_note(
            line,
            "the pool: %.2f s of the processor, memory areas: %zu, resident: %zu bytes a stack%s",
            seconds, stats.areas, stats.resident / count,
            stats.guard_kind == ACRE_GUARD_MARKER
                ? ""
                : "; guards are areas here: this kernel has no markers");
    }
    for (size_t i = 0; i < count; i++)
        ACRE_IGNORE(acre_stack_pool_give(pool, &stacks[i]));
    acre_status destroyed = acre_stack_pool_destroy(pool);
    demo_went_well(line, "acre_stack_pool_destroy", destroyed);
    return status;
}

// As many as two thirds of the available memory have room for, page tables included, and as a
// quarter of the addresses have.
static size_t
stacks_that_fit(size_t wanted, demo_line *line)
{
    size_t addressable = SIZE_MAX / 4 / (2 * STACK_SIZE);
    if (addressable < wanted) {
        demo_note(line, "not %zu: addresses have %zu bits", wanted, 8 * sizeof(void *));
        wanted = addressable;
    }
    const char *who;
    uint64_t available = measure_available(&who);
    size_t each = acre_page_size() + 500 + sizeof(acre_stack) + sizeof(void *);
    uint64_t room = available / 3 * 2 / each;
    if (available == 0 || room >= wanted)
        return wanted;
    demo_note(line, "not %zu: %s leaves %.1f GB of memory, and each takes %zu bytes", wanted, who,
              (double)available / 1e9, each);
    return (size_t)room;
}

void
stacks_run(int small, demo_line *line)
{
    size_t wanted = stacks_that_fit(small ? FEW : MILLION, line);
    line->hand.how = "mmap + mprotect";
    line->acre.how = "acre_stack_pool_take";
    demo_number(line, "wanted", wanted);
    acre_stack *stacks = calloc(wanted + 1, sizeof *stacks);
    void **by_hand = calloc(wanted + 1, sizeof *by_hand);
    if (stacks == NULL || by_hand == NULL) {
        demo_fail(line, "%s", strerror(ENOMEM));
    } else {
        int refused = count_by_hand(by_hand, wanted, line);
        acre_system machine;
        if (refused != 0 && acre_system_read(&machine) == ACRE_OK && machine.area_limit != 0)
            demo_note(line, "by hand, after %.0f: %s (%llu memory areas are the limit)",
                      line->hand.value, strerror(refused), (unsigned long long)machine.area_limit);
        else if (refused != 0)
            demo_note(line, "by hand, after %.0f: %s", line->hand.value, strerror(refused));
        acre_status status = count_by_acre(stacks, wanted, line);
        if (status != ACRE_OK && line->acre.value > 0)
            demo_note(line, "the pool, after %.0f: %s", line->acre.value, acre_status_text(status));
    }
    free(by_hand);
    free(stacks);
}

#endif  // !_WIN32
