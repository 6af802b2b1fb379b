// acre/acre.hpp - acre for C++17 and later: owners that give back what they hold.  Header only.
//
// Conventions
//   Each owner (acre::map, acre::image, acre::arena, acre::stack, acre::pool) holds one handle of
//   the C interface and ends it when it goes.  It can be moved, not copied.  What was moved from is
//   empty, converts to false, and may be used again; assigning an object to itself does nothing.
//   Calls on an empty owner return ACRE_EMPTY_HANDLE or NULL as the C calls do (a pool's too).
//   The calls are those of the C headers, which say what they do, return, and may be called from:
//   acre::map::commit is acre_mmap_commit.  Threads and signals as there, too.  For what is not
//   here, `get()` is the C handle.  `release()` hands the handle out and leaves the owner empty;
//   a constructor takes one that you have.
//   Errors: nothing is thrown unless you ask.  A call returns an acre_status, or an
//   acre::result<T>, which is a T or a status; neither may be dropped unseen.
//   acre::or_throw(call) throws std::system_error instead.  Without exceptions (-fno-exceptions)
//   all is there but or_throw and acre::arena_resource.  RTTI is not needed.
//   Destructors and move assignments drop the status of what they end.  What the system refuses to
//   end then stays as it is: a sealed map, a pool of which stacks are out.  Call close() before if
//   you want to know; it leaves the owner empty when it returns ACRE_OK, and as it was otherwise.
//   Nothing is allocated behind your back.  A text of std::error_code is a std::string.
//   In the child of a fork, release() what the child does not have (DONT_FORK).
//
//     acre::result<acre::map> map = acre::map::reserve(std::size_t{64} << 30);
//     if (!map)
//         return map.status();
//     if (acre_status status = map->commit(0, 1 << 20))
//         return status;
//     std::memcpy(map->data(), bytes, size);
//
//     acre::map sure = acre::or_throw(acre::map::anon(1 << 20));
#ifndef ACRE_ACRE_HPP_
#define ACRE_ACRE_HPP_

#include "acre/arena.hpp"
#include "acre/map.hpp"
#include "acre/result.hpp"
#include "acre/stack.hpp"

#endif  // ACRE_ACRE_HPP_
