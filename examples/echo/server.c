#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "acre/area.h"
#include "coroutine.h"

static int poller;

// ---- memory -------------------------------------------------------------------------------------

static size_t
read_status(const char *key)
{
    char line[256];
    size_t kilobytes = 0;
    size_t length = strlen(key);
    FILE *status = fopen("/proc/self/status", "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            kilobytes = strtoul(line + length + 1, NULL, 10);
    }
    if (status != NULL)
        fclose(status);
    return kilobytes * 1024;
}

static memory
measure(void)
{
    memory now = {.resident = read_status("VmRSS"), .page_tables = read_status("VmPTE")};
    if (acre_area_count(&now.areas) != ACRE_OK)
        now.areas = 0;
    return now;
}

// ---- one connection -----------------------------------------------------------------------------

// What of a call that answers -1 on failure is worth trying again after the next event.
static int
must_wait(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

// False when the other side has gone.
static int
send_all(coroutine *self, int connection, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(connection, bytes, count, MSG_NOSIGNAL);
        if (must_wait(sent)) {
            coroutine_wait(self);
            continue;
        }
        if (sent < 0)
            return 0;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 1;
}

static void
echo(coroutine *self, int connection)
{
    char bytes[1024];
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = self};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection, &event) != 0)
        perror("echo: epoll_ctl");
    for (;;) {
        ssize_t got = recv(connection, bytes, sizeof bytes, 0);
        if (must_wait(got)) {
            coroutine_wait(self);
            continue;
        }
        if (got <= 0 || !send_all(self, connection, bytes, (size_t)got))
            break;
    }
    close(connection);
}

// ---- all of them --------------------------------------------------------------------------------

static int
complain(const char *what, acre_status status)
{
    fprintf(stderr, "echo: %s: %s\n", what, acre_status_text(status));
    return 1;
}

static int
accept_all(int listener, size_t *served)
{
    for (;;) {
        int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (must_wait(connection) || (connection < 0 && errno == ECONNABORTED))
            return 0;
        if (connection < 0)
            return complain("accept", -errno);
        acre_status status = coroutine_start(echo, connection);
        if (status != ACRE_OK)
            return complain("a coroutine for a connection", status);
        (*served)++;
    }
}

// Measures, and says so; when the client has closed its end, `*control` is -1.
static int
answer_control(int *control, server_result *out)
{
    char byte;
    ssize_t got = read(*control, &byte, 1);
    if (got == 1) {
        out->during = measure();
        if (write(*control, &byte, 1) == 1)
            return 0;
    } else if (got == 0) {
        close(*control);
        *control = -1;
        return 0;
    }
    return complain("the client's control", -errno);
}

static int
watch(int descriptor, void *name)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = name};
    return epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event);
}

static int
handle(const struct epoll_event *event, const int *listener, int *control, server_result *out)
{
    if (event->data.ptr == listener)
        return accept_all(*listener, &out->served);
    if (event->data.ptr == control)
        return answer_control(control, out);
    acre_status status = coroutine_resume(event->data.ptr);
    return status == ACRE_OK ? 0 : complain("giving a stack back", status);
}

static int
serve_all(int listener, int control, server_result *out)
{
    enum { BATCH = 256 };
    struct epoll_event events[BATCH];
    if (watch(listener, &listener) != 0 || watch(control, &control) != 0)
        return complain("epoll_ctl", -errno);
    while (control >= 0 || coroutines_alive() > 0) {
        int count = epoll_wait(poller, events, BATCH, -1);
        if (count < 0 && errno != EINTR)
            return complain("epoll_wait", -errno);
        for (int i = 0; i < count; i++) {
            if (handle(&events[i], &listener, &control, out) != 0)
                return 1;
        }
    }
    return 0;
}

int
serve(int listener, int control, const stack_kind *kind, server_result *out)
{
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0)
        return complain("epoll_create1", -errno);
    acre_status status = coroutines_begin(kind);
    if (status != ACRE_OK)
        return complain(kind->name, status);
    out->before = measure();
    if (serve_all(listener, control, out) != 0)
        return 1;
    status = coroutines_end();
    if (status != ACRE_OK)
        return complain(kind->name, status);
    close(poller);
    out->is_complete = 1;
    return 0;
}
