// holdfast-sim: runs schedules by seed on all threads, and stops at the first violation with a seed that replays and a schedule
// that was shrunk. Also counts which state edges the run reached: what was not reached was not tested.

#include "schedule.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <mutex>
#include <thread>

namespace holdfast::sim {
namespace {

/// Every edge and reason that this version can have. A run of the suite must reach all of them.
constexpr std::array required_edges{
    "init -> backup (ready)",
    "init -> adopting (ready)",
    "adopting -> master (adopted)",
    "backup -> master (master_silent)",
    "backup -> master (master_left)",
    "backup -> master (preempted)",
    "master -> backup (higher_priority)",
    "master -> leaving (leaving)",
    "leaving -> backup (failover)",
    "leaving -> master (no_successor)",
    "leaving -> fault (fault)",
    "leaving -> init (stopped)",
    "master -> fault (fault)",
    "backup -> fault (fault)",
    "backup -> init (stopped)",
    "fault -> backup (ready)",
    "master -> backup (lease_lost)",
};

struct Totals {
    std::uint64_t schedules{0}, events{0};
    Coverage coverage;
    std::optional<std::uint64_t> failed_seed;
};

Totals run_all(std::uint64_t first, std::uint64_t last, unsigned threads) {
    std::atomic<std::uint64_t> next{first};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    Totals totals;
    const auto work = [&] {
        Totals mine;
        for (std::uint64_t seed = next++; seed <= last && !stop; seed = next++) {
            auto outcome = run(draw(seed));
            ++mine.schedules;
            mine.events += outcome.events;
            for (const auto& [edge, count] : outcome.coverage)
                mine.coverage[edge] += count;
            if (!outcome.violation) continue;
            stop = true;
            mine.failed_seed = seed;
        }
        const std::lock_guard lock{mutex};
        totals.schedules += mine.schedules;
        totals.events += mine.events;
        for (const auto& [edge, count] : mine.coverage)
            totals.coverage[edge] += count;
        if (mine.failed_seed && (!totals.failed_seed || *mine.failed_seed < *totals.failed_seed))
            totals.failed_seed = mine.failed_seed;
    };
    std::vector<std::thread> workers;
    for (unsigned i = 0; i < threads; ++i)
        workers.emplace_back(work);
    for (auto& worker : workers)
        worker.join();
    return totals;
}

void explain(std::uint64_t seed) {
    const auto smallest = shrink(draw(seed));
    fmt::print("shrunk to {} fault(s):\n{}", smallest.faults.size(), to_string(smallest));
    fmt::print("{}\nreplay: holdfast-sim --seed {} --trace\n", run(smallest).violation->text, seed);
}

} // namespace
} // namespace holdfast::sim

int main(int argc, char** argv) {
    using namespace holdfast::sim;
    std::string seeds = "1..20000";
    std::uint64_t seed = 0;
    bool trace = false, coverage = false;
    unsigned threads = std::max(1U, std::thread::hardware_concurrency());
    CLI::App app{"Runs the production engine through seeded schedules of faults, with the invariants as monitors.",
                 "holdfast-sim"};
    app.add_option("--seeds", seeds, "range FIRST..LAST")->capture_default_str();
    app.add_option("--seed", seed, "one schedule, explained when it fails");
    app.add_option("--threads", threads, "worlds at a time")->capture_default_str();
    app.add_flag("--trace", trace, "with --seed: print every turn");
    app.add_flag("--coverage", coverage, "print the state edges reached; fail if one that must be was not");
    CLI11_PARSE(app, argc, argv);
    if (seed != 0) {
        const auto schedule = draw(seed);
        fmt::print("{}", to_string(schedule));
        const auto outcome = run(schedule, trace), again = run(schedule);
        if (outcome.trace_hash != again.trace_hash) {
            fmt::print("not deterministic: the same seed gave another run\n");
            return 1;
        }
        fmt::print("{} events, trace {:016x}: {}\n", outcome.events, outcome.trace_hash,
                   outcome.violation ? outcome.violation->text : "all monitors hold");
        if (outcome.violation) explain(seed);
        return outcome.violation ? 1 : 0;
    }
    const auto dots = seeds.find("..");
    const auto first = std::stoull(seeds),
               last = dots == std::string::npos ? first : std::stoull(seeds.substr(dots + 2));
    const auto began = std::chrono::steady_clock::now();
    const auto totals = run_all(first, last, threads);
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    fmt::print(
        "{} schedules of 60 simulated seconds, {} events, in {:.1f} s: {:.0f} schedules a second on {} threads\n",
        totals.schedules, totals.events, seconds, static_cast<double>(totals.schedules) / seconds, threads);
    if (totals.failed_seed) {
        fmt::print("seed {} fails: {}\n", *totals.failed_seed, run(draw(*totals.failed_seed)).violation->text);
        explain(*totals.failed_seed);
        return 1;
    }
    int missing = 0;
    if (coverage) {
        for (const auto& [edge, count] : totals.coverage)
            fmt::print("  {:9} {}\n", count, edge);
        for (const auto* edge : required_edges) {
            if (totals.coverage.contains(edge)) continue;
            fmt::print("never reached: {}\n", edge);
            ++missing;
        }
    }
    fmt::print("all monitors hold\n");
    return missing ? 1 : 0;
}
