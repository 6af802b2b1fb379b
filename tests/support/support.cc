#include "tests/support/support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>

#ifdef __linux__
#include <linux/capability.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#endif

#include "acre/page.h"

namespace acre_test {
namespace {

// The lines of the area at `address` in a maps-like file, its header first.
std::string area_text(const char *file, const void *address)
{
    std::ifstream in(file);
    std::string line;
    std::string text;
    bool inside = false;
    while (std::getline(in, line)) {
        uintptr_t start = 0;
        uintptr_t end = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " ", &start, &end) == 2 &&
            line.find('-') < 17) {
            uintptr_t at = reinterpret_cast<uintptr_t>(address);
            inside = start <= at && at < end;
        }
        if (inside)
            text += line + "\n";
    }
    return text;
}

// False where an emulator shows the areas of its own process, at its own addresses.
bool shows_own_addresses()
{
    static const bool shows = [] {
        // A page that differs from those around it is an area of its own.
        auto size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        void *base = mmap(nullptr, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        char *page = static_cast<char *>(base) + size;
        char bounds[64];
        std::snprintf(bounds, sizeof bounds, "%08" PRIxPTR "-%08" PRIxPTR " r--p ",
                      reinterpret_cast<uintptr_t>(page), reinterpret_cast<uintptr_t>(page) + size);
        bool found =
            mprotect(page, size, PROT_READ) == 0 &&
            area_text("/proc/self/smaps", page).compare(0, std::strlen(bounds), bounds) == 0;
        munmap(base, 3 * size);
        return found;
    }();
    return shows;
}

// What the kernel tells of the area at `address`; ends the test as skipped where that is not to be
// had.
std::string account_of(const void *address)
{
    if (!shows_own_addresses())
        skip("this emulator shows its own areas, not those of the program");
    return area_text("/proc/self/smaps", address);
}

size_t kilobytes(std::istream &in, const std::string &key)
{
    std::string line;
    while (std::getline(in, line)) {
        if (line.compare(0, key.size() + 1, key + ":") == 0)
            return std::strtoul(line.c_str() + key.size() + 1, nullptr, 10) * 1024;
    }
    return 0;
}

}  // namespace

size_t area_count()
{
    // Without allocating: an allocator would now and then map an area of its own between two
    // counts.
    char bytes[4096];
    std::string_view vsyscall = "[vsyscall]\n";
    size_t lines = 0;
    size_t matched = 0;  // bytes of vsyscall seen in a row; its line is the last
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    for (ssize_t got; (got = read(file, bytes, sizeof bytes)) > 0;) {
        for (ssize_t i = 0; i < got; i++) {
            lines += bytes[i] == '\n';
            if (matched < vsyscall.size())
                matched = bytes[i] == vsyscall[matched] ? matched + 1 : bytes[i] == '[';
        }
    }
    close(file);
    return lines - (matched == vsyscall.size());
}

std::string areas_between(const char *low, const char *high)
{
    static char text[1 << 20];
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t got;
    while (length < sizeof text - 1 &&
           (got = read(maps, text + length, sizeof text - 1 - length)) > 0)
        length += static_cast<size_t>(got);
    close(maps);
    text[length] = 0;
    std::string found;
    for (char *line = text; *line != 0;) {
        char *end = std::strchr(line, '\n');
        if (end == nullptr)
            break;
        char *middle;
        uintptr_t first = std::strtoul(line, &middle, 16);
        uintptr_t last = std::strtoul(middle + 1, nullptr, 16);
        if (last > reinterpret_cast<uintptr_t>(low) && first < reinterpret_cast<uintptr_t>(high))
            found.append(line, static_cast<size_t>(end + 1 - line));
        line = end + 1;
    }
    return found;
}

std::string vm_flags(const void *address)
{
    std::string text = account_of(address);
    size_t at = text.find("VmFlags:");
    return at == std::string::npos ? "" : text.substr(at + 8, text.find('\n', at) - at - 8) + " ";
}

// The kernel counts a program's variables ("ac"), and no emulator that writes flags itself does.
bool shows_kernels_account()
{
    static char here;
    std::string flags = vm_flags(&here);
    return flags.empty() || flags.find(" ac ") != std::string::npos;
}

static void want_kernels_account()
{
    if (!shows_kernels_account())
        skip("this emulator writes the account of a process's areas itself");
}

bool has_vm_flag(const void *address, const char *flag)
{
    want_kernels_account();
    return vm_flags(address).find(std::string(" ") + flag + " ") != std::string::npos;
}

size_t smaps_bytes(const void *address, const char *key)
{
    want_kernels_account();
    std::istringstream in(account_of(address));
    return kilobytes(in, key);
}

size_t status_bytes(const char *key)
{
    std::ifstream in("/proc/self/status");
    return kilobytes(in, key);
}

uint64_t number_in(const std::string &path, const std::string &key)
{
    std::ifstream in(path);
    std::string line;
    while (std::getline(in, line)) {
        if (line.compare(0, key.size(), key) == 0)
            return std::strtoull(line.c_str() + key.size(), nullptr, 10);
    }
    return 0;
}

