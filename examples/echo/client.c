#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 64 * 1024 };

static int
complain(const char *what)
{
    fprintf(stderr, "echo: client: %s: %s\n", what, strerror(errno));
    return 1;
}

static double
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// ---- messages -----------------------------------------------------------------------------------

// Of no other connection and no other round.
static void
write_message(char *bytes, size_t length, size_t connection, size_t round)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)((connection * 131 + round * 31 + i * 7) % 251);
}

static int
send_message(int socket, const client_plan *plan, size_t connection, size_t round)
{
    char bytes[LONGEST];
    write_message(bytes, plan->length, connection, round);
    for (size_t sent = 0; sent < plan->length;) {
        ssize_t count = send(socket, bytes + sent, plan->length - sent, MSG_NOSIGNAL);
        if (count < 0)
            return complain("send");
        sent += (size_t)count;
    }
    return 0;
}

static int
check_echo(int socket, const client_plan *plan, size_t connection, size_t round, size_t *right)
{
    char expected[LONGEST];
    char bytes[LONGEST] = {0};
    write_message(expected, plan->length, connection, round);
    for (size_t got = 0; got < plan->length;) {
        ssize_t count = recv(socket, bytes + got, plan->length - got, 0);
        if (count <= 0)
            return complain("the server has hung up");
        got += (size_t)count;
    }
    if (memcmp(bytes, expected, plan->length) != 0) {
        errno = EBADMSG;
        return complain("an echo");
    }
    *right += plan->length;
    return 0;
}

// ---- connections --------------------------------------------------------------------------------

static int
open_connection(const client_plan *plan)
{
    int opened = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr *address = (const struct sockaddr *)&plan->server;
    if (opened < 0 || connect(opened, address, sizeof plan->server) != 0) {
        (void)complain("connect");
        if (opened >= 0)
            close(opened);
        return -1;
    }
    return opened;
}

static int
exchange(const int *sockets, const client_plan *plan, size_t round, size_t *right)
{
    for (size_t i = 0; i < plan->connections; i++) {
        if (send_message(sockets[i], plan, i, round) != 0)
            return 1;
    }
    for (size_t i = 0; i < plan->connections; i++) {
        if (check_echo(sockets[i], plan, i, round, right) != 0)
            return 1;
    }
    return 0;
}

static int
have_measured(int control)
{
    char byte = 0;
    return write(control, &byte, 1) == 1 && read(control, &byte, 1) == 1 ? 0 : complain("control");
}

static int
all_at_once(int *sockets, const client_plan *plan, int control, client_result *out)
{
    double start = now();
    for (size_t i = 0; i < plan->connections; i++) {
        sockets[i] = open_connection(plan);
        if (sockets[i] < 0)
            return 1;
    }
    if (exchange(sockets, plan, 0, &out->bytes) != 0)
        return 1;
    out->open_seconds = now() - start;
    if (have_measured(control) != 0)
        return 1;

    start = now();
    for (size_t round = 1; round < plan->rounds; round++) {
        if (exchange(sockets, plan, round, &out->bytes) != 0)
            return 1;
    }
    out->round_seconds = now() - start;
    for (size_t i = 0; i < plan->connections; i++)
        close(sockets[i]);
    return 0;
}

static int
one_by_one(const client_plan *plan, client_result *out)
{
    double start = now();
    for (size_t i = 0; i < plan->visits; i++) {
        int opened = open_connection(plan);
        if (opened < 0)
            return 1;
        int failed = send_message(opened, plan, i, 0) != 0 ||
                     check_echo(opened, plan, i, 0, &out->bytes) != 0;
        // No port waits for a while after such a close.
        struct linger at_once = {.l_onoff = 1};
        if (setsockopt(opened, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0)
            failed = complain("setsockopt");
        close(opened);
        if (failed)
            return 1;
    }
    out->visit_seconds = now() - start;
    return 0;
}

int
visit(const client_plan *plan, int control, client_result *out)
{
    if (plan->length > LONGEST)
        return 1;
    int *sockets = calloc(plan->connections, sizeof *sockets);
    if (sockets == NULL)
        return complain("memory");
    int failed = all_at_once(sockets, plan, control, out) != 0 || one_by_one(plan, out) != 0;
    free(sockets);
    close(control);
    out->is_complete = !failed;
    return failed;
}
