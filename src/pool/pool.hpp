// A virtual server decides: who of its real servers is to be in the kernel's table, with what weight, and whether it has its
// quorum. Pure, and derived: the table that is wanted follows from the members, never from how they came to be so.
#pragma once

#include "base/time.hpp"
#include "model/server.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace holdfast::pool {

enum class Health : std::uint8_t {
    pending, ///< a check has no verdict yet
    up,
    down,
};
std::string_view name(Health);

/// A real server, as its pool sees it.
struct Member {
    std::shared_ptr<const model::RealServer> model;
    Health health{Health::pending};
    bool assumed_up{true}; ///< while it is pending: unless alpha, or the table of the process before us says no
    bool disabled{false};  ///< by somebody's command
    std::optional<std::uint32_t> set_weight;   ///< by somebody's command, instead of the file's
    std::optional<std::uint32_t> found_weight; ///< a dynamic script's, instead of the file's
    std::int64_t added_weight{0};              ///< of files
    Time up_since{Time::min()};                ///< for a slow start; in the past: it has its whole weight
    std::optional<Time> draining{};            ///< no new connections; until then it keeps those it has
    bool leaving{false};                       ///< a reload took it away: it goes when it has drained
    bool served{false};                        ///< it was alive when anybody was last
    std::optional<std::uint32_t>
        connections{}; ///< active and inactive, as last read; nothing: not since its drain began
};

struct Pool {
    std::shared_ptr<const model::VirtualServer> model;
    std::vector<Member> members; ///< sorted by name
    bool quorate{false};
};

bool is_alive(const Pool&, const Member&);
/// What the file, commands and checks say; a slow start and a drain not counted.
std::uint32_t base_weight(const Member&);
/// What it is to have in the table.
std::uint32_t weight(const Pool&, const Member&, Time now);
/// Of all that are alive.
std::uint64_t total_weight(const Pool&);

enum class Edge : std::uint8_t { none, gained, lost };
/// Quorum and hysteresis, after any change of a member.
Edge settle(Pool&);

/// A destination that is to be in the table of each of its services.
struct Wanted {
    const model::RealServer* server;
    std::uint32_t weight;
};
/// In the order of the members, the sorry server last. The model's ports are not resolved yet.
std::vector<Wanted> wanted(const Pool&, Time now);
/// The sorry server is what serves.
bool is_sorry(const Pool&);

/// A member whose drain is over: no connections are left, or its time is.
bool has_drained(const Member&, Time now);
bool is_draining(const Pool&); ///< somebody's connections are waited for
/// Somebody drains or grows: what is wanted changes with time and connections.
bool is_moving(const Pool&);
/// When weights or drains want to be looked at again, or `never`.
Time next_deadline(const Pool&, Time now);

} // namespace holdfast::pool
