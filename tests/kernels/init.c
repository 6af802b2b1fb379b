// Process 1 of a booted kernel: sets the machine up in one way after another, runs the test
// programs in each, turns it off.
//
// The console gets one line for each event, all beginning with '@': scenario and program before
// what they run, the lines of main.cc, "ended STATUS" after a program, "done" before the machine is
// turned off.  Whatever else is there comes from the kernel or from a test.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAMS "/tests"
#define POOLS "/sys/kernel/mm/hugepages"
#define POOL_BYTES (96L << 20)
#define NOBODY 65534

struct setting {
    const char *path;
    const char *value;
};

#define OVERCOMMIT "/proc/sys/vm/overcommit_memory"
#define AREAS "/proc/sys/vm/max_map_count"
#define TRANSPARENT "/sys/kernel/mm/transparent_hugepage/enabled"

// What every scenario starts from.
static const struct setting defaults[] = {
    {OVERCOMMIT, "0"},
    {AREAS, "65530"},
    {TRANSPARENT, "always"},
    {"/proc/sys/kernel/core_pattern", "core"},
};

struct scenario {
    const char *name;
    struct setting own[2];
    bool whole;        // also what computes for long and asks the kernel for little
    bool pools;        // of huge pages, one of each size
    bool nobody;       // as a user without rights, who may lock 512 KiB or 32 pages
    bool small_group;  // a control group with little memory
};

static const struct scenario scenarios[] = {
    {.name = "defaults", .whole = true},
    {.name = "strict-overcommit", .own = {{OVERCOMMIT, "2"}}},
    {.name = "free-overcommit,huge-on-advice",
     .own = {{OVERCOMMIT, "1"}, {TRANSPARENT, "madvise"}}},
    {.name = "huge-page-pools", .pools = true},
    {.name = "few-areas,never-huge", .own = {{AREAS, "20000"}, {TRANSPARENT, "never"}}},
    {.name = "small-group", .small_group = true},
    {.name = "nobody", .nobody = true},
};

static void say(const char *event, const char *text)
{
    printf("@%s %s\n", event, text);
    fflush(stdout);
}

// One case that stands for a step of this program.
static void report(const char *result, const char *name, const char *why)
{
    say("case", name);
    say("why", why);
    say(result, "");
}

static bool write_file(const char *path, const char *value)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool written = write(file, value, strlen(value)) == (ssize_t)strlen(value);
    int why = errno;
    close(file);
    errno = why;
    return written;
}

static void set(const char *path, const char *value)
{
    if (write_file(path, value))
        return;
    bool absent = errno == ENOENT;
    report(absent ? "skipped" : "failed", path,
           absent ? "this kernel has no such setting" : strerror(errno));
}

// Limits are bytes, and enough pages where pages are large.
static long at_least(long bytes, long pages)
{
    return bytes > pages ? bytes : pages;
}

static void set_number(const char *path, long number)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", number);
    set(path, text);
}

// ---- huge pages ---------------------------------------------------------------------------------

// Gives the pool of `size` bytes a page `count` pages.
static void fill_pool(const char *name, long count)
{
    char path[300];
    char text[32];
    snprintf(path, sizeof path, POOLS "/%s/nr_hugepages", name);
    set_number(path, count);

    FILE *file = fopen(path, "re");
    long got = 0;
    if (file == NULL || fscanf(file, "%ld", &got) != 1 || got != count) {
        snprintf(text, sizeof text, "%ld of %ld pages", got, count);
        report("skipped", path, text);
    }
    if (file != NULL)
        fclose(file);
}

// Every size gets about POOL_BYTES, the largest one page; or nothing.
static void fill_pools(bool full)
{
    DIR *folder = opendir(POOLS);
    const struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        long kilobytes;
        if (sscanf(entry->d_name, "hugepages-%ldkB", &kilobytes) != 1)
            continue;
        long count = POOL_BYTES / 1024 / kilobytes;
        fill_pool(entry->d_name, !full ? 0 : count > 0 ? count : 1);
    }
    if (folder != NULL)
        closedir(folder);
}

// ---- programs -----------------------------------------------------------------------------------

#define GROUP "/sys/fs/cgroup/scenario"

