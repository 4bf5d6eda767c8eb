// When a master announces its addresses, and at what pace. Invariant: nothing here grows with time. A burst that is asked for
// while another one is under way makes that one longer, and an address that waits to be announced waits once.
#pragma once

#include "base/time.hpp"
#include "engine/kernel_view.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string>
#include <variant>

namespace holdfast::engine {

/// Announcement rounds after a takeover; from this number on there is only the refresh.
inline constexpr unsigned rounds_of_takeover = 4;

/// So many announcements are left, round and round over a list of addresses.
struct AnnounceRing {
    std::size_t next{0};
    std::size_t left{0};
};
/// The lists: the advertised addresses, the excluded ones, and those of both that are on other interfaces than the router's.
enum class Announced : std::uint8_t { advertised, excluded, elsewhere };

/// The addresses are announced when they are confirmed, again 10, 100 and 1,000 ms later, then as the instance says.
struct Announcing {
    std::optional<Time> start; ///< the last of them was confirmed
    unsigned round{0};
    Time next{never};        ///< of these rounds, then of the refresh
    Time delayed{never};     ///< `announce_delay`
    Time other_links{never}; ///< `announce_other_links`
    std::array<AnnounceRing, 3> rings{};
    Time go_on{never}; ///< when the rings turn on

    AnnounceRing& ring(Announced which) { return rings[static_cast<std::size_t>(which)]; }
    Time deadline() const { return std::min({next, delayed, other_links}); }
};

/// Announcements that share one pace: those on an interface, or on the interfaces of an announce group.
struct AnnounceLane {
    /// An address that nobody has heard of since it came here. The advertised ones go first.
    struct Waiting {
        bool excluded{false};
        AddressKey key;
        std::uint32_t router{};
        friend auto operator<=>(const Waiting&, const Waiting&) = default;
    };
    std::set<Waiting> waiting; ///< before every repetition
    Time last{-24h};
    Duration interval{0}; ///< the largest of those who announced here since the last reload

    Time free_at() const { return last + interval; }
};
/// Interfaces of a group go by its name.
using AnnounceLaneKey = std::variant<LinkIndex, std::string>;

} // namespace holdfast::engine
