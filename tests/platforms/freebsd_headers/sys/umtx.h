// sys/umtx.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_UMTX_H_
#define ACRE_FREEBSD_SYS_UMTX_H_

#include <sys/types.h>

#define UMTX_OP_WAIT_UINT_PRIVATE 15
#define UMTX_OP_WAKE_PRIVATE 16

int _umtx_op(void *object, int operation, unsigned long value, void *address, void *timeout);

#endif  // ACRE_FREEBSD_SYS_UMTX_H_