// Takes this process's rights away; false = not possible.
static bool become_nobody(void)
{
    rlim_t bytes = (rlim_t)at_least(524288, 32 * sysconf(_SC_PAGESIZE));
    struct rlimit lock = {bytes, bytes};
    return setrlimit(RLIMIT_MEMLOCK, &lock) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0;
}

static void start(const char *program, const struct scenario *scenario)
{
    if (scenario->small_group && !write_file(GROUP "/cgroup.procs", "0"))
        _exit(126);
    if (scenario->nobody && !become_nobody())
        _exit(126);
    char *arguments[] = {(char[]){"test"}, NULL};
    char *environment[] = {
        (char[]){"TEST_TMPDIR=/tmp"},
        (char[]){"TEST_TIMEOUT=1200"},  // of which a child gets half: emulators are slow
        (char[]){"ACRE_SEEDS=60"},
        (char[]){"ACRE_SLOW=1"},
        scenario->whole ? NULL : (char[]){"GTEST_FILTER=-*Random*:Leaks.*:Threads.*"},
        NULL,
    };
    execve(program, arguments, environment);
    _exit(127);
}

// Also waits for the orphans that process 1 inherits.
static int status_of(pid_t child)
{
    int status;
    for (;;) {
        pid_t ended = wait(&status);
        if (ended == child)
            return status;
        if (ended < 0 && errno != EINTR)
            return -1;
    }
}

static void run(const char *program, const struct scenario *scenario)
{
    char text[32];
    say("program", strrchr(program, '/') + 1);
    pid_t child = fork();
    if (child == 0)
        start(program, scenario);
    int status = child < 0 ? -1 : status_of(child);
    snprintf(text, sizeof text, WIFSIGNALED(status) ? "signal %d" : "%d",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    say("ended", text);
}

static int is_program(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_all(const struct scenario *scenario)
{
    struct dirent **entries;
    int count = scandir(PROGRAMS, &entries, is_program, alphasort);
    for (int i = 0; i < count; i++) {
        char path[300];
        snprintf(path, sizeof path, PROGRAMS "/%s", entries[i]->d_name);
        run(path, scenario);
        free(entries[i]);
    }
    if (count > 0)
        free(entries);
}

static void play(const struct scenario *scenario)
{
    say("scenario", scenario->name);
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        set(defaults[i].path, defaults[i].value);
    for (size_t i = 0; i < sizeof scenario->own / sizeof *scenario->own; i++) {
        if (scenario->own[i].path != NULL)
            set(scenario->own[i].path, scenario->own[i].value);
    }
    fill_pools(scenario->pools);
    if (scenario->small_group) {
        if (mkdir(GROUP, 0755) != 0)
            report("failed", GROUP, strerror(errno));
        set_number(GROUP "/memory.max", at_least(134217728, 16384 * sysconf(_SC_PAGESIZE)));
    }
    run_all(scenario);
}

// ---- the machine --------------------------------------------------------------------------------

static void mount_at(const char *type, const char *path, const char *options)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        report("failed", path, strerror(errno));
    if (mount(type, path, type, 0, options) != 0)
        report("failed", path, strerror(errno));
}

static void set_up(void)
{
    mount_at("devtmpfs", "/dev", NULL);
    int console = open("/dev/console", O_RDWR);
    for (int i = 0; i < 3; i++)
        dup2(console, i);

    mount_at("proc", "/proc", NULL);
    mount_at("sysfs", "/sys", NULL);
    mount_at("tmpfs", "/dev/shm", NULL);
    mount_at("tmpfs", "/tmp", "mode=1777");
    mount_at("cgroup2", "/sys/fs/cgroup", NULL);
    set("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
    if (chdir("/tmp") != 0)
        report("failed", "/tmp", strerror(errno));
}

// /bin/cat, for the tests that want to become another program.
static int cat(void)
{
    char buffer[4096];
    ssize_t got;
    while ((got = read(0, buffer, sizeof buffer)) > 0) {
        if (write(1, buffer, (size_t)got) != got)
            return 1;
    }
    return got < 0;
}

int main(void)
{
    if (getpid() != 1)
        return cat();

    // The kernel hands on what it does not know of its command line.
    const char *only = getenv("scenario");
    set_up();
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (only == NULL || strcmp(only, scenarios[i].name) == 0)
            play(&scenarios[i]);
    }
    say("done", "");
    reboot(RB_POWER_OFF);
    return 1;
}
