// The owners of acre.hpp in a C++17 program that knows acre by @acre//cpp alone.
#include "acre/acre.hpp"

#include <atomic>
#include <cstring>
#include <string_view>

#include "check.h"

namespace {

void write_through_a_ring()
{
    acre::result<acre::map> ring = acre::map::ring(65536);
    CHECK(ring);
    std::byte *last = ring->data() + ring->size() / 2 - 1;
    std::memcpy(last, "ab", 2);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    CHECK(ring->data()[0] == std::byte{'b'});
    CHECK(ring->close() == ACRE_OK);
}

void copy_into_an_arena()
{
    acre::result<acre::arena> arena = acre::arena::create();
    CHECK(arena);
    CHECK(std::string_view(arena->copy("text")) == "text");
    CHECK(arena->alloc(~std::size_t{0}) == nullptr);
    CHECK(acre::make_error_code(arena->status()) == acre::errc::bad_size ||
          acre::make_error_code(arena->status()) == acre::errc::full);
}

void take_a_stack_of_a_pool()
{
    acre::result<acre::pool> pool = acre::pool::create();
    CHECK(pool);
    {
        acre::result<acre::stack> stack = pool->take();
        CHECK(stack && stack->size() >= 65536);
        CHECK(pool->close() == ACRE_BUSY);
    }
    CHECK(pool->close() == ACRE_OK);
}

}  // namespace

int main()
{
    write_through_a_ring();
    copy_into_an_arena();
    take_a_stack_of_a_pool();
    return 0;
}
