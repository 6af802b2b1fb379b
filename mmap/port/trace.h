// mmap/port/trace.h - places where a program that runs can be watched, for all packages.
//
// TRACE is a probe of the provider "acre" for what reads such notes (bpftrace, perf, SystemTap,
// gdb): one nop in the program, and a note in the file that says where it is and where the
// arguments are.  Nobody calls anything while nobody watches.  Only on Linux, where <sys/sdt.h> is
// there (Debian: systemtap-sdt-dev) and ACRE_NO_PROBES is not defined.  FreeBSD's header of that
// name is its kernel's.
#ifndef ACRE_MMAP_PORT_TRACE_H_
#define ACRE_MMAP_PORT_TRACE_H_

#if defined(__linux__) && defined(__has_include) && !defined(ACRE_NO_PROBES)
#if __has_include(<sys/sdt.h>)
#include <sys/sdt.h>
#ifdef __clang__
// That header's macros leave out variadic arguments wherever they are used; the warning has another
// name from clang 19 on.
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#if __has_warning("-Wc23-extensions")
#pragma clang diagnostic ignored "-Wc23-extensions"
#endif
#endif
#define TRACE(name, first, second, third) DTRACE_PROBE3(acre, name, first, second, third)
#endif
#endif

#ifndef TRACE
#define TRACE(name, first, second, third) ((void)(first), (void)(second), (void)(third))
#endif

#endif  // ACRE_MMAP_PORT_TRACE_H_
