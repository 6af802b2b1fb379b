// sys/user.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_SYS_USER_H_
#define ACRE_FREEBSD_SYS_USER_H_

#include <sys/param.h>

#define KVME_TYPE_NONE 0
#define KVME_TYPE_VNODE 2
#define KVME_TYPE_DEVICE 4

#define KVME_PROT_READ 0x00000001
#define KVME_PROT_WRITE 0x00000002
#define KVME_PROT_EXEC 0x00000004

#define KVME_FLAG_COW 0x00000001
#define KVME_FLAG_GROWS_DOWN 0x00000020
#define KVME_FLAG_USER_WIRED 0x00000040

struct kinfo_vmentry {
    int kve_structsize;
    int kve_type;
    uint64_t kve_start;
    uint64_t kve_end;
    uint64_t kve_offset;
    uint64_t kve_vn_fileid;
    uint32_t kve_vn_fsid_freebsd11;
    int kve_flags;
    int kve_resident;
    int kve_private_resident;
    int kve_protection;
    int kve_ref_count;
    int kve_shadow_count;
    int kve_vn_type;
    uint64_t kve_vn_size;
    uint32_t kve_vn_rdev_freebsd11;
    uint16_t kve_vn_mode;
    uint16_t kve_status;
    uint64_t kve_vn_fsid;
    uint64_t kve_vn_rdev;
    int _kve_ispare[8];
    char kve_path[PATH_MAX];
};
_Static_assert(sizeof(struct kinfo_vmentry) == 1160, "as the kernel has it");

#endif  // ACRE_FREEBSD_SYS_USER_H_
