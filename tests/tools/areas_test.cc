// acre-areas says what the kernel's own text says of a process, and shows what was asked for.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "tests/examples/json.h"
#include "tests/examples/program.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_EMULATED("the emulator's own areas are those of its process", "AreasTool.*:*AreasToolWatch*");

const char PROGRAM[] = "tools/areas/acre-areas";

// A process that has some mappings and waits; with each byte it changes something.
class Target {
  public:
    Target()
    {
        int to[2], from[2];
        if (pipe(to) != 0 || pipe(from) != 0)
            std::abort();
        process_ = fork();
        if (process_ == 0) {
            close(to[1]);
            live(to[0], from[1]);
        }
        close(to[0]);
        close(from[1]);
        to_ = to[1];
        from_ = from[0];
        if (read(from_, places_, sizeof places_) != static_cast<ssize_t>(sizeof places_))
            std::abort();
    }
    ~Target()
    {
        close(to_);
        close(from_);
        end(true);
    }
    Target(const Target &) = delete;
    Target &operator=(const Target &) = delete;

    std::string id() const
    {
        return std::to_string(process_);
    }
    void change() const
    {
        char byte = 0;
        if (write(to_, &byte, 1) != 1 || read(from_, &byte, 1) != 1)
            std::abort();
    }
    /// It is dead on return: gone, or a zombie.
    void end(bool is_reaped)
    {
        siginfo_t info;
        if (is_gone_)
            return;
        kill(process_, SIGKILL);
        if (waitid(P_PID, static_cast<id_t>(process_), &info,
                   WEXITED | (is_reaped ? 0 : WNOWAIT)) != 0)
            std::abort();
        is_gone_ = is_reaped;
    }
    uintptr_t stack() const  ///< a page of guard, 16 that may be written, one of them touched
    {
        return places_[0];
    }
    uintptr_t reserved() const  ///< 64 MiB
    {
        return places_[1];
    }
    uintptr_t shared() const  ///< goes with the first change
    {
        return places_[2];
    }
    uintptr_t file() const  ///< named "a&b<c"
    {
        return places_[3];
    }

  private:
    static char *map(size_t size, int access, int flags, int file = -1)
    {
        void *place = mmap(nullptr, size, access, flags, file, 0);
        if (place == MAP_FAILED)
            _exit(1);
        return static_cast<char *>(place);
    }
    [[noreturn]] static void live(int in, int out)
    {
        size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        // Between inaccessible ranges, so that none has a neighbour to merge with.
        char *all = map(4 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
        char *stack = all + (2 << 20);
        munmap(stack - page, page);
        mprotect(stack + page, 16 * page, PROT_READ | PROT_WRITE);
        munmap(stack + 17 * page, page);
        stack[17 * page - 1] = 1;
        std::string path = std::string(std::getenv("TEST_TMPDIR")) + "/a&b<c";
        int file = open(path.c_str(), O_RDWR | O_CREAT, 0600);
        if (file < 0 || ftruncate(file, static_cast<off_t>(page)) != 0)
            _exit(1);
        uintptr_t places[4] = {
            reinterpret_cast<uintptr_t>(stack),
            reinterpret_cast<uintptr_t>(
                map(64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)),
            reinterpret_cast<uintptr_t>(
                map(page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS)),
            reinterpret_cast<uintptr_t>(map(page, PROT_READ, MAP_PRIVATE, file)),
        };
        char byte = 0;
        ssize_t written = write(out, places, sizeof places);
        while (written > 0 && read(in, &byte, 1) == 1) {
            munmap(reinterpret_cast<void *>(places[2]), page);
            mprotect(reinterpret_cast<void *>(places[3]), page, PROT_READ | PROT_WRITE);
            written = write(out, &byte, 1);
        }
        _exit(0);
    }

    pid_t process_;
    bool is_gone_ = false;
    int to_, from_;
    uintptr_t places_[4] = {};
};

std::string hex(uintptr_t address)
{
    std::ostringstream out;
    out << "0x" << std::hex << address;
    return out.str();
}

// As tables show it.
std::string padded(uintptr_t address)
{
    char text[20];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(address));
    return text;
}

