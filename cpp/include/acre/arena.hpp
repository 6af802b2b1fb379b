// acre/arena.hpp - the owner of an arena, objects in it, scopes, and a memory resource for
// std::pmr.  Part of acre/acre.hpp, whose conventions hold here.
//
//     acre::arena arena = acre::or_throw(acre::arena::create());
//     node *list = arena.create<node>(1, 2);          // NULL when the arena is exhausted
//     {
//         acre::arena::scope until_here(arena);
//         char *text = arena.copy("gone with the scope");
//     }
//     acre::arena_resource resource(arena);
//     std::pmr::vector<int> numbers(&resource);
#ifndef ACRE_ARENA_HPP_
#define ACRE_ARENA_HPP_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "acre/arena.h"
#include "acre/result.hpp"

#if defined(__cpp_exceptions) && __has_include(<memory_resource>)
#include <memory_resource>
#endif

namespace acre {

namespace detail {

struct arena_kind {
    static acre_status end(acre_arena &handle) noexcept { return acre_arena_destroy(&handle); }
    static bool holds(const acre_arena &handle) noexcept { return handle.core != nullptr; }
};

}  // namespace detail

/// An arena that is destroyed with it, after the deferred calls.
class arena : public detail::owner<acre_arena, detail::arena_kind> {
  public:
    arena() noexcept = default;
    /// Takes over an arena that you have; your struct must not be used any more.
    explicit arena(const acre_arena &handle) noexcept : owner(handle) {}

    /// As acre_arena_create().
    static result<arena> create(const acre_arena_opts &opts = {}) noexcept
    {
        return detail::filled<arena>(
            [&](arena &out) { return acre_arena_create(&opts, out.get()); });
    }
    /// Over the caller's memory, which must outlive it.
    static result<arena> over(void *memory, std::size_t size) noexcept
    {
        return detail::filled<arena>(
            [&](arena &out) { return acre_arena_over(memory, size, out.get()); });
    }

    /// The C handle, which stays the owner's.
    acre_arena *get() noexcept { return &handle_; }
    /// The same of a constant owner.
    const acre_arena *get() const noexcept { return &handle_; }
    /// The caller destroys it from here on.
    [[nodiscard]] acre_arena release() noexcept { return hand_out(); }

    // ---- blocks: NULL when refused, and status() says why ----

    /// As acre_arena_alloc().
    void *alloc(std::size_t size) noexcept { return acre_arena_alloc(&handle_, size); }
    /// As acre_arena_alloc_aligned().
    void *alloc(std::size_t size, std::size_t alignment) noexcept
    {
        return acre_arena_alloc_aligned(&handle_, size, alignment);
    }
    /// As acre_arena_zalloc().
    void *zalloc(std::size_t size, std::size_t alignment = ACRE_ARENA_ALIGN) noexcept
    {
        return acre_arena_zalloc(&handle_, size, alignment);
    }
    /// A copy of a text, with a 0 behind it.
    char *copy(std::string_view text) noexcept
    {
        const std::size_t size = text.size() + (text.size() != SIZE_MAX);  // else refused, as any
        char *made = static_cast<char *>(acre_arena_alloc_aligned(&handle_, size, 1));
        if (made != nullptr) {
            if (!text.empty())  // whose data may be NULL
                std::memcpy(made, text.data(), text.size());
            made[text.size()] = '\0';
        }
        return made;
    }

    /// Makes a T from `arguments`.
    ///
    /// Its destructor, if it does something, runs when the arena takes the block back (restore,
    /// reset, destroy), the newest object first; that takes another 32 bytes of the arena.  Such a
    /// destructor must not use the arena.
    ///
    /// @return NULL when the arena refuses the block or the destructor's record: the object is then
    ///         gone.  What the constructor throws comes through; the block is given back unless the
    ///         constructor took others of the arena.
    template <class T, class... Arguments>
    T *create(Arguments &&...arguments) noexcept(std::is_nothrow_constructible_v<T, Arguments...>)
    {
        void *block = acre_arena_alloc_aligned(&handle_, sizeof(T), alignof(T));
        if (block == nullptr)
            return nullptr;
        T *object = made_at<T>(block, std::forward<Arguments>(arguments)...);
        if constexpr (!std::is_trivially_destructible_v<T>) {
            if (acre_arena_defer(&handle_, &destroy_object<T>, object) != ACRE_OK) {
                object->~T();
                give_back(&handle_, block, sizeof(T));
                return nullptr;
            }
        }
        return object;
    }

