// The invariants of reliability.md as named monitors, written as oracles of their own: what they expect is computed here, not
// asked of the engine. A violation ends the run with the monitor's name.
#pragma once

#include "oracle.hpp"
#include "world.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace holdfast::sim {

struct Violation {
    std::string monitor; ///< "N4"
    std::string text;
};

/// State edges seen, by (from, to, reason): what a run did not reach it did not test.
using Coverage = std::map<std::string, std::uint64_t>;

class Monitors {
  public:
    explicit Monitors(World& world);

    /// After every engine turn.
    void after_turn(const Turn& turn);
    /// Between events: what the kernels hold (N1).
    void sample();
    /// After healing and settling: B1, B2, B4, B5 and what the client sees.
    void after_settling(std::size_t edges_before);

    const std::optional<Violation>& violation() const { return violation_; }
    std::size_t edges() const { return edges_; }
    Coverage coverage;

  private:
    struct Memory {
        std::optional<Time> left_holding; ///< when the state stopped holding addresses
        std::optional<Time> last_heard;   ///< until when an accepted advert speaks for its master
        std::shared_ptr<const model::Config> config;
        Priority priority{};
        Duration interval{};
        Time measured{}; ///< when one of these changed
        std::string_view told{"init"};
        std::optional<Time> announced;                        ///< on its link, the last time
        Unheard unheard;                                      ///< of a group
        std::set<std::pair<IpAddress, wire::Sequence>> heard; ///< signed adverts that were accepted
        std::uint64_t life{0};
    };

    void fail(const char* monitor, const Turn& turn, const std::string& text);
    void check_adverts(const Turn& turn);
    void check_yield(const Turn& turn);
    void check_preemption(const Turn& turn);
    void check_rejects(const Turn& turn);
    void check_reload(const Turn& turn);
    void check_told(const Turn& turn);
    void check_lease(const Turn& turn);
    void check_timers(const Turn& turn);
    void check_group(const Turn& turn);
    void check_group_announcements(const Turn& turn);
    void check_pace(const Turn& turn);
    void check_signature(const Turn& turn);
    void remember(const Turn& turn);

    World& world_;
    std::vector<Memory> memory_;
    std::vector<Oracle> oracles_;
    std::vector<std::map<IpAddress, wire::Sequence>> newest_; ///< accepted by each host in any of its lives
    std::optional<Violation> violation_;
    std::size_t edges_{0};
};

} // namespace holdfast::sim