Json areas(std::vector<std::string> arguments)
{
    arguments.insert(arguments.begin(), "--json");
    Said said = run(PROGRAM, arguments);
    std::string line = said.out;
    for (char &letter : line)
        letter = letter == '\n' ? ' ' : letter;
    Json json;
    EXPECT_EQ(0, said.exit_code) << said.err;
    EXPECT_TRUE(parse_json(line.substr(0, line.size() - 1) + "\n", &json)) << said.out;
    return json;
}

const Json &at(const Json &json, uintptr_t address)
{
    static const Json none;
    for (const Json &item : json["areas"].items)
        if (item["start"].string == hex(address))
            return item;
    ADD_FAILURE() << "no area at " << hex(address);
    return none;
}

struct Known {
    std::string end, access;
    uint64_t resident, locked;
};

// By start, from smaps; without [vsyscall], at an address of the kernel's own: no area of acre's.
std::map<std::string, Known> smaps_of(const std::string &process)
{
    std::ifstream file("/proc/" + process + "/smaps");
    std::map<std::string, Known> all;
    Known *now = nullptr;
    for (std::string line; std::getline(file, line);) {
        unsigned long long start, end, kib;
        char access[5];
        if (std::sscanf(line.c_str(), "%llx-%llx %4s", &start, &end, access) == 3) {
            if (line.find("[vsyscall]") != std::string::npos)
                break;
            now = &all[hex(static_cast<uintptr_t>(start))];
            *now = {hex(static_cast<uintptr_t>(end)), access, 0, 0};
        } else if (now != nullptr && std::sscanf(line.c_str(), "Rss: %llu", &kib) == 1) {
            now->resident = kib * 1024;
        } else if (now != nullptr && std::sscanf(line.c_str(), "Locked: %llu", &kib) == 1) {
            now->locked = kib * 1024;
        }
    }
    return all;
}

TEST(AreasTool, json_is_what_smaps_says)
{
    Target target;
    Json json = areas({target.id()});
    std::map<std::string, Known> known = smaps_of(target.id());
    ASSERT_LT(5u, known.size());
    ASSERT_EQ(known.size(), json["areas"].items.size());
    uint64_t size = 0, resident = 0;
    for (const Json &item : json["areas"].items) {
        const Known &line = known[item["start"].string];
        EXPECT_EQ(line.end, item["end"].string) << item["start"].string;
        EXPECT_EQ(line.access, item["access"].string) << item["start"].string;
        EXPECT_EQ(line.resident, item["resident"].number) << item["start"].string;
        EXPECT_EQ(line.locked, item["locked"].number) << item["start"].string;
        size += item["size"].number;
        resident += item["resident"].number;
    }
    const Json &all = json["totals"].items.back();
    EXPECT_EQ("all", all["kind"].string);
    EXPECT_EQ(known.size(), all["areas"].number);
    EXPECT_EQ(size, all["size"].number);
    EXPECT_EQ(resident, all["resident"].number);
}

TEST(AreasTool, kinds_are_told_apart)
{
    Target target;
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    Json json = areas({target.id()});
    EXPECT_EQ("guard", at(json, target.stack())["kind"].string);
    EXPECT_EQ("anonymous", at(json, target.stack() + page)["kind"].string);
    EXPECT_EQ(page, at(json, target.stack() + page)["resident"].number);
    EXPECT_EQ("reserved", at(json, target.reserved())["kind"].string);
    EXPECT_EQ("shared", at(json, target.shared())["kind"].string);
    EXPECT_EQ("file", at(json, target.file())["kind"].string);
}

