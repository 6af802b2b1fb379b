// Areas: what a view and a query tell is what the kernel's own text says, whichever way it is read.
#include "acre/area.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <memory>
#include <vector>

#include "mmap/port/memory.h"
#include "tests/mmap/area_view.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_EMULATED("the emulator writes the text of areas itself",
              "Areas.a_query_does_not_disturb_next "
              "Areas.of_every_kind_are_recognized "
              "Areas.paths_are_raw_and_undecorated "
              "Areas.say_the_same_by_next_and_by_query_and_after_seek "
              "Systems/Areas.*");

// Each test runs by ioctl and by text.
class Areas : public EachWay {};

FOR_EACH_WAY(Areas);

// A line of /proc/self/maps.
struct Line {
    uintptr_t start, end;
    uint64_t offset, inode;
    unsigned major, minor;
    char access[5];

    explicit Line(const std::string &text)
    {
        EXPECT_EQ(
            7, std::sscanf(text.c_str(), "%" SCNxPTR "-%" SCNxPTR " %4s %" SCNx64 " %x:%x %" SCNu64,
                           &start, &end, access, &offset, &major, &minor, &inode));
    }
};

void expect_same(const std::string &text, const acre_area &area)
{
    Line line(text);
    // The stack and the program break may grow between the two readings.
    if (area.flags & (ACRE_AREA_HEAP | ACRE_AREA_STACK)) {
        EXPECT_LT(line.start, area.end) << text;
        EXPECT_LT(area.start, line.end) << text;
        return;
    }
    EXPECT_EQ(line.start, area.start) << text;
    EXPECT_EQ(line.end, area.end) << text;
    EXPECT_EQ(area.start, area.allocation_base);
    EXPECT_EQ(line.inode, area.inode) << text;
    EXPECT_EQ(line.inode != 0 ? line.offset : 0, area.file_offset) << text;
    EXPECT_EQ(static_cast<uint64_t>(line.major) << 32 | line.minor, area.device) << text;
    EXPECT_EQ(line.access[0] == 'r', (area.access & ACRE_READ) != 0) << text;
    EXPECT_EQ(line.access[1] == 'w', (area.access & ACRE_WRITE) != 0) << text;
    EXPECT_EQ(line.access[2] == 'x', (area.access & ACRE_EXEC) != 0) << text;
    EXPECT_EQ(line.access[3] == 's', (area.flags & ACRE_AREA_SHARED) != 0) << text;
    size_t slash = text.find('/');
    if (slash != std::string::npos && text.find('[') == std::string::npos) {
        EXPECT_EQ(text.substr(slash),
                  text_of(area.path) + (area.flags & ACRE_AREA_DELETED ? " (deleted)" : ""));
    }
}

TEST_P(Areas, are_the_lines_of_the_kernels_text)
{
    static Notes notes;
    static char text[1 << 20];
    notes = Notes();
    View view;
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(maps, 0);
    size_t length = 0;
    for (ssize_t got; (got = read(maps, text + length, sizeof text - 1 - length)) > 0;)
        length += static_cast<size_t>(got);
    note_all(&view, &notes);
    close(maps);
    text[length] = 0;

    std::istringstream lines(text);
    std::string line;
    size_t i = 0;
    for (; std::getline(lines, line); i++) {
        if (line.find("[vsyscall]") != std::string::npos)
            break;
        ASSERT_LT(i, notes.count());
        expect_same(line, notes[i]);
        EXPECT_LE(i == 0 ? 0 : notes[i - 1].end, notes[i].start);
    }
    EXPECT_EQ(i, notes.count());
    acre_area area;
    EXPECT_EQ(0, acre_areas_next(&view, &area));
    EXPECT_EQ(0, acre_areas_next(&view, &area));
}

TEST_P(Areas, say_the_same_by_next_and_by_query_and_after_seek)
{
    static Notes by_next, after_seek, by_query, at_once;
    by_next = after_seek = by_query = at_once = Notes();
    View view, queried, sought;
    ASSERT_OK(acre_areas_seek(&sought, 0));
    note_all(&view, &by_next);
    note_all(&sought, &after_seek);
    for (size_t i = 0; i < by_next.count(); i++) {
        const acre_area &area = by_next[i];
        uintptr_t addresses[] = {area.start, area.end - 1,
                                 area.start + (area.end - area.start) / 2};
        acre_area other;
        ASSERT_OK(acre_areas_query(&queried, addresses[i % 3], &other));
        by_query.add(other);
        ASSERT_OK(acre_area_at(reinterpret_cast<void *>(addresses[(i + 1) % 3]), &other));
        EXPECT_EQ(nullptr, other.path);
        EXPECT_EQ(nullptr, other.name);
        other.path = area.path;
        other.name = area.name;
        at_once.add(other);
    }
    EXPECT_EQ(by_next.lines(), after_seek.lines());
    EXPECT_EQ(by_next.lines(), by_query.lines());
    EXPECT_EQ(by_next.lines(), at_once.lines());
    EXPECT_GT(by_next.count(), 5u);
}

