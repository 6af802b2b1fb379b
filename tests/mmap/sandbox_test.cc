// What a process may lose while it runs: its first thread, descriptors, /proc, system calls.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "acre/area.h"
#include "acre/image.h"
#include "tests/mmap/maps.h"

using namespace acre_test;

namespace {

SKIP_UNDER_VALGRIND("Valgrind keeps an account of its own of faults, areas and limits");
SKIP_EMULATED("an emulator has files and calls of its own", "*");

const int CANNOT = 77;  // of a child: this kernel or user does not let it

void expect_success_or_skip(Ended ended)
{
    if (ended.exited && ended.code == CANNOT)
        GTEST_SKIP() << "this process may not do that to itself";
    expect_success(ended);
}

std::string read_all(const std::string &path)
{
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

// What the library finds out by looking at this process.
int look_around()
{
    int local = 0;
    acre_area area = {};
    STEP(1, acre_area_at(&local, &area) == ACRE_OK);
    STEP(2, area.start <= reinterpret_cast<uintptr_t>(&local) &&
                area.end > reinterpret_cast<uintptr_t>(&local));
    uint64_t count = 0;
    STEP(3, acre_area_count(&count) == ACRE_OK && count > 5);

    acre_areas view;
    STEP(4, acre_areas_open(0, &view) == ACRE_OK);
    uint64_t seen = 0;
    acre_status status;
    while ((status = acre_areas_next(&view, &area)) == 1)
        seen++;
    STEP(5, status == 0 && seen + 8 > count && count + 8 > seen);
    STEP(6, acre_areas_query(&view, reinterpret_cast<uintptr_t>(&local), &area) == ACRE_OK);
    STEP(7, acre_areas_seek(&view, area.start) == ACRE_OK);
    STEP(8, acre_areas_next(&view, &area) == 1);
    acre_areas_close(&view);

    acre_mmap map = {};
    acre_mmap_opts near_code = {};
    near_code.near_address = reinterpret_cast<const void *>(&look_around);
    near_code.reach = size_t{1} << 30;
    STEP(9, acre_mmap_anon(page(), ACRE_READ_WRITE, &near_code, &map) == ACRE_OK);
    STEP(10, acre_mmap_unmap(&map) == ACRE_OK);

    STEP(11, acre_mmap_anon(16 * page(), ACRE_READ_WRITE, nullptr, &map) == ACRE_OK);
    std::memset(map.base, 1, 3 * page());
    size_t resident = 0;
    STEP(12, acre_mmap_resident(&map, 0, map.size, &resident) == ACRE_OK);
    STEP(13, resident >= 3 * page());
    STEP(14, acre_mmap_unmap(&map) == ACRE_OK);

    STEP(15, acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, nullptr, &map) == ACRE_OK);
    acre_mmap_opts fixed = flags(ACRE_MAP_FIXED);
    fixed.address = bytes(map, map.size);
    acre_mmap behind;
    status = acre_mmap_anon(page(), ACRE_NONE, &fixed, &behind);
    STEP(16, status == ACRE_OK || status == -EEXIST);
    STEP(17, acre_mmap_resize(&map, 8 * page(), ACRE_RESIZE_MAY_MOVE) == ACRE_OK);
    STEP(18, acre_mmap_unmap(&map) == ACRE_OK);
    return 0;
}

// ---- the first thread ---------------------------------------------------------------------------

void look_when_the_first_thread_has_ended()
{
    while (read_all("/proc/self/stat").find(") Z") == std::string::npos)
        std::this_thread::yield();
    _exit(look_around());
}

TEST(FirstThread, may_have_ended)
{
    if (TSAN)
        GTEST_SKIP() << "ThreadSanitizer does not survive its first thread";
    expect_success_or_skip(in_child([] {
        std::thread(look_when_the_first_thread_has_ended).detach();
        syscall(SYS_exit, 0);
        return 99;
    }));
}

TEST(FirstThread, of_another_process_may_have_ended)
{
    if (TSAN)
        GTEST_SKIP() << "ThreadSanitizer does not survive its first thread";
    expect_success_or_skip(in_child([] {
        int ends[2];
        STEP(20, pipe(ends) == 0);
        pid_t parent = getpid();
        pid_t child = fork();
        if (child == 0) {
            // The thread that looks is the child's first and only one.
            char byte;
            if (read(ends[0], &byte, 1) != 1)
                _exit(21);
            acre_areas view;
            acre_area area;
            if (acre_areas_open(parent, &view) != ACRE_OK)
                _exit(22);
            _exit(acre_areas_next(&view, &area) == 1 ? 0 : 23);
        }
        std::thread([&ends, child] {
            while (read_all("/proc/self/stat").find(") Z") == std::string::npos)
                std::this_thread::yield();
            int status = 0;
            if (write(ends[1], "x", 1) != 1 || waitpid(child, &status, 0) != child)
                _exit(24);
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 25);
        }).detach();
        syscall(SYS_exit, 0);
        return 99;
    }));
}

