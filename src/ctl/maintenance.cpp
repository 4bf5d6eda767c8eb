// `maintenance`: takes the host out of service and back, or says which.
#include "ctl/commands.hpp"

#include <fmt/format.h>

namespace holdfast::ctl {

void maintenance(Connection& connection, const Look& look, const MaintenanceOrder& order) {
    if (order.on) connection.set_maintenance(*order.on, order.reason);
    const auto node = connection.describe();
    const bool on = order.on.value_or(node["Maintenance"].get<bool>());
    const auto reason = order.on ? order.reason : node["MaintenanceReason"].get<std::string>();
    if (look.json != JsonStyle::off) return print(Json{{"Maintenance", on}, {"MaintenanceReason", reason}}, look.json);
    const auto name = printable(node["NodeName"].get<std::string>());
    if (!on) return print(fmt::format("{} is in service", name));
    print(fmt::format("{} is in maintenance{}; holdfastctl maintenance off ends it", name,
                      reason.empty() ? "" : ": " + printable(reason)));
}

} // namespace holdfast::ctl
