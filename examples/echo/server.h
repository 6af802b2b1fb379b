// server.h - an echo server: one thread, one coroutine for each connection.
#ifndef ECHO_SERVER_H_
#define ECHO_SERVER_H_

#include <stddef.h>
#include <stdint.h>

#include "stacks.h"

typedef struct memory {
    size_t resident;     ///< bytes
    size_t page_tables;  ///< bytes
    uint64_t areas;
} memory;

typedef struct server_result {
    memory before;    ///< without a connection
    memory during;    ///< when the client asked for it
    size_t served;    ///< connections
    int is_complete;  ///< set last
} server_result;

/// Serves connections of the listening socket until the client closes its end of `control`; each
/// byte that comes there is answered when memory was measured.
///
/// @return 0, or 1 after a message on standard error
int serve(int listener, int control, const stack_kind *kind, server_result *out);

#endif  // ECHO_SERVER_H_
