// walk.h - the regular files below some paths, one after the other.
//
// Paths given are followed when they are symbolic links; links below them are not, so that no walk
// is endless.  What is neither a file nor a directory (sockets, pipes, devices) is passed over.
// One descriptor is open at a time, and directories may lie deeper than the longest path that the
// system takes.
#ifndef CONCORDANCE_WALK_H_
#define CONCORDANCE_WALK_H_

#include <dirent.h>
#include <stddef.h>

#include "acre/arena.h"

/// A file, or what could not be looked into.  `name` is good until the next walk_next, `directory`
/// as long as the arena.
typedef struct walk_entry {
    const char *directory;  ///< "" for a path given
    const char *name;       ///< within it; "" for the directory itself
    DIR *in;                ///< the directory, open; NULL for a path given
    int is_given;           ///< by the user, or a directory that was
    int error;              ///< 0, or the errno that says why it was not read
} walk_entry;

typedef struct walk_directory walk_directory;

typedef struct walk {
    acre_arena *arena;        ///< for the directories' paths
    walk_directory *pending;  ///< seen, not opened yet; the newest first
    const char *directory;    ///< of `stream`
    DIR *stream;              ///< NULL between two directories
    char **given;             ///< the paths not looked at yet
    size_t given_count;
} walk;

/// `given` and `arena` must outlive the walk.
walk walk_open(acre_arena *arena, char **given, size_t count);
/// 1 and the next entry, or 0 at the end.
ACRE_NODISCARD int walk_next(walk *self, walk_entry *out);
void walk_close(walk *self);

#endif  // CONCORDANCE_WALK_H_
