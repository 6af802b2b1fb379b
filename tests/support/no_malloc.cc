// A malloc family of the program's own, which aborts while it is forbidden.
#include "tests/support/no_malloc.h"
#include "tests/support/sanitizers.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if !SANITIZED  // which have a malloc of their own

namespace {

std::atomic<bool> forbidden{false};

// Memory for everyone else: handed out once and never taken back.  With musl every test lives on
// it.
// Object files of Windows know no larger alignment, and no page there is larger.
#if defined(_WIN32)
alignas(4096) char memory[size_t{96} << 20];
#else
alignas(65536) char memory[size_t{96} << 20];
#endif
std::atomic<size_t> used{0};

void *allocate(size_t alignment, size_t size)
{
    if (forbidden)
        abort();
    if (alignment < 16)
        alignment = 16;
    // Each block remembers its size in the 16 bytes before it.
    size_t room = (size + alignment + 31) / 16 * 16;
    size_t at = used.fetch_add(room);
#if defined(__linux__)
    // A core file that is read into this memory does not hold all of it.
    if (at == 0)
        (void)madvise(memory, sizeof memory, MADV_DONTDUMP);
#endif
    if (at + room > sizeof memory)
        return nullptr;
    size_t start = (at + 16 + alignment - 1) / alignment * alignment;
    std::memcpy(memory + start - sizeof size, &size, sizeof size);
    return memory + start;
}

size_t size_of(void *block)
{
    size_t size;
    std::memcpy(&size, static_cast<char *>(block) - sizeof size, sizeof size);
    return size;
}

}  // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's are reserved.
extern "C" {
void *malloc(size_t size)
{
    return allocate(16, size);
}
void free(void *)
{
    if (forbidden)
        abort();
}
void *calloc(size_t count, size_t size)
{
    return size != 0 && count > SIZE_MAX / size ? nullptr : allocate(16, count * size);
}
void *realloc(void *block, size_t size)
{
    void *fresh = allocate(16, size);
    if (block != nullptr && fresh != nullptr)
        std::memcpy(fresh, block, size_of(block) < size ? size_of(block) : size);
    return fresh;
}
void *memalign(size_t alignment, size_t size)
{
    return allocate(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size)
{
    return allocate(alignment, size);
}
int posix_memalign(void **block, size_t alignment, size_t size)
{
    *block = allocate(alignment, size);
    return *block != nullptr ? 0 : ENOMEM;
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)

namespace acre_test {

bool can_forbid_malloc()
{
    return true;
}

void forbid_malloc(bool forbid)
{
    forbidden = forbid;
}

}  // namespace acre_test

#else

namespace acre_test {

bool can_forbid_malloc()
{
    return false;
}

void forbid_malloc(bool)
{
}

}  // namespace acre_test

#endif
