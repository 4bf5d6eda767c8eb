// What the journal is told. A note names the thing, the reason and the cure; the same complaint about the same thing comes
// at most once a minute, with the number that were left out, so no sender can fill a disk (N17).
#pragma once

#include "base/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::engine {

/// journald priorities (syslog(3)).
enum class Severity : std::uint8_t { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

/// One kind of message, one MESSAGE_ID in the journal (bus/journal has the ids).
enum class NoteKind : std::uint8_t {
    state_change,
    group_state_change,
    packet_rejected,
    stranger_priority,
    interval_capped,
    address_lists_differ,
    address_deleted,
    address_foreign,
    address_refused,
    lease_unsafe,
    lease_lost,
    woken_late,
    tracker_changed,
    config_loaded,
    config_rejected,
    stopping,
    duplicate_address,
    unheard,       ///< a lower master goes on beside us, or another one of this router announces: adverts are lost
    stood_still,   ///< a deadline was served an interval late or more
    vrid_stranger, ///< the same VRID with other addresses
    route_deleted, ///< or a rule
    route_refused,
    script_ended,
    clocks_differ,   ///< the clock of a sender of signed adverts is near the edge of the window, or beyond it
    server_changed,  ///< a real server came up or went down, or a virtual server's quorum
    server_refused,  ///< the kernel does not have a virtual server as it is wanted
    server_unnamed,  ///< a real server is this host, and the file does not say so
    maintenance,     ///< the host was taken out of service, or back
    command,         ///< somebody asked for a change by D-Bus, and was let in or refused
    missing_service, ///< no D-Bus, no systemd, no real time, ...
};

struct Note {
    Severity severity{Severity::notice};
    NoteKind kind{};
    std::string instance; ///< or the tracker; empty: the whole node
    std::string text;
    // State changes carry them as journal fields.
    std::string_view from, to, reason;
};

/// Lets a complaint through once a minute for each key. Keys are few: (object, kind, reason).
class NoteLimiter {
  public:
    static constexpr Duration window = 1min;
    /// How many were left out since the last time, or nothing while the minute runs.
    std::optional<unsigned> pass(std::uint64_t key, Time now);

  private:
    struct Entry {
        Time again{};
        unsigned suppressed{0};
    };
    std::map<std::uint64_t, Entry> entries_;
};

} // namespace holdfast::engine
