#include "bench/peers.h"

#include <dlfcn.h>
#include <unistd.h>

#include <initializer_list>

namespace peers {

// Libraries that replace malloc keep words of each thread in a room that the loader holds ready,
// which is too small unless it is told before the program begins.
__attribute__((constructor)) static void
make_room(int, char **argv, char **)
{
    if (std::getenv("GLIBC_TUNABLES") != nullptr)
        return;
    setenv("GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=65536", 1);
    execv("/proc/self/exe", argv);
    std::perror("bench: execv");
}

void *
find(const char *library, const char *name)
{
    // Its own symbols first: it calls its own malloc, and nobody else does.
    void *handle =
        library != nullptr ? dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) : nullptr;
    return handle != nullptr ? dlsym(handle, name) : nullptr;
}

// The first of `libraries` that is there: newer versions first.
static Malloc
load(std::initializer_list<const char *> libraries)
{
    for (const char *library : libraries)
        if (auto *allocate = find_function<void *(size_t)>(library, "malloc"))
            return {allocate, find_function<void(void *)>(library, "free")};
    return {};
}

const Malloc jemalloc = load({"libjemalloc.so.2"});
const Malloc mimalloc = load({"libmimalloc.so.3", "libmimalloc.so.2"});
const Malloc tcmalloc = load({"libtcmalloc_minimal.so.4"});

const Apr::Functions &
Apr::functions()
{
    static const Functions functions = [] {
        const char *library = "libapr-1.so.0";
        auto *initialize = find_function<int()>(library, "apr_initialize");
        Functions found = {};
        if (initialize == nullptr || initialize() != 0)
            return found;
        found.create =
            find_function<int(void **, void *, void *, void *)>(library, "apr_pool_create_ex");
        found.alloc = find_function<void *(void *, size_t)>(library, "apr_palloc");
        found.clear = find_function<void(void *)>(library, "apr_pool_clear");
        found.destroy = find_function<void(void *)>(library, "apr_pool_destroy");
        return found;
    }();
    return functions;
}

}  // namespace peers
