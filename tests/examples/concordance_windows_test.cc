// The concordance on Windows: counts what there is, tells of what it cannot read.
#include <gtest/gtest.h>
#include <windows.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::string folder()
{
    static const std::string path = [] {
        char base[MAX_PATH];
        GetTempPathA(MAX_PATH, base);
        std::string made = std::string(base) + "concordance" + std::to_string(GetTickCount());
        CreateDirectoryA(made.c_str(), nullptr);
        return made;
    }();
    return path;
}

void write(const std::string &name, const std::string &contents)
{
    std::ofstream(folder() + "\\" + name, std::ios::binary) << contents;
}

struct Said {
    DWORD exit_code;
    std::string out, err;
};

std::string read(const std::string &path)
{
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
}

Said run(const std::string &arguments)
{
    const std::string paths[] = {folder() + ".out", folder() + ".err"};
    HANDLE files[2];
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
    for (int i = 0; i < 2; i++)
        files[i] = CreateFileA(paths[i].c_str(), GENERIC_WRITE, FILE_SHARE_READ, &inherited,
                               CREATE_ALWAYS, 0, nullptr);
    STARTUPINFOA start = {};
    start.cb = sizeof start;
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdOutput = files[0];
    start.hStdError = files[1];
    std::string line = "examples\\concordance\\concordance.exe " + arguments;
    PROCESS_INFORMATION child = {};
    Said said = {999, "", ""};
    if (CreateProcessA(nullptr, &line[0], nullptr, nullptr, TRUE, 0, nullptr, nullptr, &start,
                       &child)) {
        WaitForSingleObject(child.hProcess, INFINITE);
        GetExitCodeProcess(child.hProcess, &said.exit_code);
        CloseHandle(child.hThread);
        CloseHandle(child.hProcess);
    }
    for (HANDLE file : files)
        CloseHandle(file);
    said.out = read(paths[0]);
    said.err = read(paths[1]);
    return said;
}

TEST(Concordance, counts_the_words_of_a_tree)
{
    CreateDirectoryA((folder() + "\\below").c_str(), nullptr);
    write("one", "To be, or not to be");
    write("below\\two", "be be");
    write("below\\empty", "");
    std::string many;
    for (int i = 0; i < 20000; i++)
        many += "zebra ";
    write("below\\three", many);
    Said said = run("--json " + folder());
    EXPECT_EQ(0u, said.exit_code) << said.err;
    EXPECT_NE(std::string::npos, said.out.find("\"files\": 4")) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("\"words\": 20008")) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("[\"zebra\", 20000]")) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("[\"be\", 4]")) << said.out;
    EXPECT_EQ("", said.err);
}

TEST(Concordance, has_a_stack_for_each_of_many_files)
{
    CreateDirectoryA((folder() + "\\many").c_str(), nullptr);
    for (int i = 0; i < 500; i++)
        write("many\\" + std::to_string(i), std::string(40000, i % 2 ? 'a' : ' '));
    Said said = run("--json " + folder() + "\\many");
    EXPECT_EQ(0u, said.exit_code) << said.err;
    EXPECT_NE(std::string::npos, said.out.find("\"files\": 500")) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("\"words\": 250")) << said.out;
    EXPECT_NE(std::string::npos, said.out.find("\"peak_stacks\": 500")) << said.out;
}

TEST(Concordance, refuses_what_is_not_there)
{
    Said said = run(folder() + "\\nothing");
    EXPECT_EQ(2u, said.exit_code);
    EXPECT_EQ("", said.out);
    EXPECT_NE(std::string::npos, said.err.find("nothing")) << said.err;
}

}  // namespace