TEST(AreaWays, ioctl_and_text_agree_on_the_whole_map)
{
    if (!acre_can(ACRE_CAN_QUERY_IN_CONSTANT_TIME))
        GTEST_SKIP() << "this kernel has no PROCMAP_QUERY (Linux 6.11)";
    File file(std::string(3 * page(), 'f'), " with spaces, \\backslashes\\ and\nnewlines");
    Map mapped, shared;
    ASSERT_OK(acre_mmap_file(file.descriptor, page(), page(), ACRE_READ, nullptr, &mapped));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &shared));

    static Notes by_ioctl, by_text;
    View stepping;
    ASSERT_OK(acre_areas_seek(&stepping, 1));  // by ioctl alone
    acre_port_pretend_without(ACRE_CAN_QUERY_IN_CONSTANT_TIME);
    View reading;
    acre_port_pretend_nothing();
    note_all(&stepping, &by_ioctl);
    note_all(&reading, &by_text);
    EXPECT_EQ(by_ioctl.lines(), by_text.lines());
    EXPECT_GT(by_ioctl.count(), 5u);  // a static program has few
}

TEST_P(Areas, of_every_kind_are_recognized)
{
    Map anonymous, reserved, shared;
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ, nullptr, &anonymous));
    ASSERT_OK(acre_mmap_reserve(page(), ACRE_READ, nullptr, &reserved));
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    ASSERT_OK(acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &shared));
    int memory = static_cast<int>(syscall(SYS_memfd_create, "some name", MFD_CLOEXEC));
    ASSERT_GE(memory, 0);
    ASSERT_EQ(0, ftruncate(memory, static_cast<off_t>(page())));
    Map named;
    ASSERT_OK(acre_mmap_file(memory, 0, page(), ACRE_READ, nullptr, &named));
    close(memory);

    View view;
    acre_area area;
    auto look = [&](const void *address) {
        EXPECT_OK(acre_areas_query(&view, reinterpret_cast<uintptr_t>(address), &area));
        return area.flags;
    };
    EXPECT_EQ(0u, look(anonymous.base));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_RESERVED), look(reserved.base));
    EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_SHARED), look(shared.base));
    EXPECT_EQ("(none)", text_of(area.path));
    EXPECT_EQ("(none)", text_of(area.name));
    EXPECT_EQ(0u, look(named.base));
    EXPECT_EQ("some name", text_of(area.name));
    EXPECT_EQ("(none)", text_of(area.path));
    EXPECT_EQ(page(), area.page_size);

    // The first thread's stack, the program break, and the kernel's page of functions.
    bool stack = false, heap = false, vdso = false;
    acre_areas *views = &view;
    while (acre_areas_next(views, &area) == 1) {
        stack |= area.flags & ACRE_AREA_STACK && text_of(area.name) == "stack";
        heap |= area.flags & ACRE_AREA_HEAP && text_of(area.name) == "heap";
        vdso |= area.flags & ACRE_AREA_SYSTEM && text_of(area.name) == "vdso";
    }
    EXPECT_TRUE(stack);
    EXPECT_TRUE(vdso);
    std::ifstream maps("/proc/self/maps");
    std::stringstream text;
    text << maps.rdbuf();
    EXPECT_EQ(text.str().find("[heap]") != std::string::npos, heap);
}

TEST_P(Areas, paths_are_raw_and_undecorated)
{
    const char *names[] = {
        " with spaces ",    "with\nnewline",      "back\\slash", "octal\\012look-alike",
        "really (deleted)", "\xc3\xa4\xff bytes", "[brackets]",  "tab\tand\rreturn",
    };
    for (const char *name : names) {
        File file("x", name);
        Map map;
        ASSERT_OK(acre_mmap_file(file.descriptor, 0, 1, ACRE_READ, nullptr, &map));
        View view;
        acre_area area;
        ASSERT_OK(acre_areas_query(&view, reinterpret_cast<uintptr_t>(map.base), &area));
        EXPECT_EQ(file.path, text_of(area.path));
        EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_FILE), area.flags) << name;

        std::string by_next = "(none)";
        while (acre_areas_next(&view, &area) == 1) {
            if (area.start == reinterpret_cast<uintptr_t>(map.base))
                by_next = text_of(area.path);
        }
        EXPECT_EQ(file.path, by_next);

        struct stat status;
        ASSERT_EQ(0, fstat(file.descriptor, &status));
        ASSERT_OK(acre_area_at(map.base, &area));
        EXPECT_EQ(static_cast<uint64_t>(status.st_ino), area.inode);

        // With the file gone the name is still its own.
        ASSERT_EQ(0, unlink(file.path.c_str()));
        ASSERT_OK(acre_areas_query(&view, reinterpret_cast<uintptr_t>(map.base), &area));
        EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_FILE | ACRE_AREA_DELETED), area.flags) << name;
        if (std::string(name).find("012") == std::string::npos || GetParam()) {
            EXPECT_EQ(file.path, text_of(area.path));
        }
    }
}

