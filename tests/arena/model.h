// tests/arena/model.h - a plain model of an arena, and calls chosen by numbers: what the random
// test and the fuzzer have in common.
//
// After each call the arena must be where the model is: every block's place, alignment and bytes,
// what is used, which deferred calls have run, which marks are stale.  Under a checker, where
// blocks lie apart, places are taken over from the arena instead of foretold.
#ifndef ACRE_TESTS_ARENA_MODEL_H_
#define ACRE_TESTS_ARENA_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "acre/arena.h"

namespace acre_test {

/// What is not as the model says.
struct Unlike {
    std::string what;
};

#define MODEL_TRUE(condition)                                                    \
    do {                                                                         \
        if (!(condition))                                                        \
            throw acre_test::Unlike{std::to_string(__LINE__) + ": " #condition}; \
    } while (false)

/// `Numbers` gives numbers below a bound: size_t below(size_t).  `refuse_memory`, where there is
/// one, makes the system refuse all memory (true) or as much as before (false).
template <class Numbers>
class Model {
  public:
    Model(Numbers &numbers, uint32_t flags, bool packed, void (*refuse_memory)(bool) = nullptr)
        : numbers_(numbers), packed_(packed), refuse_memory_(refuse_memory)
    {
        opts_.reserve = size_t(64) << 20;
        opts_.flags = flags;
        opts_.limit = LIMIT;
        opts_.keep = 100000;
        MODEL_TRUE(acre_arena_create(&opts_, &arena_) == ACRE_OK);
    }
    ~Model()
    {
        if (acre_arena_destroy(&arena_) != ACRE_OK)
            std::abort();
    }
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;

    /// One call; throws Unlike.
    void step()
    {
        size_t choice = numbers_.below(256);
        if (choice < 150)
            allocate();
        else if (choice < 195)
            resize();
        else if (choice < 213)
            save();
        else if (choice < 233)
            restore();
        else if (choice < 243)
            defer();
        else if (choice < 247)
            trim();
        else if (choice < 250)
            move();
        else if (choice < 251)
            refuse();
        else if (choice < 252)
            refuse_by_system();
        else if (choice < 254)
            reset();
        else
            create_again();
        MODEL_TRUE(arena_.cursor - arena_.base == used_);
        MODEL_TRUE(arena_.limit % ACRE_ARENA_LINE == 0);
        MODEL_TRUE(arena_.cursor <= arena_.limit);
        MODEL_TRUE(used_ <= LIMIT);
    }

    void verify(size_t from = 0) const
    {
        for (size_t i = from; i < blocks_.size(); i++)
            MODEL_TRUE(holds(blocks_[i].place, blocks_[i].size, blocks_[i].value));
    }

  private:
    static const size_t LIMIT = size_t(2) << 20;
    static const size_t NONE = SIZE_MAX;

    struct Block {
        unsigned char *place;
        size_t size;
        unsigned char value;  // of all bytes
    };

    struct Mark {
        acre_arena_mark mark;
        size_t used;
        size_t blocks;
        int calls;
    };

    static uintptr_t at(const void *pointer)
    {
        return reinterpret_cast<uintptr_t>(pointer);
    }

    static bool holds(const void *block, size_t size, unsigned char value)
    {
        const unsigned char *bytes = static_cast<const unsigned char *>(block);
        return size == 0 || (bytes[0] == value && std::memcmp(bytes, bytes + 1, size - 1) == 0);
    }

    void verify_sometimes()
    {
        if (numbers_.below(8) == 0)
            verify();
    }

    size_t some_size()
    {
        size_t kind = numbers_.below(256);
        if (kind < 205)
            return numbers_.below(300);
        return kind < 254 ? numbers_.below(20000) : numbers_.below(size_t(1) << 20);
    }

    size_t some_alignment()
    {
        size_t kind = numbers_.below(256);
        return size_t(1) << (kind < 243 ? kind % 7 : kind % 17);
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
        block.value = static_cast<unsigned char>(numbers_.below(256));
        std::memset(block.place, block.value, block.size);
    }

    // After a call that moved the cursor up.
    void advance(size_t expected)
    {
        size_t now = arena_.cursor - arena_.base;
        MODEL_TRUE(packed_ ? now == expected : now >= expected);
        used_ = now;
    }

    // Checks a block that a call gave and takes it into the model.
    void accept(void *given, size_t size, size_t alignment, size_t expected)
    {
        if (expected == NONE || (given == nullptr && !packed_)) {
            MODEL_TRUE(given == nullptr);
            MODEL_TRUE(acre_arena_status(&arena_) == ACRE_FULL);
            MODEL_TRUE(expected == NONE || expected + 100 >= LIMIT);
            return;
        }
        MODEL_TRUE(at(given) % alignment == 0);
        MODEL_TRUE(at(given) == arena_.base + expected - size);
        advance(expected);
        Block block = {static_cast<unsigned char *>(given), size, 0};
        fill(block);
        blocks_.push_back(block);
    }

    void allocate()
    {
        size_t how = numbers_.below(4);
        size_t size = some_size();
        size_t alignment = some_alignment();
        size_t expected = used_after(size, alignment);
        void *given;
        switch (how) {
        case 0:
            given = acre_arena_alloc_aligned(&arena_, size, alignment);
            break;
        case 1:
            given = acre_arena_alloc_slow(&arena_, size, alignment);
            break;
        case 2:
            given = acre_arena_zalloc(&arena_, size, alignment);
            MODEL_TRUE(given == nullptr || holds(given, size, 0));
            break;
        default:
            given = acre_arena_calloc(&arena_, 1, size, alignment);
            MODEL_TRUE(given == nullptr || holds(given, size, 0));
        }
        accept(given, size, alignment, expected);
    }

    bool is_newest(size_t index) const
    {
        const Block &block = blocks_[index];
        if (index < floor_blocks_)
            return false;
        return at(block.place) + block.size == arena_.base + used_;
    }

    void resize()
    {
        if (blocks_.empty())
            return;
        bool last = numbers_.below(2) != 0;
        size_t index = last ? blocks_.size() - 1 : numbers_.below(blocks_.size());
        Block old = blocks_[index];
        // One of size 0 that lies at a mark may grow there, and a restore takes what it got.  Where
        // places are not foretold, nobody knows whether one is the newest.
        if (old.size == 0 && (index < floor_blocks_ || !packed_))
            return;
        size_t size = numbers_.below(3) != 0 ? old.size + numbers_.below(100) : some_size();
        size_t kept = old.size < size ? old.size : size;
        if (packed_ && (size <= old.size || is_newest(index))) {
            resize_in_place(index, size, kept);
            return;
        }
        size_t expected = used_after(size, ACRE_ARENA_ALIGN);
        void *given = acre_arena_resize(&arena_, old.place, old.size, size);
        MODEL_TRUE(given == nullptr || holds(given, kept, old.value));
        if (given == old.place) {
            used_ = arena_.cursor - arena_.base;
            blocks_[index].size = size;
            fill(blocks_[index]);
            return;
        }
        MODEL_TRUE(size > old.size);
        accept(given, size, ACRE_ARENA_ALIGN, expected);
    }

    void resize_in_place(size_t index, size_t size, size_t kept)
    {
        Block old = blocks_[index];
        bool newest = is_newest(index);
        size_t expected = at(old.place) - arena_.base + size;
        void *given = acre_arena_resize(&arena_, old.place, old.size, size);
        if (size > old.size && expected > LIMIT) {
            MODEL_TRUE(given == nullptr);
            return;
        }
        MODEL_TRUE(given == old.place);
        used_ = newest ? expected : used_;
        MODEL_TRUE(holds(given, kept, old.value));
        blocks_[index].size = size;
        fill(blocks_[index]);
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
        size_t back = numbers_.below(3);
        size_t index = marks_.size() - 1 - (back < marks_.size() ? back : 0);
        Mark mark = marks_[index];
        marks_.resize(index + 1);
        verify(mark.blocks);
        calls_ = expected_calls_;
        acre_arena_restore(&arena_, mark.mark);
        MODEL_TRUE(mark.calls == calls_);
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
        if (status != ACRE_OK) {
            MODEL_TRUE(status == ACRE_FULL && (expected == NONE || !packed_));
            return;
        }
        MODEL_TRUE(expected != NONE);
        advance(expected);
        expected_calls_++;
    }

    void trim()
    {
        MODEL_TRUE(acre_arena_trim(&arena_, numbers_.below(100000)) == ACRE_OK);
        verify_sometimes();
    }

    void move()
    {
        acre_arena moved = arena_;
        std::memset(&arena_, 0xee, sizeof arena_);
        arena_ = moved;
        if (numbers_.below(2) != 0) {
            acre_status status = acre_arena_ensure(&arena_, numbers_.below(100000));
            MODEL_TRUE(status == ACRE_OK || (status == ACRE_FULL && used_ + 100100 > LIMIT));
        }
    }

    void refuse()
    {
        acre_arena before = arena_;
        MODEL_TRUE(acre_arena_alloc_aligned(&arena_, LIMIT + 1, 1) == nullptr);
        before.status = ACRE_FULL;
        MODEL_TRUE(std::memcmp(&before, &arena_, sizeof before) == 0);
    }

    // A block that the arena has no memory for; afterwards all goes on as before.
    void refuse_by_system()
    {
        if (refuse_memory_ == nullptr)
            return;
        size_t size = arena_.limit - arena_.cursor + numbers_.below(20000);
        size_t expected = used_after(size, ACRE_ARENA_ALIGN);
        acre_arena before = arena_;
        refuse_memory_(true);
        void *given = acre_arena_alloc(&arena_, size);
        refuse_memory_(false);
        if (given != nullptr || expected == NONE) {
            accept(given, size, ACRE_ARENA_ALIGN, expected);
            return;
        }
        MODEL_TRUE(arena_.status == -ENOMEM);
        before.status = arena_.status;
        MODEL_TRUE(std::memcmp(&before, &arena_, sizeof before) == 0);
    }

    void forget()
    {
        MODEL_TRUE(calls_ == 0);
        expected_calls_ = 0;
        used_ = 0;
        blocks_.clear();
        marks_.clear();
        floor_blocks_ = 0;
    }

    void reset()
    {
        verify_sometimes();
        calls_ = expected_calls_;
        acre_arena_mark old = acre_arena_save(&arena_);
        acre_arena_reset(&arena_);
        forget();
        acre_arena_restore(&arena_, old);
        MODEL_TRUE(acre_arena_status(&arena_) == ACRE_STALE);
    }

    // The next one may have the reservation of this one.
    void create_again()
    {
        verify_sometimes();
        calls_ = expected_calls_;
        acre_arena_mark old = acre_arena_save(&arena_);
        MODEL_TRUE(acre_arena_destroy(&arena_) == ACRE_OK);
        MODEL_TRUE(acre_arena_create(&opts_, &arena_) == ACRE_OK);
        forget();
        MODEL_TRUE(acre_arena_status(&arena_) == ACRE_OK);
        acre_arena_restore(&arena_, old);
        MODEL_TRUE(acre_arena_status(&arena_) == ACRE_STALE);
    }

    Numbers &numbers_;
    const bool packed_;
    void (*const refuse_memory_)(bool);
    acre_arena_opts opts_ = {};
    acre_arena arena_ = {};
    std::vector<Block> blocks_;
    std::vector<Mark> marks_;
    size_t used_ = 0;
    size_t floor_blocks_ = 0;  // blocks made before the newest mark
    int expected_calls_ = 0;   // deferred and not run
    int calls_ = 0;
};

}  // namespace acre_test

#endif  // ACRE_TESTS_ARENA_MODEL_H_
