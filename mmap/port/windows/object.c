// Windows: maps of sections: shared memory, files, rings, twins, images.
//
// 1. A section permits the access it was created with, and a view what it was mapped with.  So both
//    are created with all that the file's handle permits, and the requested access is set
//    afterwards: it can then be raised later.  But they are executable only where that was asked
//    for, with ACRE_EXEC or ACRE_MAP_JIT: the system keeps account of what may become code, and
//    scanners look at it.
// 2. A view ends with its section, and a file's section ends with the file.  The part of a map
//    beyond that is reserved memory, which faults as the file's pages would.
// 3. The section is kept with the map: the first contents of a copied page are read through it.
#include "mmap/port/system.h"

#if ACRE_ON_WINDOWS

#include "mmap/port/windows/windows.h"

// ---- sections -----------------------------------------------------------------------------------

static acre_status
make_section(HANDLE file, DWORD protection, uint64_t size, HANDLE *out)
{
    DWORD saved = GetLastError();
    HANDLE made =
        CreateFileMappingW(file, NULL, protection, (DWORD)(size >> 32), (DWORD)size, NULL);
    if (made == NULL)
        return status_of(0, saved);
    SetLastError(saved);  // success sets it, too
    *out = made;
    return ACRE_OK;
}

acre_status
acre_windows_section(uint64_t size, int code, HANDLE *out, DWORD *protection)
{
    *protection = code ? acre_windows_most(PAGE_EXECUTE_READWRITE) : PAGE_READWRITE;
    acre_status status = make_section(INVALID_HANDLE_VALUE, *protection, size, out);
    if (status != -EACCES || !code)
        return status;
    // A policy forbids executable sections.
    *protection = PAGE_READWRITE;
    return make_section(INVALID_HANDLE_VALUE, *protection, size, out);
}

static int
asks_for_code(const port_request *request)
{
    return (request->access & ACRE_EXEC) != 0 || (request->flags & ACRE_MAP_JIT) != 0;
}

// Creates a section with the most access that the handle permits, trying from most to least.
static acre_status
section_of_file(HANDLE file, int copies, int code, HANDLE *out, DWORD *protection)
{
    static const DWORD tried[2][4] = {
        {PAGE_EXECUTE_READWRITE, PAGE_READWRITE, PAGE_EXECUTE_READ, PAGE_READONLY},
        {PAGE_EXECUTE_WRITECOPY, PAGE_WRITECOPY},
    };
    acre_status status = -EACCES;
    for (size_t i = 0; i < 4 && tried[copies][i] != 0 && status == -EACCES; i++) {
        *protection = acre_windows_most(tried[copies][i]);
        if (code || *protection < PAGE_EXECUTE)
            status = make_section(file, *protection, 0, out);
    }
    return status;
}

static int
permits_access(DWORD protection, uint32_t access)
{
    int exec = protection >= PAGE_EXECUTE;
    int write = (protection & (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE |
                               PAGE_EXECUTE_WRITECOPY)) != 0;
    return ((access & ACRE_WRITE) == 0 || write) && ((access & ACRE_EXEC) == 0 || exec);
}

static acre_status
duplicate_handle(HANDLE handle, HANDLE *out)
{
    DWORD saved = GetLastError();
    HANDLE self = GetCurrentProcess();
    return status_of(DuplicateHandle(self, handle, self, out, 0, FALSE, DUPLICATE_SAME_ACCESS),
                     saved);
}

// ---- views --------------------------------------------------------------------------------------

// All `pieces` permit the same access.
static acre_status
map_pieces(const port_request *request, windows_piece *pieces, size_t count, HANDLE file,
           acre_mmap *out)
{
    HANDLE section = pieces[0].section;
    DWORD most = pieces[0].protection;
    acre_status status = acre_windows_build(request, pieces, count, section, file, out);
    if (status != ACRE_OK)
        return status;
    uint32_t access = request->access;
    if (section != NULL && acre_windows_protection(access, windows_copies(out)) != most)
        status = acre_port_protect(out, out->base, out->size, access);
    if (status != ACRE_OK)
        (void)acre_port_unmap(out);
    return status;
}

