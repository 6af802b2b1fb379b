// tests/mmap/corner_kinds.h - a map of every kind.
#ifndef ACRE_TESTS_MMAP_CORNER_KINDS_H_
#define ACRE_TESTS_MMAP_CORNER_KINDS_H_

#include <cerrno>

#include "acre/image.h"
#include "tests/mmap/maps.h"
#include "tests/support/posix.h"

namespace acre_test::corner {

enum { PAGES = 4 };  // of each map, of its own page size; huge ones have two
// The kinds of maps, one column of the table each, named in `names` below.
enum Column {
    ANON,
    FILE_PRIVATE,
    FILE_SHARED,
    RESERVED,
    PARTIAL,
    HUGE_PAGES,
    LOCKED,
    GUARDED,
    RING,
    TWIN_WRITE,
    TWIN_EXEC,
    CLONE,
    SEALED_WRITABLE,
    SEALED_READ_ONLY,
    ADOPTED,
    ADOPTED_RESERVATION,
    DROPPABLE,
    SHARED,
    EMPTY,
    COLUMNS
};

inline size_t unit;    // the map's page size, of an empty one the base page
inline File *content;  // of the file maps

// Where the map is made, with room behind it.
inline acre_mmap_opts at(void *address, uint32_t more = 0)
{
    acre_mmap_opts opts = flags(ACRE_MAP_FIXED | more);
    opts.address = address;
    return opts;
}

inline acre_status anon(void *address, uint32_t more, acre_mmap *out)
{
    acre_mmap_opts opts = at(address, more);
    return acre_mmap_anon(PAGES * page(), ACRE_READ_WRITE, &opts, out);
}

inline acre_status file(void *address, uint32_t more, acre_mmap *out)
{
    acre_mmap_opts opts = at(address, more);
    return acre_mmap_file(handle_of(content->descriptor), 0, PAGES * page(), ACRE_READ_WRITE, &opts,
                          out);
}

inline acre_status reserve(void *address, size_t committed, acre_mmap *out)
{
    acre_mmap_opts opts = at(address);
    acre_status status = acre_mmap_reserve(PAGES * page(), ACRE_READ_WRITE, &opts, out);
    return status == ACRE_OK ? acre_mmap_commit(out, 0, committed * page()) : status;
}

inline acre_status guarded(void *address, acre_mmap *out)
{
    acre_status status = anon(address, 0, out);
    return status == ACRE_OK ? acre_mmap_guard(out, PAGES / 2 * page(), page()) : status;
}

inline acre_status twin(void *address, int executable, acre_mmap *out)
{
    acre_mmap_opts opts = at(address);
    acre_mmap write, exec;
    acre_status status = acre_mmap_twin(PAGES * page(), &opts, &write, &exec);
    if (status != ACRE_OK)
        return status;
    *out = executable ? exec : write;
    return acre_mmap_unmap(executable ? &write : &exec);
}

inline acre_status clone(void *address, acre_mmap *out)
{
    acre_image image;
    acre_mmap fill;
    acre_mmap_opts opts = at(address);
    acre_status status = acre_image_begin(PAGES * page(), &image, &fill);
    if (status == ACRE_OK)
        status = acre_image_finish(&image, &fill);
    if (status == ACRE_OK)
        status = acre_image_clone(&image, ACRE_READ_WRITE, &opts, out);
    EXPECT_OK(acre_image_close(&image));
    return status;
}

inline acre_status sealed(void *address, uint32_t access, acre_mmap *out)
{
    acre_status status = anon(address, 0, out);
    if (status == ACRE_OK)
        status = acre_mmap_protect(out, 0, out->size, access);
    return status == ACRE_OK ? acre_mmap_seal(out) : status;
}

inline acre_status adopted(void *address, int protection, uint32_t kind, acre_mmap *out)
{
    void *base =
        mmap(address, PAGES * page(), protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    return base == MAP_FAILED
               ? -errno
               : acre_mmap_adopt(base, PAGES * page(), 0, ACRE_READ_WRITE, kind, out);
}

inline acre_status make(int column, void *address, acre_mmap *out)
{
    acre_mmap_opts opts = at(address);
    switch (column) {
    case ANON:
        return anon(address, 0, out);
    case FILE_PRIVATE:
        return file(address, 0, out);
    case FILE_SHARED:
        return file(address, ACRE_MAP_SHARED, out);
    case RESERVED:
        return reserve(address, 0, out);
    case PARTIAL:
        return reserve(address, PAGES / 2, out);
    case HUGE_PAGES:
        opts.flags |= ACRE_MAP_HUGE;
        return acre_mmap_anon(unit + 1, ACRE_READ_WRITE, &opts, out);
    case LOCKED:
        return anon(address, ACRE_MAP_LOCKED, out);
    case GUARDED:
        return guarded(address, out);
    case RING:
        return acre_mmap_ring(PAGES / 2 * page(), &opts, out);
    case TWIN_WRITE:
        return twin(address, 0, out);
    case TWIN_EXEC:
        return twin(address, 1, out);
    case CLONE:
        return clone(address, out);
    case SEALED_WRITABLE:
        return sealed(address, ACRE_READ_WRITE, out);
    case SEALED_READ_ONLY:
        return sealed(address, ACRE_READ, out);
    case ADOPTED:
        return adopted(address, PROT_READ | PROT_WRITE, 0, out);
    case ADOPTED_RESERVATION:
        return adopted(address, PROT_NONE, ACRE_IS_RESERVATION, out);
    case DROPPABLE:
        return anon(address, ACRE_MAP_DROPPABLE, out);
    case SHARED:
        return anon(address, ACRE_MAP_SHARED, out);
    default:
        *out = {};
        return ACRE_OK;
    }
}

inline const char *const names[] = {"anonymous",
                                    "private file",
                                    "shared file",
                                    "reserved",
                                    "partly committed",
                                    "huge",
                                    "locked",
                                    "guarded",
                                    "ring",
                                    "writable twin",
                                    "executable twin",
                                    "clone",
                                    "sealed writable",
                                    "sealed read-only",
                                    "adopted",
                                    "adopted reservation",
                                    "droppable",
                                    "shared anonymous",
                                    "empty"};
static_assert(sizeof names / sizeof names[0] == COLUMNS, "one for each column");

// What this system has no maps of.
inline bool is_missing(int column)
{
    acre_system system = {};
    EXPECT_OK(acre_system_read(&system));
    if (column == SEALED_WRITABLE || column == SEALED_READ_ONLY)
        return !acre_can(ACRE_CAN_SEAL);
    if (column == HUGE_PAGES)
        return system.explicit_huge_free < 4;
    if (column == DROPPABLE) {
        Map map;
        EXPECT_OK(anon(free_address(PAGES * page()), ACRE_MAP_DROPPABLE, &map));
        return (map.flags & ACRE_MAP_DROPPABLE) == 0;
    }
    return false;
}
inline size_t unit_of(int column)
{
    if (column != HUGE_PAGES)
        return page();
    Map map;
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE);
    EXPECT_OK(acre_mmap_reserve(1, ACRE_NONE, &opts, &map));
    return map.page_size;
}

}  // namespace acre_test::corner

#endif  // ACRE_TESTS_MMAP_CORNER_KINDS_H_
