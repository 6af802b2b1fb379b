// Arrays, copies, and blocks that change their size.
//
// 1. The newest block is the one that ends at the cursor.  Only it can change in place, by moving
//    the cursor.
// 2. It may grow in place only when it starts at or above the floor, the newest mark's cursor.  A
//    restore to that mark takes back everything above it, which would include the end of a block
//    that begins below.  For the same reason such a block shrinks without giving bytes back: the
//    cursor must not fall below the mark.
// 3. The functions here write to the block, so its memory must exist.  The inline path does not
//    check for the child of a fork that did not get the arena, so these functions check first.
#include <string.h>

#include "arena/core.h"
#include "arena/watch.h"
#include "mmap/debug.h"

// Like acre_arena_alloc_aligned, but refuses in a child that did not get the arena.
static void *
allocate_block(acre_arena *arena, size_t size, size_t alignment)
{
    if (core_of(arena) == NULL)
        return acre_arena_alloc_slow(arena, size, alignment);
    return acre_arena_alloc_aligned(arena, size, alignment);
}

void *
acre_arena_calloc(acre_arena *arena, size_t count, size_t size, size_t alignment)
{
    if (size != 0 && count > SIZE_MAX / size)
        return acre_core_refuse(arena, SIZE_MAX, ACRE_BAD_SIZE);
    if (core_of(arena) == NULL)
        return acre_arena_alloc_slow(arena, count * size, alignment);
    return acre_arena_zalloc(arena, count * size, alignment);
}

void *
acre_arena_memdup(acre_arena *arena, const void *bytes, size_t size)
{
    void *copy = allocate_block(arena, size, ACRE_ARENA_ALIGN);
    if (copy != NULL && size != 0)
        memcpy(copy, bytes, size);
    return copy;
}

static char *
copy_text(acre_arena *arena, const char *text, size_t length)
{
    char *copy = (char *)allocate_block(arena, length + 1, 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *
acre_arena_strdup(acre_arena *arena, const char *text)
{
    return copy_text(arena, text, strlen(text));
}

char *
acre_arena_strndup(acre_arena *arena, const char *text, size_t most)
{
    // memchr is undefined when its range extends past the end of the address space.
    size_t reach = UINTPTR_MAX - (uintptr_t)text;
    if (most > reach)
        most = reach;
    const char *end = (const char *)memchr(text, '\0', most);
    return copy_text(arena, text, end != NULL ? (size_t)(end - text) : most);
}

static void *
move_block(acre_arena *arena, const void *block, size_t old_size, size_t new_size, size_t alignment)
{
    void *moved = acre_arena_alloc_aligned(arena, new_size, alignment);
    size_t size = old_size < new_size ? old_size : new_size;
    if (moved != NULL && size != 0)
        memcpy(moved, block, size);
    return moved;
}

static void *
grow_block(acre_arena *arena, acre_arena_core *core, void *block, size_t old_size, size_t new_size)
{
    acre_status status = acre_core_make_room_at(arena, core, (uintptr_t)block, new_size);
    if (status != ACRE_OK)
        return acre_core_refuse(arena, new_size, status);
    return acre_core_hand_out(arena, (uintptr_t)block, old_size, new_size);
}

static void *
shrink_block(acre_arena *arena, acre_arena_core *core, void *block, size_t old_size,
             size_t new_size, int newest)
{
    uintptr_t end = (uintptr_t)block + new_size;
    if (newest) {
        acre_core_take_back(arena, core, end);
        return acre_core_hand_out(arena, (uintptr_t)block, new_size, new_size);
    }
    if (core->watched)
        watch_close(end, old_size - new_size);
    return block;
}

static int
is_newest_block(const acre_arena *arena, const acre_arena_core *core, uintptr_t start, size_t size)
{
    return start >= core->floor && start <= arena->cursor && size <= arena->cursor - start &&
           watch_end(core, start, size) == arena->cursor;
}

// `kept` is the alignment that the block needs to stay where it is, `fresh` that of a new one.
static void *
resize_block(acre_arena *arena, void *block, size_t old_size, size_t new_size, size_t kept,
             size_t fresh)
{
    if (block == NULL)
        return allocate_block(arena, new_size, fresh);
    acre_arena_core *core = core_of(arena);
    if (core == NULL)
        return acre_core_refuse(arena, new_size, status_without_core(arena));
    uintptr_t start = (uintptr_t)block;
    if ((start & (kept - 1)) != 0)
        return move_block(arena, block, old_size, new_size, fresh);

    int newest = is_newest_block(arena, core, start, old_size);
    if (new_size <= old_size)
        return shrink_block(arena, core, block, old_size, new_size, newest);
    return newest ? grow_block(arena, core, block, old_size, new_size)
                  : move_block(arena, block, old_size, new_size, fresh);
}

void *
acre_arena_resize(acre_arena *arena, void *block, size_t old_size, size_t new_size)
{
    return resize_block(arena, block, old_size, new_size, 1, ACRE_ARENA_ALIGN);
}

void *
acre_arena_resize_aligned(acre_arena *arena, void *block, size_t old_size, size_t new_size,
                          size_t alignment)
{
    if (!IS_VALID(alignment != 0 && (alignment & (alignment - 1)) == 0))
        return acre_core_refuse(arena, new_size, ACRE_BAD_ALIGNMENT);
    return resize_block(arena, block, old_size, new_size, alignment, alignment);
}
