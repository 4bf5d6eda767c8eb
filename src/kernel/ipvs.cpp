#include "kernel/ipvs.hpp"

namespace holdfast::kernel {

Ipvs::Ipvs(std::function<void(Answer)> report, IpvsTable table)
    : report_{std::move(report)}, table_{std::move(table)},
      worker_{"ipvs", [this](const Request& request) { answer(request); }} {}

void Ipvs::answer(const Request& request) {
    if (const auto* const batch = std::get_if<engine::ProgramIpvs>(&request))
        report_(table_.program(*batch));
    else
        report_(table_.list());
}

} // namespace holdfast::kernel
