// One function that uses all of acre.hpp, by the name EVERY_CALL.
#include "tests/cpp/every_call.h"

#include <cstring>
#include <string_view>

#include "acre/acre.hpp"
#include "acre/page.h"

#ifndef EVERY_CALL
#define EVERY_CALL every_call_in_cpp17
#endif

#define HOLDS(condition)       \
    do {                       \
        if (!(condition))      \
            return #condition; \
    } while (0)

// What a system, or acre on it, cannot do is no failure here.
#define WORKS(call)                                                      \
    do {                                                                 \
        const acre_status status_ = (call);                              \
        if (status_ != ACRE_OK && acre_status_unsupported(status_) == 0) \
            return #call;                                                \
    } while (0)

namespace acre_test {

namespace {

const char *use_maps()
{
    const std::size_t page = acre_allocation_granularity();
    acre::result<acre::map> made = acre::map::reserve(8 * page);
    HOLDS(made && made.status() == ACRE_OK && !made.error());
    acre::map map = *std::move(made);
    HOLDS(map && map.size() == 8 * page && map.access() == ACRE_READ_WRITE);
    HOLDS(map.page_size() <= page && (map.flags() & ACRE_IS_RESERVATION) != 0);
    WORKS(map.commit(0, 4 * page));
    WORKS(map.commit_as(4 * page, page, ACRE_READ));
    WORKS(map.protect(4 * page, page, ACRE_READ_WRITE));
    WORKS(map.populate(0, page));
    std::memset(map.data(), 1, 2 * page);
    HOLDS(map.data()[page] == std::byte{1});
    WORKS(map.lock(0, 1));
    WORKS(map.unlock(0, 1));
    WORKS(map.advise(0, page, ACRE_ADVISE_NORMAL));
    WORKS(map.resident(0, page).status());
    WORKS(map.guard(page, page));
    WORKS(map.unguard(page, page));
    WORKS(map.discard(0, page));
    WORKS(map.decommit(4 * page, page));
    acre::result<acre::map> tail = map.split(4 * page);
    HOLDS(tail && tail->size() == 4 * page && map.size() == 4 * page);
    HOLDS(map.merge(*tail) == ACRE_OK && !*tail && map.size() == 8 * page);
    WORKS(map.resize(4 * page));

    acre_mmap_opts opts = {};
    opts.flags = ACRE_MAP_NO_DUMP | ACRE_MAP_SHARED;
    const acre::result<acre::map> anon = acre::map::anon(page, ACRE_READ_WRITE, opts);
    WORKS(anon.status());
    WORKS(acre::map::ring(page).status());
    acre::result<acre::twin_maps> twin = acre::map::twin(page);
    WORKS(twin.status());
    HOLDS(twin.status() != ACRE_OK || (twin->write && twin->exec));
    HOLDS(!acre::map::path("no such file"));
    HOLDS(acre::map::file(-1, 0, page).status() < 0);
    acre::map again(map.release());
    HOLDS(!map && again && again.get()->base == again.data());
    HOLDS(again.flush(0, 0) == ACRE_OK);
    acre::map none;
    HOLDS(none.seal() == ACRE_EMPTY_HANDLE);
#ifdef __cpp_lib_span
    HOLDS(again.bytes().size() == again.size());
#endif
    acre::result<acre::image> image = acre::image::make(
        page, [](std::byte *bytes, std::size_t size) { std::memset(bytes, 'i', size); });
    WORKS(image.status());
    if (image) {
        acre::result<acre::map> clone = image->clone();
        HOLDS(clone && clone->data()[0] == std::byte{'i'} && image->size() >= page);
        acre::image moved(image->release());
        HOLDS(!*image && moved.get()->size == moved.size() && moved.close() == ACRE_OK);
    }
    return nullptr;
}

struct counted {
    explicit counted(int *at) : living(at)
    {
        ++*living;
    }
    ~counted()
    {
        --*living;
    }
    counted(const counted &) = delete;
    counted &operator=(const counted &) = delete;
    int *living;
};

const char *use_arenas()
{
    acre_arena_opts opts = {};
    opts.reserve = std::size_t{1} << 24;
    acre::result<acre::arena> made = acre::arena::create(opts);
    HOLDS(made);
    acre::arena arena = *std::move(made);
    HOLDS(arena.alloc(3) != nullptr && arena.alloc(3, 64) != nullptr);
    HOLDS(*static_cast<char *>(arena.zalloc(1)) == 0);
    HOLDS(std::string_view(arena.copy("text")) == "text");
    HOLDS(*arena.create<int>(7) == 7 && arena.make_array<int>(8)[7] == 0);
    int living = 0;
    {
        acre::arena::scope scope(arena);
        HOLDS(arena.create<counted>(&living) != nullptr && living == 1);
    }
    HOLDS(living == 0);
    const acre_arena_mark mark = arena.save();
    HOLDS(arena.defer([](void *at) { ++*static_cast<int *>(at); }, &living) == ACRE_OK);
    arena.restore(mark);
    HOLDS(living == 1);
    HOLDS(arena.ensure(100) == ACRE_OK && arena.limit_set(0) == ACRE_OK);
    HOLDS(arena.owns(arena.alloc(1)) && !arena.owns(&living) && arena.stats().used != 0);
    arena.reset();
    WORKS(arena.trim(0));
    HOLDS(arena.alloc(~std::size_t{0}) == nullptr && arena.status() != ACRE_OK);
    alignas(64) static char memory[4096];
    acre::result<acre::arena> over = acre::arena::over(memory, sizeof(memory));
    HOLDS(over && over->alloc(16) != nullptr);
    acre::arena again(over->release());
    HOLDS(!*over && again && again.get()->core != nullptr && again.close() == ACRE_OK);
#if defined(__cpp_exceptions) && defined(__cpp_lib_memory_resource)
    acre::arena_resource resource(arena);
    std::pmr::memory_resource &any = resource;
    void *block = any.allocate(10, 2);
    HOLDS(arena.owns(block) && any.is_equal(resource));
    any.deallocate(block, 10, 2);
#endif
    return nullptr;
}

const char *use_stacks()
{
    acre::result<acre::stack> made = acre::stack::create(32768);
    HOLDS(made && made->size() >= 32768 && made->top() == made->data() + made->size());
    HOLDS(made->header() == nullptr && made->commit(made->size()) == ACRE_OK);
    WORKS(made->used().status());
#ifdef __cpp_lib_span
    HOLDS(made->bytes().size() == made->size());
#endif
    acre::stack again(made->release());
    HOLDS(!*made && again && again.get()->base == again.data() && again.close() == ACRE_OK);

    acre_stack_pool_opts opts = {};
    opts.max_stacks = 16;
    acre::result<acre::pool> pool = acre::pool::create(opts);
    HOLDS(pool);
    WORKS(pool->prewarm(2));
    {
        acre::result<acre::stack> taken = pool->take();
        HOLDS(taken && pool->close() == ACRE_BUSY && *pool);
    }
    HOLDS(pool->flush() == ACRE_OK);
    WORKS(pool->trim(0));
    WORKS(pool->suggest().status());
    const acre::result<acre_stack_pool_stats> stats = pool->stats();
    WORKS(stats.status());
    HOLDS(stats->out == 0);
    acre::pool other(pool->release());
    HOLDS(!*pool && other.get() != nullptr && other.close() == ACRE_OK);
    HOLDS(other.take().error() == acre::errc::empty_handle);
    return nullptr;
}

}  // namespace

const char *EVERY_CALL()
{
    if (const char *failed = use_maps())
        return failed;
    if (const char *failed = use_arenas())
        return failed;
#ifdef __cpp_exceptions
    acre::or_throw(acre::or_throw(acre::map::anon(1)).close());
#endif
    return use_stacks();
}

}  // namespace acre_test
