// Windows: per-thread words, and the calls when a thread ends.
//
// 1. A word lies in a TLS slot.  The callback of an FLS slot reports a thread's end; that slot
//    holds a mark in each thread that has a word.  The word itself is not kept there, because the
//    system empties the slot at the end, and code that runs later on the thread would find no word.
// 2. A mark belongs to a fiber: in a thread that runs fibers, the word ends with the fiber that set
//    it last.  It is then as if the thread had ended, which is right for whatever runs on.
// 3. Callbacks are also called when a process ends; but by then threads that held locks are gone.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

typedef struct word_slots {
    _Atomic uintptr_t
        both;  // 0 = none yet; else the TLS slot's number, with the FLS slot's above it
    _Atomic(port_thread_end) end;
} word_slots;

static word_slots words[PORT_THREAD_WORDS];

enum { SLOT_BITS = 16, SLOT_MASK = 0xffff };

// ---- the end ------------------------------------------------------------------------------------

static int
process_ends(void)
{
    typedef BOOLEAN(WINAPI * call)(void);
    call in_progress = (call)acre_windows_newer(NEWER_SHUTDOWN);
    return in_progress != NULL && in_progress();
}

static void
end_word(port_thread_word which)
{
    DWORD saved = GetLastError();
    uintptr_t both = atomic_load_explicit(&words[which].both, memory_order_acquire);
    DWORD slot = (DWORD)(both & SLOT_MASK);
    void *word = TlsGetValue(slot);
    if (word != NULL && !process_ends()) {
        port_thread_end end = atomic_load_explicit(&words[which].end, memory_order_acquire);
        (void)TlsSetValue(slot, end(word));  // cannot fail: the slot has room
    }
    SetLastError(saved);
}

static void WINAPI
end_pool(void *mark)
{
    (void)mark;
    end_word(PORT_THREAD_POOL);
}

static void WINAPI
end_overflow(void *mark)
{
    (void)mark;
    end_word(PORT_THREAD_OVERFLOW);
}

static const PFLS_CALLBACK_FUNCTION callbacks[PORT_THREAD_WORDS] = {
    [PORT_THREAD_POOL] = end_pool,
    [PORT_THREAD_OVERFLOW] = end_overflow,
};

// ---- words --------------------------------------------------------------------------------------

acre_status
acre_port_thread_hook(port_thread_word which, port_thread_end end)
{
    if (atomic_load_explicit(&words[which].both, memory_order_acquire) != 0)
        return ACRE_OK;
    atomic_store_explicit(&words[which].end, end, memory_order_release);

    DWORD saved = GetLastError();
    DWORD word = TlsAlloc();
    DWORD mark = FlsAlloc(callbacks[which]);
    uintptr_t none = 0;
    uintptr_t both = (uintptr_t)mark << SLOT_BITS | word;
    int given = word < SLOT_MASK && mark != 0 && mark < SLOT_MASK;
    int published =
        given && atomic_compare_exchange_strong_explicit(
                     &words[which].both, &none, both, memory_order_acq_rel, memory_order_acquire);
    if (!published && mark != FLS_OUT_OF_INDEXES)
        (void)FlsFree(mark);
    if (!published && word != TLS_OUT_OF_INDEXES)
        (void)TlsFree(word);
    SetLastError(saved);
    return given ? ACRE_OK : -EAGAIN;
}

acre_status
acre_port_thread_set(port_thread_word which, void *word)
{
    uintptr_t both = atomic_load_explicit(&words[which].both, memory_order_acquire);
    if (both == 0)
        return -ENOTSUP;
    DWORD saved = GetLastError();
    int marked = FlsSetValue((DWORD)(both >> SLOT_BITS), word != NULL ? &words[which] : NULL);
    return status_of(marked && TlsSetValue((DWORD)(both & SLOT_MASK), word), saved);
}

void *
acre_port_thread_get(port_thread_word which)
{
    uintptr_t both = atomic_load_explicit(&words[which].both, memory_order_acquire);
    if (both == 0)
        return NULL;
    DWORD saved = GetLastError();
    void *word = TlsGetValue((DWORD)(both & SLOT_MASK));
    SetLastError(saved);
    return word;
}

// ---- waiting ------------------------------------------------------------------------------------

// From Windows 8 on.  Before, threads sleep for a moment.
void
acre_port_wait(const void *word, uint32_t value)
{
    typedef BOOL(WINAPI * call)(volatile void *, void *, SIZE_T, DWORD);
    DWORD saved = GetLastError();
    call wait = (call)acre_windows_newer(NEWER_WAIT);
    if (wait == NULL || acre_windows_newer(NEWER_WAKE) == NULL ||
        !wait((volatile void *)(uintptr_t)word, &value, sizeof value, INFINITE))
        Sleep(1);
    SetLastError(saved);
}

void
acre_port_wake(const void *word)
{
    typedef void(WINAPI * call)(void *);
    DWORD saved = GetLastError();
    call wake = (call)acre_windows_newer(NEWER_WAKE);
    if (wake != NULL)
        wake((void *)(uintptr_t)word);
    SetLastError(saved);
}

#endif  // ACRE_ON_WINDOWS
