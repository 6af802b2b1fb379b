#define _DEFAULT_SOURCE
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk_directory {
    walk_directory *next;
    int flags;
    char path[];
};

enum {
    // NONBLOCK: a pipe that took the place of a file is not waited for.
    GIVEN = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    FOUND = GIVEN | O_NOFOLLOW
};

static int
fail(walk_entry *out, const char *directory, const char *name, int error)
{
    *out = (walk_entry){.directory = directory, .name = name, .at = -1, .error = error};
    return 1;
}

// ---- directories --------------------------------------------------------------------------------

// A directory is opened when its turn comes: a descriptor for each one seen could be too many.
static int
add_directory(walk *self, const char *parent, const char *name, int flags)
{
    size_t length = strlen(parent);
    int slash = length != 0 && parent[length - 1] != '/';
    size_t size = sizeof(walk_directory) + length + (slash ? 1 : 0) + strlen(name) + 1;
    walk_directory *directory =
        acre_arena_alloc_aligned(self->arena, size, _Alignof(walk_directory));
    if (directory == NULL)
        return 0;

    directory->flags = flags | O_DIRECTORY;
    memcpy(directory->path, parent, length);
    directory->path[length] = '/';
    strcpy(directory->path + length + (slash ? 1 : 0), name);
    directory->next = self->pending;
    self->pending = directory;
    return 1;
}

// How much of `path` the system takes at once: up to a slash, or all of it.
static size_t
step_length(const char *path)
{
    size_t length = strnlen(path, PATH_MAX);
    if (length < PATH_MAX)
        return length;
    do
        length--;
    while (length > 0 && path[length] != '/');
    return length;
}

static int
open_directory(const char *path, int flags)
{
    int at = AT_FDCWD;
    for (;;) {
        char step[PATH_MAX];
        size_t length = step_length(path);
        const char *rest = path + length + strspn(path + length, "/");
        memcpy(step, path, length);
        step[length] = '\0';
        int opened = openat(at, step, *rest == '\0' ? flags : FOUND | O_DIRECTORY);
        int error = errno;
        if (at != AT_FDCWD)
            close(at);
        errno = error;
        if (opened < 0 || *rest == '\0')
            return opened;
        at = opened;
        path = rest;
    }
}

static int
open_pending(walk *self, walk_entry *out)
{
    walk_directory *directory = self->pending;
    self->pending = directory->next;
    int opened = open_directory(directory->path, directory->flags);
    if (opened < 0)
        return fail(out, directory->path, "", errno);

    self->stream = fdopendir(opened);
    if (self->stream == NULL) {
        int error = errno;
        close(opened);
        return fail(out, directory->path, "", error);
    }
    self->directory = directory->path;
    return 0;
}

// ---- files --------------------------------------------------------------------------------------

// S_IFREG, S_IFDIR, another type, or 0 with errno set.
static mode_t
type_of(int at, const char *name, unsigned char hint, int how)
{
    if (hint != DT_UNKNOWN)
        return (mode_t)DTTOIF(hint);
    struct stat facts;
    return fstatat(at, name, &facts, how) == 0 ? facts.st_mode & S_IFMT : 0;
}

// 1 when there is something to tell of.
static int
look_at(walk *self, const walk_entry *entry, mode_t type, walk_entry *out)
{
    if (type == 0)
        return fail(out, entry->directory, entry->name, errno);
    if (type == S_IFREG) {
        *out = *entry;
        return 1;
    }
    if (type == S_IFDIR && !add_directory(self, entry->directory, entry->name, entry->flags))
        return fail(out, entry->directory, entry->name, ENOMEM);
    return 0;
}

static int
next_in_directory(walk *self, walk_entry *out)
{
    errno = 0;
    const struct dirent *found = readdir(self->stream);
    if (found == NULL) {
        int error = errno;
        closedir(self->stream);
        self->stream = NULL;
        return error != 0 && fail(out, self->directory, "", error);
    }
    if (strcmp(found->d_name, ".") == 0 || strcmp(found->d_name, "..") == 0)
        return 0;

    walk_entry entry = {
        .directory = self->directory,
        .name = found->d_name,
        .at = dirfd(self->stream),
        .flags = FOUND,
    };
    mode_t type = type_of(entry.at, entry.name, found->d_type, AT_SYMLINK_NOFOLLOW);
    return look_at(self, &entry, type, out);
}

static int
next_given(walk *self, walk_entry *out)
{
    walk_entry entry = {
        .directory = "",
        .name = *self->given,
        .at = AT_FDCWD,
        .flags = GIVEN,
    };
    self->given++;
    self->given_count--;
    return look_at(self, &entry, type_of(entry.at, entry.name, DT_UNKNOWN, 0), out);
}

// ---- the walk -----------------------------------------------------------------------------------

walk
walk_open(acre_arena *arena, char **given, size_t count)
{
    return (walk){.arena = arena, .given = given, .given_count = count};
}

int
walk_next(walk *self, walk_entry *out)
{
    for (;;) {
        int told;
        if (self->stream != NULL)
            told = next_in_directory(self, out);
        else if (self->pending != NULL)
            told = open_pending(self, out);
        else if (self->given_count != 0)
            told = next_given(self, out);
        else
            return 0;
        if (told)
            return 1;
    }
}

void
walk_close(walk *self)
{
    if (self->stream != NULL)
        closedir(self->stream);
    self->stream = NULL;
}
