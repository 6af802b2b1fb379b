// string.h, as far as acre uses it.
#ifndef ACRE_FREEBSD_STRING_H_
#define ACRE_FREEBSD_STRING_H_

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int byte, size_t count);
void *memchr(const void *bytes, int byte, size_t count);
int memcmp(const void *a, const void *b, size_t count);
size_t strlen(const char *text);

#endif  // ACRE_FREEBSD_STRING_H_
