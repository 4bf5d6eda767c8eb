#include "bus/exported.hpp"

#include "bus/names.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace holdfast::bus {

std::optional<Duration> span_of(const Options& options, std::string_view word) {
    std::optional<Duration> span;
    for (const auto& [key, value] : options) {
        if (key != word || !value.containsValueOfType<std::uint64_t>())
            throw compat::error(error_invalid_args,
                                fmt::format("option '{}' is not known here: there is '{}' (type t)", key, word));
        constexpr std::uint64_t century = 100ULL * 365 * 86400 * 1'000'000; // more would overflow nanoseconds
        span = std::chrono::microseconds{std::min(value.get<std::uint64_t>(), century)};
    }
    return span;
}

engine::Takeover takeover_of(const Options& options) {
    engine::Takeover result;
    for (const auto& [key, value] : options) {
        if (key != "force" || !value.containsValueOfType<bool>())
            throw compat::error(error_invalid_args,
                                fmt::format("option '{}' is not known here: there is 'force' (type b)", key));
        result.force = value.get<bool>();
    }
    return result;
}

engine::SetPriority priority_of(std::uint8_t value) {
    if (value == owner_priority.value)
        throw compat::error(error_invalid_args,
                            "priority 255 is an owner's: give 1 to 254, or 0 for the configured one");
    return {value == 0 ? std::nullopt : std::optional{Priority{value}}};
}

std::vector<ObjectPath> trackers_of(const std::vector<model::TrackUse>& uses) {
    std::vector<ObjectPath> result;
    for (const auto& use : uses)
        result.push_back(object(tracker_path(use.tracker)));
    return result;
}

std::vector<Struct<std::string, std::string, std::string>> addresses(const std::vector<engine::AddressView>& views) {
    std::vector<Struct<std::string, std::string, std::string>> result;
    for (const auto& each : views)
        result.emplace_back(to_string(each.prefix), each.link, std::string{each.state});
    return result;
}

std::vector<Struct<std::string, bool>> extras(const std::vector<engine::ExtraView>& views) {
    std::vector<Struct<std::string, bool>> result;
    for (const auto& each : views)
        result.emplace_back(each.text, each.installed);
    return result;
}

} // namespace holdfast::bus
