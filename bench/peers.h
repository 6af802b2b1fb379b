// bench/peers.h - other allocators, in a form that the questions about arenas can be put to all of
// them alike.
//
// A region hands out blocks and takes all of them back at once; of malloc's family one by one.  All
// peers live in one process, so that they can be asked in turn: glibc, obstacks and std::pmr are
// linked, jemalloc, mimalloc, tcmalloc and APR are loaded with symbols of their own, bumpalo too,
// as a library whose loops are written in Rust (bench/bumpalo.rs, built by ./dev bench).  What is
// not installed says so and is left out.
#ifndef ACRE_BENCH_PEERS_H_
#define ACRE_BENCH_PEERS_H_

#include <benchmark/benchmark.h>
#include <obstack.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory_resource>
#include <string>

#include "acre/arena.h"
#include "bench/check.h"

#define obstack_chunk_alloc std::malloc
#define obstack_chunk_free std::free

namespace peers {

/// A function of a library that is not linked; nullptr when it is not there.
void *find(const char *library, const char *name);

template <class Function>
Function *
find_function(const char *library, const char *name)
{
    return reinterpret_cast<Function *>(find(library, name));
}

// ---- arenas -------------------------------------------------------------------------------------

class Acre {
  public:
    static const char *
    why_not()
    {
        return nullptr;
    }
    Acre()
    {
        check(acre_arena_create(nullptr, &arena_));
    }
    ~Acre()
    {
        check(acre_arena_destroy(&arena_));
    }
    template <size_t size, size_t alignment>
    void *
    constant()
    {
        return acre_arena_alloc_aligned(&arena_, size, alignment);
    }
    void *
    any(size_t size)
    {
        return acre_arena_alloc(&arena_, size);
    }
    void
    take_back(void **, size_t)
    {
        acre_arena_reset(&arena_);
    }

  private:
    acre_arena arena_;
};

/// A cursor that is never checked, over memory that each thread has once: the least that can be
/// done.
class Bare {
  public:
    static const char *
    why_not()
    {
        return nullptr;
    }
    Bare()
    {
        take_back(nullptr, 0);
        benchmark::DoNotOptimize(this);
    }
    template <size_t size, size_t alignment>
    void *
    constant()
    {
        return bump(size, alignment);
    }
    void *
    any(size_t size)
    {
        return bump(size, 16);
    }
    void
    take_back(void **, size_t)
    {
        cursor_ = reinterpret_cast<uintptr_t>(memory());
    }

  private:
    // Never given back.
    static char *
    memory()
    {
        thread_local char *const bytes = static_cast<char *>(std::malloc(size_t(512) << 20));
        return bytes;
    }

    void *
    bump(size_t size, size_t alignment)
    {
        uintptr_t block = (cursor_ + (alignment - 1)) & ~(uintptr_t{alignment} - 1);
        cursor_ = block + size;
        return reinterpret_cast<void *>(block);
    }

    uintptr_t cursor_;
};

class Obstack {
  public:
    static const char *
    why_not()
    {
        return nullptr;
    }
    Obstack()
    {
        obstack_begin(&stack_, 65536 - 64);
        first_ = obstack_alloc(&stack_, 1);
    }
    ~Obstack()
    {
        obstack_free(&stack_, nullptr);
    }
    Obstack(const Obstack &) = delete;
    Obstack &operator=(const Obstack &) = delete;
    template <size_t size, size_t alignment>
    void *
    constant()
    {
        return any(size);
    }
    void *
    any(size_t size)
    {
        return obstack_alloc(&stack_, static_cast<int>(size));
    }
    void
    take_back(void **, size_t)
    {
        obstack_free(&stack_, first_);
        first_ = obstack_alloc(&stack_, 1);
    }

  private:
    struct obstack stack_;
    void *first_;
};

class Pmr {
  public:
    static const char *
    why_not()
    {
        return nullptr;
    }
    template <size_t size, size_t alignment>
    void *
    constant()
    {
        return resource_.allocate(size, alignment);
    }
    void *
    any(size_t size)
    {
        return resource_.allocate(size, 16);
    }
    void
    take_back(void **, size_t)
    {
        resource_.release();
    }

