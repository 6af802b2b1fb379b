// Linux: waits for a word to change or for a lock, by futex.
//
// Locks lend priority by FUTEX_LOCK_PI.  The kernel keeps a state for each such word that is waited
// for, which only its holder can end (FUTEX_UNLOCK_PI).  A filter of system calls (seccomp) may
// refuse either call, to some threads or from some time on:
//
// 1. A thread finds out once whether it may make both.  If not, it locks with a number that no
//    thread has, so nobody waits in the kernel for it: the kernel finds no such thread (ESRCH).
// 2. A thread that is refused later frees the word by itself.  Those that wait in the kernel then
//    see that in at most LOCK_WAIT_MS, since no wait is longer.
// 3. When a thread ends, the kernel hands over what others await of it.  So the refused thread goes
//    on only after their waits have ended: by then another may have locked the free word.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/sys.h"
#include "mmap/port/thread.h"

#include <limits.h>
#include <linux/futex.h>
#include <linux/types.h>
#include <stdatomic.h>

#ifdef SYS_futex
enum { FUTEX_CALL = SYS_futex };
#else
enum { FUTEX_CALL = SYS_futex_time64 };  // 32-bit systems that never had times of 32 bits
#endif

void
acre_port_wait(const void *word, uint32_t value)
{
    int saved = errno;
    long result = syscall(FUTEX_CALL, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    if (result != 0 && errno != EAGAIN && errno != EINTR)
        posix_pause();  // a sandbox without futexes
    errno = saved;
}

void
acre_port_wake(const void *word)
{
    int saved = errno;
    (void)syscall(FUTEX_CALL, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    errno = saved;
}

// ---- locks --------------------------------------------------------------------------------------

#if ACRE_LENDS_PRIORITY

enum { LOCK_WAIT_MS = 10 };

// The number of a thread that cannot hand over; threads' numbers are below 2^22.
static const uint32_t CANNOT_HAND_OVER = FUTEX_TID_MASK;

// As the call takes it: without times of 64 bits on 32-bit systems, unless there are no others.
typedef struct futex_time {
#ifdef SYS_futex
    __kernel_long_t seconds, nanoseconds;
#else
    int64_t seconds, nanoseconds;
#endif
} futex_time;

static __thread struct {
    uint32_t process, number;
} this_thread __attribute__((tls_model("initial-exec")));

// Changes errno.  An emulator whose processor has another order of bytes than its guest's fails.
static int
may_lock(uint32_t number)
{
    _Atomic uint32_t word = 0;
    if (syscall(FUTEX_CALL, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) != 0)
        return 0;
    int right = atomic_load_explicit(&word, memory_order_relaxed) == number;
    return syscall(FUTEX_CALL, &word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0 && right;
}

int
acre_port_lends_priority(void)
{
    int saved = errno;
    int may = may_lock((uint32_t)syscall(SYS_gettid));
    errno = saved;
    return may;
}

__attribute__((noinline)) uint32_t
acre_port_thread_number(uint32_t process)
{
    if (this_thread.process != process) {
        int saved = errno;
        uint32_t number = (uint32_t)syscall(SYS_gettid);
        this_thread.number = may_lock(number) ? number : CANNOT_HAND_OVER;
        this_thread.process = process;
        errno = saved;
    }
    uint32_t number = this_thread.number;
    // Code after the call may assume nothing about this thread, not even when optimized as one.
    __asm__ volatile("" ::: "memory");
    return number;
}

// Sets *out to when a wait that begins now must end; 0 when the call cannot take that time.
static int
end_of_wait(futex_time *out)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    long long nanoseconds = now.tv_nsec + LOCK_WAIT_MS * 1000000LL;
    long long seconds = now.tv_sec + nanoseconds / 1000000000;
    *out = (futex_time){.seconds = (__typeof__(out->seconds))seconds,
                        .nanoseconds = (__typeof__(out->seconds))(nanoseconds % 1000000000)};
    return out->seconds == seconds;
}

int
acre_port_lock_wait(void *word)
{
    int saved = errno;
    futex_time end;
    long result = -1;
    errno = EOVERFLOW;
    if (end_of_wait(&end))
        result = syscall(FUTEX_CALL, word, FUTEX_LOCK_PI_PRIVATE, 0, &end, NULL, 0);
    // Refused, or the holder is no thread that the kernel could lend anything to.
    if (result != 0 && errno != ETIMEDOUT)
        posix_pause();
    errno = saved;
    if (result != 0)
        return 0;
    // The kernel has stored the number.  This is for the order of memory, as below.
    (void)atomic_load_explicit((_Atomic uint32_t *)word, memory_order_acquire);
    return 1;
}

void
acre_port_lock_hand_over(void *word)
{
    _Atomic uint32_t *lock = word;
    // Changes nothing, since the bit is set.
    uint32_t word_held = atomic_fetch_or_explicit(lock, PORT_LOCK_AWAITED, memory_order_release);
    uint32_t holder = word_held & FUTEX_TID_MASK;
    int saved = errno;
    if (holder == CANNOT_HAND_OVER) {
        atomic_store_explicit(lock, 0, memory_order_release);
    } else if (syscall(FUTEX_CALL, lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) != 0) {
        this_thread.number = CANNOT_HAND_OVER;
        atomic_store_explicit(lock, 0, memory_order_release);
        struct timespec rest = {.tv_nsec = 2 * LOCK_WAIT_MS * 1000000};
        int before = posix_put_off_cancellation();
        while (nanosleep(&rest, &rest) != 0 && errno == EINTR)
            continue;
        posix_permit_cancellation(before);
    }
    errno = saved;
}

#endif  // ACRE_LENDS_PRIORITY

#endif  // ACRE_ON_LINUX
