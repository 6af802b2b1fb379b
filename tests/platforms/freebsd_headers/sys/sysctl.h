// sys/sysctl.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_SYSCTL_H_
#define ACRE_FREEBSD_SYS_SYSCTL_H_

#include <sys/types.h>

#define CTL_KERN 1
#define KERN_PROC 14
#define KERN_USRSTACK 33
#define KERN_PROC_VMMAP 32

int sysctl(const int *name, unsigned count, void *old, size_t *old_size, const void *to,
           size_t size);
int sysctlbyname(const char *name, void *old, size_t *old_size, const void *to, size_t size);

#endif  // ACRE_FREEBSD_SYS_SYSCTL_H_
