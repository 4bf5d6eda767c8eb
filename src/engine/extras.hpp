// Routes and rules: what goes with addresses, one slot for each that somebody wants or that is left of a process before us.
#pragma once

#include "engine/action.hpp"
#include "engine/restore_pace.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace holdfast::engine {

/// The kernel's identity of a route or rule. Routes sort before rules: they are added first and removed last.
using ExtraKey = std::variant<model::RouteId, model::Rule>;
using ExtraWish = std::variant<std::monostate, std::shared_ptr<const model::Route>, std::shared_ptr<const model::Rule>>;

inline constexpr unsigned refusals_at_once = 5; ///< an address or a link may be about to be ready

struct ExtraSlot {
    ExtraWish wish; ///< nothing: nobody wants it
    std::uint32_t router{};
    bool is_static{false};                ///< the daemon's own, no router's
    bool stale{true};                     ///< what the kernel has may be another form of it
    std::optional<OperationId> operation; ///< in flight
    bool removing{false};                 ///< what is in flight
    bool gone_meanwhile{false};           ///< a deletion was told while it was
    bool foreign{false};                  ///< another one of this identity is in the way
    bool was_deleted{false};              ///< by somebody else: told when it is back
    Time not_before{};
    RestorePace restores;
    unsigned refusals{0};
    std::string refused; ///< why

    bool is_wanted() const { return !std::holds_alternative<std::monostate>(wish); }
    /// Too often to call it a matter of time.
    bool is_refused() const { return refusals >= (foreign ? 2 : refusals_at_once); }
    /// The sync group that depends on it; empty: none.
    const std::string& track_group() const {
        static const std::string none;
        if (const auto* route = std::get_if<std::shared_ptr<const model::Route>>(&wish)) return (*route)->track_group;
        if (const auto* rule = std::get_if<std::shared_ptr<const model::Rule>>(&wish)) return (*rule)->track_group;
        return none;
    }
};

/// Which step brings it from what the kernel has to what is wanted.
enum class ExtraStep : std::uint8_t { none, add, replace, remove };

} // namespace holdfast::engine
