// tests/support/posix.h - POSIX as the tests call it.
//
// On Windows calls that it has under another name, and for those that it has not a function that
// ends the test as skipped.
#ifndef ACRE_TESTS_SUPPORT_POSIX_H_
#define ACRE_TESTS_SUPPORT_POSIX_H_

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef _WIN32

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#ifdef __linux__
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#endif

#else

#include <io.h>

#include <cstdint>

#include "tests/support/support.h"

enum { PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC = 4 };
enum { MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 16, MAP_ANONYMOUS = 32, MAP_NORESERVE = 0 };
enum { MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MADV_DONTNEED = 4, MADV_FREE = 8 };
#define MAP_FAILED (reinterpret_cast<void *>(-1))
enum {
    RLIMIT_FSIZE = 1,
    RLIMIT_DATA = 2,
    RLIMIT_CORE = 4,
    RLIMIT_NOFILE = 7,
    RLIMIT_MEMLOCK = 8,
    RLIMIT_AS = 9
};
enum { SIGBUS = 7, SIGKILL = 9, SIGSTOP = 19 };
// Bytes as they are.
#define O_CLOEXEC (_O_NOINHERIT | _O_BINARY)
enum { O_NONBLOCK = 0 };
enum { F_GETFD = 1, F_SETFD = 2, FD_CLOEXEC = 1, F_GETFL = 3 };
enum { F_ADD_SEALS = 1033, F_GET_SEALS = 1034 };
enum { F_SEAL_SEAL = 1, F_SEAL_SHRINK = 2, F_SEAL_GROW = 4, F_SEAL_WRITE = 8 };
enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, TMPFS_MAGIC = 0x01021994 };
enum { _SC_PAGESIZE };
enum { SYS_none, SYS_memfd_create, SYS_mbind, SYS_get_mempolicy, SYS_capset, SYS_capget };

using rlim_t = uint64_t;
constexpr rlim_t RLIM_INFINITY = UINT64_MAX;
struct rlimit {
    rlim_t rlim_cur, rlim_max;
};

// Private anonymous memory and its inverse only.
void *mmap(void *address, size_t size, int protection, int flags, int descriptor, int64_t offset);
int munmap(void *address, size_t size);
int mprotect(void *address, size_t size, int protection);

ssize_t pread(int descriptor, void *bytes, size_t count, int64_t offset);
ssize_t pwrite(int descriptor, const void *bytes, size_t count, int64_t offset);

long sysconf(int name);

inline int fsync(int descriptor)
{
    return _commit(descriptor);
}

inline int pipe2(int ends[2], int)
{
    return _pipe(ends, 4096, _O_BINARY | _O_NOINHERIT);
}

inline int mkdir(const char *path, int)
{
    return mkdir(path);
}

// With sizes as POSIX takes them.
template <class Count>
inline ssize_t read(int descriptor, void *bytes, Count count)
{
    return read(descriptor, bytes, static_cast<unsigned>(count));
}
template <class Count>
inline ssize_t write(int descriptor, const void *bytes, Count count)
{
    return write(descriptor, bytes, static_cast<unsigned>(count));
}

struct statfs {
    long f_type;
};
inline int fstatfs(int, struct statfs *system)
{
    system->f_type = 0;
    return 0;
}

// What is not there ends the test.
inline pid_t fork()
{
    acre_test::skip("there is no fork");
}
inline pid_t waitpid(pid_t, int *, int)
{
    acre_test::skip("there is no fork");
}
inline int WIFEXITED(int)
{
    return 0;
}
inline int WEXITSTATUS(int)
{
    return 0;
}
inline int WTERMSIG(int)
{
    return 0;
}
inline int kill(pid_t, int)
{
    acre_test::skip("there are no signals between processes");
}
inline unsigned getuid()
{
    acre_test::skip("users have no numbers");
}
inline int setuid(unsigned)
{
    acre_test::skip("users have no numbers");
}
struct siginfo_t {
    void *si_addr;
};
struct stack_t {
    void *ss_sp;
    size_t ss_size;
    int ss_flags;
};
struct sigaction {
    void (*sa_handler)(int);
    void (*sa_sigaction)(int, siginfo_t *, void *);
    int sa_flags;
};
enum { SA_SIGINFO = 4, SA_ONSTACK = 8, SIGUSR1 = 10 };
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"  // as POSIX names them
inline int sigaction(int, const struct sigaction *, struct sigaction *)
{
    acre_test::skip("there are no signals but the C library's");
}
#pragma GCC diagnostic pop
inline int sigaltstack(const stack_t *, stack_t *)
{
    acre_test::skip("there are no signals but the C library's");
}
inline int setrlimit(int, const struct rlimit *)
{
    acre_test::skip("there are no limits of this kind");
}
inline int getrlimit(int, struct rlimit *)
{
    acre_test::skip("there are no limits of this kind");
}
inline int symlink(const char *, const char *)
{
    acre_test::skip("symbolic links are not for every user");
}
inline ssize_t readlink(const char *, char *, size_t)
{
    acre_test::skip("symbolic links are not for every user");
}
inline int mkfifo(const char *, unsigned)
{
    acre_test::skip("there are no pipes with a name in the file system");
}
inline char *mkdtemp(char *)
{
    acre_test::skip("there is no mkdtemp");
}
inline void *mremap(void *, size_t, size_t, int, ...)
{
    acre_test::skip("there is no mremap");
}
inline int madvise(void *, size_t, int)
{
    acre_test::skip("there is no madvise");
}
inline int fcntl(int, int, ...)
{
    acre_test::skip("there is no fcntl");
}
inline long syscall(long, ...)
{
    acre_test::skip("these are no calls of this system");
}
inline int prctl(int, ...)
{
    acre_test::skip("there is no prctl");
}

#endif  // _WIN32

namespace acre_test {

/// Lowers (or raises again) what the process may have of a resource.
inline bool limit_to(int resource, size_t bytes_allowed)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return false;
    limit.rlim_cur = bytes_allowed;
    return setrlimit(resource, &limit) == 0;
}

}  // namespace acre_test

#endif  // ACRE_TESTS_SUPPORT_POSIX_H_