TEST(AreasTool, filters_leave_what_they_name)
{
    Target target;
    Json json = areas({"--kind", "reserved", "--least", "64M", target.id()});
    for (const Json &item : json["areas"].items) {
        EXPECT_EQ("reserved", item["kind"].string);
        EXPECT_LE(64u << 20, item["size"].number);
    }
    at(json, target.reserved());
    json = areas({"--name", "a&b<c", "--access", "r", target.id()});
    ASSERT_EQ(1u, json["areas"].items.size());
    EXPECT_EQ(hex(target.file()), json["areas"].items[0]["start"].string);
    EXPECT_EQ(0u, areas({"--name", "a&b<c", "--access", "w", target.id()})["areas"].items.size());
}

TEST(AreasTool, sorting_by_size_descends)
{
    Target target;
    Json json = areas({"--sort", "size", target.id()});
    ASSERT_LT(5u, json["areas"].items.size());
    for (size_t i = 1; i < json["areas"].items.size(); i++)
        EXPECT_GE(json["areas"].items[i - 1]["size"].number, json["areas"].items[i]["size"].number);
}

TEST(AreasTool, a_difference_shows_what_went_and_what_changed)
{
    Target target;
    Folder folder;
    std::string before = folder.path("before");
    Said saved = run(PROGRAM, {"--save", before, target.id()});
    ASSERT_EQ(0, saved.exit_code) << saved.err;
    EXPECT_EQ("", saved.out);
    Said same = run(PROGRAM, {"--diff", before, target.id()});
    EXPECT_NE(std::string::npos, same.out.find("changes: 0; areas +0")) << same.out;

    target.change();
    Said said = run(PROGRAM, {"--diff", before, target.id()});
    EXPECT_EQ(0, said.exit_code) << said.err;
    EXPECT_NE(std::string::npos, said.out.find("- " + padded(target.shared()))) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("~ " + padded(target.file()))) << said.out;
    EXPECT_EQ(std::string::npos, said.out.find(padded(target.reserved()))) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("; areas -1,")) << said.out;
}

// How a watched process ends, and a word of the call during which it does.
struct End {
    const char *name;
    long call;
    bool is_reaped;
};

class AreasToolWatch : public testing::TestWithParam<End> {};

// The second look comes after a change, and what ends the process comes after the second look.  The
// calls of acre-areas are the clock.
TEST_P(AreasToolWatch, shows_changes_and_ends_well_when_the_process_has_ended)
{
    if (!can_trace())
        GTEST_SKIP() << "programs cannot be traced here";
    Target target;
    int sleeps = 0;
    bool has_ended = false;
    How how;
    how.on_call = [&](const SystemCall &call) {
        bool waits = call.number == SYS_clock_nanosleep;
#ifdef SYS_clock_nanosleep_time64
        waits = waits || call.number == SYS_clock_nanosleep_time64;
#endif
#ifdef SYS_nanosleep
        waits = waits || call.number == SYS_nanosleep;
#endif
        sleeps += waits;
        if (waits && sleeps == 1)
            target.change();
        bool opens = call.number == SYS_openat;
#ifdef SYS_open  // some C libraries still open by it
        opens = opens || call.number == SYS_open;
#endif
        bool is_time = GetParam().call == 0 ? waits : opens;
        if (sleeps == 2 && is_time && !has_ended) {
            target.end(GetParam().is_reaped);
            has_ended = true;
        }
    };
    Said said = run(PROGRAM, {"--watch", "1", target.id()}, how);
    EXPECT_TRUE(has_ended);
    EXPECT_EQ(2, sleeps);
    EXPECT_EQ(0, said.exit_code) << said.err;
    EXPECT_EQ("", said.err);
    std::vector<std::string> lines = lines_of(said.out);
    EXPECT_EQ(0u, lines.front().find("total ")) << said.out;
    EXPECT_EQ("process " + target.id() + " has ended", lines.back());
    EXPECT_NE(std::string::npos, said.out.find("- " + padded(target.shared()))) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("~ " + padded(target.file()))) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("changes: 2; areas -1,")) << said.out;
}

