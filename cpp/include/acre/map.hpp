// acre/map.hpp - owners of maps and images.  Part of acre/acre.hpp, whose conventions hold here.
//
//     acre::map ring = acre::or_throw(acre::map::ring(65536));
//     acre_mmap_opts opts = {};
//     opts.flags = ACRE_MAP_NO_DUMP;
//     acre::result<acre::map> secret = acre::map::anon(4096, ACRE_READ_WRITE, opts);
//     // From C++20 on: acre::map::anon(4096, ACRE_READ_WRITE, {.flags = ACRE_MAP_NO_DUMP})
#ifndef ACRE_MAP_HPP_
#define ACRE_MAP_HPP_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "acre/image.h"
#include "acre/mmap.h"
#include "acre/result.hpp"

#if __has_include(<version>)
#include <version>
#endif
#ifdef __cpp_lib_span
#include <span>
#endif

namespace acre {

namespace detail {

struct map_kind {
    static acre_status end(acre_mmap &handle) noexcept { return acre_mmap_unmap(&handle); }
    static bool holds(const acre_mmap &handle) noexcept { return handle.base != nullptr; }
};

struct image_kind {
    static acre_status end(acre_image &handle) noexcept { return acre_image_close(&handle); }
    static bool holds(const acre_image &handle) noexcept { return handle.size != 0; }
};

}  // namespace detail

struct twin_maps;

/// Pages that are unmapped with it.
class map : public detail::owner<acre_mmap, detail::map_kind> {
  public:
    map() noexcept = default;
    /// Takes over a map that you have; your struct must not be used any more.
    explicit map(const acre_mmap &handle) noexcept : owner(handle) {}

    // What makes one.  All-zero options are the defaults.

    /// As acre_mmap_anon().
    static result<map> anon(std::size_t size, std::uint32_t access = ACRE_READ_WRITE,
                            const acre_mmap_opts &opts = {}) noexcept
    {
        return detail::filled<map>(
            [&](map &out) { return acre_mmap_anon(size, access, &opts, out.get()); });
    }
    /// As acre_mmap_reserve().
    static result<map> reserve(std::size_t size, std::uint32_t access = ACRE_READ_WRITE,
                               const acre_mmap_opts &opts = {}) noexcept
    {
        return detail::filled<map>(
            [&](map &out) { return acre_mmap_reserve(size, access, &opts, out.get()); });
    }
    /// As acre_mmap_file().
    static result<map> file(acre_file file, std::uint64_t offset, std::size_t size,
                            std::uint32_t access = ACRE_READ,
                            const acre_mmap_opts &opts = {}) noexcept
    {
        return detail::filled<map>(
            [&](map &out) { return acre_mmap_file(file, offset, size, access, &opts, out.get()); });
    }
    /// @param file_size  set as acre_mmap_path says; may be NULL.  size() is that in whole pages.
    static result<map> path(const char *path, std::uint32_t access = ACRE_READ,
                            const acre_mmap_opts &opts = {},
                            std::uint64_t *file_size = nullptr) noexcept
    {
        return detail::filled<map>(
            [&](map &out) { return acre_mmap_path(path, access, &opts, out.get(), file_size); });
    }
    /// `lap` bytes twice, back to back: size() is 2 * lap.
    static result<map> ring(std::size_t lap, const acre_mmap_opts &opts = {}) noexcept
    {
        return detail::filled<map>([&](map &out) { return acre_mmap_ring(lap, &opts, out.get()); });
    }
    /// The same pages twice: to write, and to run.
    static result<twin_maps> twin(std::size_t size, const acre_mmap_opts &opts = {}) noexcept;

    // The handle.

    /// The C handle, which stays the owner's.
    acre_mmap *get() noexcept { return &handle_; }
    /// The same of a constant owner.
    const acre_mmap *get() const noexcept { return &handle_; }
    /// The caller unmaps it from here on.
    [[nodiscard]] acre_mmap release() noexcept { return hand_out(); }

    // What it holds.  As with a pointer, a constant map does not make its bytes constant.

    /// First byte; NULL when empty.
    std::byte *data() const noexcept { return static_cast<std::byte *>(handle_.base); }
    std::size_t size() const noexcept { return handle_.size; }            ///< bytes; 0 when empty
    std::size_t page_size() const noexcept { return handle_.page_size; }  ///< bytes
    std::uint32_t access() const noexcept { return handle_.access; }      ///< ACRE_READ, ...
    std::uint32_t flags() const noexcept { return handle_.flags; }  ///< ACRE_MAP_*, ACRE_IS_*, ...
#ifdef __cpp_lib_span
    /// All of it (C++20).
    std::span<std::byte> bytes() const noexcept
    {
        return {data(), size()};
    }
#endif

    // Calls.

