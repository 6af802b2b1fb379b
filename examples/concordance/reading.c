// One thread, one coroutine for each file: as many as fit are started, then each reads a slice in
// turn, and those that end make room for the next files.
#define _DEFAULT_SOURCE
#include "reading.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "acre/area.h"
#include "acre/mmap.h"
#include "acre/page.h"
#include "fibers.h"
#include "system.h"
#include "walk.h"
#include "watch.h"

enum {
#if defined(__SANITIZE_THREAD__)
    MOST_READERS = 256,  // ThreadSanitizer takes areas of its own for each
#else
    MOST_READERS = 4096,
#endif
    SLICE = 16 * 1024,  // bytes a reader reads in its turn

    // A reader takes an area for its file, and one when the file shrinks: that one must never be
    // refused.
    AREAS_PER_FILE = 2,
    AREAS_LEFT_FREE = 256
};

typedef struct reading {
    fibers readers;
    walk files;
    words *counted;
    results *all;
    uint64_t files_expected;  // for the progress bar; 0 = none is shown
    size_t most_readers;
    acre_status status;  // why it cannot go on, or ACRE_OK
} reading;

typedef struct reader {
    reading *all;
    watched_map file;
    const char *directory;
    const char *name;
} reader;

// ---- a reader -----------------------------------------------------------------------------------

// The first reason stays.
static void
give_up(reading *self, acre_status status)
{
    if (self->status == ACRE_OK)
        self->status = status;
}

static void
fail(reading *self, const char *directory, const char *name, const char *reason)
{
    report_failure(directory, name, reason);
    self->all->failed++;
}

static void
show_progress(const reading *self)
{
    if (self->files_expected != 0)
        report_progress(self->all->files + self->all->failed, self->files_expected);
}

static acre_status
read_slice(reader *self, size_t *at)
{
    watched_map *file = &self->file;
    size_t end = file->readable;
    size_t until = end - *at > SLICE ? *at + SLICE : end;
    watch(file);
    acre_status status = words_count(self->all->counted, file->map.base, until, end, at);
    watch(NULL);
    return status;
}

static void
read_file(void *argument)
{
    reader *self = argument;
    reading *all = self->all;
    size_t size = self->file.readable;
    size_t at = 0;
    // Once one reader had to give up, the others do too: the words are not to be used any more.
    while (all->status == ACRE_OK) {
        give_up(all, read_slice(self, &at));
        if (at >= self->file.readable)
            break;
        fiber_yield();
    }

    all->all->files++;
    all->all->bytes += self->file.readable;
    if (self->file.readable < size)
        fail(all, self->directory, self->name, "shrank, or its disk failed, while it was read");
    give_up(all, acre_mmap_unmap(&self->file.map));
    show_progress(all);
}

// ---- starting one -------------------------------------------------------------------------------

static acre_status
start_reader(reading *self, const walk_entry *entry, const acre_mmap *map, size_t size)
{
    acre_arena *arena = self->counted->arena;
    acre_arena_mark before = acre_arena_save(arena);
    char *name = acre_arena_strdup(arena, entry->name);
    if (name == NULL)
        return -ENOMEM;
    void *argument;
    acre_status status = fibers_start(&self->readers, read_file, &argument);
    if (status != ACRE_OK) {
        acre_arena_restore(arena, before);
        return status;
    }

    *(reader *)argument = (reader){
        .all = self,
        .file = {.map = *map, .readable = size},
        .directory = entry->directory,
        .name = name,
    };
    return ACRE_OK;
}

static acre_status
map_and_start(reading *self, const walk_entry *entry, acre_file file, uint64_t size)
{
    if (size > SIZE_MAX)
        return ACRE_BAD_SIZE;
    acre_mmap map;
    acre_status status = acre_mmap_file(file, 0, (size_t)size, ACRE_READ, NULL, &map);
    if (status != ACRE_OK)
        return status;

    status = start_reader(self, entry, &map, (size_t)size);
    if (status != ACRE_OK)
        ACRE_IGNORE(acre_mmap_unmap(&map));
    return status;
}

static acre_status
open_and_start(reading *self, const walk_entry *entry)
{
    // The map outlives the open file: there may be more files than can be open.
    acre_file file;
    uint64_t size;
    system_type type;
    acre_status status = system_open(entry, &file, &size, &type);
    if (status != ACRE_OK)
        return status;
    if (type == SYSTEM_FILE) {
        if (size == 0)
            self->all->files++;
        else
            status = map_and_start(self, entry, file, size);
    }
    system_close(file);
    return status;
}

