// echo - an echo server with a coroutine for each connection, on acre's stacks and on those that
// others use, and a client that looks at every byte.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acre/mmap.h"
#include "client.h"
#include "server.h"

static const char HELP[] =
    "Usage: echo [CONNECTIONS [VISITS]]\n"
    "A server and a client on the loopback device, each a process: CONNECTIONS at once (default\n"
    "9000, or what the limit of descriptors permits), then VISITS one after the other (default\n"
    "20000).  Tells connections per second and memory per connection, with stacks of acre's pool\n"
    "and with a map and a protected page for each stack.\n";

enum { WRONG_USE = 2, SPARE_DESCRIPTORS = 64 };

// What the two processes found, in memory that they share with this one.
typedef struct results {
    server_result server;
    client_result client;
} results;

static int
complain(const char *what)
{
    fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
    return 1;
}

static int
listen_on_loopback(struct sockaddr_in *address)
{
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)address, length) != 0 ||
        listen(listener, SOMAXCONN) != 0 ||
        getsockname(listener, (struct sockaddr *)address, &length) != 0) {
        (void)complain("the loopback device");
        if (listener >= 0)
            close(listener);
        return -1;
    }
    return listener;
}

// Whether the child ended well.
static int
is_well(pid_t child)
{
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static int
run(const stack_kind *kind, client_plan *plan, results *out)
{
    int control[2];
    int listener = listen_on_loopback(&plan->server);
    if (listener < 0)
        return 1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
        return complain("socketpair");
    fflush(NULL);

    pid_t server = fork();
    if (server == 0) {
        close(control[1]);
        _exit(serve(listener, control[0], kind, &out->server));
    }
    close(control[0]);
    close(listener);
    pid_t client = fork();
    if (client == 0)
        _exit(visit(plan, control[1], &out->client));
    close(control[1]);
    // The client first: when the server dies, so does every connection.
    int client_is_well = is_well(client);
    return is_well(server) && client_is_well ? 0 : 1;
}

static void
print(const stack_kind *kind, const client_plan *plan, const results *found)
{
    const memory *before = &found->server.before;
    const memory *during = &found->server.during;
    double connections = (double)plan->connections;
    double bytes = (double)(during->resident - before->resident) +
                   (double)(during->page_tables - before->page_tables);
    printf("%-16s %10.0f %10.0f %10.0f %12.0f %8.2f\n", kind->name,
           connections / found->client.open_seconds,
           connections * (double)(plan->rounds - 1) / found->client.round_seconds,
           (double)plan->visits / found->client.visit_seconds, bytes / connections,
           ((double)during->areas - (double)before->areas) / connections);
}

static size_t
number_or(const char *text, size_t otherwise)
{
    if (text == NULL)
        return otherwise;
    size_t length = strlen(text);
    uintmax_t number = strtoumax(text, NULL, 10);
    if (length == 0 || strspn(text, "0123456789") != length || number == 0 || number > 1000000) {
        fprintf(stderr, "echo: %s: wants a number from 1 to 1000000\n%s", text, HELP);
        exit(WRONG_USE);
    }
    return (size_t)number;
}

// At most as many as this process may have descriptors for.
static size_t
permitted(size_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    if (limit.rlim_cur == RLIM_INFINITY || wanted + SPARE_DESCRIPTORS <= limit.rlim_cur)
        return wanted;
    return limit.rlim_cur > SPARE_DESCRIPTORS ? (size_t)limit.rlim_cur - SPARE_DESCRIPTORS : 1;
}

int
main(int argc, char **argv)
{
    if (argc > 3 || (argc > 1 && strcmp(argv[1], "--help") == 0)) {
        fputs(HELP, argc > 3 ? stderr : stdout);
        return argc > 3 ? WRONG_USE : 0;
    }
    client_plan plan = {
        .connections = permitted(number_or(argv[1], 9000)),
        .visits = number_or(argc > 2 ? argv[2] : NULL, 20000),
        .rounds = 5,
        .length = 1500,
    };
    acre_mmap_opts opts = {.flags = ACRE_MAP_SHARED};
    acre_mmap shared;
    acre_status status = acre_mmap_anon(2 * sizeof(results), ACRE_READ_WRITE, &opts, &shared);
    if (status != ACRE_OK) {
        fprintf(stderr, "echo: %s\n", acre_status_text(status));
        return 1;
    }

    printf("%zu connections at once, %zu visits, messages of %zu bytes\n", plan.connections,
           plan.visits, plan.length);
    printf("%-16s %10s %10s %10s %12s %8s\n", "stacks", "opened/s", "echoes/s", "visits/s",
           "bytes/conn.", "areas");
    const stack_kind *kinds[] = {&pool_stacks, &protected_stacks};
    results *found = shared.base;
    int failed = 0;
    for (size_t i = 0; i < 2 && !failed; i++) {
        failed = run(kinds[i], &plan, &found[i]);
        if (!failed)
            print(kinds[i], &plan, &found[i]);
    }
    if (!failed)
        printf("%zu bytes came back, every one right\n",
               found[0].client.bytes + found[1].client.bytes);
    status = acre_mmap_unmap(&shared);
    return failed || status != ACRE_OK;
}