    /// As acre_mmap_commit().
    [[nodiscard]] acre_status commit(std::size_t offset, std::size_t length) noexcept
    {
        return acre_mmap_commit(&handle_, offset, length);
    }
    /// As acre_mmap_commit_as().
    [[nodiscard]] acre_status commit_as(std::size_t offset, std::size_t length,
                                        std::uint32_t access) noexcept
    {
        return acre_mmap_commit_as(&handle_, offset, length, access);
    }
    /// As acre_mmap_decommit().
    [[nodiscard]] acre_status decommit(std::size_t offset, std::size_t length) noexcept
    {
        return acre_mmap_decommit(&handle_, offset, length);
    }
    /// As acre_mmap_protect().
    [[nodiscard]] acre_status protect(std::size_t offset, std::size_t length,
                                      std::uint32_t access) noexcept
    {
        return acre_mmap_protect(&handle_, offset, length, access);
    }
    /// As acre_mmap_guard().
    [[nodiscard]] acre_status guard(std::size_t offset, std::size_t length) noexcept
    {
        return acre_mmap_guard(&handle_, offset, length);
    }
    /// As acre_mmap_unguard().
    [[nodiscard]] acre_status unguard(std::size_t offset, std::size_t length) noexcept
    {
        return acre_mmap_unguard(&handle_, offset, length);
    }
    /// The contents are zero, the file's or the image's again.
    [[nodiscard]] acre_status discard(std::size_t offset, std::size_t length,
                                      std::uint32_t when = ACRE_DISCARD_NOW) noexcept
    {
        return acre_mmap_discard(&handle_, offset, length, when);
    }
    /// As acre_mmap_populate().
    [[nodiscard]] acre_status populate(std::size_t offset, std::size_t length) noexcept
    {
        return acre_mmap_populate(&handle_, offset, length);
    }
    /// As acre_mmap_lock().
    [[nodiscard]] acre_status lock(std::size_t offset, std::size_t length) noexcept
    {
        return acre_mmap_lock(&handle_, offset, length);
    }
    /// As acre_mmap_unlock().
    [[nodiscard]] acre_status unlock(std::size_t offset, std::size_t length) noexcept
    {
        return acre_mmap_unlock(&handle_, offset, length);
    }
    /// As acre_mmap_flush().
    [[nodiscard]] acre_status flush(std::size_t offset, std::size_t length,
                                    std::uint32_t how = ACRE_FLUSH_WAIT) noexcept
    {
        return acre_mmap_flush(&handle_, offset, length, how);
    }
    /// As acre_mmap_advise().
    [[nodiscard]] acre_status advise(std::size_t offset, std::size_t length,
                                     acre_advice advice) noexcept
    {
        return acre_mmap_advise(&handle_, offset, length, advice);
    }
    /// As acre_mmap_resize().
    [[nodiscard]] acre_status resize(std::size_t size,
                                     std::uint32_t how = ACRE_RESIZE_IN_PLACE) noexcept
    {
        return acre_mmap_resize(&handle_, size, how);
    }
    /// From then on close() is refused, and destruction leaves the pages mapped.
    [[nodiscard]] acre_status seal() noexcept
    {
        return acre_mmap_seal(&handle_);
    }
    /// This map keeps the first `at` bytes; the result owns the rest.
    result<map> split(std::size_t at) noexcept
    {
        return detail::filled<map>(
            [&](map &out) { return acre_mmap_split(&handle_, at, out.get()); });
    }
    /// `next` is empty when this map has taken it in.
    [[nodiscard]] acre_status merge(map &next) noexcept
    {
        return acre_mmap_merge(&handle_, &next.handle_);
    }
    /// Bytes that are in memory.
    result<std::size_t> resident(std::size_t offset, std::size_t length) const noexcept
    {
        return detail::filled<std::size_t>([&](std::size_t &bytes) {
            return acre_mmap_resident(&handle_, offset, length, &bytes);
        });
    }
};

/// The same pages twice.
struct twin_maps {
    map write;  ///< to be written
    map exec;   ///< to be run
};

inline result<twin_maps> map::twin(std::size_t size, const acre_mmap_opts &opts) noexcept
{
    return detail::filled<twin_maps>([&](twin_maps &out) {
        return acre_mmap_twin(size, &opts, out.write.get(), out.exec.get());
    });
}

/// Bytes that clones begin with.
class image : public detail::owner<acre_image, detail::image_kind> {
  public:
    image() noexcept = default;
    /// Takes over an image that you have.
    explicit image(const acre_image &handle) noexcept : owner(handle) {}

    /// Makes an image whose bytes `fill(std::byte *bytes, std::size_t size)` writes; they are zero
    /// before.  What `fill` throws comes through, and leaves nothing behind.
    ///
    /// @return the image; or as acre_image_begin and acre_image_finish.  To try the latter again
    ///         after -EBUSY, use them directly.
    template <class Fill>
    static result<image> make(std::size_t size, Fill &&fill)
    {
        image out;
        map bytes;
        acre_status status = acre_image_begin(size, &out.handle_, bytes.get());
        if (status != ACRE_OK)
            return failure{status};
        std::forward<Fill>(fill)(bytes.data(), bytes.size());
        status = acre_image_finish(&out.handle_, bytes.get());
        if (status != ACRE_OK)
            return failure{status};
        return out;
    }

    /// The C handle, which stays the owner's.
    acre_image *get() noexcept { return &handle_; }
    /// The same of a constant owner.
    const acre_image *get() const noexcept { return &handle_; }
    /// The caller closes it from here on.
    [[nodiscard]] acre_image release() noexcept { return hand_out(); }

    std::size_t size() const noexcept { return handle_.size; }  ///< bytes; 0 when empty

    /// A private copy that shares every page until it is written to; it outlives the image.
    /// `discard` makes it as it was.
    result<map> clone(std::uint32_t access = ACRE_READ_WRITE,
                      const acre_mmap_opts &opts = {}) const noexcept
    {
        return detail::filled<map>(
            [&](map &out) { return acre_image_clone(&handle_, access, &opts, out.get()); });
    }
};

}  // namespace acre

#endif  // ACRE_MAP_HPP_
