// snapshot.c - a large state, of which a little changes, and which is then as it was before: an
// emulator that resets, a test that wants its database fresh, a fuzzer's next case.
//
// By hand that is memcpy of all of it from a copy.  With acre the state is a clone of an image,
// which shares every page until it is written: to discard the clone's own pages brings the image's
// back.
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "acre/content.h"
#include "acre/image.h"
#include "acre/page.h"
#include "demo.h"
#include "measure.h"

enum { ROUNDS = 5, PERCENT = 3 };

static const size_t MIB = (size_t)1 << 20;

// One byte of each changed page; they are spread evenly.
static size_t
change_state(char *state, size_t size, char value)
{
    size_t page = acre_page_size();
    size_t changed = 0;
    for (size_t offset = 0; offset < size; offset += page * 100 / PERCENT / page * page) {
        state[offset] = value;
        changed++;
    }
    return changed;
}

static size_t
pages_that_differ(const char *state, const char *copy, size_t size)
{
    size_t page = acre_page_size();
    size_t count = 0;
    for (size_t offset = 0; offset < size; offset += page)
        count += memcmp(state + offset, copy + offset, page) != 0;
    return count;
}

// Fills the snapshot with bytes that are no two pages' alike.
static void
fill_state(char *state, size_t size)
{
    size_t page = acre_page_size();
    for (size_t offset = 0; offset < size; offset += page) {
        uint64_t number = offset / page;
        memset(state + offset, (int)(number % 251), page);
        memcpy(state + offset, &number, sizeof number);
    }
}

static acre_status
make_clone(const char *copy, size_t size, acre_image *image, acre_mmap *clone)
{
    acre_mmap fill;
    acre_status status = acre_image_begin(size, image, &fill);
    if (status != ACRE_OK)
        return status;
    memcpy(fill.base, copy, size);
    status = acre_image_finish(image, &fill);
    if (status != ACRE_OK) {
        ACRE_IGNORE(acre_mmap_unmap(&fill));
        return status;
    }
    return acre_image_clone(image, ACRE_READ_WRITE, NULL, clone);
}

// A sixth of what there is: the copy, the image and the two states take less than four of it.
static size_t
state_that_fits(size_t wanted, demo_line *line)
{
    const char *who;
    uint64_t available = measure_available(&who);
    size_t size = wanted;
    while (available != 0 && size > MIB && available / 6 < size)
        size /= 2;
    if (size != wanted)
        demo_note(line, "%zu MiB, not %zu: %s leaves %.2f GB of memory", size / MIB, wanted / MIB,
                  who, (double)available / 1e9);
    return size;
}

static void
compare_ways(const char *copy, char *state, acre_mmap *clone, demo_line *line)
{
    double by_hand[ROUNDS], by_acre[ROUNDS], discards[ROUNDS];
    size_t size = clone->size;
    size_t changed = 0, seen = 0, left_by_hand = 0, left_by_acre = 0;
    memcpy(state, copy, size);
    for (int round = 0; round < ROUNDS; round++) {
        double begin = measure_cpu();
        changed = change_state(state, size, (char)~round);
        memcpy(state, copy, size);
        measure_keep(state);
        by_hand[round] = measure_cpu() - begin;

        begin = measure_cpu();
        change_state(clone->base, size, (char)~round);
        double before = measure_cpu();
        acre_status status = acre_mmap_discard(clone, 0, size, ACRE_DISCARD_NOW);
        double end = measure_cpu();
        by_acre[round] = end - begin;
        discards[round] = end - before;
        if (!demo_went_well(line, "acre_mmap_discard", status))
            return;
    }
    // Once more, looked at.
    change_state(clone->base, size, 'x');
    seen = pages_that_differ(clone->base, copy, size);
    if (!demo_went_well(line, "acre_mmap_discard",
                        acre_mmap_discard(clone, 0, size, ACRE_DISCARD_NOW)))
        return;
    left_by_acre = pages_that_differ(clone->base, copy, size);
    left_by_hand = pages_that_differ(state, copy, size);

    line->hand.value = measure_median(by_hand, ROUNDS);
    line->acre.value = measure_median(by_acre, ROUNDS);
    demo_number(line, "bytes", size);
    demo_number(line, "pages_changed", changed);
    demo_number(line, "pages_differing_before", seen);
    demo_number(line, "pages_differing_after", left_by_acre);
    demo_number(line, "hand_pages_differing_after", left_by_hand);
    demo_number(line, "discard_ns", (uint64_t)(measure_median(discards, ROUNDS) * 1e9));
    demo_note(line, "%zu MiB, %zu of %zu pages changed and back; the discard alone: %.0f us",
              size / MIB, changed, size / acre_page_size(), measure_median(discards, ROUNDS) * 1e6);
    if (left_by_acre != 0 || left_by_hand != 0)
        demo_fail(line, "%zu pages are not as they were", left_by_acre + left_by_hand);
}

void
snapshot_run(int small, demo_line *line)
{
    size_t size = state_that_fits((small ? 8 : 128) * MIB, line);
    acre_image image = {0};
    acre_mmap clone = {0};
    char *copy = malloc(size);
    char *state = malloc(size);
    line->unit = DEMO_SECONDS;
    line->hand.how = "memcpy";
    line->acre.how = "acre_mmap_discard";
    if (copy == NULL || state == NULL) {
        demo_fail(line, "%s", strerror(ENOMEM));
    } else {
        fill_state(copy, size);
        if (demo_went_well(line, "acre_image", make_clone(copy, size, &image, &clone)))
            compare_ways(copy, state, &clone, line);
    }
    ACRE_IGNORE(acre_mmap_unmap(&clone));
    ACRE_IGNORE(acre_image_close(&image));
    free(state);
    free(copy);
}
