// What checks cost: N of a kind a second by the real prober, and how late they begin. Prints one line of JSON.
//
//     holdfast-checks PROBER KIND COUNT SECONDS PORT        KIND: tcp, http; the servers are 127.0.0.1, 127.0.0.2, ...
#include "ipc/helper.hpp"
#include "ipc/service.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <poll.h>

using namespace holdfast;

namespace {

std::uint64_t cpu_of(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{}/schedstat", pid)};
    std::uint64_t nanoseconds = 0;
    file >> nanoseconds;
    return nanoseconds;
}
std::size_t resident_of(pid_t pid) {
    std::ifstream file{fmt::format("/proc/{}/statm", pid)};
    std::size_t pages = 0;
    file >> pages >> pages;
    return pages * 4096;
}

struct Seen {
    std::vector<double> lateness; ///< milliseconds, the worst of each check in some seconds
    std::uint64_t bad{0};
};

/// Turns the loop for so long, and keeps what is told meanwhile.
Seen run(ipc::Helper& helper, Duration how_long) {
    Seen seen;
    const auto end = ipc::clock_now() + how_long;
    for (auto now = ipc::clock_now(); now < end; now = ipc::clock_now()) {
        pollfd entry{helper.fd(), POLLIN, 0};
        ::poll(&entry, 1, 20);
        auto events = helper.on_readable(ipc::clock_now());
        if (ipc::clock_now() >= helper.next_deadline()) helper.on_deadline(ipc::clock_now());
        for (const auto& event : events) {
            const auto* reported = std::get_if<ipc::Reported>(&event);
            const auto* verdict = reported ? std::get_if<ipc::Verdict>(&reported->report) : nullptr;
            if (!verdict) continue;
            seen.lateness.push_back(std::chrono::duration<double, std::milli>{verdict->lateness}.count());
            seen.bad += verdict->ok ? 0 : 1;
        }
    }
    std::ranges::sort(seen.lateness);
    return seen;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 6) return EXIT_FAILURE;
    const std::string kind = argv[2];
    const auto count = std::strtoul(argv[3], nullptr, 10);
    const auto seconds = std::strtoul(argv[4], nullptr, 10);
    const auto port = static_cast<std::uint16_t>(std::strtoul(argv[5], nullptr, 10));
    ipc::Helper helper{{.name = "holdfast-prober", .command = {argv[1]}}};
    helper.start(ipc::clock_now());
    for (unsigned long i = 0; i < count; ++i) {
        const bool http = kind == "http" || (kind == "both" && i % 2 == 1);
        const auto part = [&](unsigned shift) { return static_cast<std::uint8_t>((i + 1) >> shift & 0xff); };
        const ipc::StartCheck check{.id = ipc::WatchId{i},
                                    .what = http ? model::CheckKind{model::HttpCheck{}} : model::TcpCheck{},
                                    .address = IpAddress::v4(127, 0, part(8), part(0)),
                                    .port = port,
                                    .interval = 1s,
                                    .timeout = 900ms,
                                    .warmup = 1s};
        if (!helper.subscribe(check, ipc::clock_now())) return EXIT_FAILURE;
    }
    run(helper, 8s); // what was late while it was told them all is over
    const auto before = cpu_of(helper.pid());
    const auto seen = run(helper, std::chrono::seconds{seconds});
    const double cpu = static_cast<double>(cpu_of(helper.pid()) - before) / 1000.0;
    const auto at = [&](std::size_t percent) {
        return seen.lateness.empty() ? -1.0 : seen.lateness[(seen.lateness.size() - 1) * percent / 100];
    };
    fmt::print("{{\"us_a_check\": {:.2f}, \"late_ms_p50\": {:.2f}, \"late_ms_p99\": {:.2f}, \"late_ms_max\": {:.2f}, "
               "\"told\": {}, \"bad\": {}, \"resident_mb\": {:.1f}}}\n",
               cpu / static_cast<double>(count * seconds), at(50), at(99), at(100), seen.lateness.size(), seen.bad,
               static_cast<double>(resident_of(helper.pid())) / 1e6);
    return EXIT_SUCCESS;
}
