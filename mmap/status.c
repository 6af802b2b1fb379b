// The names and texts of statuses, and the library's version.
#include "acre/status.h"

#include <errno.h>

#define TEXT_OF_(value) #value
#define TEXT_OF(value) TEXT_OF_(value)

// Those that not every system knows.
#ifdef EDQUOT
#define EDQUOT_(X) X(EDQUOT, "the quota of the file system is used up")
#else
#define EDQUOT_(X)
#endif
#ifdef ESTALE
#define ESTALE_(X) X(ESTALE, "the file is gone from its server")
#else
#define ESTALE_(X)
#endif
#ifdef EUCLEAN
#define EUCLEAN_(X) X(EUCLEAN, "the file system is damaged")
#else
#define EUCLEAN_(X)
#endif
#ifdef EHWPOISON
#define EHWPOISON_(X) X(EHWPOISON, "a page of memory is broken")
#else
#define EHWPOISON_(X)
#endif

// Errors that systems return for calls about memory, files and processes.
#define ERRNO_MAP(X)                                             \
    X(EPERM, "not permitted")                                    \
    X(ENOENT, "no such file")                                    \
    X(ESRCH, "no such process")                                  \
    X(EINTR, "interrupted by a signal")                          \
    X(EIO, "input or output failed")                             \
    X(ENXIO, "no such device")                                   \
    X(EBADF, "no usable file descriptor")                        \
    X(EAGAIN, "not now, or a limit on locked memory is reached") \
    X(ENOMEM, "out of memory, or of addresses")                  \
    X(EACCES, "access denied")                                   \
    X(EFAULT, "a page of the range cannot be reached")           \
    X(EBUSY, "in use")                                           \
    X(EEXIST, "something is mapped there already")               \
    X(ENODEV, "this kind of file cannot be mapped")              \
    X(ENOTDIR, "a part of the path is no directory")             \
    X(EISDIR, "is a directory")                                  \
    X(EINVAL, "the system found an argument invalid")            \
    X(ENFILE, "the system's table of open files is full")        \
    X(EMFILE, "the process has too many open files")             \
    X(ENOTTY, "the system does not know the request")            \
    X(ETXTBSY, "the file is being executed")                     \
    X(EFBIG, "the file is too large")                            \
    X(ENOSPC, "no space left")                                   \
    X(EROFS, "the file system is read-only")                     \
    X(ERANGE, "out of range")                                    \
    X(ENAMETOOLONG, "the path is too long")                      \
    X(ENOSYS, "the system has no such call")                     \
    X(ELOOP, "too many symbolic links")                          \
    X(EOVERFLOW, "a value does not fit")                         \
    X(ETIMEDOUT, "the file system did not answer in time")       \
    X(ENOTSUP, "not supported by this system")                   \
    EDQUOT_(X) ESTALE_(X) EUCLEAN_(X) EHWPOISON_(X)

const char *
acre_version(void)
{
    return TEXT_OF(ACRE_VERSION_MAJOR) "." TEXT_OF(ACRE_VERSION_MINOR) "." TEXT_OF(
        ACRE_VERSION_PATCH);
}

const char *
acre_status_name(acre_status status)
{
    switch (status > 0 ? ACRE_OK : status) {
#define CASE(name, value, text) \
    case (value):               \
        return "ACRE_" #name;
        ACRE_STATUS_MAP(CASE)
#undef CASE
#define CASE(name, text) \
    case -(name):        \
        return #name;
        ERRNO_MAP(CASE)
#undef CASE
    default:
        return "UNKNOWN";
    }
}

const char *
acre_status_text(acre_status status)
{
    switch (status > 0 ? ACRE_OK : status) {
#define CASE(name, value, text) \
    case (value):               \
        return text;
        ACRE_STATUS_MAP(CASE)
#undef CASE
#define CASE(name, text) \
    case -(name):        \
        return text;
        ERRNO_MAP(CASE)
#undef CASE
    default:
        return status < -4095 ? "unknown status" : "the system refused, for another reason";
    }
}

int
acre_status_unsupported(acre_status status)
{
    return status == -ENOTSUP || status == -EOPNOTSUPP;
}
