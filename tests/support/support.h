// tests/support/support.h - the kernel as a witness: what smaps, maps and a child's death say.
//
// On Windows VirtualQuery and a thread's death; what has no counterpart there ends the test as
// skipped.
#ifndef ACRE_TESTS_SUPPORT_SUPPORT_H_
#define ACRE_TESTS_SUPPORT_SUPPORT_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

#include "tests/support/pretend.h"

namespace acre_test {

/// Memory areas of this process by /proc/self/maps.
size_t area_count();

/// The areas in [low, high), each a line; nothing is mapped to tell it.
std::string areas_between(const char *low, const char *high);

/// VmFlags of the area at `address`, as " rd wr mr …  "; empty when nothing is mapped there.
std::string vm_flags(const void *address);
/// Whether the area at `address` carries the two-letter flag.
bool has_vm_flag(const void *address, const char *flag);
/// A "Key:   n kB" line of the area at `address`, in bytes; 0 when there is none.
size_t smaps_bytes(const void *address, const char *key);
/// The same of /proc/self/status (VmRSS, VmPTE, VmLck, …), in bytes.
size_t status_bytes(const char *key);
/// The number behind `key` in a file of lines; 0 when there is none.
uint64_t number_in(const std::string &path, const std::string &key = "");
/// The permission column of /proc/self/maps at `address` ("rw-p"); empty in a hole.
std::string permissions(const void *address);

/// How a child ended.
struct Ended {
    bool exited;  ///< by itself, else by a signal
    int code;     ///< exit status or signal
};
/// Runs `body` in a forked child, without core files; its return value is the exit status.  Where
/// there is no fork the test ends as skipped.
///
/// A child that runs for longer than child_seconds() dies by SIGALRM, and the test fails and says
/// so, whatever it expects of the child.
Ended in_child(const std::function<int()> &body);

/// Half of what the whole test may take (TEST_TIMEOUT in the environment), 60 where nobody says.
unsigned child_seconds();
/// The calling child begins anew to count them: for long work that goes on in rounds, and for
/// children that a test forks by itself.
void give_child_more_time();

/// Ends the test as skipped where there is no fork: for those that must not come to in_child.
void need_fork();

/// The signal that reading (writing) one byte at `address` dies of, in a child; 0 = none.
int signal_of_read(const void *address);
int signal_of_write(void *address);

/// Where a fault at `address` is told to be: on s390x no more than its page is.
const char *told_fault(const void *address);

/// Whether a system call can read the byte at `address` (write(2) to a pipe); raises no signal.
bool readable(const void *address);

/// Whether the system has transparent huge pages; where it has none, none are kept away.
bool has_huge_pages();
/// False where hardly any advice is carried out: under qemu-user, which answers 0 (7.2) or EINVAL
/// (11.1) to it.
bool keeps_advice();
/// The file that a descriptor stands for, as acre takes it.
intptr_t handle_of(int descriptor);

/// The lowest descriptor that is free, on Windows how many handles there are: one that was left
/// open raises it.
int free_descriptor();

/// From here on this process may lock at most `pages` pages, whoever its user is: for children.
/// False where it cannot be had.
bool limit_locks(size_t pages);

/// Ends the test as skipped, from wherever it is.
[[noreturn]] void skip(const char *reason);

/// True under Valgrind, qemu-user and the like, where areas and flags are not the kernel's own.
bool emulated();

/// How often a test repeats what it does `count` times on a real processor: a tenth where every
/// instruction is emulated (also in a kernel that tests/kernels/boot started, by ACRE_SLOW).
inline size_t rounds(size_t count)
{
    static const bool slow = emulated() || std::getenv("ACRE_SLOW") != nullptr;
    return slow ? (count + 9) / 10 : count;
}

/// Skips every test of a program under Valgrind; answers 1.
int skip_under_valgrind(const char *reason);

/// Where `probe` says no, skips the cases of the program that are named: "Suite.case Suite.case
/// ...", with '*' at the end of a name for any ending; answers 1.
int skip_without(bool (*probe)(), const char *reason, const char *cases);

bool owns_kernel();  ///< !emulated()

/// False under emulators that write the account of a process's areas themselves, and have memory
/// among them that is not in it.
bool shows_kernels_account();

/// False under emulators that know nothing of pages without access.
bool knows_hidden_pages();

/// False under emulators that do not tell where in a file that shrank the program read.
bool tells_bus_errors();

}  // namespace acre_test

/// For a file of tests that read faults, areas or limits which Valgrind keeps its own account of.
#define SKIP_UNDER_VALGRIND(reason) \
    [[maybe_unused]] const int skips_under_valgrind = acre_test::skip_under_valgrind(reason)

/// For what has no effect under qemu-user: advice, and what is made of it.
#define SKIP_WITHOUT_ADVICE(cases)                                             \
    [[maybe_unused]] const int skips_without_advice = acre_test::skip_without( \
        acre_test::keeps_advice, "this emulator carries out hardly any advice", cases)

/// For what looks at pages without access.
#define SKIP_WITHOUT_HIDDEN_PAGES(cases)                       \
    [[maybe_unused]] const int skips_without_hidden_pages =    \
        acre_test::skip_without(acre_test::knows_hidden_pages, \
                                "this emulator knows nothing of pages without access", cases)

/// For what goes on after a read beyond the end of a file.
#define SKIP_WITHOUT_BUS_ERRORS(cases)                       \
    [[maybe_unused]] const int skips_without_bus_errors =    \
        acre_test::skip_without(acre_test::tells_bus_errors, \
                                "this emulator does not tell where a file was too short", cases)

/// For what an emulator shows otherwise than a kernel: areas, limits, residency.
#define SKIP_EMULATED(reason, cases)                  \
    [[maybe_unused]] const int skips_where_emulated = \
        acre_test::skip_without(acre_test::owns_kernel, reason, cases)

/// For what counts areas, or looks for room among them.
#define SKIP_WITHOUT_KERNELS_ACCOUNT(cases)                       \
    [[maybe_unused]] const int skips_without_account =            \
        acre_test::skip_without(acre_test::shows_kernels_account, \
                                "this emulator writes the account of areas itself", cases)

#endif  // ACRE_TESTS_SUPPORT_SUPPORT_H_