// 0 when there is no room for another reader before one of the others ends.
static int
try_to_start(reading *self, const walk_entry *entry)
{
    if (self->readers.alive >= self->most_readers)
        return 0;
    if (entry->error != 0) {
        fail(self, entry->directory, entry->name, report_reason(-entry->error));
        return 1;
    }
    acre_status status = open_and_start(self, entry);
    if (self->readers.alive != 0 && (status == -ENOMEM || status == ACRE_TOO_MANY_AREAS))
        return 0;
    if (status != ACRE_OK)
        fail(self, entry->directory, entry->name, report_reason(status));
    return 1;
}

// ---- what it costs ------------------------------------------------------------------------------

static acre_status
find_most_readers(const fibers *readers, size_t *out)
{
    acre_system system;
    uint64_t areas;
    size_t each;
    acre_status status = acre_system_read(&system);
    if (status == ACRE_OK)
        status = acre_area_count(&areas);
    if (status == ACRE_OK)
        status = fibers_areas_each(readers, &each);
    if (status != ACRE_OK)
        return status;

    *out = MOST_READERS;
    if (system.area_limit == 0)
        return ACRE_OK;
    each += AREAS_PER_FILE;
    uint64_t used = areas + AREAS_LEFT_FREE;
    uint64_t free_areas = system.area_limit > used ? system.area_limit - used : 0;
    if (free_areas / each < MOST_READERS)
        *out = (size_t)(free_areas / each);
    if (*out == 0)
        *out = 1;
    return ACRE_OK;
}

static acre_status
note_peak(reading *self)
{
    results *all = self->all;
    if (self->readers.peak <= all->peak_stacks)
        return ACRE_OK;
    all->peak_stacks = self->readers.peak;
    return acre_area_count(&all->areas);
}

// ---- all of them --------------------------------------------------------------------------------

static uint64_t
count_files(acre_arena *arena, char **paths, size_t count)
{
    acre_arena_mark before = acre_arena_save(arena);
    walk files = walk_open(arena, paths, count);
    walk_entry entry;
    uint64_t found = 0;
    while (walk_next(&files, &entry))
        found++;
    walk_close(&files);
    acre_arena_restore(arena, before);
    return found;
}

static acre_status
read_round(reading *self)
{
    acre_status status = note_peak(self);
    if (status == ACRE_OK)
        status = fibers_round(&self->readers);
    return status != ACRE_OK ? status : self->status;
}

static acre_status
read_rounds(reading *self)
{
    walk_entry entry;
    int more = walk_next(&self->files, &entry);
    acre_status status = ACRE_OK;
    while (status == ACRE_OK && (more || self->readers.alive != 0)) {
        while (more && try_to_start(self, &entry))
            more = walk_next(&self->files, &entry);
        status = read_round(self);
    }
    report_progress_end();
    return status;
}

static double
seconds_since(const struct timespec *start)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static acre_status
read_with(reading *self, char **paths, size_t count, int progress_wanted)
{
    acre_arena *arena = self->counted->arena;
    acre_status status = find_most_readers(&self->readers, &self->most_readers);
    if (status != ACRE_OK)
        return status;
    if (progress_wanted)
        self->files_expected = count_files(arena, paths, count);
    self->files = walk_open(arena, paths, count);

    struct timespec start;
    int has_clock = clock_gettime(CLOCK_MONOTONIC, &start) == 0;
    status = read_rounds(self);
    self->all->seconds = has_clock ? seconds_since(&start) : 0;
    system_peaks(&self->all->resident_bytes, &self->all->reserved_bytes);
    walk_close(&self->files);
    return status;
}

acre_status
read_all(char **paths, size_t count, int progress_wanted, words *counted, results *out)
{
    *out = (results){0};
    reading self = {.counted = counted, .all = out};
    acre_status status = watch_install();
    if (status == ACRE_OK)
        status = fibers_open(MOST_READERS, sizeof(reader), &self.readers);
    if (status != ACRE_OK)
        return status;
    status = read_with(&self, paths, count, progress_wanted);
    // After a failure readers may be left in the middle, so that the pool is not given up.
    acre_status closed = fibers_close(&self.readers);
    return status != ACRE_OK ? status : closed;
}