// ---- filters ------------------------------------------------------------------------------------

// From here on the calls are answered with `action`.
bool forbid(unsigned action, std::initializer_list<unsigned> calls)
{
    std::vector<sock_filter> filter = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (unsigned call : calls) {
        filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1));
        filter.push_back(BPF_STMT(BPF_RET | BPF_K, action));
    }
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    sock_fprog program = {static_cast<unsigned short>(filter.size()), filter.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(Sandbox, without_ioctl_is_entered_after_use)
{
    expect_success_or_skip(in_child([] {
        STEP(30, look_around() == 0);
        STEP(CANNOT, forbid(SECCOMP_RET_ERRNO | EPERM, {SYS_ioctl}));
        return look_around();
    }));
}

// A view that was opened before.
TEST(Sandbox, a_view_goes_on_when_ioctl_is_refused)
{
    expect_success_or_skip(in_child([] {
        acre_areas view;
        acre_area area;
        STEP(31, acre_areas_open(0, &view) == ACRE_OK);
        STEP(32, acre_areas_next(&view, &area) == 1);
        STEP(33, acre_areas_seek(&view, area.end) == ACRE_OK);
        STEP(34, acre_areas_next(&view, &area) == 1);
        uintptr_t end = area.end;
        uint64_t count = 0;
        STEP(38, acre_area_count(&count) == ACRE_OK);
        STEP(CANNOT, forbid(SECCOMP_RET_ERRNO | EPERM, {SYS_ioctl}));
        STEP(35, acre_areas_query(&view, area.start, &area) == ACRE_OK);
        acre_status status;
        uint64_t more = 0;
        while ((status = acre_areas_next(&view, &area)) == 1) {
            STEP(36, area.start >= end);
            end = area.end;
            more++;
        }
        STEP(37, status == 0 && more + 8 > count);
        return 0;
    }));
}

TEST(Sandbox, that_kills_for_opening_a_file_bears_refusals)
{
#if defined(__arm__) || defined(__i386__)
    GTEST_SKIP() << "calls of other numbers open files here";
#endif
    expect_success_or_skip(in_child([] {
        const size_t more_than_there_is = SIZE_MAX / 2 >> 19;
        for (int what = 0; what < ACRE_CAPABILITY_COUNT; what++)
            (void)acre_can(static_cast<acre_capability>(what));
        acre_mmap large = {}, map = {}, few = {}, adopted = {};
        acre_status reserved =
            acre_mmap_reserve(more_than_there_is, ACRE_READ_WRITE, nullptr, &large);
        STEP(CANNOT, reserved == ACRE_OK);
        STEP(39, acre_mmap_reserve(8 * page(), ACRE_READ_WRITE, nullptr, &few) == ACRE_OK);
        STEP(39, acre_mmap_adopt(few.base, few.size, page(), ACRE_READ_WRITE, ACRE_IS_RESERVATION,
                                 &adopted) == ACRE_OK);
#ifdef SYS_open
        STEP(CANNOT, forbid(SECCOMP_RET_KILL_PROCESS, {SYS_openat, SYS_open}));
#else
        STEP(CANNOT, forbid(SECCOMP_RET_KILL_PROCESS, {SYS_openat}));
#endif
        acre_status status = acre_mmap_anon(more_than_there_is, ACRE_READ_WRITE, nullptr, &map);
        STEP(40, status == -ENOMEM || status == ACRE_OK);
        STEP(41, status != ACRE_OK || acre_mmap_unmap(&map) == ACRE_OK);
        status = acre_mmap_commit(&large, 0, large.size);
        STEP(42, status == -ENOMEM || status == ACRE_OK);
        // Of one area, and of what was changed before.
        STEP(44, acre_mmap_commit(&adopted, 2 * page(), 2 * page()) == ACRE_OK);
        STEP(44, acre_mmap_protect(&adopted, 2 * page(), page(), ACRE_READ) == ACRE_OK);
        STEP(44, acre_mmap_commit(&adopted, 2 * page(), page()) == ACRE_OK);
        acre_mmap_opts opts = flags(ACRE_MAP_HUGE_TRANSPARENT);
        STEP(43, acre_mmap_anon(size_t{4} << 20, ACRE_READ_WRITE, &opts, &map) == ACRE_OK);
        return 0;
    }));
}

// ---- limits -------------------------------------------------------------------------------------

std::string capabilities()
{
    std::string can;
    for (int what = 0; what < ACRE_CAPABILITY_COUNT; what++)
        can += acre_can(static_cast<acre_capability>(what)) ? '1' : '0';
    size_t sizes[16];
    return can + " " + std::to_string(acre_page_sizes(sizes, 16));
}

// Runs a case of this program in a program that has not asked for anything yet.
void expect_success_in_a_fresh_program(const char *filter)
{
    setenv("ACRE_TEST_CAPABILITIES", capabilities().c_str(), 1);
    expect_success_or_skip(in_child([&] {
        // These files are the first program's.
        for (const char *file : {"XML_OUTPUT_FILE", "TEST_PREMATURE_EXIT_FILE"})
            unsetenv(file);
        execl("/proc/self/exe", "fresh", filter, "--gtest_also_run_disabled_tests", nullptr);
        return 98;
    }));
}

TEST(FewDescriptors, DISABLED_in_a_fresh_program)
{
    struct rlimit before;
    ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
    struct rlimit none = {0, before.rlim_max};
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
    (void)capabilities();
    acre_mmap_opts opts = flags(ACRE_MAP_HUGE_TRANSPARENT);
    Map map;
    EXPECT_OK(acre_mmap_anon(size_t{4} << 20, ACRE_READ_WRITE, &opts, &map));
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
    EXPECT_EQ(std::string(getenv("ACRE_TEST_CAPABILITIES")), capabilities());
}

TEST(FewDescriptors, a_moment_without_them_is_not_remembered)
{
    expect_success_in_a_fresh_program("--gtest_filter=FewDescriptors.DISABLED_in_a_fresh_program");
}

TEST(FewDescriptors, are_not_needed_for_room_near_an_address_and_residency)
{
    expect_success_or_skip(in_child([] {
        struct rlimit none = {0, 0};
        STEP(45, setrlimit(RLIMIT_NOFILE, &none) == 0);
        acre_mmap_opts opts = {};
        opts.near_address = reinterpret_cast<const void *>(&look_around);
        opts.reach = size_t{1} << 30;
        acre_mmap map = {};
        STEP(46, acre_mmap_anon(16 * page(), ACRE_READ_WRITE, &opts, &map) == ACRE_OK);
        uintptr_t base = reinterpret_cast<uintptr_t>(map.base);
        uintptr_t code = reinterpret_cast<uintptr_t>(opts.near_address);
        STEP(47, (base > code ? base + map.size - code : code - base) <= opts.reach);
        std::memset(map.base, 1, 3 * page());
        size_t resident = 0;
        STEP(48, acre_mmap_resident(&map, 0, map.size, &resident) == ACRE_OK);
        STEP(49, resident >= 3 * page());
        return 0;
    }));
}

// What needs a look at the areas says why it cannot look.
TEST(FewDescriptors, are_named_by_a_resize_that_must_look_at_areas)
{
    expect_success_or_skip(in_child([] {
        acre_mmap reserved = {}, behind = {};
        STEP(90, acre_mmap_reserve(4 * page(), ACRE_READ_WRITE, nullptr, &reserved) == ACRE_OK);
        acre_mmap_opts fixed = flags(ACRE_MAP_FIXED);
        fixed.address = bytes(reserved, reserved.size);
        acre_status status = acre_mmap_anon(page(), ACRE_READ, &fixed, &behind);
        STEP(91, status == ACRE_OK || status == -EEXIST);
        struct rlimit none = {0, 0};
        STEP(92, setrlimit(RLIMIT_NOFILE, &none) == 0);
        acre_mmap before = reserved;
        STEP(93, acre_mmap_resize(&reserved, 8 * page(), ACRE_RESIZE_MAY_MOVE) == -EMFILE);
        STEP(94, same(before, reserved));
        return 0;
    }));
}

TEST(NoProc, is_no_sign_that_a_process_is_not_there)
{
    expect_success_or_skip(in_child([] {
        acre_areas view = {};
        STEP(95, acre_areas_open(0x7fffffff, &view) == -ESRCH);
        STEP(CANNOT, unshare(CLONE_NEWNS) == 0);
        STEP(CANNOT, mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
        STEP(CANNOT, mount("tmpfs", "/proc", "tmpfs", 0, nullptr) == 0);
        STEP(96, acre_areas_open(getpid(), &view) == -ENOENT);
        STEP(97, acre_areas_open(0, &view) == -ENOENT);
        return 0;
    }));
}

// Refuses to seal files; everything else goes on.
bool forbid_seals()
{
    const unsigned add_seals = 1033;
    sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args) + 8),
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, add_seals, 0, 3),
                            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
