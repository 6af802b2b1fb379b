#include "tests/examples/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/support/sanitizers.h"

namespace acre_test {
namespace {

std::string temporary(const char *name)
{
    const char *folder = std::getenv("TEST_TMPDIR");
    return std::string(folder != nullptr ? folder : "/tmp") + "/" + name;
}

// All but the shell's are programs of the kind that this one is, and run in what this one runs in.
void become(const std::string &program, const std::vector<std::string> &arguments)
{
    const char *emulator = std::getenv("ACRE_RUN_UNDER");
    std::vector<char *> words;
    if (emulator != nullptr && program.compare(0, 5, "/bin/") != 0)
        words.push_back(const_cast<char *>(emulator));
    words.push_back(const_cast<char *>(program.c_str()));
    for (const std::string &argument : arguments)
        words.push_back(const_cast<char *>(argument.c_str()));
    words.push_back(nullptr);
    execvp(words[0], words.data());
    _exit(127);
}

void redirect(const std::string &path, int to)
{
    int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || dup2(file, to) < 0)
        _exit(126);
    close(file);
}

std::string without_remarks(const std::string &text)
{
    std::string rest;
    for (const std::string &line : lines_of(text)) {
        if (line.compare(0, 2, "==") != 0 ||
            line.find("WARNING: ASan doesn't") == std::string::npos)
            rest += line + "\n";
    }
    return rest;
}

// Lets the traced child run to its end, telling of each call before it is made; its wait status.
int trace(pid_t child, const std::function<void(const SystemCall &)> &on_call)
{
    int status = 0;
    int passed_on = 0;
    waitpid(child, &status, 0);
    ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    while (ptrace(PTRACE_SYSCALL, child, nullptr, static_cast<uintptr_t>(passed_on)) == 0) {
        waitpid(child, &status, 0);
        if (!WIFSTOPPED(status))
            return status;
        passed_on = 0;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            passed_on = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
            continue;
        }
        struct __ptrace_syscall_info info = {};
        if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) <= 0 ||
            info.op != PTRACE_SYSCALL_INFO_ENTRY)
            continue;
        SystemCall call = {child, info.entry.nr, {}};
        std::memcpy(call.arguments, info.entry.args, sizeof(call.arguments));
        on_call(call);
    }
    return status;
}

Said ended(int status)
{
    Said said = {-1, 0, "", ""};
    if (WIFEXITED(status))
        said.exit_code = WEXITSTATUS(status);
    else if (WIFSIGNALED(status))
        said.signal = WTERMSIG(status);
    return said;
}

}  // namespace

std::string SystemCall::text(int argument) const
{
    std::string text;
    char byte = 0;
    uintptr_t at = static_cast<uintptr_t>(arguments[argument]);
    do {
        struct iovec here = {&byte, 1};
        struct iovec there = {reinterpret_cast<void *>(at++), 1};
        if (process_vm_readv(process, &here, 1, &there, 1, 0) != 1 || byte == '\0')
            break;
        text += byte;
    } while (text.size() < 4096);
    return text;
}

Said run(const std::string &program, const std::vector<std::string> &arguments, const How &how)
{
    std::string out = how.out_path.empty() ? temporary("out") : how.out_path;
    std::string err = temporary("err");
    pid_t child = fork();
    if (child == 0) {
        redirect(out, STDOUT_FILENO);
        redirect(err, STDERR_FILENO);
        if (how.on_call) {
            // Looking for leaks is tracing too.
            setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
            if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0)
                _exit(126);
        }
        if (how.prepare)
            how.prepare();
        become(program, arguments);
    }

    int status = 0;
    if (how.on_call)
        status = trace(child, how.on_call);
    else
        waitpid(child, &status, 0);
    Said said = ended(status);
    said.out = how.out_path.empty() ? read_file(out) : "";
    said.err = without_remarks(read_file(err));
    return said;
}

std::string shell(const std::string &line)
{
    Said said = run("/bin/sh", {"-c", "export LC_ALL=C; " + line});
    EXPECT_EQ(0, said.exit_code) << line;
    EXPECT_EQ("", said.err) << line;
    return said.out;
}

Said run_on_terminal(const std::string &program, const std::vector<std::string> &arguments)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        return {126, 0, "", ""};
    int other_end = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    std::string out = temporary("out");
    pid_t child = fork();
    if (child == 0) {
        redirect(out, STDOUT_FILENO);
        if (dup2(other_end, STDERR_FILENO) < 0)
            _exit(126);
        become(program, arguments);
    }
    close(other_end);

    // The end of the child is an error of reading.
    std::string got;
    char buffer[4096];
    for (ssize_t length; (length = read(terminal, buffer, sizeof(buffer))) > 0;)
        got.append(buffer, static_cast<size_t>(length));
    close(terminal);
    int status = 0;
    waitpid(child, &status, 0);
    Said said = ended(status);
    said.out = read_file(out);
    said.err = got;
    return said;
}

bool sanitized()
{
    return SANITIZED;
}

bool can_trace()
{
    bool told = false;
    How how;
    how.on_call = [&](const SystemCall &) { told = true; };
    return run("/bin/true", {}, how).exit_code == 0 && told;
}

Folder::Folder() : path_(temporary("folder.XXXXXX"))
{
    if (mkdtemp(&path_[0]) == nullptr)
        std::abort();
}

Folder::~Folder()
{
    run("/bin/chmod", {"-R", "u+rwX", path_});
    EXPECT_EQ(0, run("/bin/rm", {"-rf", path_}).exit_code);
}

std::string Folder::write(const std::string &name, const std::string &contents) const
{
    std::ofstream file(path(name), std::ios::binary);
    file << contents;
    EXPECT_TRUE(file.flush().good()) << path(name);
    return path(name);
}

std::string read_file(const std::string &path)
{
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::string> lines_of(const std::string &text)
{
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
        lines.push_back(line);
    return lines;
}

void expect_quoted(const std::string &file, const std::string &page, const std::string &mark)
{
    const std::string first = "// " + mark + " begins\n";
    const std::string last = "// " + mark + " ends\n";
    std::string source = read_file(file);
    std::string language = file.substr(file.rfind('.')) == ".c" ? "c" : "cpp";
    size_t begin = source.find(first);
    size_t end = source.find(last);
    ASSERT_NE(std::string::npos, begin);
    ASSERT_NE(std::string::npos, end);
    size_t indent = begin - (source.rfind('\n', begin) + 1);
    begin += first.size();
    std::string block = "```" + language + "\n";
    std::istringstream lines(source.substr(begin, end - indent - begin));
    for (std::string line; std::getline(lines, line);)
        block += line.substr(std::min(indent, line.size())) + "\n";
    block += "```\n";
    EXPECT_NE(std::string::npos, read_file(page).find(block)) << page << " lacks\n" << block;
}

}  // namespace acre_test
