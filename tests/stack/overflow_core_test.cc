// The core file of an overflow that nobody caught shows the overflow: its signal, its address.
#include <elf.h>
#include <link.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "acre/stack_overflow.h"
#include "gtest/gtest.h"
#include "mmap/port/memory.h"
#include "tests/stack/overrun.h"
#include "tests/support/core.h"
#include "tests/support/posix.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind writes core files of its own");
SKIP_EMULATED("emulators write core files of their own", "Guards/OverflowCore.* Core.*");

// What the kernel delivered last, as it wrote it into the core file.
bool read_signal(const std::string &core, siginfo_t *out)
{
    ElfW(Ehdr) head;
    if (core.size() < sizeof head)
        return false;
    std::memcpy(&head, core.data(), sizeof head);
    for (size_t i = 0; i < head.e_phnum; i++) {
        ElfW(Phdr) segment;
        std::memcpy(&segment, core.data() + head.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type != PT_NOTE)
            continue;
        size_t at = segment.p_offset;
        size_t end = at + segment.p_filesz;
        while (at + sizeof(ElfW(Nhdr)) <= end && end <= core.size()) {
            ElfW(Nhdr) note;
            std::memcpy(&note, core.data() + at, sizeof note);
            size_t content = at + sizeof note + (note.n_namesz + 3) / 4 * 4;
            if (note.n_type == NT_SIGINFO && note.n_descsz >= sizeof *out) {
                std::memcpy(out, core.data() + content, sizeof *out);
                return true;
            }
            at = content + (note.n_descsz + 3) / 4 * 4;
        }
    }
    return false;
}

class OverflowCore : public testing::TestWithParam<acre_guard_kind> {
  protected:
    void SetUp() override
    {
        use_guards(GetParam());
    }
    void TearDown() override
    {
        acre_port_pretend_nothing();
    }
};

// What the child was told, in memory that outlives it.
const void **told;

// The core file of a child that runs over; only its notes are wanted.
std::string core_of_overflow()
{
    return core_of([] {
        static Subject subject;
        std::ofstream("/proc/self/coredump_filter") << "0" << std::flush;
        auto report = [](const acre_stack_info *stack, const void *address, const void *, void *) {
            if (Subject::of(*stack) == &subject)
                *told = address;
        };
        if (acre_stack_overflow_install(report, nullptr) != ACRE_OK || subject.create() != ACRE_OK)
            _exit(1);
        subject.run_over(recurse);
    });
}

TEST_P(OverflowCore, of_an_unhandled_overflow_shows_it)
{
    std::string reason = no_core_because();
    if (!reason.empty())
        GTEST_SKIP() << reason;
    void *shared =
        mmap(nullptr, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(MAP_FAILED, shared);
    told = static_cast<const void **>(shared);
    std::string core = core_of_overflow();
    ASSERT_FALSE(core.empty()) << "no core file, though kernel.core_pattern permits it";
    siginfo_t info = {};
    ASSERT_TRUE(read_signal(core, &info));
    EXPECT_EQ(SIGSEGV, info.si_signo);
    EXPECT_EQ(GetParam() == ACRE_GUARD_MARKER ? SEGV_MAPERR : SEGV_ACCERR, info.si_code);
    EXPECT_NE(nullptr, *told);
    EXPECT_EQ(*told, info.si_addr);
    munmap(shared, sizeof *told);
}

#if defined(__linux__)
// Of a fault that does not come again the handler itself has to tell the kernel.
TEST(Core, of_what_does_not_come_again_shows_what_the_kernel_reported)
{
    std::string reason = no_core_because();
    if (!reason.empty())
        GTEST_SKIP() << reason;
    for (int code : {static_cast<int>(SI_KERNEL), 8, static_cast<int>(SI_QUEUE)}) {
        SCOPED_TRACE(code);
        std::string core = core_of([code] {
            std::ofstream("/proc/self/coredump_filter") << "0" << std::flush;
            siginfo_t sent = {};
            sent.si_signo = SIGSEGV;
            sent.si_code = code;
            sent.si_pid = 12345;
            auto report = [](const acre_stack_info *, const void *, const void *, void *) {};
            if (acre_stack_overflow_install(report, nullptr) == ACRE_OK)
                syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), SIGSEGV, &sent);
        });
        ASSERT_FALSE(core.empty()) << "no core file, though kernel.core_pattern permits it";
        siginfo_t info = {};
        ASSERT_TRUE(read_signal(core, &info));
        EXPECT_EQ(SIGSEGV, info.si_signo);
        EXPECT_EQ(code, info.si_code);
        EXPECT_EQ(12345, info.si_pid);
    }
}
#endif

INSTANTIATE_TEST_SUITE_P(Guards, OverflowCore, testing::Values(ACRE_GUARD_MARKER, ACRE_GUARD_PAGES),
                         [](const testing::TestParamInfo<acre_guard_kind> &kind) {
                             return name_of(kind.param);
                         });

}  // namespace
