// words.h - how often each word occurs, in an arena.
//
// A word is a maximal run of ASCII letters, counted in lower case, of any length.
#ifndef CONCORDANCE_WORDS_H_
#define CONCORDANCE_WORDS_H_

#include <stddef.h>
#include <stdint.h>

#include "acre/arena.h"

typedef struct word {
    uint64_t count;
    size_t length;  ///< of text, without its end
    char text[];
} word;

typedef struct word_slot {
    uint64_t hash;
    word *word;  ///< NULL = free
} word_slot;

typedef struct words {
    acre_arena *arena;
    word_slot *slots;
    size_t slot_count;  ///< a power of two, at least twice `distinct`
    size_t distinct;
    uint64_t total;
    word *spare;  ///< what the next word is written to
    size_t room;  ///< bytes of text that fit there
} words;

/// `arena` must outlive the words; others may use it as well.
ACRE_NODISCARD acre_status words_create(acre_arena *arena, words *out);

/// Counts the words of `text` that start in [*at, until); the last one may go on up to `end`.
/// `*at` becomes where to go on.  The text may change meanwhile: what is counted are words of
/// letters in any case.
ACRE_NODISCARD acre_status words_count(words *self, const unsigned char *text, size_t until,
                                       size_t end, size_t *at);

/// All words, the most frequent first, equally frequent ones in alphabetical order; NULL when the
/// arena is exhausted. They live in the arena.
const word *const *words_sorted(words *self);

#endif  // CONCORDANCE_WORDS_H_
