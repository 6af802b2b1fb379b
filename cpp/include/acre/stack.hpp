// acre/stack.hpp - owners of stacks and of pools of stacks.  Part of acre/acre.hpp, whose
// conventions hold here.
//
//     acre::pool pool = acre::or_throw(acre::pool::create());
//     {
//         acre::stack stack = acre::or_throw(pool.take());
//         run_on(stack.top(), ...);
//     }  // the stack is back in the pool
#ifndef ACRE_STACK_HPP_
#define ACRE_STACK_HPP_

#include <cstddef>
#include <utility>

#include "acre/result.hpp"
#include "acre/stack.h"
#include "acre/stack_pool.h"

#if __has_include(<version>)
#include <version>
#endif
#ifdef __cpp_lib_span
#include <span>
#endif

namespace acre {

namespace detail {

// A stack and where it goes back to: NULL for one of its own.
struct stack_and_pool {
    acre_stack stack;
    acre_stack_pool *pool;
};

struct stack_kind {
    static acre_status end(stack_and_pool &handle) noexcept
    {
        if (handle.stack.base == nullptr)
            return ACRE_OK;
        const acre_status status = handle.pool != nullptr
                                       ? acre_stack_pool_give(handle.pool, &handle.stack)
                                       : acre_stack_destroy(&handle.stack);
        if (status == ACRE_OK)
            handle = stack_and_pool();
        return status;
    }
    static bool holds(const stack_and_pool &handle) noexcept
    {
        return handle.stack.base != nullptr;
    }
};

struct pool_kind {
    static acre_status end(acre_stack_pool *&handle) noexcept
    {
        const acre_status status = acre_stack_pool_destroy(handle);
        if (status == ACRE_OK)
            handle = nullptr;
        return status;
    }
    static bool holds(acre_stack_pool *handle) noexcept { return handle != nullptr; }
};

}  // namespace detail

/// A guarded stack that is destroyed with it, or goes back to its pool.
///
/// It does not end while anybody runs on it, and must not lie inside the stack itself, its header
/// included: move it out before it ends.
class stack : public detail::owner<detail::stack_and_pool, detail::stack_kind> {
  public:
    stack() noexcept = default;
    /// Takes over a stack that you have, from acre_stack_create or from `pool`, which must then
    /// outlive it.
    explicit stack(const acre_stack &handle, acre_stack_pool *pool = nullptr) noexcept
        : owner(detail::stack_and_pool{handle, pool})
    {
    }

    /// As acre_stack_create().
    static result<stack> create(std::size_t size, const acre_stack_opts &opts = {}) noexcept
    {
        return detail::filled<stack>(
            [&](stack &out) { return acre_stack_create(size, &opts, &out.handle_.stack); });
    }

    /// The C handle, which stays the owner's.
    acre_stack *get() noexcept { return &handle_.stack; }
    /// The same of a constant owner.
    const acre_stack *get() const noexcept { return &handle_.stack; }
    /// The caller destroys it from here on, or gives it back.
    [[nodiscard]] acre_stack release() noexcept { return hand_out().stack; }

    /// Lowest usable byte; NULL when empty.
    std::byte *data() const noexcept { return static_cast<std::byte *>(handle_.stack.base); }
    std::size_t size() const noexcept { return handle_.stack.size; }  ///< bytes; 0 when empty
    /// One byte past the highest: where the first frame begins.
    std::byte *top() const noexcept { return data() + size(); }
    /// The owner's control block above the stack; NULL if none was asked for.
    void *header() const noexcept { return handle_.stack.header; }
#ifdef __cpp_lib_span
    /// The usable bytes (C++20).
    std::span<std::byte> bytes() const noexcept
    {
        return {data(), size()};
    }
#endif

    /// Only needed on Windows, by code that touches the stack without running on it.
    [[nodiscard]] acre_status commit(std::size_t bytes) const noexcept
    {
        return acre_stack_commit(&handle_.stack, bytes);
    }
    /// Bytes from the top to the deepest page that was touched.
    result<std::size_t> used() const noexcept
    {
        return detail::filled<std::size_t>(
            [&](std::size_t &bytes) { return acre_stack_used(&handle_.stack, &bytes); });
    }
};

/// Guarded stacks by the million.  They must be back before it ends: otherwise close() returns
/// ACRE_BUSY, and destruction leaves the pool as it is, to which stacks may still go back.
class pool : public detail::owner<acre_stack_pool *, detail::pool_kind> {
  public:
    pool() noexcept = default;
    /// Takes over a pool that you have.
    explicit pool(acre_stack_pool *handle) noexcept : owner(handle) {}

    /// As acre_stack_pool_create().
    static result<pool> create(const acre_stack_pool_opts &opts = {}) noexcept
    {
        return detail::filled<pool>(
            [&](pool &out) { return acre_stack_pool_create(&opts, &out.handle_); });
    }

    /// The C handle, which stays the owner's.
    acre_stack_pool *get() const noexcept { return handle_; }
    /// The caller destroys it from here on.
    [[nodiscard]] acre_stack_pool *release() noexcept { return hand_out(); }

    /// A stack that goes back to this pool when it ends, in whichever thread.
    result<stack> take() noexcept
    {
        return detail::filled<stack>([&](stack &out) {
            acre_stack taken = {};
            const acre_status status =
                handle_ != nullptr ? acre_stack_pool_take(handle_, &taken) : ACRE_EMPTY_HANDLE;
            if (status == ACRE_OK)
                out = stack(taken, handle_);
            return status;
        });
    }
    /// As acre_stack_pool_flush().
    [[nodiscard]] acre_status flush() noexcept
    {
        return handle_ != nullptr ? acre_stack_pool_flush(handle_) : ACRE_EMPTY_HANDLE;
    }
    /// As acre_stack_pool_prewarm().
    [[nodiscard]] acre_status prewarm(std::size_t count) noexcept
    {
        return handle_ != nullptr ? acre_stack_pool_prewarm(handle_, count) : ACRE_EMPTY_HANDLE;
    }
    /// As acre_stack_pool_trim().
    [[nodiscard]] acre_status trim(std::size_t keep) noexcept
    {
        return handle_ != nullptr ? acre_stack_pool_trim(handle_, keep) : ACRE_EMPTY_HANDLE;
    }
    /// As acre_stack_pool_stats_read().
    result<acre_stack_pool_stats> stats() const noexcept
    {
        return detail::filled<acre_stack_pool_stats>([&](acre_stack_pool_stats &out) {
            return handle_ != nullptr ? acre_stack_pool_stats_read(handle_, &out)
                                      : ACRE_EMPTY_HANDLE;
        });
    }
    /// A stack_size for the next run.
    result<std::size_t> suggest() const noexcept
    {
        return detail::filled<std::size_t>([&](std::size_t &size) {
            return handle_ != nullptr ? acre_stack_pool_suggest(handle_, &size) : ACRE_EMPTY_HANDLE;
        });
    }
};

}  // namespace acre

#endif  // ACRE_STACK_HPP_
