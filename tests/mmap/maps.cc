#include "tests/mmap/maps.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#ifdef __linux__
#include <linux/capability.h>
#include <sys/syscall.h>
#endif

namespace acre_test {
namespace {

std::string fresh_path(const std::string &name)
{
    const char *folder = std::getenv("TEST_TMPDIR");
    return std::string(folder != nullptr ? folder : "/tmp") + "/" + std::to_string(getpid()) + name;
}

}  // namespace

int free_descriptor()
{
    int descriptor = dup(0);
    close(descriptor);
    return descriptor;
}

char *free_address(size_t size)
{
    acre_mmap map = {};
    EXPECT_OK(acre_mmap_reserve(size, ACRE_NONE, nullptr, &map));
    char *address = bytes(map);
    EXPECT_OK(acre_mmap_unmap(&map));
    return address;
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
    struct rlimit limit = {pages * page(), pages * page()};
    return setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && give_up_capability();
}

File::File(const std::string &text, const std::string &name)
    : path(fresh_path(name)),
      descriptor(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600))
{
    EXPECT_GE(descriptor, 0);
    EXPECT_EQ(static_cast<ssize_t>(text.size()), write(descriptor, text.data(), text.size()));
}

File::~File()
{
    close(descriptor);
    unlink(path.c_str());
}

std::string File::content() const
{
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

}  // namespace acre_test
