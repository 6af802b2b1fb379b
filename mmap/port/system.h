// mmap/port/system.h - which system acre is compiled for; the sources of other systems' ports
// compile to nothing.
//
// Include this before the first system header: it sets what system headers declare.
#ifndef ACRE_MMAP_PORT_SYSTEM_H_
#define ACRE_MMAP_PORT_SYSTEM_H_

// A test emulates the calls of FreeBSD on other systems.
#if defined(__FreeBSD__) || defined(ACRE_PLAYS_FREEBSD)
#define ACRE_ON_FREEBSD 1
#elif defined(__linux__)
#define ACRE_ON_LINUX 1
#elif defined(__APPLE__)
#define ACRE_ON_DARWIN 1
#elif defined(_WIN32)
#define ACRE_ON_WINDOWS 1
#else
#error "acre has no port for this system (docs/architecture.md)"
#endif

#ifndef ACRE_ON_LINUX
#define ACRE_ON_LINUX 0
#endif
#ifndef ACRE_ON_DARWIN
#define ACRE_ON_DARWIN 0
#endif
#ifndef ACRE_ON_FREEBSD
#define ACRE_ON_FREEBSD 0
#endif
#ifndef ACRE_ON_WINDOWS
#define ACRE_ON_WINDOWS 0
#endif
// Linux's C libraries, but for Android's, give each thread memory without malloc, in which the port
// keeps the thread's number.
#if ACRE_ON_LINUX && !defined(__ANDROID__)
#define ACRE_LENDS_PRIORITY 1
#else
#define ACRE_LENDS_PRIORITY 0
#endif
#define ACRE_ON_BSD (ACRE_ON_DARWIN || ACRE_ON_FREEBSD)
#define ACRE_ON_POSIX (ACRE_ON_LINUX || ACRE_ON_BSD)

#if ACRE_ON_POSIX
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define _FILE_OFFSET_BITS 64
#endif

// C requires a declaration in every source.
struct acre_port_system;

#endif  // ACRE_MMAP_PORT_SYSTEM_H_