TEST_P(Areas, very_long_paths_are_whole)
{
    // 240 newlines a folder, four characters each in the text: far more than small buffers hold.
    const char *top = std::getenv("TEST_TMPDIR");
    ASSERT_EQ(0, chdir(top != nullptr ? top : "/tmp"));
    std::string folder(240, '\n');
    std::string path = top != nullptr ? top : "/tmp";
    std::vector<std::string> made;
    while (path.size() + folder.size() + 10 < 4096 - 8) {
        ASSERT_EQ(0, mkdir(folder.c_str(), 0700));
        ASSERT_EQ(0, chdir(folder.c_str()));
        path += "/" + folder;
        made.push_back(folder);
    }
    int file = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    ASSERT_EQ(1, write(file, "x", 1));
    {
        Map map;
        ASSERT_OK(acre_mmap_file(file, 0, 1, ACRE_READ, nullptr, &map));
        View view;
        acre_area area;
        ASSERT_OK(acre_areas_query(&view, reinterpret_cast<uintptr_t>(map.base), &area));
        EXPECT_EQ(path + "/file", text_of(area.path));
        std::string by_next;
        while (acre_areas_next(&view, &area) == 1) {
            if (area.start == reinterpret_cast<uintptr_t>(map.base))
                by_next = text_of(area.path);
        }
        EXPECT_EQ(path + "/file", by_next);
        ASSERT_OK(acre_area_at(map.base, &area));
        EXPECT_EQ(static_cast<uint32_t>(ACRE_AREA_FILE), area.flags);
    }
    close(file);
    unlink("file");
    for (size_t i = 0; i < made.size(); i++) {
        ASSERT_EQ(0, chdir(".."));
        rmdir(folder.c_str());
    }
}

TEST_P(Areas, holes_are_not_mapped)
{
    auto first = std::make_unique<View>();
    Map map;
    ASSERT_OK(acre_mmap_anon(5 * page(), ACRE_READ_WRITE, nullptr, &map));
    acre_mmap middle = {}, tail = {};
    ASSERT_OK(acre_mmap_split(&map, 2 * page(), &middle));
    ASSERT_OK(acre_mmap_split(&middle, page(), &tail));
    uintptr_t hole = reinterpret_cast<uintptr_t>(middle.base);
    ASSERT_OK(acre_mmap_unmap(&middle));

    // Where the first one's memory was, that of another fits: it does not take the hole.
    first.reset();
    View view;
    acre_area area = {};
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_areas_query(&view, hole, &area));
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_areas_query(&view, hole + page() - 1, &area));
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_area_at(reinterpret_cast<void *>(hole), &area));
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_area_at(nullptr, &area));
    EXPECT_STATUS(ACRE_NOT_MAPPED, acre_areas_query(&view, UINTPTR_MAX, &area));
    EXPECT_EQ(0u, area.end);
    ASSERT_OK(acre_areas_query(&view, hole - 1, &area));
    EXPECT_EQ(hole, area.end);

    // From a hole on, the next area is the one above.
    ASSERT_OK(acre_areas_seek(&view, hole));
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    EXPECT_EQ(hole + page(), area.start);
    // From inside an area on, that area.
    ASSERT_OK(acre_areas_seek(&view, hole - 1));
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    EXPECT_EQ(hole, area.end);
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    EXPECT_EQ(hole + page(), area.start);
    ASSERT_OK(acre_areas_seek(&view, UINTPTR_MAX));
    EXPECT_EQ(0, acre_areas_next(&view, &area));
    ASSERT_OK(acre_areas_seek(&view, 0));
    EXPECT_EQ(1, acre_areas_next(&view, &area));
    ASSERT_OK(acre_mmap_unmap(&tail));
}

