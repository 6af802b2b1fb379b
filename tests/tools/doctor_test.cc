// acre-doctor says what the kernel says of its limits, and which of them bite.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "acre/page.h"
#include "tests/examples/json.h"
#include "tests/examples/program.h"
#include "tests/support/support.h"

using namespace acre_test;

namespace {

SKIP_EMULATED("the emulator has limits of its own", "DoctorTool.*");

const char PROGRAM[] = "tools/doctor/acre-doctor";

Said doctor(const How &how, Json *json)
{
    Said said = run(PROGRAM, {"--json"}, how);
    std::string line = said.out;
    for (char &letter : line)
        letter = letter == '\n' ? ' ' : letter;
    EXPECT_EQ("", said.err);
    EXPECT_TRUE(!line.empty() && parse_json(line.substr(0, line.size() - 1) + "\n", json))
        << said.out;
    return said;
}

const Json &limit(const Json &json, const std::string &name)
{
    static const Json none;
    for (const Json &item : json["limits"].items)
        if (item["name"].string == name)
            return item;
    ADD_FAILURE() << "nothing is said of " << name;
    return none;
}

// The first number in a file.
uint64_t number_in(const std::string &path)
{
    uint64_t number = 0;
    std::ifstream(path) >> number;
    return number;
}

TEST(DoctorTool, settings_are_the_kernels)
{
    Json json;
    doctor({}, &json);
    EXPECT_EQ(number_in("/proc/sys/vm/max_map_count"), limit(json, "areas")["value"].number);
    EXPECT_EQ(number_in("/proc/sys/vm/overcommit_memory"),
              limit(json, "overcommit")["value"].number);
    std::string modes = read_file("/sys/kernel/mm/transparent_hugepage/enabled");
    std::string mode = limit(json, "transparent-huge-pages")["text"].string;
    EXPECT_TRUE(modes.empty() || modes.find("[" + mode + "]") != std::string::npos)
        << mode << ": " << modes;
    EXPECT_EQ(static_cast<uint64_t>(sysconf(_SC_PAGESIZE)), json["page_size"].number);
    uint64_t filter = number_in("/dev/null");
    std::istringstream status(shell("sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status"));
    status >> filter;
    EXPECT_EQ(filter, limit(json, "seccomp")["value"].number);
}

TEST(DoctorTool, limits_are_those_of_its_process)
{
    Json json;
    doctor({}, &json);
    for (auto [name, resource] :
         {std::pair("address-space", RLIMIT_AS), std::pair("data", RLIMIT_DATA),
          std::pair("file-size", RLIMIT_FSIZE), std::pair("descriptors", RLIMIT_NOFILE)}) {
        rlimit found;
        ASSERT_EQ(0, getrlimit(resource, &found));
        const Json &said = limit(json, name);
        EXPECT_EQ(found.rlim_cur == RLIM_INFINITY ? 1u : 0u, said["unlimited"].number) << name;
        if (found.rlim_cur != RLIM_INFINITY) {
            EXPECT_EQ(found.rlim_cur, said["value"].number) << name;
        }
    }
    // Whoever may lock without a limit has none.
    rlimit lock;
    ASSERT_EQ(0, getrlimit(RLIMIT_MEMLOCK, &lock));
    const Json &said = limit(json, "memlock");
    if (said["unlimited"].number == 0) {
        EXPECT_EQ(lock.rlim_cur, said["value"].number);
    }
}

TEST(DoctorTool, a_limit_of_addresses_bites_and_names_its_command)
{
    How limited;
    limited.prepare = [] {
        rlimit little = {static_cast<rlim_t>(1) << 30, static_cast<rlim_t>(1) << 30};
        if (setrlimit(RLIMIT_AS, &little) != 0)
            _exit(126);
    };
    if (sanitized())
        GTEST_SKIP() << "a sanitizer wants terabytes of addresses";
    Json json;
    Said said = doctor(limited, &json);
    EXPECT_EQ(1, said.exit_code);
    const Json &line = limit(json, "address-space");
    EXPECT_EQ("bites", line["state"].string);
    EXPECT_EQ(1u << 30, line["value"].number);
    EXPECT_EQ("ulimit -v unlimited", line["change"].string);
    EXPECT_NE("", line["why"].string);
}

TEST(DoctorTool, the_exit_status_says_whether_something_bites)
{
    Json json;
    Said said = doctor({}, &json);
    bool bites = false;
    for (const Json &line : json["limits"].items) {
        bites = bites || line["state"].string == "bites";
        EXPECT_EQ(line["state"].string == "ok", line["why"].string.empty()) << line["name"].string;
        EXPECT_EQ(line["state"].string == "ok", line["change"].string.empty())
            << line["name"].string;
    }
    EXPECT_EQ(bites ? 1 : 0, said.exit_code);
}

TEST(DoctorTool, capabilities_are_acres_all_of_them)
{
    Json json;
    doctor({}, &json);
    ASSERT_EQ(static_cast<size_t>(ACRE_CAPABILITY_COUNT), json["capabilities"].items.size());
    for (int i = 0; i < ACRE_CAPABILITY_COUNT; i++)
        EXPECT_EQ(static_cast<uint64_t>(acre_can(static_cast<acre_capability>(i))),
                  json["capabilities"].items[static_cast<size_t>(i)]["can"].number)
            << json["capabilities"].items[static_cast<size_t>(i)]["name"].string;
}

TEST(DoctorTool, text_and_help_go_to_standard_output)
{
    Said said = run(PROGRAM, {});
    EXPECT_EQ("", said.err);
    EXPECT_NE(std::string::npos, said.out.find(" areas ")) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("what acre can do here\n")) << said.out;
    Said help = run(PROGRAM, {"--help"});
    EXPECT_EQ(0, help.exit_code);
    EXPECT_EQ(0u, help.out.find("Usage: acre-doctor"));
}

TEST(DoctorTool, wrong_use_is_one_line_and_2)
{
    for (const char *wrong : {"--jso", "x", "", "a\nb"}) {
        Said said = run(PROGRAM, {wrong});
        EXPECT_EQ(2, said.exit_code) << wrong;
        EXPECT_EQ("", said.out) << wrong;
        EXPECT_EQ(1u, lines_of(said.err).size()) << said.err;
    }
    How full;
    full.out_path = "/dev/full";
    EXPECT_EQ(3, run(PROGRAM, {}, full).exit_code);
}

}  // namespace
