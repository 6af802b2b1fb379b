// acre/stack_boost.hpp - acre's stacks for Boost.Context, Boost.Coroutine2 and Boost.Fiber: models
// of their stack allocator concept.
//
//     acre::boost_pool_stacks stacks(pool);
//     boost::context::fiber f(std::allocator_arg, stacks, body);
//     boost::coroutines2::coroutine<int>::pull_type source(stacks, body);
//     boost::fibers::fiber g(std::allocator_arg, stacks, body);
//
// Both are copied freely, and copies are equal: what one allocated another may deallocate, in any
// thread.  The highest bytes of each stack are theirs (128 on 64-bit systems).
#ifndef ACRE_STACK_BOOST_HPP_
#define ACRE_STACK_BOOST_HPP_

#include <boost/assert.hpp>
#include <boost/context/stack_context.hpp>
#include <cstddef>
#include <new>

#include "acre/stack_pool.h"
#include "acre/stack_switch.h"

namespace acre {

/// What a stack begins with, seen from its top.
struct alignas(64) boost_stack_record {
    acre_stack stack;         ///< where it goes back to
    acre_stack_switch tools;  ///< what the tools know of it

    /// What Boost is given: the stack without this record.
    static boost::context::stack_context
    make(const acre_stack &stack)
    {
        char *top = static_cast<char *>(stack.base) + stack.size;
        boost_stack_record *record = new (top - sizeof(boost_stack_record)) boost_stack_record();
        record->stack = stack;
        acre_stack usable = stack;
        usable.size -= sizeof(boost_stack_record);
        acre_stack_switch_open(&record->tools, &usable);
        boost::context::stack_context context;
        context.sp = record;
        context.size = usable.size;
        return context;
    }

    /// The stack, of which nothing is known any more.
    static acre_stack
    end(boost::context::stack_context &context)
    {
        boost_stack_record *record = static_cast<boost_stack_record *>(context.sp);
        acre_stack stack = record->stack;
        acre_stack_switch_close(&record->tools);
        return stack;
    }
};

/// Stacks of a pool, which must outlive all of them.
class boost_pool_stacks {
  public:
    /// Takes stacks from `pool`.
    explicit boost_pool_stacks(acre_stack_pool *pool) noexcept : pool_(pool)
    {
    }

    /// @throw std::bad_alloc when the pool refuses
    boost::context::stack_context
    allocate()
    {
        acre_stack stack;
        if (acre_stack_pool_take(pool_, &stack) != ACRE_OK)
            throw std::bad_alloc();
        return boost_stack_record::make(stack);
    }

    /// Gives the stack back to its pool.
    void
    deallocate(boost::context::stack_context &context) noexcept
    {
        acre_stack stack = boost_stack_record::end(context);
        acre_status status = acre_stack_pool_give(pool_, &stack);
        BOOST_ASSERT(status == ACRE_OK);  // else it was deallocated before
        static_cast<void>(status);
    }

  private:
    acre_stack_pool *pool_;
};

/// Stacks of their own, of at least `size` usable bytes.
class boost_stacks {
  public:
    /// Creates stacks of `size` bytes.
    explicit boost_stacks(std::size_t size) noexcept : size_(size)
    {
    }

    /// @throw std::bad_alloc when the system refuses
    boost::context::stack_context
    allocate()
    {
        acre_stack stack;
        if (size_ > static_cast<std::size_t>(-1) - sizeof(boost_stack_record) ||
            acre_stack_create(size_ + sizeof(boost_stack_record), nullptr, &stack) != ACRE_OK)
            throw std::bad_alloc();
        return boost_stack_record::make(stack);
    }

    /// At the system's limit of areas a stack may stay mapped.
    void
    deallocate(boost::context::stack_context &context) noexcept
    {
        acre_stack stack = boost_stack_record::end(context);
        acre_status status = acre_stack_destroy(&stack);
        BOOST_ASSERT(status == ACRE_OK || status == ACRE_TOO_MANY_AREAS);
        static_cast<void>(status);
    }

  private:
    std::size_t size_;
};

}  // namespace acre

#endif  // ACRE_STACK_BOOST_HPP_