TEST_P(Areas, a_query_does_not_disturb_next)
{
    static Notes alone, disturbed;
    alone = disturbed = Notes();
    View view, queried;
    note_all(&view, &alone);
    acre_area area, other;
    while (acre_areas_next(&queried, &area) == 1) {
        disturbed.add(area);
        ASSERT_OK(acre_areas_query(&queried, reinterpret_cast<uintptr_t>(&alone), &other));
    }
    EXPECT_EQ(alone.lines(), disturbed.lines());
    EXPECT_GT(alone.count(), 3u);
}

// Two areas of a memory file become one between two calls.
TEST_P(Areas, the_rest_of_a_grown_area_has_its_own_offset)
{
    acre_mmap_opts opts = flags(ACRE_MAP_SHARED);
    Map map;
    ASSERT_OK(acre_mmap_anon(8 * page(), ACRE_READ_WRITE, &opts, &map));
    ASSERT_OK(acre_mmap_protect(&map, 0, 4 * page(), ACRE_READ));
    View view;
    acre_area area;
    ASSERT_OK(acre_areas_seek(&view, reinterpret_cast<uintptr_t>(map.base)));
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    ASSERT_EQ(reinterpret_cast<uintptr_t>(map.base) + 4 * page(), area.end);
    uint64_t offset = area.file_offset;
    ASSERT_OK(acre_mmap_protect(&map, 0, 4 * page(), ACRE_READ_WRITE));
    ASSERT_EQ(1, acre_areas_next(&view, &area));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(map.base) + 4 * page(), area.start);
    EXPECT_EQ(offset + 4 * page(), area.file_offset);
}

TEST_P(Areas, closing_leaves_nothing_behind)
{
    {
        View warm;
    }
    size_t areas = area_count();
    int descriptor = dup(0);
    close(descriptor);
    for (int i = 0; i < 100; i++)
        View view;
    EXPECT_EQ(areas, area_count());
    int after = dup(0);
    close(after);
    EXPECT_EQ(descriptor, after);

    acre_areas closed = {};
    acre_area area;
    acre_areas_close(&closed);
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_areas_next(&closed, &area));
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_areas_seek(&closed, 0));
    EXPECT_STATUS(ACRE_EMPTY_HANDLE, acre_areas_query(&closed, 0, &area));
}

TEST(AreaCount, is_the_number_of_the_texts_lines)
{
    // Reading the text allocates, and an allocator may map more; but not each time.
    auto expect_lines = [](uint64_t *count) {
        bool same_count = false;
        for (int round = 0; round < 4 && !same_count; round++) {
            ASSERT_OK(acre_area_count(count));
            same_count = area_count() == *count;
        }
        EXPECT_TRUE(same_count);
    };
    uint64_t count = 0;
    expect_lines(&count);
    Map map;
    ASSERT_OK(acre_mmap_anon(101 * page(), ACRE_READ_WRITE, nullptr, &map));
    for (size_t i = 1; i < 101; i += 2)
        ASSERT_OK(acre_mmap_protect(&map, i * page(), page(), ACRE_READ));
    uint64_t more = 0;
    expect_lines(&more);
    EXPECT_GE(more, count + 100);
}

TEST_P(Areas, device_minors_above_255)
{
    // Each mount of a tmpfs takes the next free number.
    Ended ended = in_child([] {
        char folder[] = "mounts.XXXXXX";
        if (mkdtemp(folder) == nullptr)
            return 1;
        if (unshare(CLONE_NEWNS) != 0 ||
            mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            return 77;
        int mounted = 0;
        while (mounted < 300 && mount("none", folder, "tmpfs", 0, "size=64k") == 0)
            mounted++;
        if (mounted < 300)
            return 77;
        std::string path = std::string(folder) + "/file";
        int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        struct stat status;
        acre_mmap map = {};
        acre_area area;
        if (file < 0 || write(file, "x", 1) != 1 || fstat(file, &status) != 0)
            return 2;
        unsigned minor =
            static_cast<unsigned>((status.st_dev & 0xff) | ((status.st_dev >> 12) & 0xffffff00));
        if (minor <= 255)
            return 3;
        if (acre_mmap_file(file, 0, 1, ACRE_READ, nullptr, &map) != ACRE_OK ||
            acre_area_at(map.base, &area) != ACRE_OK)
            return 4;
        acre_areas view;
        if (acre_areas_open(0, &view) != ACRE_OK)
            return 5;
        bool seen = false;
        acre_area each;
        while (acre_areas_next(&view, &each) == 1)
            seen |= each.start == area.start && (each.device & 0xffffffff) == minor;
        return seen && (area.device & 0xffffffff) == minor ? 0 : 6;
    });
    if (ended.code == 77)
        GTEST_SKIP() << "file systems cannot be mounted here";
    EXPECT_EQ(0, ended.code);
}

}  // namespace
