// Results, and statuses as std::error_code.
#include "acre/result.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "acre/acre.hpp"

namespace {

template <class T>
constexpr bool is_result_like = std::is_nothrow_move_constructible_v<T>
    &&std::is_nothrow_move_assignable_v<T> &&std::is_nothrow_destructible_v<T>;

template <class T>
constexpr bool is_owner = is_result_like<T> &&std::is_nothrow_default_constructible_v<T> &&
                          !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                          !std::is_convertible_v<T, bool> && std::is_constructible_v<bool, T>;

static_assert(is_owner<acre::map> && is_owner<acre::image> && is_owner<acre::arena> &&
              is_owner<acre::stack> && is_owner<acre::pool>);
static_assert(is_result_like<acre::result<acre::map>> && is_result_like<acre::result<acre::pool>>);
static_assert(!std::is_copy_constructible_v<acre::result<acre::map>>);
static_assert(!std::is_convertible_v<acre::result<acre::map>, bool>);
static_assert(!std::is_move_constructible_v<acre::arena::scope>);
// What owns nothing but a handle is no larger than it.
static_assert(sizeof(acre::map) == sizeof(acre_mmap) && sizeof(acre::arena) == sizeof(acre_arena));
static_assert(sizeof(acre::pool) == sizeof(void *) && sizeof(acre::image) == sizeof(acre_image));
static_assert(std::is_error_code_enum_v<acre::errc>);

const int STATUSES[] = {
#define LISTED(name, value, text) value,
    ACRE_STATUS_MAP(LISTED)
#undef LISTED
};

TEST(Result, is_a_value_or_a_status)
{
    acre::result<int> seven = 7;
    EXPECT_TRUE(seven);
    EXPECT_EQ(7, *seven);
    EXPECT_EQ(ACRE_OK, seven.status());
    EXPECT_FALSE(seven.error());
    acre::result<int> none = acre::failure{ACRE_BUSY};
    EXPECT_FALSE(none);
    EXPECT_EQ(0, *none);
    EXPECT_EQ(ACRE_BUSY, none.status());
    EXPECT_TRUE(none.error());
}

TEST(Result, gives_an_empty_owner_after_a_failure)
{
    acre::result<acre::map> map = acre::map::anon(0);
    EXPECT_EQ(ACRE_BAD_SIZE, map.status());
    EXPECT_FALSE(*map);
    EXPECT_EQ(ACRE_EMPTY_HANDLE, map->commit(0, size_t{1} << 20));
    EXPECT_EQ(ACRE_OK, map->close());
}

TEST(Result, throws_when_asked)
{
    EXPECT_EQ(7, acre::or_throw(acre::result<int>(7)));
    EXPECT_NO_THROW(acre::or_throw(ACRE_OK));
    EXPECT_NO_THROW(acre::or_throw(5)) << "a count is no failure";
    try {
        acre::or_throw(acre::map::anon(0));
        ADD_FAILURE() << "nothing was thrown";
    } catch (const std::system_error &error) {
        EXPECT_EQ(ACRE_BAD_SIZE, error.code().value());
        EXPECT_EQ(acre::category(), error.code().category());
        EXPECT_NE(std::string::npos, std::string(error.what()).find("the size is zero"));
    }
    EXPECT_THROW(acre::or_throw(-ENOMEM), std::system_error);
}

TEST(Error, has_the_value_and_the_text_of_the_status)
{
    EXPECT_STREQ("acre", acre::category().name());
    for (int status : STATUSES) {
        std::error_code code = acre::make_error_code(status);
        EXPECT_EQ(status, code.value());
        EXPECT_EQ(acre_status_text(status), code.message());
        EXPECT_EQ(status != ACRE_OK, static_cast<bool>(code));
    }
    EXPECT_EQ(acre_status_text(-ENOMEM), acre::make_error_code(-ENOMEM).message());
    EXPECT_FALSE(acre::make_error_code(12)) << "a count";
}

TEST(Error, knows_every_status_by_name)
{
    using acre::errc;
    const errc names[] = {errc::bad_size,
                          errc::bad_offset,
                          errc::bad_range,
                          errc::bad_option,
                          errc::bad_state,
                          errc::unsafe_flag_needed,
                          errc::not_adjacent,
                          errc::attribute_mismatch,
                          errc::backing_mismatch,
                          errc::not_mapped,
                          errc::sealed,
                          errc::full,
                          errc::busy,
                          errc::stale,
                          errc::not_ours,
                          errc::too_many_areas,
                          errc::not_a_file,
                          errc::bad_alignment,
                          errc::bad_access,
                          errc::null_argument,
                          errc::empty_handle};
    std::set<int> listed(std::begin(STATUSES), std::end(STATUSES));
    std::set<int> named = {ACRE_OK};
    for (errc name : names) {
        named.insert(static_cast<int>(name));
        EXPECT_EQ(name, acre::make_error_code(static_cast<int>(name)));
    }
    EXPECT_EQ(listed, named);
}

TEST(Error, equals_the_standards_errors_where_there_are_any)
{
    const struct {
        acre_status status;
        std::errc same;
    } pairs[] = {
        {-ENOMEM, std::errc::not_enough_memory},
        {-EEXIST, std::errc::file_exists},
        {-EACCES, std::errc::permission_denied},
        {-ENOENT, std::errc::no_such_file_or_directory},
        {-ENOTSUP, std::errc::not_supported},
        {ACRE_BAD_SIZE, std::errc::invalid_argument},
        {ACRE_BAD_ALIGNMENT, std::errc::invalid_argument},
        {ACRE_FULL, std::errc::not_enough_memory},
        {ACRE_TOO_MANY_AREAS, std::errc::not_enough_memory},
        {ACRE_BUSY, std::errc::device_or_resource_busy},
        {ACRE_NOT_MAPPED, std::errc::bad_address},
        {ACRE_SEALED, std::errc::operation_not_permitted},
    };
    for (auto &pair : pairs) {
        std::error_code code = acre::make_error_code(pair.status);
        EXPECT_TRUE(code == pair.same) << acre_status_name(pair.status);
        EXPECT_FALSE(code == std::errc::io_error) << acre_status_name(pair.status);
    }
    // What no other library knows.
    std::error_code stale = acre::make_error_code(ACRE_STALE);
    EXPECT_EQ(acre::category(), stale.default_error_condition().category());
    EXPECT_TRUE(stale == acre::errc::stale);
}

TEST(Error, of_the_system_comes_from_the_system)
{
    acre::result<acre::map> missing = acre::map::path("no such file");
    EXPECT_TRUE(missing.error() == std::errc::no_such_file_or_directory)
        << missing.error().message();
}

}  // namespace
