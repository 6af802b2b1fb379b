// Many random calls, compared with a plain model: every block's place, alignment and bytes.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "tests/arena/arena_test.h"

using namespace acre_test;

namespace {

const size_t LIMIT = 4 * MIB;
const size_t NONE = SIZE_MAX;
const int OPERATIONS = 100000;

struct Block {
    unsigned char *place;
    size_t size;
    unsigned char value;  // of all bytes
};

// What must be true of an arena after each call, kept in the simplest way.
class Model {
  public:
    explicit Model(unsigned seed, uint32_t flags) : random_(seed), arena_(make(flags))
    {
    }

    void step()
    {
        size_t choice = random_() % 1000;
        if (choice < 600)
            allocate();
        else if (choice < 780)
            resize();
        else if (choice < 850)
            save();
        else if (choice < 930)
            restore();
        else if (choice < 970)
            defer();
        else if (choice < 985)
            trim();
        else if (choice < 990)
            reset();
        else
            refuse();
        ASSERT_EQ(used_, arena_.cursor - arena_.base);
        ASSERT_EQ(0u, arena_.limit % ACRE_ARENA_LINE);
        ASSERT_LE(arena_.cursor, arena_.limit);
    }

    void verify(size_t from = 0) const
    {
        for (size_t i = from; i < blocks_.size(); i++)
            ASSERT_TRUE(all_are(blocks_[i].place, blocks_[i].size, blocks_[i].value))
                << "block " << i;
    }

    void reset()
    {
        verify();
        calls_ = expected_calls_;
        acre_arena_mark old = acre_arena_save(&arena_);
        acre_arena_reset(&arena_);
        ASSERT_EQ(0, calls_);
        expected_calls_ = 0;
        used_ = 0;
        blocks_.clear();
        marks_.clear();
        floor_blocks_ = 0;
        acre_arena_restore(&arena_, old);
        ASSERT_EQ(ACRE_STALE, acre_arena_status(&arena_));
    }

  private:
    struct Mark {
        acre_arena_mark mark;
        size_t used;
        size_t blocks;
        int calls;
    };

    static acre_arena_opts make(uint32_t flags)
    {
        acre_arena_opts opts = with_flags(flags);
        opts.limit = LIMIT;
        opts.keep = 100 * KIB;
        return opts;
    }

    size_t some_size()
    {
        size_t kind = random_() % 100;
        if (kind < 80)
            return random_() % 300;
        return kind < 99 ? random_() % 20000 : random_() % (2 * MIB);
    }

    size_t some_alignment()
    {
        size_t kind = random_() % 100;
        return size_t(1) << (kind < 95 ? random_() % 7 : random_() % 17);
    }

    // Bytes used once `size` more are handed out; NONE when they do not fit.
    size_t used_after(size_t size, size_t alignment) const
    {
        uintptr_t place = arena_.base + used_;
        while (place % alignment != 0)
            place++;
        return place - arena_.base + size <= LIMIT ? place - arena_.base + size : NONE;
    }

    void fill(Block &block)
    {
        block.value = static_cast<unsigned char>(random_());
        std::memset(block.place, block.value, block.size);
    }

    // Checks a block that a call gave and takes it into the model.
    void accept(void *given, size_t size, size_t alignment, size_t expected)
    {
        if (expected == NONE) {
            ASSERT_EQ(nullptr, given);
            ASSERT_EQ(ACRE_FULL, acre_arena_status(&arena_));
            return;
        }
        ASSERT_EQ(arena_.base + expected - size, address(given));
        ASSERT_EQ(0u, address(given) % alignment);
        used_ = expected;
        Block block = {static_cast<unsigned char *>(given), size, 0};
        fill(block);
        blocks_.push_back(block);
    }

    void allocate()
    {
        size_t size = some_size();
        size_t alignment = some_alignment();
        size_t expected = used_after(size, alignment);
        void *given;
        switch (random_() % 4) {
        case 0:
            given = acre_arena_alloc_aligned(&arena_, size, alignment);
            break;
        case 1:
            given = acre_arena_alloc_slow(&arena_, size, alignment);
            break;
        case 2:
            given = acre_arena_zalloc(&arena_, size, alignment);
            ASSERT_TRUE(given == nullptr || all_are(given, size, 0));
            break;
        default:
            given = acre_arena_calloc(&arena_, 1, size, alignment);
            ASSERT_TRUE(given == nullptr || all_are(given, size, 0));
        }
        accept(given, size, alignment, expected);
    }

