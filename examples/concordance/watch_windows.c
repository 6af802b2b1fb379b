// Windows: a file that is mapped cannot shrink, but a disk or the network may fail, which raises an
// exception that says so.
#include "watch.h"

#include <errno.h>
#include <windows.h>

static watched_map *volatile watched;

void
watch(watched_map *map)
{
    watched = map;
}

static LONG CALLBACK
on_exception(EXCEPTION_POINTERS *raised)
{
    const EXCEPTION_RECORD *record = raised->ExceptionRecord;
    if (record->ExceptionCode != EXCEPTION_IN_PAGE_ERROR || watched == NULL)
        return EXCEPTION_CONTINUE_SEARCH;
    return watch_replace_rest(watched, (const void *)record->ExceptionInformation[1])
               ? EXCEPTION_CONTINUE_EXECUTION
               : EXCEPTION_CONTINUE_SEARCH;
}

acre_status
watch_install(void)
{
    return AddVectoredExceptionHandler(1, on_exception) != NULL ? ACRE_OK : -ENOMEM;
}
