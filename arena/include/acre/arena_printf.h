// acre/arena_printf.h - formatted text in an arena, by the program's own vsnprintf.
//
// A separate header, because acre itself calls no stdio and no other header includes it.
//
//     char *line = acre_arena_printf(&arena, "%s:%d", path, number);   // alignment 1, ends with 0
#ifndef ACRE_ARENA_PRINTF_H_
#define ACRE_ARENA_PRINTF_H_

#include <stdarg.h>
#include <stdio.h>

#include "acre/arena.h"

ACRE_EXTERN_C_BEGIN

#if defined(__MINGW_PRINTF_FORMAT)
#define ACRE_FORMAT_(text, first) __attribute__((format(__MINGW_PRINTF_FORMAT, text, first)))
#elif defined(__GNUC__) || defined(__clang__)
#define ACRE_FORMAT_(text, first) __attribute__((format(printf, text, first)))
#else
#define ACRE_FORMAT_(text, first)
#endif

/// Formats text as printf does, into a block of the arena: with its terminating 0, alignment 1.
///
/// Text of up to 255 bytes is formatted once, longer text twice.  Returns NULL when the block is
/// refused like any other, or when vsnprintf failed (acre_arena_status() is then ACRE_BAD_OPTION).
///
/// @param format  must not be NULL
static inline char *acre_arena_printf(acre_arena *arena, const char *format, ...)
    ACRE_FORMAT_(2, 3);
/// Formats text as acre_arena_printf does, from an argument list, which is used up.
static inline char *acre_arena_vprintf(acre_arena *arena, const char *format, va_list arguments)
    ACRE_FORMAT_(2, 0);

static inline char *
acre_arena_vprintf(acre_arena *arena, const char *format, va_list arguments)
{
    char start[256];
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(start, sizeof start, format, arguments);
    char *text = ACRE_NULL_;
    if (length < 0)
        arena->status = ACRE_BAD_OPTION;
    else  // out of line, where a child that did not get the arena is refused
        text = ACRE_CAST_(char *, acre_arena_alloc_slow(arena, ACRE_CAST_(size_t, length) + 1, 1));
    if (text != ACRE_NULL_ && ACRE_CAST_(size_t, length) < sizeof start)
        memcpy(text, start, ACRE_CAST_(size_t, length) + 1);
    else if (text != ACRE_NULL_ &&
             vsnprintf(text, ACRE_CAST_(size_t, length) + 1, format, again) != length)
        text[length] = '\0';  // an argument changed meanwhile
    va_end(again);
    return text;
}

static inline char *
acre_arena_printf(acre_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = acre_arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

ACRE_EXTERN_C_END

#endif  // ACRE_ARENA_PRINTF_H_
