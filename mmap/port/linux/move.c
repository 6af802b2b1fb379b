// Linux: moving pages.
//
// How the kernel moves explicit huge pages (move_hugetlb_page_tables in mm/hugetlb.c, 5.16 to 7.0)
//   1. It passes over an absent table, in the source and in the target each to the end of its own:
//      where the two lie differently in their tables, the pages behind land elsewhere and are lost.
//      So what may be touched in part moves to a target that lies as the source does.
//   2. It counts what it moved in an int, tables passed over included; a count below the size looks
//      like a failure, and what was moved is dropped.  Pieces of 1 GiB are counted right if tables
//      span no more than 2 GiB; tables of larger pages must be there, by a page that was touched.
#include "mmap/port/system.h"

#if ACRE_ON_LINUX

#include "mmap/port/linux/facts.h"
#include "mmap/port/linux/move.h"
#include "mmap/port/linux/place.h"

static const size_t HUGE_PIECE = (size_t)1 << 30;
static const size_t HUGE_OF_LARGE_TABLE = (size_t)4 << 20;

static size_t
piece_size(size_t huge)
{
    return huge > HUGE_PIECE ? huge : HUGE_PIECE;
}

// From `at` to the end of its piece, or of all.
static size_t
piece_at(const char *at, size_t left, size_t huge)
{
    size_t rest = piece_size(huge) - ((uintptr_t)at & (piece_size(huge) - 1));
    return left < rest ? left : rest;
}

static acre_status
touch_pieces(char *base, size_t size, size_t huge)
{
    acre_status status = ACRE_OK;
    for (size_t at = 0; at < size && status == ACRE_OK; at += piece_at(base + at, size - at, huge))
        status = linux_advise(base + at, acre_port_page_size(), LINUX_MADV_POPULATE_READ);
    return status == -EFAULT ? -ENOMEM : status;  // not reserved, and the pool is empty
}

static acre_status
touch_large(char *base, size_t size, size_t huge, uint32_t access)
{
    if (huge < HUGE_OF_LARGE_TABLE || access & ACRE_READ)
        return huge < HUGE_OF_LARGE_TABLE ? ACRE_OK : touch_pieces(base, size, huge);
    acre_status status = sys_mprotect(base, size, PROT_READ);
    if (status != ACRE_OK)
        return status;
    status = touch_pieces(base, size, huge);
    acre_status restored = sys_mprotect(base, size, posix_protection(access));
    return status == ACRE_OK ? restored : status;
}

static acre_status
move_huge(char *base, size_t size, char *target, size_t huge)
{
    acre_status status = ACRE_OK;
    size_t moved = 0;
    while (moved < size && status == ACRE_OK) {
        size_t piece = piece_at(base + moved, size - moved, huge);
        status = sys_move(base + moved, piece, target + moved);
        if (status == ACRE_OK)
            moved += piece;
    }
    for (size_t at = 0; status != ACRE_OK && at < moved;) {
        size_t piece = piece_at(base + at, moved - at, huge);
        (void)sys_move(target + at, piece, base + at);
        at += piece;
    }
    return status;
}

acre_status
acre_linux_move(void *base, size_t size, void *target, size_t huge, uint32_t access)
{
    if ((uint64_t)huge >> 32 != 0)
        return -EINVAL;  // none of these pages can be counted: as kernels that do not move them
    acre_status status =
        huge == 0 ? sys_move(base, size, target) : touch_large(base, size, huge, access);
    if (huge != 0 && status == ACRE_OK)
        status = move_huge(base, size, target, huge);
    return linux_explain(status);
}

acre_status
acre_linux_hold_for_huge(const void *old, size_t size, size_t huge, void **base)
{
    size_t lead = (uintptr_t)old & (piece_size(huge) - 1);
    if (size > SIZE_MAX - lead)
        return -ENOMEM;
    void *room = NULL;
    acre_status status =
        acre_linux_hold(lead + size, piece_size(huge), NULL, LINUX_PLAIN_HOLD, &room);
    if (status != ACRE_OK)
        return status;
    if (lead != 0 && sys_munmap(room, lead) != ACRE_OK) {
        (void)sys_munmap(room, lead + size);
        return ACRE_TOO_MANY_AREAS;
    }
    *base = (char *)room + lead;
    return ACRE_OK;
}

#endif  // ACRE_ON_LINUX