  private:
    std::pmr::monotonic_buffer_resource resource_{65536};
};

/// The Apache runtime's pools.
class Apr {
  public:
    static const char *
    why_not()
    {
        return functions().alloc != nullptr ? nullptr : "libapr-1.so.0 is not there";
    }
    Apr()
    {
        functions().create(&pool_, nullptr, nullptr, nullptr);
    }
    ~Apr()
    {
        functions().destroy(pool_);
    }
    Apr(const Apr &) = delete;
    Apr &operator=(const Apr &) = delete;
    template <size_t size, size_t alignment>
    void *
    constant()
    {
        return any(size);
    }
    void *
    any(size_t size)
    {
        return functions().alloc(pool_, size);
    }
    void
    take_back(void **, size_t)
    {
        functions().clear(pool_);
    }

  private:
    struct Functions {
        int (*create)(void **, void *, void *, void *);
        void *(*alloc)(void *, size_t);
        void (*clear)(void *);
        void (*destroy)(void *);
    };
    static const Functions &functions();

    void *pool_ = nullptr;
};

// ---- malloc's family ----------------------------------------------------------------------------

struct Malloc {
    void *(*allocate)(size_t);
    void (*release)(void *);
};
extern const Malloc jemalloc;
extern const Malloc mimalloc;
extern const Malloc tcmalloc;

struct Glibc {
    static void *
    allocate(size_t size)
    {
        return std::malloc(size);
    }
    static void
    release(void *block)
    {
        std::free(block);
    }
    static const char *
    why_not()
    {
        return nullptr;
    }
};

template <const Malloc &library>
struct Loaded {
    static void *
    allocate(size_t size)
    {
        return library.allocate(size);
    }
    static void
    release(void *block)
    {
        library.release(block);
    }
    static const char *
    why_not()
    {
        return library.allocate != nullptr ? nullptr : "the library is not there";
    }
};

template <class Allocator>
class Family {
  public:
    static const char *
    why_not()
    {
        return Allocator::why_not();
    }
    template <size_t size, size_t alignment>
    void *
    constant()
    {
        return Allocator::allocate(size);
    }
    void *
    any(size_t size)
    {
        return Allocator::allocate(size);
    }
    void
    take_back(void **blocks, size_t count)
    {
        for (size_t i = 0; i < count; i++)
            Allocator::release(blocks[i]);
    }
};

using FamilyOfGlibc = Family<Glibc>;
using FamilyOfJemalloc = Family<Loaded<jemalloc>>;
using FamilyOfMimalloc = Family<Loaded<mimalloc>>;
using FamilyOfTcmalloc = Family<Loaded<tcmalloc>>;

// ---- all of them --------------------------------------------------------------------------------

/// Puts a question to everybody: ASK is a macro of a name and a region.
#define BENCH_FOR_EACH_PEER(ASK)             \
    ASK("acre", peers::Acre)                 \
    ASK("bare", peers::Bare)                 \
    ASK("glibc", peers::FamilyOfGlibc)       \
    ASK("jemalloc", peers::FamilyOfJemalloc) \
    ASK("mimalloc", peers::FamilyOfMimalloc) \
    ASK("tcmalloc", peers::FamilyOfTcmalloc) \
    ASK("apr", peers::Apr)                   \
    ASK("obstack", peers::Obstack)           \
    ASK("pmr", peers::Pmr)

template <class Region>
inline constexpr bool is_family = false;
template <class Allocator>
inline constexpr bool is_family<Family<Allocator>> = true;

/// False, and the benchmark is skipped with the reason, when the peer is not there.
template <class Region>
bool
is_there(benchmark::State &state)
{
    const char *why = Region::why_not();
    if (why != nullptr)
        state.SkipWithError(why);
    return why == nullptr;
}

/// A function of bench/bumpalo.rs, whose library ACRE_BUMPALO tells; nullptr, and the benchmark is
/// skipped with the reason, when it was not built.
template <class Function>
Function *
bumpalo(benchmark::State &state, const char *name)
{
    auto *found = find_function<Function>(std::getenv("ACRE_BUMPALO"), name);
    if (found == nullptr)
        state.SkipWithError("bumpalo was not built (./dev bench does)");
    return found;
}

/// A bump of bumpalo's.
class Bump {
  public:
    explicit Bump(benchmark::State &state)
        : destroy_(bumpalo<void(void *)>(state, "acre_bumpalo_destroy")),
          bump_(bumpalo<void *()>(state, "acre_bumpalo_create")())
    {
    }
    ~Bump()
    {
        destroy_(bump_);
    }
    Bump(const Bump &) = delete;
    Bump &operator=(const Bump &) = delete;
    operator void *() const
    {
        return bump_;
    }

  private:
    void (*destroy_)(void *);
    void *bump_;
};

}  // namespace peers

#endif  // ACRE_BENCH_PEERS_H_