    /// Makes an array of `count` zeroed T: types that have neither constructors nor destructors to
    /// run.  Of others, use std::pmr::vector<T> with an acre::arena_resource.
    template <class T>
    T *make_array(std::size_t count) noexcept
    {
        static_assert(
            std::is_trivially_default_constructible_v<T> && std::is_trivially_destructible_v<T>,
            "make_array would skip a constructor or destructor of this type");
        return static_cast<T *>(acre_arena_calloc(&handle_, count, sizeof(T), alignof(T)));
    }

    // ---- taking back ----

    /// As acre_arena_save().
    [[nodiscard]] acre_arena_mark save() noexcept { return acre_arena_save(&handle_); }
    /// As acre_arena_restore().
    void restore(acre_arena_mark mark) noexcept { acre_arena_restore(&handle_, mark); }
    /// As acre_arena_reset().
    void reset() noexcept { acre_arena_reset(&handle_); }
    /// As acre_arena_trim().
    [[nodiscard]] acre_status trim(std::size_t keep) noexcept
    {
        return acre_arena_trim(&handle_, keep);
    }
    /// As acre_arena_defer().
    [[nodiscard]] acre_status defer(void (*call)(void *), void *argument) noexcept
    {
        return acre_arena_defer(&handle_, call, argument);
    }

    /// At its end the arena is back to where it was at its beginning.  The arena object must not be
    /// moved meanwhile.
    class [[nodiscard]] scope {
      public:
        /// Remembers where `of` is.
        explicit scope(arena &of) noexcept : scope(*of.get()) {}
        /// For an arena of the C interface.
        explicit scope(acre_arena &of) noexcept : arena_(&of), mark_(acre_arena_save(&of)) {}
        ~scope() { acre_arena_restore(arena_, mark_); }
        scope(const scope &) = delete;
        scope &operator=(const scope &) = delete;

      private:
        acre_arena *arena_;
        acre_arena_mark mark_;
    };

    // ---- look ----

    /// As acre_arena_ensure().
    [[nodiscard]] acre_status ensure(std::size_t bytes) noexcept
    {
        return acre_arena_ensure(&handle_, bytes);
    }
    /// As acre_arena_limit_set().
    [[nodiscard]] acre_status limit_set(std::size_t limit) noexcept
    {
        return acre_arena_limit_set(&handle_, limit);
    }
    /// As acre_arena_owns().
    bool owns(const void *pointer) const noexcept
    {
        return acre_arena_owns(&handle_, pointer) != 0;
    }
    /// Why the most recent refused call was refused.
    acre_status status() const noexcept { return acre_arena_status(&handle_); }
    /// As acre_arena_stats_read().
    acre_arena_stats stats() const noexcept
    {
        acre_arena_stats out;
        acre_arena_stats_read(&handle_, &out);
        return out;
    }

  private:
    // A block of which nothing is made, if it is still the newest.
    /// As acre_arena_resize().
    static void give_back(acre_arena *to, void *block, std::size_t size) noexcept
    {
        static_cast<void>(acre_arena_resize(to, block, size, 0));
    }

    template <class T, class... Arguments>
    T *made_at(void *block, Arguments &&...arguments)
    {
        struct unless_made {  // not by catch, which -fno-exceptions refuses
            acre_arena *to;
            void *block;
            ~unless_made()
            {
                if (block != nullptr)
                    give_back(to, block, sizeof(T));
            }
        } guard = {&handle_, block};
        T *object(::new (block) T(std::forward<Arguments>(arguments)...));
        guard.block = nullptr;
        return object;
    }

    template <class T>
    static void destroy_object(void *object)
    {
        static_cast<T *>(object)->~T();
    }
};

#if defined(__cpp_exceptions) && defined(__cpp_lib_memory_resource)
/// An arena as a memory resource of std::pmr.
///
/// What is deallocated stays the arena's until that takes it back, so that containers may also be
/// destroyed by deferred calls.  The arena must outlive the resource and not be moved meanwhile;
/// containers must be gone, or never be used again, before the arena takes their memory back.
class arena_resource final : public std::pmr::memory_resource {
  public:
    /// Takes its memory from `of`.
    explicit arena_resource(arena &of) noexcept : arena_(of.get()) {}
    /// For an arena of the C interface.
    explicit arena_resource(acre_arena &of) noexcept : arena_(&of) {}

  private:
    /// @throw std::bad_alloc  when the arena refuses, as std::pmr demands
    void *do_allocate(std::size_t size, std::size_t alignment) override
    {
        void *block = acre_arena_alloc_aligned(arena_, size, alignment);
        if (block == nullptr)
            throw std::bad_alloc();
        return block;
    }
    void do_deallocate(void *, std::size_t, std::size_t) override {}
    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
        return this == &other;
    }

    acre_arena *arena_;
};
#endif

}  // namespace acre

#endif  // ACRE_ARENA_HPP_
