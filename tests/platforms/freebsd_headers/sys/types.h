// sys/types.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_TYPES_H_
#define ACRE_FREEBSD_SYS_TYPES_H_

#include <stddef.h>
#include <stdint.h>

typedef uint64_t dev_t;
typedef uint64_t ino_t;
typedef uint16_t mode_t;
typedef int64_t off_t;
typedef int32_t pid_t;
typedef intptr_t ssize_t;
#ifdef __i386__
typedef int32_t time_t;
#else
typedef int64_t time_t;
#endif

#endif  // ACRE_FREEBSD_SYS_TYPES_H_
