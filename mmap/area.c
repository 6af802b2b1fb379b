// Areas: views, the part that is the same on every system.
//
// A view's state has a mapping of its own, which the kernel wipes in the child of a fork.  The
// view's descriptors still show the parent, so a child that uses its parent's view must be refused;
// it finds the owner wiped.
#include "acre/area.h"

#include "mmap/debug.h"
#include "mmap/port/area.h"
#include "mmap/port/memory.h"

typedef struct view {
    acre_process owner;  // the process that opened it; 0 in a child
    int wiped;           // the system wipes this struct in a child
    uintptr_t last_end;  // the end of the last area that next returned
    _Alignas(64) char port[PORT_VIEW_SIZE];
} view;

// Words of acre_areas.private_.
enum { VIEW_STATE, VIEW_SIZE, VIEW_BACKING, VIEW_HANDLE, VIEW_HANDLE_END = VIEW_HANDLE + 2 };

static port_view *
port_of(view *state)
{
    return (port_view *)(void *)state->port;
}

static acre_status
state_of(acre_areas *areas, view **state)
{
    if (!IS_VALID(areas != NULL))
        return ACRE_NULL_ARGUMENT;
    view *found = (view *)areas->private_[VIEW_STATE];
    if (!IS_VALID(found != NULL))
        return ACRE_EMPTY_HANDLE;
    if (found->owner == 0)
        return ACRE_STALE;
    if (!found->wiped && found->owner != acre_port_process_id())
        return ACRE_STALE;
    *state = found;
    return ACRE_OK;
}

acre_status
acre_area_at(const void *address, acre_area *out)
{
    return IS_VALID(out != NULL) ? acre_port_area_at((uintptr_t)address, out) : ACRE_NULL_ARGUMENT;
}

acre_status
acre_areas_open(acre_process process, acre_areas *out)
{
    if (!IS_VALID(out != NULL))
        return ACRE_NULL_ARGUMENT;
    int wiped = acre_port_can(ACRE_CAN_WIPE_ON_FORK);
    acre_mmap_opts opts = {.flags = wiped ? ACRE_MAP_WIPE_ON_FORK : 0};
    acre_mmap map;
    acre_status status = acre_mmap_anon(sizeof(view), ACRE_READ_WRITE, &opts, &map);
    if (status != ACRE_OK)
        return status == ACRE_TOO_MANY_AREAS ? -ENOMEM : status;

    view *state = map.base;
    acre_areas areas = {{0}};
    status = acre_port_view_open(port_of(state), process, &areas.private_[VIEW_HANDLE]);
    if (status != ACRE_OK) {
        (void)acre_port_unmap(&map);
        return status;
    }
    state->owner = acre_port_process_id();
    state->wiped = wiped;
    areas.private_[VIEW_STATE] = (uintptr_t)state;
    areas.private_[VIEW_SIZE] = map.size;
    areas.private_[VIEW_BACKING] = map.backing;
    *out = areas;
    return ACRE_OK;
}

acre_status
acre_areas_next(acre_areas *areas, acre_area *out)
{
    view *state;
    acre_status status = IS_VALID(out != NULL) ? state_of(areas, &state) : ACRE_NULL_ARGUMENT;
    if (status != ACRE_OK)
        return status;

    // The list is not a snapshot: an area that was mapped or moved meanwhile may overlap the last
    // one.
    acre_area area;
    do {
        status = acre_port_view_next(port_of(state), &area);
        if (status != 1)
            return status;
    } while (area.end <= state->last_end);
    if (area.start < state->last_end) {
        if (area.flags & ACRE_AREA_FILE || area.inode != 0)
            area.file_offset += state->last_end - area.start;
        if (area.allocation_base == area.start)
            area.allocation_base = state->last_end;
        area.start = state->last_end;
    }
    state->last_end = area.end;
    *out = area;
    return 1;
}

acre_status
acre_areas_seek(acre_areas *areas, uintptr_t address)
{
    view *state;
    acre_status status = state_of(areas, &state);
    if (status == ACRE_OK)
        status = acre_port_view_seek(port_of(state), address);
    if (status == ACRE_OK)
        state->last_end = 0;
    return status;
}

acre_status
acre_areas_query(acre_areas *areas, uintptr_t address, acre_area *out)
{
    view *state;
    acre_status status = IS_VALID(out != NULL) ? state_of(areas, &state) : ACRE_NULL_ARGUMENT;
    return status == ACRE_OK ? acre_port_view_query(port_of(state), address, out) : status;
}

void
acre_areas_close(acre_areas *areas)
{
    if (areas == NULL || areas->private_[VIEW_STATE] == 0)
        return;
    acre_port_view_close(&areas->private_[VIEW_HANDLE]);
    acre_mmap map = {
        .base = (void *)areas->private_[VIEW_STATE],
        .size = areas->private_[VIEW_SIZE],
        .backing = areas->private_[VIEW_BACKING],
    };
    (void)acre_port_unmap(&map);
    *areas = (acre_areas){{0}};
}

acre_status
acre_area_count(uint64_t *out)
{
    return IS_VALID(out != NULL) ? acre_port_area_count(out) : ACRE_NULL_ARGUMENT;
}
