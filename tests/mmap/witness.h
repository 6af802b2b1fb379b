// tests/mmap/witness.h - the kernel's word on many pages at once, and limits that it keeps.
#ifndef ACRE_TESTS_MMAP_WITNESS_H_
#define ACRE_TESTS_MMAP_WITNESS_H_

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "tests/mmap/maps.h"
#include "tests/mmap/page_model.h"

namespace acre_test {

/// Asks the kernel, without an allocation, without a signal, and without a new descriptor.
class Witness {
  public:
    Witness()
    {
        maps_ = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        smaps_ = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
        status_ = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        if (maps_ < 0 || smaps_ < 0 || status_ < 0 || pipe2(pipe_, O_CLOEXEC) != 0)
            std::abort();
        text_.resize(size_t{1} << 20);
    }
    Witness(const Witness &) = delete;
    Witness &operator=(const Witness &) = delete;
    ~Witness()
    {
        for (int descriptor : {maps_, smaps_, status_, pipe_[0], pipe_[1]})
            close(descriptor);
    }

    std::vector<Seen> look(const char *base, size_t count, bool at_contents)
    {
        std::vector<Seen> seen(count);
        each_line(maps_, [&](const char *line) {
            uintptr_t start = 0;
            uintptr_t end = 0;
            char access[5] = "";
            if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &start, &end, access) != 3)
                return;
            for (size_t i = first(base, start); i < count && address(base, i) < end; i++) {
                seen[i].mapped = true;
                seen[i].area = start;
                seen[i].access = (access[0] == 'r' ? uint32_t{ACRE_READ} : 0u) |
                                 (access[1] == 'w' ? uint32_t{ACRE_WRITE} : 0u) |
                                 (access[2] == 'x' ? uint32_t{ACRE_EXEC} : 0u);
            }
        });
        for (size_t i = 0; i < count && at_contents; i++) {
            seen[i].looked = seen[i].mapped;
            if (seen[i].mapped)
                seen[i].readable = to_pipe(place(base, i)) && from_pipe(&seen[i].byte);
        }
        return seen;
    }

    /// The two letters of smaps for each page, as " rd wr …".
    std::vector<std::string> flags(const char *base, size_t count)
    {
        std::vector<std::string> found(count);
        uintptr_t start = 0;
        uintptr_t end = 0;
        each_line(smaps_, [&](const char *line) {
            if (std::strncmp(line, "VmFlags:", 8) != 0) {
                char space = 0;
                uintptr_t from = 0;
                uintptr_t to = 0;
                if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR "%c", &from, &to, &space) == 3) {
                    start = from;
                    end = to;
                }
                return;
            }
            for (size_t i = first(base, start); i < count && address(base, i) < end; i++)
                found[i] = std::string(line + 8) + " ";
        });
        return found;
    }

    /// Bytes of VmSize, VmData, VmLck.
    size_t account(const char *key)
    {
        size_t found = 0;
        size_t length = std::strlen(key);
        each_line(status_, [&](const char *line) {
            if (std::strncmp(line, key, length) == 0 && line[length] == ':')
                found = std::strtoul(line + length + 1, nullptr, 10) * 1024;
        });
        return found;
    }

    /// Stores the byte as a program would; false where that faults.
    bool store(char *page_base, size_t index, uint8_t byte)
    {
        if (!to_pipe(&byte))
            std::abort();
        if (from_pipe(place(page_base, index)))
            return true;
        return !from_pipe(&byte);
    }

    /// Which byte of a page the model is about.
    static char *place(const char *base, size_t index)
    {
        return const_cast<char *>(base) + index * page() + index * 997 % page();
    }

  private:
    // Not by the C library, where a sanitizer looks at the byte first.
    bool to_pipe(const void *byte)
    {
        return syscall(SYS_write, pipe_[1], byte, 1) == 1;
    }
    bool from_pipe(void *byte)
    {
        return syscall(SYS_read, pipe_[0], byte, 1) == 1;
    }
    static uintptr_t address(const char *base, size_t index)
    {
        return reinterpret_cast<uintptr_t>(base) + index * page();
    }
    // The first page that does not lie below `start`.
    static size_t first(const char *base, uintptr_t start)
    {
        uintptr_t low = address(base, 0);
        return start <= low ? 0 : (start - low) / page();
    }

    template <class Use>
    void each_line(int file, Use use)
    {
        size_t length = 0;
        ssize_t got;
        lseek(file, 0, SEEK_SET);
        while (length < text_.size() - 1 &&
               (got = read(file, &text_[length], text_.size() - 1 - length)) > 0)
            length += static_cast<size_t>(got);
        text_[length] = 0;
        char *line = &text_[0];
        for (char *end; (end = std::strchr(line, '\n')) != nullptr; line = end + 1) {
            *end = 0;
            use(line);
        }
    }

    int maps_, smaps_, status_;
    int pipe_[2];
    std::string text_;
};

// ---- limits for one call ------------------------------------------------------------------------

struct Limit {
    bool set = false;
    size_t room = 0;  // pages beyond what is used now
};
struct Limits {
    Limit data, addresses, locks;
    bool no_descriptor = false;
};
// What a call needs at most, in pages.
struct Need {
    size_t data = 0, addresses = 0, locks = 0;
    bool descriptor = false;
};

class Lowered {
  public:
    Lowered(Witness &witness, const Limits &limits)
    {
        lower(limits.data, RLIMIT_DATA, witness.account("VmData"));
        lower(limits.addresses, RLIMIT_AS, witness.account("VmSize"));
        lower(limits.locks, RLIMIT_MEMLOCK, witness.account("VmLck"));
        if (limits.no_descriptor)
            lower({true, 0}, RLIMIT_NOFILE, 0);
    }
    ~Lowered()
    {
        for (size_t i = 0; i < count_; i++)
            setrlimit(old_[i].resource, &old_[i].limit);
    }
    Lowered(const Lowered &) = delete;
    Lowered &operator=(const Lowered &) = delete;

  private:
    using Resource = decltype(RLIMIT_AS);
    void lower(const Limit &limit, Resource resource, size_t used)
    {
        if (!limit.set)
            return;
        old_[count_].resource = resource;
        getrlimit(resource, &old_[count_].limit);
        struct rlimit now = old_[count_++].limit;
        rlim_t wanted = used + limit.room * page();
        now.rlim_cur = now.rlim_max < wanted ? now.rlim_max : wanted;
        if (setrlimit(resource, &now) != 0)
            std::abort();
    }
    struct {
        Resource resource;
        struct rlimit limit;
    } old_[4];
    size_t count_ = 0;
};

}  // namespace acre_test

#endif  // ACRE_TESTS_MMAP_WITNESS_H_
