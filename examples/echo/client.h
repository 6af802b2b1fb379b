// client.h - opens connections to an echo server, and looks at every byte that comes back.
#ifndef ECHO_CLIENT_H_
#define ECHO_CLIENT_H_

#include <netinet/in.h>
#include <stddef.h>

typedef struct client_plan {
    struct sockaddr_in server;
    size_t connections;  ///< at once
    size_t rounds;       ///< messages that each of these sends
    size_t visits;       ///< connections one after the other, a message each
    size_t length;       ///< bytes of a message
} client_plan;

typedef struct client_result {
    double open_seconds;   ///< to open all, the first message of each echoed
    double round_seconds;  ///< for the further messages
    double visit_seconds;
    size_t bytes;     ///< echoed and right
    int is_complete;  ///< set last
} client_result;

/// Carries the plan out; a byte through `control` has the server measure when all connections are
/// open.
///
/// @return 0, or 1 after a message on standard error
int visit(const client_plan *plan, int control, client_result *out);

#endif  // ECHO_CLIENT_H_
