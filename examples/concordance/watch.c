#define _DEFAULT_SOURCE
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static watched_map *volatile watched;

void
watch(watched_map *map)
{
    watched = map;
}

// Zeroed pages from the one at `address` on.  They belong to the map: unmapping it takes them
// along.
static int
replace_rest(watched_map *watching, const void *address)
{
    const acre_mmap *map = &watching->map;
    size_t offset = (uintptr_t)address - (uintptr_t)map->base;
    if (offset >= map->size)
        return 0;

    // In a signal handler: on Linux this is one system call, and takes no lock.
    offset -= offset % map->page_size;
    acre_mmap_opts opts = {.address = (char *)map->base + offset, .flags = ACRE_MAP_REPLACE};
    acre_mmap zeros;
    if (acre_mmap_anon(map->size - offset, ACRE_READ, &opts, &zeros) != ACRE_OK)
        return 0;
    if (watching->readable > offset)
        watching->readable = offset;
    return 1;
}

static void
on_bus_error(int signal, siginfo_t *info, void *context)
{
    (void)context;
    int sent = info->si_code <= 0;  // by a process, and si_addr means nothing
    if (!sent && watched != NULL && replace_rest(watched, info->si_addr))
        return;

    // An access is repeated on return, and dies of it; a signal that was sent is sent again.
    struct sigaction none = {.sa_handler = SIG_DFL};
    if (sigaction(signal, &none, NULL) != 0 || (sent && raise(signal) != 0))
        _exit(128 + signal);
}

acre_status
watch_install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    return sigaction(SIGBUS, &action, NULL) == 0 ? ACRE_OK : -errno;
}
