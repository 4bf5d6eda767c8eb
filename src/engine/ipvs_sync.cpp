#include "engine/ipvs_sync.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

/// The kernel tells defaults as what they are (IpvsSync): only what was asked for is compared.
bool is_as_wanted(const IpvsSync& observed, const IpvsSync& wanted) {
    return observed.interface == wanted.interface && observed.id == wanted.id &&
           (wanted.port == 0 || observed.port == wanted.port) && (wanted.ttl == 0 || observed.ttl == wanted.ttl) &&
           (wanted.max_length == 0 || observed.max_length == wanted.max_length) &&
           (!wanted.group || observed.group == wanted.group);
}

const IpvsSync* of_role(const std::vector<IpvsSync>& list, IpvsSync::Role role) {
    const auto at = std::ranges::find(list, role, &IpvsSync::role);
    return at == list.end() ? nullptr : &*at;
}

std::uint32_t seconds(Duration span) {
    return static_cast<std::uint32_t>(span / 1s);
}

} // namespace

std::vector<IpvsSync> wanted_sync(const model::ConnectionSync& sync, bool master) {
    IpvsSync one{.role = master ? IpvsSync::Role::master : IpvsSync::Role::backup,
                 .interface = sync.interface,
                 .id = sync.id,
                 .max_length = sync.max_length,
                 .port = sync.port,
                 .ttl = sync.ttl,
                 .group = sync.group};
    if (!sync.while_master.empty()) return {one};
    auto other = one;
    one.role = IpvsSync::Role::master;
    other.role = IpvsSync::Role::backup;
    return {one, other};
}

void plan_sync(const std::vector<IpvsSync>& observed, const std::vector<IpvsSync>& wanted,
               const std::vector<IpvsSync>& ours, std::vector<IpvsStep>& out) {
    for (const auto role : {IpvsSync::Role::master, IpvsSync::Role::backup}) {
        const auto *there = of_role(observed, role), *wish = of_role(wanted, role);
        const bool right = there && wish && is_as_wanted(*there, *wish);
        if (there && !right && (wish || of_role(ours, role))) out.push_back(StopSync{*there});
        if (wish && !right) out.push_back(StartSync{*wish});
    }
}

std::optional<SetTimeouts> plan_timeouts(const IpvsTimeouts& observed, const model::ConnectionTimeouts& wanted) {
    const auto differs = [](std::uint32_t there, Duration wish) {
        return wish != Duration::zero() && there != seconds(wish);
    };
    if (!differs(observed.tcp, wanted.tcp) && !differs(observed.tcp_fin, wanted.tcp_fin) &&
        !differs(observed.udp, wanted.udp))
        return std::nullopt;
    return SetTimeouts{{seconds(wanted.tcp), seconds(wanted.tcp_fin), seconds(wanted.udp)}};
}

std::optional<SetReuse> plan_reuse(const IpvsReuse& observed, const IpvsReuse& wanted) {
    const auto differs = [](std::optional<std::uint32_t> there, std::optional<std::uint32_t> wish) {
        return there && wish && there != wish;
    };
    if (!differs(observed.expire_nodest, wanted.expire_nodest) && !differs(observed.mode, wanted.mode))
        return std::nullopt;
    return SetReuse{wanted};
}

} // namespace holdfast::engine
