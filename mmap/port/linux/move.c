// Linux: moving pages.
//
// How the kernel moves explicit huge pages (move_hugetlb_page_tables in mm/hugetlb.c, 5.16 to 7.0)
//   1. When a page table is absent, it skips to the end of the table, separately in the source and
//      in the target.  If the two have different positions within their tables, the pages that
//      follow end up at wrong addresses and are lost.  So pages that may be only partly touched are
//      moved to a target with the same position within its table.
//   2. It counts the moved bytes, including skipped tables, in an int.  If the count is below the
//      size, that looks like a failure, and the kernel drops what it moved.  The count is right for
//      pieces of 1 GiB if a table spans no more than 2 GiB.  The tables of larger pages must be
//      present, so a page of each piece is touched first.
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

// Returns the bytes from `at` to the end of its piece, but no more than `left`.
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
    return status == -EFAULT ? -ENOMEM : status;  // without a reservation, and the pool is empty
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
        return -EINVAL;  // too large for the count; fail like kernels that do not move huge pages
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
