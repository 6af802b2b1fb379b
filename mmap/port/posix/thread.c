// POSIX systems: thread-local words, and calls when a thread exits.
//
// 1. The destructor of a POSIX thread key reports a thread's exit; each kind of word has a key.
// 2. glibc stores the values of the first 32 keys in the thread itself and allocates memory for
//    others.  If acre gets a later key, it deletes the key, and threads have no word.
// 3. Words are read from static thread-local memory, which costs one load and no allocation even in
//    a library that was loaded late.  Where the system has no such memory (macOS and Android
//    allocate it on first use), they are read through the key.
// 4. No caller sees the address of a word, so none can keep it while it moves to another thread.
#include "mmap/port/system.h"

#if ACRE_ON_POSIX

#include "mmap/port/posix/posix.h"

#include <pthread.h>
#include <stdatomic.h>

#if defined(__APPLE__) || defined(__ANDROID__)
#define POSIX_HAS_STATIC_WORDS 0
#else
#define POSIX_HAS_STATIC_WORDS 1
#endif

#ifdef __GLIBC__
static const uintptr_t KEYS_WITHOUT_MALLOC = 32;
#else
static const uintptr_t KEYS_WITHOUT_MALLOC = UINTPTR_MAX;
#endif

static _Atomic uintptr_t keys[PORT_THREAD_WORDS];  // key + 1; 0 = not created yet
static _Atomic(port_thread_end) ends[PORT_THREAD_WORDS];

#if POSIX_HAS_STATIC_WORDS
static __thread void *words[PORT_THREAD_WORDS] __attribute__((tls_model("initial-exec")));

static void
keep_word(port_thread_word which, void *word)
{
    words[which] = word;
}

__attribute__((noinline)) void *
acre_port_thread_get(port_thread_word which)
{
    void *word = words[which];
    // Code after the call may assume nothing about this thread, not even when optimized as one.
    __asm__ volatile("" ::: "memory");
    return word;
}
#else
static void
keep_word(port_thread_word which, void *word)
{
    uintptr_t key = atomic_load_explicit(&keys[which], memory_order_acquire);
    int saved = errno;
    (void)pthread_setspecific((pthread_key_t)(key - 1), word);  // the thread has room for it
    errno = saved;
}

__attribute__((noinline)) void *
acre_port_thread_get(port_thread_word which)
{
    uintptr_t key = atomic_load_explicit(&keys[which], memory_order_acquire);
    return key == 0 ? NULL : pthread_getspecific((pthread_key_t)(key - 1));
}
#endif

static void
end_thread(port_thread_word which, void *word)
{
    keep_word(which, atomic_load_explicit(&ends[which], memory_order_acquire)(word));
}

static void
end_pool(void *word)
{
    end_thread(PORT_THREAD_POOL, word);
}

static void
end_overflow(void *word)
{
    end_thread(PORT_THREAD_OVERFLOW, word);
}

static void (*const destructors[PORT_THREAD_WORDS])(void *) = {
    [PORT_THREAD_POOL] = end_pool,
    [PORT_THREAD_OVERFLOW] = end_overflow,
};

acre_status
acre_port_thread_hook(port_thread_word which, port_thread_end end)
{
    if (atomic_load_explicit(&keys[which], memory_order_acquire) != 0)
        return ACRE_OK;
    atomic_store_explicit(&ends[which], end, memory_order_release);

    pthread_key_t key;
    int error = pthread_key_create(&key, destructors[which]);
    if (error != 0)
        return error > 0 ? -error : -EAGAIN;
    if ((uintptr_t)key >= KEYS_WITHOUT_MALLOC) {
        (void)pthread_key_delete(key);
        return -ENOTSUP;
    }
    uintptr_t none = 0;
    if (!atomic_compare_exchange_strong_explicit(&keys[which], &none, (uintptr_t)key + 1,
                                                 memory_order_acq_rel, memory_order_acquire))
        (void)pthread_key_delete(key);
    return ACRE_OK;
}

acre_status
acre_port_thread_set(port_thread_word which, void *word)
{
    uintptr_t key = atomic_load_explicit(&keys[which], memory_order_acquire);
    if (key == 0)
        return -ENOTSUP;
    int saved = errno;
    int error = pthread_setspecific((pthread_key_t)(key - 1), word);
    errno = saved;
    if (error != 0)
        return error > 0 ? -error : -ENOMEM;
    keep_word(which, word);
    return ACRE_OK;
}

#endif  // ACRE_ON_POSIX
