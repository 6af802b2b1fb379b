#include "walk.h"

#include <errno.h>
#include <string.h>

#include "system.h"

struct walk_directory {
    walk_directory *next;
    int is_given;
    char path[];
};

static int
fail(walk_entry *out, const char *directory, const char *name, int error)
{
    *out = (walk_entry){.directory = directory, .name = name, .error = error};
    return 1;
}

// ---- directories --------------------------------------------------------------------------------

// A directory is opened when its turn comes: a descriptor for each one seen could be too many.
static int
add_directory(walk *self, const char *parent, const char *name, int is_given)
{
    size_t length = strlen(parent);
    int slash = length != 0 && parent[length - 1] != '/';
    size_t size = sizeof(walk_directory) + length + (slash ? 1 : 0) + strlen(name) + 1;
    walk_directory *directory =
        acre_arena_alloc_aligned(self->arena, size, _Alignof(walk_directory));
    if (directory == NULL)
        return 0;

    directory->is_given = is_given;
    memcpy(directory->path, parent, length);
    directory->path[length] = '/';
    strcpy(directory->path + length + (slash ? 1 : 0), name);
    directory->next = self->pending;
    self->pending = directory;
    return 1;
}

static int
open_pending(walk *self, walk_entry *out)
{
    walk_directory *directory = self->pending;
    self->pending = directory->next;
    self->stream = system_open_directory(directory->path, directory->is_given);
    if (self->stream == NULL)
        return fail(out, directory->path, "", errno);
    self->directory = directory->path;
    return 0;
}

// ---- files --------------------------------------------------------------------------------------

// 1 when there is something to tell of.
static int
look_at(walk *self, const walk_entry *entry, system_type type, walk_entry *out)
{
    if (type == SYSTEM_UNKNOWN)
        return fail(out, entry->directory, entry->name, errno);
    if (type == SYSTEM_FILE) {
        *out = *entry;
        return 1;
    }
    if (type == SYSTEM_DIRECTORY &&
        !add_directory(self, entry->directory, entry->name, entry->is_given))
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
        .in = self->stream,
    };
    return look_at(self, &entry, system_type_of(&entry, found), out);
}

static int
next_given(walk *self, walk_entry *out)
{
    walk_entry entry = {
        .directory = "",
        .name = *self->given,
        .is_given = 1,
    };
    self->given++;
    self->given_count--;
    return look_at(self, &entry, system_type_of(&entry, NULL), out);
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