#ifdef SYS_fcntl64
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl64, 0, 1),
#else
                            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, 1),
#endif
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Makes an image of a page that begins with 'i', and returns how finishing it went.
acre_status make_image(acre_image *image)
{
    acre_mmap fill = {};
    acre_status status = acre_image_begin(page(), image, &fill);
    if (status != ACRE_OK)
        return status;
    bytes(fill)[0] = 'i';
    return acre_image_finish(image, &fill);
}

TEST(Sandbox, without_seals_has_images_unless_it_said_that_they_are_sealed)
{
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        GTEST_SKIP() << "the filter reads the lower half of an argument";
    expect_success_or_skip(in_child([] {
        STEP(CANNOT, forbid_seals());
        acre_image image = {};
        acre_mmap clone = {};
        acre_port_pretend_without(ACRE_CAN_SEAL_IMAGES);  // as the first question here would find
        STEP(99, make_image(&image) == ACRE_OK);
        STEP(100, acre_image_clone(&image, ACRE_READ_WRITE, nullptr, &clone) == ACRE_OK);
        STEP(101, bytes(clone)[0] == 'i');
        return 0;
    }));
    // A program that was told that they are sealed gets no others.
    expect_success_or_skip(in_child([] {
        STEP(CANNOT, acre_can(ACRE_CAN_SEAL_IMAGES) == 1 && forbid_seals());
        acre_image image = {};
        STEP(102, make_image(&image) == -ENOTSUP);
        return 0;
    }));
}

