// A schedule: hosts and a list of faults with their times, all drawn from one seed before anything runs. The list is what is
// shrunk when a run fails, and what a regression file stores.
#pragma once

#include "monitors.hpp"
#include "world.hpp"

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::sim {

enum class FaultKind : std::uint8_t {
    kill,
    reboot,
    stop,
    pause,
    link,
    interface,
    cut,
    deafen,
    erase,
    refuse,
    tracker,
    failover,
    priority,
    stranger,
    damaged,
    crash,    ///< killed between two actions of one turn
    slow,     ///< the executor takes long
    interval, ///< another advert interval
    same,     ///< a reload that changes nothing
    reflect,  ///< our own adverts come back
    unknown,  ///< a tracker that cannot see
    source,   ///< the interface loses its own address
    lost,     ///< kernel news were lost
    foreign,  ///< somebody else puts the address on the host
    client,   ///< the client does not hear the host
    mute,     ///< one VRID is not heard between two hosts, as if its link were cut
    restart,  ///< systemctl restart: the next process follows at once
    rekey,    ///< another of the known keys signs
    wall      ///< the wall clock is wrong
};
/// The rest is for routers with signed adverts alone.
inline constexpr std::size_t kinds_of_any_router = static_cast<std::size_t>(FaultKind::rekey);

struct Fault {
    FaultKind kind{};
    Duration at{0};
    Duration lasts{0};
    std::size_t host{0}, other{0};
    unsigned value{0}; ///< priority, or whatever the kind needs
};

struct Schedule {
    std::uint64_t seed{0};
    std::vector<HostOptions> hosts;
    WireOptions wire;
    std::vector<Fault> faults;
    Duration storm{40s}, settle{20s};
};

Schedule draw(std::uint64_t seed);

struct Outcome {
    std::optional<Violation> violation;
    std::uint64_t events{0}, trace_hash{0};
    Coverage coverage;
};

/// `trace`: every turn is printed in the notation of scenarios.
Outcome run(const Schedule& schedule, bool trace = false);

/// The same violation with fewer faults (ddmin on the list).
Schedule shrink(const Schedule& schedule);

std::string to_string(const Schedule& schedule);

} // namespace holdfast::sim
