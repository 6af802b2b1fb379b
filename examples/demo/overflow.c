// overflow.c - eight coroutines take turns, and one of them recurses without end.
//
// By hand (on mapped stacks with a protected page below, in a process of its own) all are lost, and
// nothing says whose fault it was.  With acre the handler is told which stack it was: it jumps back
// to that coroutine's beginning, and the others go on.
#include "coroutine.h"
#include "demo.h"

#ifndef DEMO_HAS_COROUTINES
void
overflow_run(int small, demo_line *line)
{
    (void)small;
    demo_skip(line, "this C library has no contexts (getcontext) to make coroutines of");
}
#else

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "acre/page.h"
#include "acre/stack_overflow.h"
#include "acre/stack_pool.h"

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif

enum { COROUTINES = 8, TURNS = 100, GUILTY = 3, STACK_SIZE = 64 * 1024 };

static const char *const NAMES[COROUTINES] = {"reader", "parser", "mailer", "sorter",
                                              "writer", "logger", "player", "cooker"};

// Never returns on a stack that ends; the compiler cannot know.
static int
sink_deeper(volatile int *depth)
{
    volatile char frame[200];
    frame[0] = (char)++*depth;
    return *depth < 0 ? 0 : sink_deeper(depth) + frame[0];
}

static void
work(coroutine *self)
{
    for (int turn = 0; turn < TURNS; turn++) {
        if (self->name == NAMES[GUILTY] && turn == TURNS / 2) {
            volatile int depth = 0;
            sink_deeper(&depth);
        }
        coroutine_yield(self);
    }
}

// Turns for all until nobody is left; calls `finished` for each that came to its end.
static void
take_turns(coroutine **all, int count, void (*finished)(void *argument), void *argument)
{
    int left = count;
    while (left > 0) {
        for (int i = 0; i < count; i++) {
            if (all[i]->state != COROUTINE_READY)
                continue;
            coroutine_resume(all[i]);
            if (all[i]->state == COROUTINE_READY)
                continue;
            left--;
            if (all[i]->state == COROUTINE_FINISHED)
                finished(argument);
        }
    }
}

// ---- by hand ------------------------------------------------------------------------------------

static void
write_byte(void *argument)
{
    if (write(*(int *)argument, "", 1) != 1)
        _exit(1);
}

static void
die_by_hand(int pipe_end)
{
    static coroutine coroutines[COROUTINES];
    coroutine *all[COROUTINES];
    size_t guard = acre_page_size();
    // Neither a core file nor a sanitizer's report: it is about to happen on purpose.
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    for (int i = 0; i < COROUTINES; i++) {
        char *memory = mmap(NULL, guard + STACK_SIZE, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED || mprotect(memory, guard, PROT_NONE) != 0)
            _exit(1);
        acre_stack stack = {.base = memory + guard, .size = STACK_SIZE};
        all[i] = &coroutines[i];
        all[i]->name = NAMES[i];
        all[i]->body = work;
        if (coroutine_begin(all[i], &stack) != ACRE_OK)
            _exit(1);
    }
    take_turns(all, COROUTINES, write_byte, &pipe_end);
}

static void
run_by_hand(demo_line *line)
{
    int ends[2];
    int status = 0;
    int finished = 0;
    char byte;
    if (pipe(ends) != 0) {
        demo_fail(line, "no pipe");
        return;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        die_by_hand(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    while (child > 0 && read(ends[0], &byte, 1) == 1)
        finished++;
    close(ends[0]);
    if (child < 0 || waitpid(child, &status, 0) != child) {
        demo_fail(line, "no child process");
        return;
    }
    line->hand.value = finished;
    demo_number(line, "hand_signal", WIFSIGNALED(status) ? (uint64_t)WTERMSIG(status) : 0);
    if (WIFSIGNALED(status))
        demo_note(line, "by hand: the process died of %s, with all %d of them",
                  strsignal(WTERMSIG(status)), COROUTINES - finished);
}

// ---- with acre ----------------------------------------------------------------------------------

typedef struct seen {
    const char *volatile name;
    volatile int count;
} seen;

// In the signal handler, on its own stack: remembers who it was, and leaves the overflow.
static void
report(const acre_stack_info *stack, const void *fault_address, const void *stack_pointer,
       void *context)
{
    seen *all = context;
    coroutine *guilty = stack->header;
    (void)fault_address;
    (void)stack_pointer;
    if (guilty == NULL || guilty != coroutine_running())
        return;  // no overflow of ours: the process ends, as it would have
    all->name = guilty->name;
    all->count++;
    siglongjmp(guilty->rescue, 1);
}

static void
count_one(void *argument)
{
    ++*(int *)argument;
}

static void
run_with_acre(acre_stack_pool *pool, seen *overflows, demo_line *line)
{
    acre_stack stacks[COROUTINES];
    coroutine *all[COROUTINES];
    acre_status status = ACRE_OK;
    int begun = 0, finished = 0;
    for (; begun < COROUTINES && status == ACRE_OK; begun += status == ACRE_OK) {
        status = acre_stack_pool_take(pool, &stacks[begun]);
        if (status != ACRE_OK)
            break;
        all[begun] = stacks[begun].header;
        all[begun]->name = NAMES[begun];
        all[begun]->body = work;
        status = coroutine_begin(all[begun], &stacks[begun]);
        if (status != ACRE_OK)
            ACRE_IGNORE(acre_stack_pool_give(pool, &stacks[begun]));
    }
    if (demo_went_well(line, "acre_stack_pool_take", status))
        take_turns(all, begun, count_one, &finished);
    for (int i = 0; i < begun; i++) {
        coroutine_end(all[i]);
        ACRE_IGNORE(acre_stack_pool_give(pool, &stacks[i]));
    }
    line->acre.value = finished;
    demo_text(line, "overflowed", overflows->name == NULL ? "" : overflows->name);
    demo_number(line, "overflows", (uint64_t)overflows->count);
    if (overflows->name != NULL)
        demo_note(line, "acre: %s overflowed its stack; the other %d finished their turns",
                  overflows->name, finished);
}

void
overflow_run(int small, demo_line *line)
{
    static seen overflows;
    acre_stack_pool *pool;
    acre_stack_pool_opts opts = {.stack_size = STACK_SIZE, .header_size = sizeof(coroutine)};
    (void)small;
    overflows.name = NULL;
    overflows.count = 0;
    line->hand.how = "mmap + mprotect";
    line->acre.how = "acre_stack_overflow";
    demo_number(line, "coroutines", COROUTINES);
    if (!demo_went_well(line, "acre_stack_overflow_install",
                        acre_stack_overflow_install(report, &overflows)))
        return;
    if (demo_went_well(line, "acre_stack_pool_create", acre_stack_pool_create(&opts, &pool))) {
        run_by_hand(line);
        run_with_acre(pool, &overflows, line);
        demo_went_well(line, "acre_stack_pool_destroy", acre_stack_pool_destroy(pool));
    }
    demo_went_well(line, "acre_stack_overflow_remove", acre_stack_overflow_remove());
}

#endif  // DEMO_HAS_COROUTINES
