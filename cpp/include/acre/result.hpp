// acre/result.hpp - statuses in C++: as std::error_code, and beside a value.  Part of
// acre/acre.hpp, whose conventions hold here.
//
//     acre::result<acre::arena> arena = acre::arena::create();
//     if (arena.error() == std::errc::not_enough_memory)
//         ...
//     if (arena.error() == acre::errc::too_many_areas)
//         ...
#ifndef ACRE_RESULT_HPP_
#define ACRE_RESULT_HPP_

#include <cerrno>
#include <cstddef>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "acre/status.h"

/// acre for C++17 and later: owners, and statuses as errors.
namespace acre {

// ---- std::error_code ----------------------------------------------------------------------------

/// What acre itself refuses, to be compared with a std::error_code.
enum class errc {
    bad_size = ACRE_BAD_SIZE,
    bad_offset = ACRE_BAD_OFFSET,
    bad_range = ACRE_BAD_RANGE,
    bad_option = ACRE_BAD_OPTION,
    bad_state = ACRE_BAD_STATE,
    unsafe_flag_needed = ACRE_UNSAFE_FLAG_NEEDED,
    not_adjacent = ACRE_NOT_ADJACENT,
    attribute_mismatch = ACRE_ATTRIBUTE_MISMATCH,
    backing_mismatch = ACRE_BACKING_MISMATCH,
    not_mapped = ACRE_NOT_MAPPED,
    sealed = ACRE_SEALED,
    full = ACRE_FULL,
    busy = ACRE_BUSY,
    stale = ACRE_STALE,
    not_ours = ACRE_NOT_OURS,
    too_many_areas = ACRE_TOO_MANY_AREAS,
    not_a_file = ACRE_NOT_A_FILE,
    bad_alignment = ACRE_BAD_ALIGNMENT,
    bad_access = ACRE_BAD_ACCESS,
    null_argument = ACRE_NULL_ARGUMENT,
    empty_handle = ACRE_EMPTY_HANDLE
};

/// What is not called by programs.
namespace detail {

class status_category final : public std::error_category {
  public:
    constexpr status_category() noexcept = default;

    const char *name() const noexcept override { return "acre"; }

    std::string message(int status) const override { return acre_status_text(status); }

    std::error_condition default_error_condition(int status) const noexcept override
    {
        switch (status) {
        case ACRE_BAD_SIZE:
        case ACRE_BAD_OFFSET:
        case ACRE_BAD_RANGE:
        case ACRE_BAD_OPTION:
        case ACRE_UNSAFE_FLAG_NEEDED:
        case ACRE_BAD_ALIGNMENT:
        case ACRE_BAD_ACCESS:
        case ACRE_NULL_ARGUMENT:
            return std::make_error_condition(std::errc::invalid_argument);
        case ACRE_FULL:
        case ACRE_TOO_MANY_AREAS:
            return std::make_error_condition(std::errc::not_enough_memory);
        case ACRE_BUSY:
            return std::make_error_condition(std::errc::device_or_resource_busy);
        case ACRE_NOT_MAPPED:
            return std::make_error_condition(std::errc::bad_address);
        case ACRE_SEALED:
            return std::make_error_condition(std::errc::operation_not_permitted);
        default:
            break;
        }
        if (status < 0 && status >= -4095)  // -errno
            return {-status, std::generic_category()};
        return {status, *this};
    }
};

// Objects with a destructor are gone before the last static object that may ask for them; and the
// registration of a destructor may allocate.
union lasting_category {
    status_category category;

