// One input of the fuzzer: its bytes choose the calls that are made on an arena and its model.
#include <cstdio>
#include <cstdlib>

#include "tests/arena/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace {

class Bytes {
  public:
    Bytes(const uint8_t *data, size_t size) : data_(data), left_(size)
    {
    }
    bool left() const
    {
        return left_ != 0;
    }
    // As many bytes as the bound needs; zeros when there are no more.
    size_t below(size_t bound)
    {
        size_t value = 0;
        for (size_t rest = bound - 1; rest != 0; rest >>= 8)
            value = value << 8 | next();
        return value % bound;
    }

  private:
    uint8_t next()
    {
        if (left_ == 0)
            return 0;
        left_--;
        return *data_++;
    }

    const uint8_t *data_;
    size_t left_;
};

// Whether blocks lie one after the other.
bool packs()
{
    acre_arena arena = {};
    acre_arena_opts opts = {};
    opts.reserve = size_t(1) << 20;
    if (acre_arena_create(&opts, &arena) != ACRE_OK)
        std::abort();
    void *block = acre_arena_alloc_aligned(&arena, 1, 1);
    bool packed = block != nullptr && arena.cursor - arena.base == 1;
    if (acre_arena_destroy(&arena) != ACRE_OK)
        std::abort();
    return packed;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const bool packed = packs();
    Bytes bytes(data, size);
    const uint32_t flags[] = {0, ACRE_ARENA_WIPE, ACRE_ARENA_NO_HUGE, ACRE_ARENA_NO_CACHE};
    uint32_t flag = flags[bytes.below(4)];
    try {
        acre_test::Model<Bytes> model(bytes, flag, packed);
        while (bytes.left())
            model.step();
        model.verify();
    } catch (const acre_test::Unlike &unlike) {
        std::fprintf(stderr, "model.h:%s\n", unlike.what.c_str());
        std::abort();
    }
    return 0;
}