// Checks that the file can be mapped, and reads its size.
static acre_status
look_at_file(HANDLE file, uint64_t *size)
{
    DWORD saved = GetLastError();
    BY_HANDLE_FILE_INFORMATION info;
    acre_status status = ACRE_OK;
    DWORD type = GetFileType(file);
    if (type == FILE_TYPE_UNKNOWN)
        status = -EBADF;
    else if (type != FILE_TYPE_DISK)
        status = -ENODEV;
    else if (!GetFileInformationByHandle(file, &info))
        status = acre_windows_error(GetLastError());
    else if (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
        status = -ENODEV;
    else
        *size = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow;
    SetLastError(saved);
    return status;
}

// `copying`: a private file gets views that can be made writable page by page.
static acre_status
map_file(const port_request *request, int copying, acre_mmap *out)
{
    HANDLE file = (HANDLE)request->file;
    int copies = windows_copies(out);
    uint64_t size = 0;
    acre_status status = look_at_file(file, &size);
    if (status != ACRE_OK)
        return status;

    windows_piece pieces[2] = {{0}};
    size_t count = 0;
    if (request->offset < size) {
        uint64_t left = size - request->offset;
        windows_piece *view = &pieces[count++];
        view->bytes = left < request->size ? (size_t)left : request->size;
        view->size = (view->bytes + WINDOWS_PAGE - 1) & ~(size_t)(WINDOWS_PAGE - 1);
        view->offset = request->offset;
        status = section_of_file(file, copies, asks_for_code(request), &view->section,
                                 &view->protection);
        if (status == ACRE_OK && !permits_access(view->protection, request->access)) {
            sys_close(view->section);
            status = -EACCES;
        }
        if (status != ACRE_OK)
            return status;
        if (copies && !copying)
            view->protection = view->protection >= PAGE_EXECUTE ? PAGE_EXECUTE_READ : PAGE_READONLY;
    }
    size_t viewed = count != 0 ? pieces[0].size : 0;
    if (viewed < request->size)
        pieces[count++].size = request->size - viewed;

    HANDLE kept = NULL;
    if (!copies && viewed != 0)
        status = duplicate_handle(file, &kept);
    if (status != ACRE_OK) {
        sys_close(pieces[0].section);
        return status;
    }
    return map_pieces(request, pieces, count, kept, out);
}

static acre_status
map_shared(const port_request *request, acre_mmap *out)
{
    windows_piece view = {.size = request->size, .bytes = request->size};
    acre_status status = acre_windows_section(request->size, asks_for_code(request), &view.section,
                                              &view.protection);
    return status == ACRE_OK ? map_pieces(request, &view, 1, NULL, out) : status;
}

static acre_status
map_clone(const port_request *request, acre_mmap *out)
{
    windows_piece view = {
        .size = request->size,
        .bytes = request->size,
        .protection =
            asks_for_code(request) ? acre_windows_most(PAGE_EXECUTE_WRITECOPY) : PAGE_WRITECOPY,
    };
    acre_status status = duplicate_handle((HANDLE)request->file, &view.section);
    return status == ACRE_OK ? map_pieces(request, &view, 1, NULL, out) : status;
}

acre_status
acre_windows_map_object(const port_request *request, acre_mmap *out)
{
    if (request->flags & ACRE_IS_CLONE)
        return map_clone(request, out);
    if ((request->flags & ACRE_IS_FILE) == 0)
        return map_shared(request, out);
    acre_status status = map_file(request, 1, out);
    // A copying view is accounted as a whole until its access is set.
    return status == -ENOMEM && windows_copies(out) && (request->access & ACRE_WRITE) == 0
               ? map_file(request, 0, out)
               : status;
}

// ---- ring ---------------------------------------------------------------------------------------

acre_status
acre_port_ring(const port_request *request, acre_mmap *out)
{
    acre_status status = acre_windows_accept(request);
    if (status == ACRE_OK && request->flags & ACRE_MAP_HUGE)
        status = -ENOTSUP;
    if (status != ACRE_OK)
        return status;
    acre_mmap map = *out;
    map.flags = (request->flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_RING;
    windows_piece lap = {.size = request->size, .bytes = request->size};
    status = acre_windows_section(request->size, 0, &lap.section, &lap.protection);
    if (status != ACRE_OK)
        return status;
    port_request whole = *request;
    whole.size = 2 * request->size;
    whole.access = ACRE_READ_WRITE;
    windows_piece laps[2] = {lap, lap};
    status = map_pieces(&whole, laps, 2, NULL, &map);
    if (status == ACRE_OK)
        status = acre_windows_finish(&whole, &map);
    if (status != ACRE_OK)
        return status;
    acre_windows_settle(&map);
    *out = map;
    return ACRE_OK;
}

// ---- twin ---------------------------------------------------------------------------------------

static acre_status
map_twin(const port_request *request, const windows_piece *piece, uint32_t access, acre_mmap *out)
{
    port_request half = *request;
    half.access = access;
    // The requested place is for the executable half.
    if (access & ACRE_WRITE) {
        half.flags &= ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE);
        half.address = NULL;
        half.alignment = WINDOWS_PAGE;
        half.reach = 0;
    }
    windows_piece view = *piece;
    if (access & ACRE_WRITE)
        view.protection = PAGE_READWRITE;
    acre_status status = duplicate_handle(piece->section, &view.section);
    if (status != ACRE_OK)
        return status;
    acre_mmap map = *out;
    map.flags = (half.flags & ~(uint32_t)(ACRE_MAP_FIXED | ACRE_MAP_REPLACE)) | ACRE_IS_TWIN;
    status = map_pieces(&half, &view, 1, NULL, &map);
    if (status == ACRE_OK)
        status = acre_windows_finish(&half, &map);
    if (status == ACRE_OK)
        *out = map;
    return status;
}

acre_status
acre_port_twin(const port_request *request, acre_mmap *write, acre_mmap *exec)
{
    acre_status status = acre_windows_accept(request);
    if (status != ACRE_OK)
        return status;
    windows_piece view = {.size = request->size, .bytes = request->size};
    status = acre_windows_section(request->size, 1, &view.section, &view.protection);
    if (status != ACRE_OK)
        return status;
    status = permits_access(view.protection, ACRE_EXEC) ? ACRE_OK : -EACCES;
    // Map the executable half first: the other must not take the requested place.
    if (status == ACRE_OK)
        status = map_twin(request, &view, ACRE_READ_EXEC, exec);
    if (status == ACRE_OK) {
        status = map_twin(request, &view, ACRE_READ_WRITE, write);
        if (status == ACRE_OK)
            acre_windows_settle(exec);
        else
            (void)acre_port_unmap(exec);
    }
    sys_close(view.section);
    return status;
}

// ---- images -------------------------------------------------------------------------------------

// The image is a section.  The returned handle may only read it, so once `fill` is unmapped, no one
// can write it.
acre_status
acre_port_image_begin(size_t size, acre_file *file, acre_mmap *fill)
{
    enum { READING = SECTION_MAP_READ | SECTION_MAP_EXECUTE | SECTION_QUERY };
    windows_piece view = {.size = size, .bytes = size};
    // Clones may be executable.
    acre_status status = acre_windows_section(size, 1, &view.section, &view.protection);
    if (status != ACRE_OK)
        return status;
    view.protection = PAGE_READWRITE;
    HANDLE image;
    HANDLE self = GetCurrentProcess();
    DWORD saved = GetLastError();
    status = status_of(DuplicateHandle(self, view.section, self, &image, READING, FALSE, 0), saved);
    if (status != ACRE_OK) {
        sys_close(view.section);
        return status;
    }
    port_request request = {
        .size = size,
        .alignment = WINDOWS_PAGE,
        .page_size = WINDOWS_PAGE,
        .access = ACRE_READ_WRITE,
        .flags = ACRE_MAP_SHARED | ACRE_MAP_DONT_FORK,
    };
    acre_mmap map = *fill;
    map.flags = request.flags;
    status = map_pieces(&request, &view, 1, NULL, &map);
    if (status != ACRE_OK) {
        sys_close(image);
        return status;
    }
    *fill = map;
    *file = (acre_file)image;
    return ACRE_OK;
}

acre_status
acre_port_image_seal(acre_file file)
{
    (void)file;
    return ACRE_OK;
}

acre_status
acre_port_image_close(acre_file file)
{
    sys_close((HANDLE)file);
    return ACRE_OK;
}

#endif  // ACRE_ON_WINDOWS
