// macOS and iOS: waits for a word to change.
//
// os_sync_wait_on_address is public from macOS 14.4 and iOS 17.4 on.  Older systems have the same
// under a private name, which programs for the App Store may not use; there, threads pause instead.
#include "mmap/port/system.h"

#if ACRE_ON_DARWIN

#include "mmap/port/posix/posix.h"
#include "mmap/port/thread.h"

// Declared here since older SDKs do not have them.  NULL on a system that does not, either.
__attribute__((weak_import)) extern int os_sync_wait_on_address(void *address, uint64_t value,
                                                                size_t size, uint32_t flags);
__attribute__((weak_import)) extern int os_sync_wake_by_address_all(void *address, size_t size,
                                                                    uint32_t flags);

void
acre_port_wait(const void *word, uint32_t value)
{
    int saved = errno;
    if (os_sync_wait_on_address == NULL || os_sync_wake_by_address_all == NULL ||
        (os_sync_wait_on_address((void *)(uintptr_t)word, value, sizeof value, 0) < 0 &&
         errno != EINTR))
        posix_pause();
    errno = saved;
}

void
acre_port_wake(const void *word)
{
    int saved = errno;
    if (os_sync_wait_on_address != NULL && os_sync_wake_by_address_all != NULL)
        (void)os_sync_wake_by_address_all((void *)(uintptr_t)word, sizeof(uint32_t), 0);
    errno = saved;
}

#endif  // ACRE_ON_DARWIN
