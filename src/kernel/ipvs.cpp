#include "kernel/ipvs.hpp"

namespace holdfast::kernel {

Ipvs::Ipvs(std::function<void(Answer)> report, IpvsTable table)
    : report_{std::move(report)}, table_{std::move(table)},
      worker_{"ipvs", [this](const Request& request) { answer(request); }} {}

void Ipvs::answer(const Request& request) {
    if (const auto* const batch = std::get_if<engine::ProgramIpvs>(&request)) return report_(table_.program(*batch));
    const bool glance = std::get<engine::ListIpvs>(request).glance;
    auto listed = glance ? table_.glance() : table_.list();
    report_(engine::IpvsRead{listed ? std::make_shared<const engine::IpvsListed>(*std::move(listed)) : nullptr});
}

} // namespace holdfast::kernel
