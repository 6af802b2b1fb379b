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

static void
on_bus_error(int signal, siginfo_t *info, void *context)
{
    (void)context;
    int sent = info->si_code <= 0;  // by a process, and si_addr means nothing
    if (!sent && watched != NULL && watch_replace_rest(watched, info->si_addr))
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
