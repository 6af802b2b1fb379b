// Words in an arena.
//
//   1. A word is written to the arena's end while it is read, in lower case: so the bytes that are
//      compared and kept are ours, whatever happens to the file meanwhile, and no word is too
//      long.
//   2. A known word leaves the spare block for the next one.  A new one keeps it, cut to its size.
//   3. The table of slots is an arena block too.  A larger one takes its place when half of it is
//      used; the old ones together take no more than the new.
#include "words.h"

#include <stdlib.h>
#include <string.h>

static const size_t FIRST_SLOTS = 1 << 13;
static const size_t FIRST_ROOM = 64;

// FNV-1a.
static const uint64_t HASH_SEED = 0xcbf29ce484222325;
static const uint64_t HASH_PRIME = 0x100000001b3;

// The letter in lower case, or 0.
static inline unsigned char
letter_of(unsigned char byte)
{
    unsigned char lower = byte | 0x20;
    return lower >= 'a' && lower <= 'z' ? lower : 0;
}

// ---- the spare block ----------------------------------------------------------------------------

static int
resize_spare(words *self, size_t room)
{
    size_t old_size = self->spare == NULL ? 0 : sizeof(word) + self->room;
    word *spare = acre_arena_resize_aligned(self->arena, self->spare, old_size, sizeof(word) + room,
                                            _Alignof(word));
    if (spare == NULL)
        return 0;
    self->spare = spare;
    self->room = room;
    return 1;
}

// The spare block as a word of its own, and another spare block; NULL when the arena is exhausted.
static word *
keep_spare(words *self, size_t length)
{
    // With room for the end of the text.
    if (!resize_spare(self, length + 1))
        return NULL;
    word *kept = self->spare;
    kept->count = 0;
    kept->length = length;
    kept->text[length] = '\0';
    self->spare = NULL;
    return resize_spare(self, FIRST_ROOM) ? kept : NULL;
}

// ---- the table ----------------------------------------------------------------------------------

// Where the word in the spare block is, or the free slot that it belongs to.
static word_slot *
find_slot(const words *self, uint64_t hash, size_t length)
{
    size_t mask = self->slot_count - 1;
    size_t i = (size_t)(hash ^ hash >> 32) & mask;
    for (;; i = (i + 1) & mask) {
        word_slot *slot = &self->slots[i];
        if (slot->word == NULL)
            return slot;
        if (slot->hash == hash && slot->word->length == length &&
            memcmp(slot->word->text, self->spare->text, length) == 0)
            return slot;
    }
}

static void
move_slot(words *self, const word_slot *from)
{
    size_t mask = self->slot_count - 1;
    size_t i = (size_t)(from->hash ^ from->hash >> 32) & mask;
    while (self->slots[i].word != NULL)
        i = (i + 1) & mask;
    self->slots[i] = *from;
}

static int
grow_table(words *self)
{
    const word_slot *old = self->slots;
    size_t old_count = self->slot_count;
    size_t count = old_count == 0 ? FIRST_SLOTS : 2 * old_count;
    word_slot *slots = ACRE_NEW_ARRAY(self->arena, word_slot, count);
    if (slots == NULL)
        return 0;

    self->slots = slots;
    self->slot_count = count;
    for (size_t i = 0; i < old_count; i++) {
        if (old[i].word != NULL)
            move_slot(self, &old[i]);
    }
    return 1;
}

// Counts the word in the spare block.
static int
count_spare(words *self, uint64_t hash, size_t length)
{
    word_slot *slot = find_slot(self, hash, length);
    if (slot->word == NULL) {
        word *added = keep_spare(self, length);
        if (added == NULL)
            return 0;
        *slot = (word_slot){.hash = hash, .word = added};
        self->distinct++;
    }
    slot->word->count++;
    self->total++;
    return 2 * self->distinct <= self->slot_count || grow_table(self);
}

// ---- reading ------------------------------------------------------------------------------------

// One word, from its first letter on.
static int
read_word(words *self, unsigned char letter, const unsigned char *text, size_t end, size_t *at)
{
    // Copies of what a store through `out` could change, for all that the compiler knows.
    char *out = self->spare->text;
    size_t room = self->room;
    uint64_t hash = HASH_SEED;
    size_t length = 0;
    size_t i = *at;
    do {
        if (length == room) {
            if (!resize_spare(self, 2 * room))
                return 0;
            out = self->spare->text;
            room = self->room;
        }
        out[length++] = (char)letter;
        hash = (hash ^ letter) * HASH_PRIME;
        i++;
        letter = i < end ? letter_of(text[i]) : 0;
    } while (letter != 0);
    *at = i;
    return count_spare(self, hash, length);
}

acre_status
words_count(words *self, const unsigned char *text, size_t until, size_t end, size_t *at)
{
    size_t i = *at;
    while (i < until) {
        unsigned char letter = letter_of(text[i]);
        if (letter == 0)
            i++;
        else if (!read_word(self, letter, text, end, &i))
            return acre_arena_status(self->arena);
    }
    *at = i;
    return ACRE_OK;
}

// ---- the whole ----------------------------------------------------------------------------------

static int
compare(const void *left, const void *right)
{
    const word *a = *(const word *const *)left;
    const word *b = *(const word *const *)right;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return strcmp(a->text, b->text);
}

const word *const *
words_sorted(words *self)
{
    const word **sorted = ACRE_NEW_ARRAY(self->arena, const word *, self->distinct);
    if (sorted == NULL)
        return NULL;
    size_t count = 0;
    for (size_t i = 0; i < self->slot_count; i++) {
        if (self->slots[i].word != NULL)
            sorted[count++] = self->slots[i].word;
    }
    qsort(sorted, count, sizeof(const word *), compare);
    return sorted;
}

acre_status
words_create(acre_arena *arena, words *out)
{
    words created = {.arena = arena};
    if (!grow_table(&created) || !resize_spare(&created, FIRST_ROOM))
        return acre_arena_status(arena);
    *out = created;
    return ACRE_OK;
}
