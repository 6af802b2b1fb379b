#include "tests/support/core.h"

#include <dirent.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/support/posix.h"
#include "tests/support/sanitizers.h"

namespace acre_test {
namespace {

// The only core file in the folder.
std::string read_core(const std::string &folder)
{
    std::string content;
    DIR *entries = opendir(folder.c_str());
    for (struct dirent *entry; entries != nullptr && (entry = readdir(entries)) != nullptr;) {
        std::string name = entry->d_name;
        if (name == "." || name == "..")
            continue;
        std::ifstream in(folder + "/" + name, std::ios::binary);
        content.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        unlink((folder + "/" + name).c_str());
    }
    if (entries != nullptr)
        closedir(entries);
    return content;
}

}  // namespace

std::string no_core_because()
{
#if SANITIZED
    return "sanitizers write no core files";
#endif
    std::ifstream in("/proc/sys/kernel/core_pattern");
    std::string where;
    std::getline(in, where);
    if (where.empty() || where[0] == '|' || where.find('/') != std::string::npos)
        return "kernel.core_pattern is \"" + where + "\", no file in the working folder";
    return "";
}

std::string core_of(const std::function<void()> &body)
{
    char folder[] = "core.XXXXXX";
    if (mkdtemp(folder) == nullptr)
        return "";
    pid_t child = fork();
    if (child == 0) {
        struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
        for (int signal : {SIGABRT, SIGSEGV})
            std::signal(signal, SIG_DFL);
        if (setrlimit(RLIMIT_CORE, &all) == 0 && chdir(folder) == 0)
            body();
        abort();
    }
    int status = 0;
    if (child > 0)
        waitpid(child, &status, 0);
    std::string core = read_core(folder);
    rmdir(folder);
    return core;
}

}  // namespace acre_test
