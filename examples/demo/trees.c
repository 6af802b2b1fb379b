// trees.c - binary trees: built, walked, dropped.
//
// By hand every node is malloc's, and is freed.  In an arena a node is seven instructions, and the
// whole tree goes at once: back to the mark from before.
#include <stdlib.h>

#include "acre/arena.h"
#include "demo.h"
#include "measure.h"

enum { ROUNDS = 5 };

typedef struct node {
    struct node *left;
    struct node *right;
} node;

static size_t
count_nodes(const node *tree)
{
    return tree == NULL ? 0 : 1 + count_nodes(tree->left) + count_nodes(tree->right);
}

static void
drop_by_hand(node *tree)
{
    if (tree == NULL)
        return;
    drop_by_hand(tree->left);
    drop_by_hand(tree->right);
    free(tree);
}

// NULL when there is no memory: what was built is freed.
static node *
build_by_hand(int depth)
{
    node *tree = malloc(sizeof *tree);
    if (tree == NULL || depth == 0) {
        if (tree != NULL)
            tree->left = tree->right = NULL;
        return tree;
    }
    tree->left = build_by_hand(depth - 1);
    tree->right = tree->left == NULL ? NULL : build_by_hand(depth - 1);
    if (tree->right == NULL) {
        drop_by_hand(tree->left);
        free(tree);
        return NULL;
    }
    return tree;
}

// NULL when there is no memory: what was built goes with the arena.
static node *
build_in_arena(acre_arena *arena, int depth)
{
    node *tree = acre_arena_alloc_aligned(arena, sizeof *tree, sizeof(void *));
    if (tree == NULL)
        return NULL;
    tree->left = tree->right = NULL;
    if (depth > 0) {
        tree->left = build_in_arena(arena, depth - 1);
        tree->right = build_in_arena(arena, depth - 1);
        if (tree->left == NULL || tree->right == NULL)
            return NULL;
    }
    return tree;
}

// Seconds for one tree; counts its nodes.
static double
time_by_hand(int depth, size_t *nodes)
{
    double begin = measure_cpu();
    node *tree = build_by_hand(depth);
    *nodes = count_nodes(tree);
    drop_by_hand(tree);
    return measure_cpu() - begin;
}

static double
time_in_arena(acre_arena *arena, int depth, size_t *nodes)
{
    double begin = measure_cpu();
    acre_arena_mark mark = acre_arena_save(arena);
    node *tree = build_in_arena(arena, depth);
    *nodes = count_nodes(tree);
    acre_arena_restore(arena, mark);
    return measure_cpu() - begin;
}

void
trees_run(int small, demo_line *line)
{
    int depth = small ? 12 : 19;
    size_t all = ((size_t)2 << depth) - 1;
    size_t nodes_by_hand = 0, nodes_in_arena = 0;
    double by_hand[ROUNDS], in_arena[ROUNDS];
    acre_arena arena;

    line->unit = DEMO_SECONDS;
    line->hand.how = "malloc + free";
    line->acre.how = "acre_arena";
    if (!demo_went_well(line, "acre_arena_create", acre_arena_create(NULL, &arena)))
        return;
    // Both begin with memory that they have had before.  A block above it keeps malloc from
    // returning it to the system after each tree, as some block does in most programs.
    node *first = build_by_hand(depth);
    void *above = malloc(sizeof *first);
    drop_by_hand(first);
    time_in_arena(&arena, depth, &nodes_in_arena);
    int complete = 1;
    for (size_t round = 0; round < ROUNDS; round++) {
        by_hand[round] = time_by_hand(depth, &nodes_by_hand);
        in_arena[round] = time_in_arena(&arena, depth, &nodes_in_arena);
        complete = complete && nodes_by_hand == all && nodes_in_arena == all;
    }
    line->hand.value = measure_median(by_hand, ROUNDS);
    line->acre.value = measure_median(in_arena, ROUNDS);
    demo_number(line, "nodes", all);
    demo_number(line, "hand_nodes", nodes_by_hand);
    demo_number(line, "acre_nodes", nodes_in_arena);
    demo_note(line, "%zu nodes: %.1f ns each by hand, %.1f ns in the arena; median of %d trees",
              all, line->hand.value / (double)all * 1e9, line->acre.value / (double)all * 1e9,
              ROUNDS);
    if (!complete)
        demo_fail(line, "no memory for %zu nodes", all);
    free(above);
    demo_went_well(line, "acre_arena_destroy", acre_arena_destroy(&arena));
}