std::string permissions(const void *address)
{
    std::string text = area_text("/proc/self/maps", address);
    return text.empty() ? "" : text.substr(text.find(' ') + 1, 4);
}

void need_fork()
{
}

unsigned child_seconds()
{
    const char *whole = std::getenv("TEST_TIMEOUT");
    unsigned long seconds = whole != nullptr ? std::strtoul(whole, nullptr, 10) / 2 : 0;
    return seconds > 0 ? static_cast<unsigned>(seconds) : 60;
}

void give_child_more_time()
{
    std::signal(SIGALRM, SIG_DFL);
    alarm(child_seconds());
}

enum { SKIPPED_IN_CHILD = 123 };

Ended in_child(const std::function<int()> &body)
{
    std::fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        // A fault must kill, also where a sanitizer or a test framework would catch it.
        for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
            std::signal(signal, SIG_DFL);
        give_child_more_time();
        try {
            _exit(body());
        } catch (const testing::AssertionException &) {
            _exit(SKIPPED_IN_CHILD);  // by skip()
        }
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return {false, -1};
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED_IN_CHILD)
        skip("skipped in a child");
    if (WIFEXITED(status))
        return {true, WEXITSTATUS(status)};
    if (WTERMSIG(status) == SIGALRM)
        ADD_FAILURE() << "the child took more than " << child_seconds() << " s: SIGALRM";
    return {false, WTERMSIG(status)};
}

int signal_of_read(const void *address)
{
    Ended ended = in_child([=] { return *static_cast<const volatile char *>(address) & 0; });
    return ended.exited ? 0 : ended.code;
}

int signal_of_write(void *address)
{
    Ended ended = in_child([=] {
        *static_cast<volatile char *>(address) = 1;
        return 0;
    });
    return ended.exited ? 0 : ended.code;
}

static bool under_valgrind()
{
    static const bool under = [] {
        // Valgrind maps a library of its own into the program.
        std::ifstream in("/proc/self/maps");
        std::string line;
        while (std::getline(in, line)) {
            if (line.find("/vgpreload_") != std::string::npos)
                return true;
        }
        return false;
    }();
    return under;
}

// Before any test begins, which may forbid to allocate.
[[maybe_unused]] static const bool asked_early = under_valgrind();

bool readable(const void *address)
{
#ifdef __linux__
    // Memcheck would report the write.
    if (under_valgrind()) {
        char byte;
        struct iovec here = {&byte, 1}, there = {const_cast<void *>(address), 1};
        return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1;
    }
#endif
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    bool ok = write(ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return ok;
}

intptr_t handle_of(int descriptor)
{
    return descriptor;
}

int free_descriptor()
{
    int descriptor = dup(0);
    close(descriptor);
    return descriptor;
}

#ifdef __linux__
// The limit does not hold for those with a capability.
static bool give_up_capability()
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {};
    if (syscall(SYS_capget, &header, sets) != 0)
        return false;
    sets[0].effective &= ~(1u << CAP_IPC_LOCK);
    return syscall(SYS_capset, &header, sets) == 0;
}
#else
static bool give_up_capability()
{
    return true;
}
#endif

bool limit_locks(size_t pages)
{
    size_t size = pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    struct rlimit limit = {size, size};
    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && give_up_capability();
}

bool keeps_advice()
{
    // A kernel refuses advice that does not exist, and takes what each Linux knows.
    static const bool keeps = [] {
        alignas(65536) static char page[65536];
        bool all = madvise(page, sizeof page, 0x7fff) == 0;
#ifdef MADV_DONTFORK
        bool none = madvise(page, sizeof page, MADV_DONTFORK) != 0 ||
                    madvise(page, sizeof page, MADV_DOFORK) != 0;
#else
        bool none = false;
#endif
        return !all && !none;
    }();
    return keeps;
}

bool emulated()
{
    static char here;
    return under_valgrind() || !keeps_advice() || !shows_own_addresses() ||
           !shows_kernels_account() || vm_flags(&here).empty();
}

int skip_under_valgrind(const char *reason)
{
    return skip_without([] { return !under_valgrind(); }, reason, "*");
}

bool owns_kernel()
{
    return !emulated();
}

bool knows_hidden_pages()
{
    return !emulated() || acre_can(ACRE_CAN_COUNT_RESIDENT_EXACTLY);
}

bool tells_bus_errors()
{
    // Of a file that was cut off, and in a child, which a signal without an address may end.
    static char *page;
    FILE *file = std::tmpfile();
    if (file == nullptr)
        return true;
    size_t size = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    page = static_cast<char *>(mmap(nullptr, size, PROT_READ, MAP_SHARED, fileno(file), 0));
    Ended ended = in_child([] {
        struct sigaction action = {};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = [](int, siginfo_t *info, void *) {
            _exit(info->si_code > 0 && info->si_addr == page ? 0 : 1);
        };
        sigaction(SIGBUS, &action, nullptr);
        return *static_cast<volatile char *>(page) + 1;
    });
    munmap(page, size);
    std::fclose(file);
    return ended.exited && ended.code == 0;
}

}  // namespace acre_test
