// tests/support/staying.h - threads that stay alive after their work.
#ifndef ACRE_TESTS_SUPPORT_STAYING_H_
#define ACRE_TESTS_SUPPORT_STAYING_H_

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace acre_test {

/// Threads that have run body(0), body(1), … and then wait in the system until end().
class Staying {
  public:
    template <class Body>
    Staying(size_t count, Body body)
    {
        threads_.reserve(count);
        for (size_t i = 0; i < count; i++) {
            threads_.emplace_back([this, body, i] {
                body(i);
                std::unique_lock<std::mutex> lock(mutex_);
                arrived_++;
                changed_.notify_all();
                changed_.wait(lock, [this] { return may_end_; });
            });
        }
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this, count] { return arrived_ == count; });
    }
    Staying(const Staying &) = delete;
    Staying &operator=(const Staying &) = delete;
    ~Staying()
    {
        end();
    }

    void end()
    {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            may_end_ = true;
            changed_.notify_all();
        }
        for (std::thread &thread : threads_)
            thread.join();
        threads_.clear();
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    size_t arrived_ = 0;
    bool may_end_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace acre_test

#endif  // ACRE_TESTS_SUPPORT_STAYING_H_
