// sched.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SCHED_H_
#define ACRE_FREEBSD_SCHED_H_

int sched_yield(void);

#endif  // ACRE_FREEBSD_SCHED_H_
