// The least that a test needs: prints what does not hold and ends.
#ifndef CONSUMER_CHECK_H_
#define CONSUMER_CHECK_H_

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

#endif  // CONSUMER_CHECK_H_