INSTANTIATE_TEST_SUITE_P(Ends, AreasToolWatch,
                         testing::Values(End{"while_it_waits", 0, true},
                                         End{"as_a_zombie", 0, false},
                                         End{"before_it_opens", SYS_openat, true}),
                         [](const testing::TestParamInfo<End> &end) { return end.param.name; });

TEST(AreasTool, watching_a_process_that_was_never_there_fails)
{
    Said said = run(PROGRAM, {"--watch", "1", "2147483646"});
    EXPECT_EQ(1, said.exit_code);
    EXPECT_EQ("", said.out);
    EXPECT_EQ("acre-areas: 2147483646: no such process\n", said.err);
}

TEST(AreasTool, the_picture_of_itself_says_so_and_follows_the_colours_of_its_reader)
{
    Folder folder;
    std::string picture = folder.path("picture.svg");
    ASSERT_EQ(0, run(PROGRAM, {"--svg", picture}).exit_code);
    std::string text = read_file(picture);
    EXPECT_NE(std::string::npos, text.find(">acre-areas itself: ")) << text.substr(0, 800);
    EXPECT_NE(std::string::npos, text.find("prefers-color-scheme:dark"));
    EXPECT_NE(std::string::npos, text.find(">64 GiB</text>"));
}

TEST(AreasTool, the_picture_has_a_block_for_each_area)
{
    Target target;
    Folder folder;
    std::string picture = folder.path("picture.svg");
    Said said = run(PROGRAM, {"--svg", picture, target.id()});
    ASSERT_EQ(0, said.exit_code) << said.err;
    std::string text = read_file(picture);
    size_t blocks = 0;
    for (size_t place = 0; (place = text.find("<g><title>", place)) != std::string::npos; place++)
        blocks++;
    EXPECT_EQ(smaps_of(target.id()).size(), blocks);
    EXPECT_EQ(0u, text.find("<svg xmlns="));
    EXPECT_EQ(text.size() - 7, text.find("</svg>\n"));
    EXPECT_NE(std::string::npos, text.find("a&amp;b&lt;c</title>"));
    EXPECT_EQ(std::string::npos, text.find("a&b"));
}

TEST(AreasTool, wrong_use_is_one_line_and_2)
{
    for (const std::vector<std::string> &wrong :
         std::vector<std::vector<std::string>>{{"--jso"},
                                               {"x"},
                                               {"0"},
                                               {"-1"},
                                               {"1", "2"},
                                               {"--sort"},
                                               {"--sort", "x"},
                                               {"--kind", ""},
                                               {"--access", "z"},
                                               {"--least", "1X"},
                                               {"--watch", "0"},
                                               {"--watch", "1", "--json"},
                                               {"--diff", "x", "--json"},
                                               {"99999999999999999999"},
                                               {"a\nb"}}) {
        Said said = run(PROGRAM, wrong);
        EXPECT_EQ(2, said.exit_code) << wrong[0];
        EXPECT_EQ("", said.out) << wrong[0];
        EXPECT_EQ(1u, lines_of(said.err).size()) << said.err;
        EXPECT_EQ(0u, said.err.find("acre-areas: ")) << said.err;
    }
}

TEST(AreasTool, what_cannot_be_read_or_written_is_one_line_and_1)
{
    EXPECT_EQ("acre-areas: 2147483646: no such process\n", run(PROGRAM, {"2147483646"}).err);
    EXPECT_EQ(1, run(PROGRAM, {"2147483646"}).exit_code);
    EXPECT_EQ("acre-areas: /nowhere/x: No such file or directory\n",
              run(PROGRAM, {"--svg", "/nowhere/x"}).err);
    Folder folder;
    std::string other = folder.write("other", "no moment\n");
    Said said = run(PROGRAM, {"--diff", other});
    EXPECT_EQ(1, said.exit_code);
    EXPECT_EQ("acre-areas: " + other + ": is not what --save wrote\n", said.err);
    How full;
    full.out_path = "/dev/full";
    EXPECT_EQ(1, run(PROGRAM, {}, full).exit_code);
}

}  // namespace
