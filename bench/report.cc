// main() of every benchmark: runs all peers of each question in random interleaving, several times
// over, and closes with a table of ratios between the fastest runs.
//
// A benchmark is named "question/peer"; the peer "acre" is compared with all others of its
// question.  What it counts as "bytes" is shown in MiB beside its time.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace {

// Why a run was skipped, or NULL: Google Benchmark has other names for it from 1.8 on.
template <class Run>
auto
why_skipped(const Run &run, int) -> decltype(run.skip_message.c_str())
{
    return run.skipped ? run.skip_message.c_str() : nullptr;
}

template <class Run>
auto
why_skipped(const Run &run, long) -> decltype(run.error_message.c_str())
{
    return run.error_occurred ? run.error_message.c_str() : nullptr;
}

// From 1.8 on a time has a unit.
template <class Run>
auto
least_time(const Run *run) -> decltype(run->skip_message.c_str())
{
    return "--benchmark_min_time=0.02s";
}

[[maybe_unused]] const char *
least_time(const void *)
{
    return "--benchmark_min_time=0.02";
}

// Of each peer the fastest run.
struct Best {
    double nanoseconds;  // an item
    double bytes;        // 0: not counted
};
using Times = std::map<std::string, Best>;

class Report : public benchmark::BenchmarkReporter {
  public:
    bool
    ReportContext(const Context &) override
    {
        return true;
    }

    void
    ReportRuns(const std::vector<Run> &runs) override
    {
        for (const Run &run : runs) {
            if (const char *reason = why_skipped(run, 0))
                std::printf("%s: %s\n", run.benchmark_name().c_str(), reason);
            else if (run.run_type == Run::RT_Iteration)
                note(run);
        }
    }

    void
    Finalize() override
    {
        std::printf("\n%-44s %-22s %12s %12s %9s %9s\n", "question", "peer", "peer ns", "acre ns",
                    "ratio", "MiB");
        for (const auto &question : questions_)
            print(question.first, question.second);
    }

  private:
    // Where a benchmark counts items, the time of one.
    static double
    nanoseconds(const Run &run)
    {
        auto rate = run.counters.find("items_per_second");
        if (rate != run.counters.end())
            return 1e9 / rate->second.value;
        return run.real_accumulated_time / static_cast<double>(run.iterations) * 1e9;
    }

    void
    note(const Run &run)
    {
        std::string name = run.run_name.function_name;
        size_t slash = name.rfind('/');
        if (slash == std::string::npos)
            return;
        auto counted = run.counters.find("bytes");
        Best best = {nanoseconds(run), counted == run.counters.end() ? 0 : counted->second.value};
        auto added = questions_[name.substr(0, slash)].emplace(name.substr(slash + 1), best);
        if (best.nanoseconds < added.first->second.nanoseconds)
            added.first->second = best;
    }

    static void
    print(const std::string &question, const Times &times)
    {
        auto found = times.find("acre");
        double ours = found == times.end() ? 0 : found->second.nanoseconds;
        for (const auto &time : times) {
            double theirs = time.second.nanoseconds;
            if (time.first == "acre" && times.size() > 1 && time.second.bytes == 0)
                continue;
            std::printf("%-44s %-22s %12.2f %12.2f %8.2fx", question.c_str(), time.first.c_str(),
                        theirs, ours, ours > 0 ? theirs / ours : 0.0);
            if (time.second.bytes != 0)
                std::printf(" %9.1f", time.second.bytes / (1 << 20));
            std::printf("\n");
        }
    }

    std::map<std::string, Times> questions_;
};

}  // namespace

int
main(int argc, char **argv)
{
    // Given first, so that the command line's own go before.
    std::string defaults[] = {
        "--benchmark_enable_random_interleaving=true",
        "--benchmark_repetitions=9",
        least_time(static_cast<const benchmark::BenchmarkReporter::Run *>(nullptr)),
    };
    std::vector<char *> arguments = {argv[0]};
    for (std::string &option : defaults)
        arguments.push_back(&option[0]);
    arguments.insert(arguments.end(), argv + 1, argv + argc);
    int count = static_cast<int>(arguments.size());
    arguments.push_back(nullptr);

    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data()))
        return 2;
    Report report;
    benchmark::RunSpecifiedBenchmarks(&report);
    return 0;
}