TEST(HugeWish, are_not_granted_where_the_program_may_not_have_them)
{
    if (!acre_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES))
        GTEST_SKIP() << "this system has no transparent huge pages";
    expect_success_or_skip(in_child([] {
        STEP(CANNOT, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0);
        STEP(50, !acre_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES));
        acre_mmap_opts opts = flags(ACRE_MAP_HUGE_TRANSPARENT);
        acre_mmap map = {};
        STEP(51, acre_mmap_anon(size_t{4} << 20, ACRE_READ_WRITE, &opts, &map) == ACRE_OK);
        STEP(52, (map.flags & ACRE_MAP_HUGE_TRANSPARENT) == 0);
        STEP(53, prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0);
        STEP(54, acre_can(ACRE_CAN_TRANSPARENT_HUGE_PAGES));
        return 0;
    }));
}

// The wish for an alignment, for a name, for huge pages takes more addresses while it is fulfilled.
TEST(FewAddresses, that_are_few_refuse_no_map_for_a_wish)
{
    if (SANITIZED || sizeof(void *) == 4)
        GTEST_SKIP() << "few addresses would stop a sanitizer, and 32 bits have no more";
    expect_success_or_skip(in_child([] {
        const size_t mib = size_t{1} << 20;
        acre_mmap_opts huge = flags(ACRE_MAP_HUGE_TRANSPARENT);
        acre_mmap reserved = {}, small = {}, map = {};
        STEP(60, acre_mmap_reserve(64 * mib, ACRE_READ_WRITE, &huge, &reserved) == ACRE_OK);
        STEP(61, acre_mmap_anon(16 * mib, ACRE_READ_WRITE, nullptr, &small) == ACRE_OK);
        size_t limit = status_bytes("VmSize") + 8 * mib;
        struct rlimit addresses = {limit, limit};
        STEP(62, setrlimit(RLIMIT_AS, &addresses) == 0);
        STEP(63, acre_mmap_decommit(&reserved, 0, reserved.size) == ACRE_OK);
        acre_mmap_opts named = flags(ACRE_MAP_REPLACE);
        named.address = small.base;
        named.name = "name";
        STEP(64, acre_mmap_anon(16 * mib, ACRE_READ_WRITE, &named, &map) == ACRE_OK);
        limit = status_bytes("VmSize") + 5 * mib / 2;
        addresses = {limit, limit};
        STEP(65, setrlimit(RLIMIT_AS, &addresses) == 0);
        STEP(66, acre_mmap_anon(2 * mib, ACRE_READ_WRITE, &huge, &map) == ACRE_OK);
        return 0;
    }));
}