    void resize()
    {
        if (blocks_.empty())
            return;
        size_t index = random_() % 2 ? blocks_.size() - 1 : random_() % blocks_.size();
        Block old = blocks_[index];
        // One of size 0 that lies at a mark may grow there, and a restore takes what it got.
        if (old.size == 0 && index < floor_blocks_)
            return;
        size_t size = random_() % 3 ? old.size + random_() % 100 : some_size();
        bool newest =
            address(old.place) + old.size == arena_.base + used_ && index >= floor_blocks_;
        size_t kept = std::min(old.size, size);
        if (size <= old.size || newest) {
            size_t expected = address(old.place) - arena_.base + size;
            void *given = acre_arena_resize(&arena_, old.place, old.size, size);
            if (size > old.size && expected > LIMIT) {
                ASSERT_EQ(nullptr, given);
                return;
            }
            ASSERT_EQ(old.place, given);
            used_ = newest ? expected : used_;
            ASSERT_TRUE(all_are(given, kept, old.value));
            blocks_[index].size = size;
            fill(blocks_[index]);
            return;
        }
        size_t expected = used_after(size, ACRE_ARENA_ALIGN);
        void *given = acre_arena_resize(&arena_, old.place, old.size, size);
        ASSERT_TRUE(given == nullptr || all_are(given, kept, old.value));
        accept(given, size, ACRE_ARENA_ALIGN, expected);
    }

    void save()
    {
        marks_.push_back({acre_arena_save(&arena_), used_, blocks_.size(), expected_calls_});
        floor_blocks_ = blocks_.size();
    }

    void restore()
    {
        if (marks_.empty())
            return;
        size_t index = marks_.size() - 1 - random_() % std::min(marks_.size(), size_t(3));
        Mark mark = marks_[index];
        marks_.resize(index + 1);
        verify(mark.blocks);
        calls_ = expected_calls_;
        acre_arena_restore(&arena_, mark.mark);
        ASSERT_EQ(mark.calls, calls_);
        expected_calls_ = mark.calls;
        used_ = mark.used;
        blocks_.resize(mark.blocks);
        floor_blocks_ = mark.blocks;
    }

    // A deferred call takes one off what the test has counted.
    void defer()
    {
        size_t expected = used_after(32, sizeof(void *));
        acre_status status = acre_arena_defer(
            &arena_, [](void *model) { static_cast<Model *>(model)->calls_--; }, this);
        ASSERT_EQ(expected != NONE ? ACRE_OK : ACRE_FULL, status);
        if (status != ACRE_OK)
            return;
        used_ = expected;
        expected_calls_++;
    }

    void trim()
    {
        ASSERT_EQ(ACRE_OK, acre_arena_trim(&arena_, random_() % (100 * KIB)));
        verify();
    }

    void refuse()
    {
        acre_arena before = arena_;
        ASSERT_EQ(nullptr, acre_arena_alloc_aligned(&arena_, LIMIT + 1, 1));
        ASSERT_TRUE(unchanged(but_status(before, ACRE_FULL), arena_));
    }

    std::mt19937 random_;
    std::vector<Block> blocks_;
    std::vector<Mark> marks_;
    size_t used_ = 0;
    size_t floor_blocks_ = 0;  // blocks made before the newest mark
    int expected_calls_ = 0;   // deferred and not run
    int calls_ = 0;
    Arena arena_;  // last: its end runs calls that count here
};

unsigned seed()
{
    const char *given = std::getenv("ACRE_TEST_SEED");
    unsigned value = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                      : std::random_device()();
    std::printf("ACRE_TEST_SEED=%u\n", value);
    return value;
}

void run(uint32_t flags)
{
    Model model(seed(), flags);
    for (int i = 0; i < OPERATIONS; i++) {
        SCOPED_TRACE(i);
        model.step();
        if (i % 1000 == 0)
            model.verify();
        if (testing::Test::HasFatalFailure())
            return;
    }
    model.verify();
    model.reset();
}

}  // namespace

TEST(Random, an_arena_does_as_the_model)
{
    run(0);
}

TEST(Random, a_wiping_arena_does_too)
{
    run(ACRE_ARENA_WIPE);
}

TEST(Random, and_one_with_its_core_elsewhere)
{
    if (!acre_can(ACRE_CAN_WIPE_ON_FORK))
        GTEST_SKIP() << "this system cannot wipe memory at fork";
    run(ACRE_ARENA_WIPE_ON_FORK);
}
