// tests/examples/program.h - the example programs as a user sees them: run, watched, and stopped
// at will.
#ifndef ACRE_TESTS_EXAMPLES_PROGRAM_H_
#define ACRE_TESTS_EXAMPLES_PROGRAM_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace acre_test {

/// How a program ended, and what it said.  A sanitizer's remark about itself is left out of `err`.
struct Said {
    int exit_code;  ///< -1 when it died of `signal`
    int signal;
    std::string out;
    std::string err;
};

/// A system call that a traced program is about to make.
struct SystemCall {
    pid_t process;
    uint64_t number;
    uint64_t arguments[6];

    /// The string that an argument points at.
    std::string text(int argument) const;
};

struct How {
    std::string out_path;                             ///< where standard output goes instead
    std::function<void()> prepare;                    ///< runs in the child before the program
    std::function<void(const SystemCall &)> on_call;  ///< traces the program
};

/// Runs a program of the runfiles, or an absolute path.  `Said::exit_code` is 126 when
/// `How::prepare` gave up, and 127 when the program could not be run.
Said run(const std::string &program, const std::vector<std::string> &arguments,
         const How &how = {});
/// Runs a line of shell in the C locale and returns what it prints.
std::string shell(const std::string &line);
/// Runs a program with standard error on a terminal; `err` is what the terminal got.
Said run_on_terminal(const std::string &program, const std::vector<std::string> &arguments);
/// Whether a sanitizer is built in, here and in the examples.
bool sanitized();
/// Whether a program may be traced here.
bool can_trace();

/// A folder that is removed with all that is in it.
class Folder {
  public:
    Folder();
    ~Folder();
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;

    const std::string &path() const
    {
        return path_;
    }
    std::string path(const std::string &name) const
    {
        return path_ + "/" + name;
    }
    /// A file in it; its path.
    std::string write(const std::string &name, const std::string &contents) const;

  private:
    std::string path_;
};

std::string read_file(const std::string &path);

/// What stands between two lines of `file` ("// MARK begins") stands in a block of the page, too,
/// as far to the left.
void expect_quoted(const std::string &file, const std::string &page, const std::string &mark);
std::vector<std::string> lines_of(const std::string &text);

}  // namespace acre_test

#endif  // ACRE_TESTS_EXAMPLES_PROGRAM_H_
