// Two trees, walked side by side by two coroutines: what stands in both, in order.
#ifdef ACRE_WITHOUT_BOOST_CONTEXT
#include <stdio.h>

int
main(void)
{
    fprintf(stderr, "built without libboost-context-dev\n");
    return 1;
}
#else
#include <stdio.h>

#include "acre/stack_fcontext.h"
#include "acre/stack_pool.h"

// quote begins
typedef struct tree {
    int key;
    struct tree *left, *right;
} tree;

// It lies in its stack's header.
typedef struct walker {
    acre_fcontext coroutine;
    acre_stack stack;
} walker;

// Plain recursion, which is left in the middle and goes on there.
static void
visit(acre_fcontext *self, tree *node)
{
    if (node == NULL)
        return;
    visit(self, node->left);
    acre_fcontext_yield(self, &node->key);
    visit(self, node->right);
}

static void *
walk(acre_fcontext *self, void *root)
{
    visit(self, root);
    return NULL;  // no key is left
}

// NULL when there is no stack.
static walker *
start(acre_stack_pool *pool)
{
    acre_stack stack;
    if (acre_stack_pool_take(pool, &stack) != ACRE_OK)
        return NULL;
    walker *self = stack.header;
    self->stack = stack;
    acre_fcontext_open(&self->coroutine, &stack, walk);
    return self;
}

static void
end(acre_stack_pool *pool, walker *self)
{
    acre_stack stack = self->stack;  // the header goes with the stack
    acre_fcontext_close(&self->coroutine);
    ACRE_IGNORE(acre_stack_pool_give(pool, &stack));
}

// `thread` is the caller's: acre_fcontext_open_thread.
static void
print_common(acre_fcontext *thread, walker *a, tree *left, walker *b, tree *right)
{
    int *x = acre_fcontext_resume(thread, &a->coroutine, left);
    int *y = acre_fcontext_resume(thread, &b->coroutine, right);
    while (x != NULL && y != NULL) {
        if (*x == *y)
            printf("%d ", *x);
        int lower = *x <= *y;
        if (*y <= *x)
            y = acre_fcontext_resume(thread, &b->coroutine, NULL);
        if (lower)
            x = acre_fcontext_resume(thread, &a->coroutine, NULL);
    }
}
// quote ends

int
main(void)
{
    tree odd[] = {{5, &odd[1], &odd[2]}, {3, NULL, NULL}, {9, &odd[3], NULL}, {7, NULL, NULL}};
    tree low[] = {{4, &low[1], &low[2]}, {3, NULL, NULL}, {7, &low[3], NULL}, {6, NULL, NULL}};
    acre_stack_pool_opts opts = {.header_size = sizeof(walker)};
    acre_stack_pool *pool;
    if (acre_stack_pool_create(&opts, &pool) != ACRE_OK)
        return 1;
    acre_fcontext thread;
    acre_fcontext_open_thread(&thread);
    walker *a = start(pool);
    walker *b = start(pool);
    if (a == NULL || b == NULL)
        return 1;
    print_common(&thread, a, odd, b, low);
    printf("in both\n");
    end(pool, a);
    end(pool, b);
    return acre_stack_pool_destroy(pool) == ACRE_OK ? 0 : 1;
}
#endif
