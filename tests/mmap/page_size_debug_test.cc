// A debug build (-DACRE_DEBUG=1) ends the program at a wrong argument and names it.
#include "tests/mmap/page_size.h"

#include "acre/area.h"

using namespace acre_test;

namespace {

class DebugBuild : public PageSize {
  protected:
    // The status is that of other builds; here nobody gets to see it.
    static void use(acre_status status)
    {
        EXPECT_STATUS(ACRE_OK, status);
    }
};

INSTANTIATE_TEST_SUITE_P(Systems, DebugBuild, testing::Values(systems[0]),
                         [](const auto &each) { return std::string(each.param.name); });

TEST_P(DebugBuild, names_the_option_that_is_wrong)
{
    acre_mmap out = {};
    acre_mmap_opts opts = {};
    opts.alignment = 3;
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ, &opts, &out)), "opts->alignment");
    opts = {};
    opts.near_address = &out;
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ, &opts, &out)), "opts->reach");
    opts = {};
    opts.reserved[2] = 1;
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ, &opts, &out)), "opts->reserved");
    opts = flags(1u << 30);
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ, &opts, &out)), "opts->flags & ~taken");
    opts = flags(ACRE_MAP_LOCKED | ACRE_MAP_LOCK_ON_FAULT);
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ, &opts, &out)),
                 "ACRE_MAP_LOCKED.*ACRE_MAP_LOCK_ON_FAULT");
    opts = flags(ACRE_MAP_FIXED);
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ, &opts, &out)), "opts->address");
    opts = {};
    opts.page_size = 12345;
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ, &opts, &out)), "opts->page_size");
    EXPECT_DEATH(use(acre_mmap_anon(1, 8, nullptr, &out)), "access & ");
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ_WRITE_EXEC, nullptr, &out)), "ACRE_MAP_JIT");
    EXPECT_DEATH(use(acre_mmap_anon(1, ACRE_READ, nullptr, nullptr)), "out != ");
    EXPECT_DEATH(use(acre_mmap_file(1, 5, 1, ACRE_READ, nullptr, &out)), "request->offset");
}

TEST_P(DebugBuild, names_the_part_of_a_range_that_is_wrong)
{
    acre_mmap map = anon(4 * page);
    acre_mmap empty = {};
    EXPECT_DEATH(use(acre_mmap_protect(&map, 5, page, ACRE_READ)), "offset & .page - 1");
    EXPECT_DEATH(use(acre_mmap_protect(&map, 0, 5, ACRE_READ)), "length & .page - 1");
    EXPECT_DEATH(use(acre_mmap_lock(&map, 5 * page, 0)), "offset <= map->size");
    EXPECT_DEATH(use(acre_mmap_lock(&map, page, 4 * page)), "length <= map->size - offset");
    EXPECT_DEATH(use(acre_mmap_lock(&empty, 0, 1)), "map->size != 0");
    EXPECT_DEATH(use(acre_mmap_lock(nullptr, 0, 1)), "map != ");
    EXPECT_DEATH(use(acre_mmap_discard(&map, 0, page, 2)), "when <= ACRE_DISCARD_LAZY");
    EXPECT_DEATH(use(acre_mmap_commit_as(&map, 0, page, ACRE_NONE)), "access != ACRE_NONE");
}

TEST_P(DebugBuild, leaves_alone_what_correct_programs_may_do)
{
    acre_mmap map = anon(4 * page);
    acre_mmap empty = {};
    EXPECT_OK(acre_mmap_protect(&map, 0, page, ACRE_READ));
    EXPECT_OK(acre_mmap_unmap(&empty));
    // A size may come from a file, a state from another part of the program.
    EXPECT_STATUS(ACRE_BAD_SIZE, acre_mmap_anon(SIZE_MAX, ACRE_READ, nullptr, &empty));
    acre_mmap ring = {};
    EXPECT_OK(acre_mmap_ring(page, nullptr, &ring));
    EXPECT_STATUS(ACRE_BAD_STATE, acre_mmap_commit(&ring, 0, page));
}

}  // namespace
