// mmap/port/area.h - what acre needs from an operating system: the areas that a process has mapped.
// The rules in memory.h apply to every function.
#ifndef ACRE_MMAP_PORT_AREA_H_
#define ACRE_MMAP_PORT_AREA_H_

#include "acre/area.h"
#include "acre/status.h"

ACRE_EXTERN_C_BEGIN

/// Finds the area at `address` in this process, with path and name NULL; ACRE_NOT_MAPPED in a hole.
/// Maps nothing that the result could show.  Async-signal-safe where area.h promises that.
acre_status acre_port_area_at(uintptr_t address, acre_area *out);

/// The port's part of a view, in PORT_VIEW_SIZE zeroed bytes provided by area.c.
typedef struct port_view port_view;

/// Room for the port's state, a path, and two lines of the system's text, each with a path of 4096
/// bytes written as four characters each.
enum { PORT_VIEW_SIZE = 48 * 1024 - 64 };

/// Opens a view, positioned before the first area.  acre_port_view_close closes `*handle` without
/// reading the view, also in a child of a fork.  -ESRCH: no such process; -EPERM, -EACCES: denied.
acre_status acre_port_view_open(port_view *view, acre_process process, uintptr_t handle[2]);
void acre_port_view_close(const uintptr_t handle[2]);
/// As acre_areas_next (1, 0, or a failure), but an area may begin below the end of the previous one
/// if the map changed meanwhile.  Paths and names are valid until the next call on the view.
acre_status acre_port_view_next(port_view *view, acre_area *out);
/// As acre_areas_seek and acre_areas_query.
acre_status acre_port_view_seek(port_view *view, uintptr_t address);
acre_status acre_port_view_query(port_view *view, uintptr_t address, acre_area *out);

/// Counts the areas of this process, excluding any that the function itself maps.
acre_status acre_port_area_count(uint64_t *out);

ACRE_EXTERN_C_END

#endif  // ACRE_MMAP_PORT_AREA_H_