TEST(StackRoom, is_left_by_maps_near_the_stack)
{
    if (SANITIZED || sizeof(void *) == 4)
        GTEST_SKIP() << "a sanitizer's addresses lie there, and 32 bits have no such room";
    expect_success_or_skip(in_child([] {
        const size_t room = size_t{256} << 20;
        struct rlimit stack = {room, RLIM_INFINITY};
        STEP(CANNOT, setrlimit(RLIMIT_STACK, &stack) == 0);
        int local = 0;
        acre_area area = {};
        STEP(70, acre_area_at(&local, &area) == ACRE_OK);
        acre_mmap_opts opts = {};
        opts.near_address = &local;
        opts.reach = size_t{8} << 30;
        acre_mmap map = {};
        STEP(71, acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map) == ACRE_OK);
        uintptr_t base = reinterpret_cast<uintptr_t>(map.base);
        // Below another area, a map is in nobody's way.
        acre_areas view = {};
        acre_area next = {};
        STEP(72, acre_areas_open(0, &view) == ACRE_OK &&
                     acre_areas_seek(&view, base + map.size) == ACRE_OK &&
                     acre_areas_next(&view, &next) == 1);
        STEP(73, base >= area.end || base + room <= area.start || next.start < area.start);
        return 0;
    }));
}

// Where the heap of this process begins, or will.
uintptr_t start_of_heap()
{
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("[heap]") != std::string::npos)
            return static_cast<uintptr_t>(std::stoull(line, nullptr, 16));
    }
    return static_cast<uintptr_t>(syscall(SYS_brk, 0));
}

TEST(HeapRoom, is_left_by_maps_near_a_program_break_that_has_no_heap_yet)
{
    if (SANITIZED)
        GTEST_SKIP() << "a sanitizer needs its heap";
    static uintptr_t start;
    static thread_local char of_thread;
    start = start_of_heap();
    auto own = reinterpret_cast<uintptr_t>(&of_thread);
    if (own >= start && own < static_cast<uintptr_t>(syscall(SYS_brk, 0)))
        GTEST_SKIP() << "a static program has its thread's data in the heap";
    expect_success(in_child([] {
        const size_t room = size_t{32} << 20;
        // From here on nothing may be allocated or freed.
        STEP(80, static_cast<uintptr_t>(syscall(SYS_brk, start)) == start);
        acre_mmap_opts opts = {};
        opts.near_address = reinterpret_cast<void *>(start);
        opts.reach = size_t{1} << 30;
        acre_mmap map = {};
        STEP(81, acre_mmap_anon(page(), ACRE_READ_WRITE, &opts, &map) == ACRE_OK);
        STEP(82, static_cast<uintptr_t>(syscall(SYS_brk, start + room)) == start + room);
        return 0;
    }));
}

// ---- control groups -----------------------------------------------------------------------------

void write_file(const std::string &path, const std::string &text)
{
    std::ofstream(path) << text;
}

// A process of a container of version 1, whose paths are long.
TEST(ControlGroup, has_its_line_anywhere)
{
    expect_success_or_skip(in_child([] {
        STEP(CANNOT, unshare(CLONE_NEWNS) == 0);
        STEP(CANNOT, mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
        STEP(CANNOT, mount("tmpfs", "/tmp", "tmpfs", 0, nullptr) == 0);
        STEP(80, mkdir("/tmp/groups", 0755) == 0 && mkdir("/tmp/groups/memory", 0755) == 0);
        write_file("/tmp/groups/memory/memory.limit_in_bytes", "536870912\n");
        STEP(CANNOT, mount("/tmp/groups", "/sys/fs/cgroup", nullptr, MS_BIND, nullptr) == 0);
        std::string lines;
        for (int i = 14; i > 1; i--)
            lines += std::to_string(i) + ":controller" + std::to_string(i) + ":/" +
                     std::string(600, 'p') + "\n";
        write_file("/tmp/cgroup", lines + "1:memory:/pod\n");
        std::string mine = "/proc/" + std::to_string(getpid()) + "/cgroup";
        STEP(CANNOT, mount("/tmp/cgroup", mine.c_str(), nullptr, MS_BIND, nullptr) == 0);
        acre_system system = {};
        STEP(81, acre_system_read(&system) == ACRE_OK);
        STEP(82, system.memory_limit == 536870912);
        return 0;
    }));
}

}  // namespace
