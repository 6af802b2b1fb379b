// stdio.h, as far as acre's headers use it.
#ifndef ACRE_FREEBSD_STDIO_H_
#define ACRE_FREEBSD_STDIO_H_

#include <stdarg.h>
#include <stddef.h>

int vsnprintf(char *restrict text, size_t size, const char *restrict format, va_list arguments);

#endif  // ACRE_FREEBSD_STDIO_H_