    constexpr lasting_category() noexcept : category() {}
    lasting_category(const lasting_category &) = delete;
    lasting_category &operator=(const lasting_category &) = delete;
    ~lasting_category() {}  // NOLINT(modernize-use-equals-default): that would be deleted
};

}  // namespace detail

/// The category of statuses: the value of its codes is the acre_status, their message
/// acre_status_text().
///
/// A status of the system's (-ENOMEM) compares equal to its std::errc, and so do acre's own where
/// there is one: wrong arguments to invalid_argument, FULL and TOO_MANY_AREAS to not_enough_memory,
/// BUSY to device_or_resource_busy, NOT_MAPPED to bad_address, SEALED to operation_not_permitted.
inline const std::error_category &category() noexcept
{
    static const detail::lasting_category lasting;
    return lasting.category;
}

/// A status as a std::error_code; ACRE_OK and counts are no error.
inline std::error_code make_error_code(acre_status status) noexcept
{
    return {status < 0 ? status : ACRE_OK, category()};
}
/// A refusal of acre's as a std::error_code.
inline std::error_code make_error_code(errc code) noexcept
{
    return {static_cast<int>(code), category()};
}

// ---- a value or a status ------------------------------------------------------------------------

/// Makes a result of a status that is not ACRE_OK: `return acre::failure{status};`.
struct failure {
    acre_status status;  ///< not ACRE_OK
};

/// A T, or the status that says why there is none.
///
/// T has an empty state, which is what `*` and `->` give after a failure: looking is never
/// undefined, and calls on an empty owner are refused.
template <class T>
class [[nodiscard]] result {
    static_assert(std::is_nothrow_default_constructible_v<T> &&
                      std::is_nothrow_move_constructible_v<T>,
                  "T needs an empty state and moves without exceptions");

  public:
    /// A value.
    result(T &&value) noexcept : value_(std::move(value)), status_(ACRE_OK) {}
    /// A failure.
    result(failure why) noexcept : value_(), status_(why.status) {}

    /// Whether there is a value.
    explicit operator bool() const noexcept { return status_ == ACRE_OK; }
    /// ACRE_OK, or why there is no value.
    acre_status status() const noexcept { return status_; }
    /// The status as a std::error_code.
    std::error_code error() const noexcept { return make_error_code(status_); }

    /// The value, or T's empty state.
    T &operator*() &noexcept { return value_; }
    /// The same of a constant result.
    const T &operator*() const &noexcept { return value_; }
    /// The same, to be moved from.
    T &&operator*() &&noexcept { return std::move(value_); }
    /// Members of the value, or of T's empty state.
    T *operator->() noexcept { return &value_; }
    /// The same of a constant result.
    const T *operator->() const noexcept { return &value_; }

  private:
    T value_;
    acre_status status_;
};

#ifdef __cpp_exceptions
/// Throws when a call failed.
///
/// @throw std::system_error  whose code() is of acre::category()
///
///     acre::or_throw(map.commit(0, 1 << 20));
inline void or_throw(acre_status status)
{
    if (status < 0)
        throw std::system_error(make_error_code(status));
}
/// The value, or throws why there is none, likewise.
///
///     acre::map map = acre::or_throw(acre::map::anon(1 << 20));
template <class T>
T or_throw(result<T> &&from)
{
    or_throw(from.status());
    return *std::move(from);
}
#endif

// ---- owners -------------------------------------------------------------------------------------

namespace detail {

/// The T that `call(T &)` fills in, or the status that it returns.
template <class T, class Call>
result<T> filled(Call &&call) noexcept
{
    T out{};
    const acre_status status = call(out);
    if (status != ACRE_OK)
        return failure{status};
    return out;
}

/// What the owners have in common.  `Kind` knows how a handle is ended, and whether it holds
/// something.  A handle that was ended is Handle().
template <class Handle, class Kind>
class owner {
  public:
    /// Holds nothing.
    owner() noexcept : handle_() {}
    /// Takes over what `other` holds, which is empty then.
    owner(owner &&other) noexcept : handle_(std::exchange(other.handle_, Handle())) {}
    /// Ends what it holds, and takes over what `other` holds.
    owner &operator=(owner &&other) noexcept
    {
        if (this != &other) {
            ACRE_IGNORE(close());
            handle_ = std::exchange(other.handle_, Handle());
        }
        return *this;
    }
    owner(const owner &) = delete;
    owner &operator=(const owner &) = delete;
    /// Ends what it holds.
    ~owner() { ACRE_IGNORE(close()); }

    /// Whether it holds something.
    explicit operator bool() const noexcept { return Kind::holds(handle_); }

    /// Ends what it holds and says whether that was possible; ACRE_OK when it is empty.
    [[nodiscard]] acre_status close() noexcept { return Kind::end(handle_); }

  protected:
    /// Takes over a handle.
    explicit owner(const Handle &handle) noexcept : handle_(handle) {}

    /// Hands the handle out, and is empty then.
    Handle hand_out() noexcept { return std::exchange(handle_, Handle()); }

    Handle handle_;
};

}  // namespace detail

}  // namespace acre

template <>
struct std::is_error_code_enum<acre::errc> : std::true_type {
};

#endif  // ACRE_RESULT_HPP_
