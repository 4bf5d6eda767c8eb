// The synchronisation daemon follows a master as services do; the kernel's timeouts are set while the file says so, and put back.
#include "engine/servers.hpp"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

namespace holdfast::engine {

void Servers::plan_daemons(std::vector<IpvsStep>& out) {
    if (!std::exchange(daemons_dirty_, false) || !listed_) return;
    std::vector<IpvsSync> wanted;
    if (ipvs_.sync && !stopping_) wanted = wanted_sync(*ipvs_.sync, masters_.contains(ipvs_.sync->while_master));
    plan_sync(sync_there_, wanted, our_sync_, out);
    const auto timeouts = stopping_ ? model::ConnectionTimeouts{} : ipvs_.timeouts;
    if (const auto set = plan_timeouts(listed_->timeouts, timeouts)) {
        if (!timeouts_before_) timeouts_before_ = listed_->timeouts;
        out.emplace_back(*set);
    } else if (timeouts == model::ConnectionTimeouts{} && timeouts_before_) {
        out.emplace_back(SetTimeouts{*std::exchange(timeouts_before_, std::nullopt)});
    }
}

void Servers::daemon_done(const IpvsStep& step, int error, Turn turn) {
    const auto forget = [](std::vector<IpvsSync>& list, IpvsSync::Role role) {
        std::erase_if(list, [role](const IpvsSync& each) { return each.role == role; });
    };
    if (const auto* const stop = std::get_if<StopSync>(&step)) {
        forget(our_sync_, stop->sync.role);
        forget(sync_there_, stop->sync.role);
    }
    const auto* const start = std::get_if<StartSync>(&step);
    if (!start) return;
    if (error == 0) {
        sync_there_.push_back(start->sync);
        our_sync_.push_back(start->sync);
    }
    const auto problem = error == 0 ? std::string{}
                                    : fmt::format("connections are not synchronised over {}: {}", start->sync.interface,
                                                  std::strerror(error));
    if (problem == std::exchange(sync_problem_, problem) || problem.empty()) return;
    tell(Severity::warning, NoteKind::server_refused, "", problem, turn);
}

} // namespace holdfast::engine
